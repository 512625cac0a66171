// SPDX-License-Identifier: GPL-2.0-only
/**
 * What happens when nothing can be written any more. The reader of standard output goes away (softnet … | head): no error. The
 * disk behind it is full: one line. Neither is a stack trace.
 */
import { EXIT_OK, EXIT_USAGE } from './exit_codes.js';

let finishing = false;
let lost = false;

/** The command goes on without a reader, because its exit code is an answer, too. */
export function finishWithoutReader(): void {
  finishing = true;
}

/** For errors of standard output. */
export function onOutputError(error: NodeJS.ErrnoException): void {
  const gone = error.code === 'EPIPE';
  if (!gone && !lost) process.stderr.write(`softnet: standard output: ${error.message}\n`);
  if (!gone) lost = true;
  if (!finishing) process.exit(gone ? EXIT_OK : EXIT_USAGE);
  // The command may have said its exit code already.
  process.exitCode = exitCode(Number(process.exitCode ?? EXIT_OK));
}

/** For errors of standard error: there is nobody to be told, and the exit code says the rest. */
export function ignoreErrors(): void {}

/** @returns a command's exit code, which is no success where its output is lost */
export function exitCode(code: number): number {
  return lost && code === EXIT_OK ? EXIT_USAGE : code;
}
