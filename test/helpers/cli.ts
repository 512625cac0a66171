// SPDX-License-Identifier: GPL-2.0-only
/** Runs the built command as a user does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
export const FIXTURE = fileURLToPath(new URL('../fixtures/mixed.pcap.gz', import.meta.url));
export const SMALL_FIXTURE = fileURLToPath(new URL('../fixtures/small.pcapng.gz', import.meta.url));
/** What test/fixtures/README.md says of them. */
export const FIXTURE_FRAMES = 26364;
export const SMALL_FIXTURE_FRAMES = 200;

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface CliRun {
  readonly child: ChildProcess;
  readonly done: Promise<CliResult>;
}

/** Starts `softnet ARGS`. `input` goes to its standard input. */
export function startCli(args: readonly string[], input?: Uint8Array): CliRun {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (d: Buffer) => {
    stdout += d.toString();
  });
  child.stderr.on('data', (d: Buffer) => {
    stderr += d.toString();
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? new Uint8Array());
  const done = new Promise<CliResult>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr: withoutBusy(stderr) }));
  });
  return { child, done };
}

/** Tests run on loaded hosts: the warning that says so is no part of what they check. */
function withoutBusy(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => !/the host (was|is) busy/.test(line))
    .join('\n');
}

/** Runs `softnet ARGS` to its end. */
export function runCli(args: readonly string[], input?: Uint8Array): Promise<CliResult> {
  return startCli(args, input).done;
}

/** A run of torture that is soon over. */
export const SMALL_TORTURE = [
  'torture',
  '--duration',
  '2s',
  '--stutter',
  '1',
  '--devices',
  '2',
  '--threads',
  '2',
  '--cpus',
  '2',
];
