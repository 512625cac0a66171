// SPDX-License-Identifier: GPL-2.0-only
/** What happens when the reader of standard output goes away (softnet … | head): no error, and no stack trace. */
import { EXIT_OK } from './exit_codes.js';

let finishing = false;

/** The command goes on without a reader, because its exit code is an answer, too. */
export function finishWithoutReader(): void {
  finishing = true;
}

/** For errors of standard output. @throws the error if it is any other */
export function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  if (!finishing) process.exit(EXIT_OK);
}
