// SPDX-License-Identifier: GPL-2.0-only
/** Runs one command of this package in a process of its own: what it does to V8, or to memory, ends with it. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));

/** Between asking a command to end and ending it. */
const GRACE_MS = 4000;
/** Lines of standard error that are kept. */
const LINES = 20;

export interface ChildResult {
  /** null: it was ended by a signal. */
  readonly code: number | null;
  /** Its standard output as JSON, null if that is none. */
  readonly document: unknown;
  readonly stderr: readonly string[];
  readonly seconds: number;
  /** It was asked to end because its time was up. */
  readonly cut: boolean;
}

/**
 * Runs `softnet ARGV` to its end. When its time is up, or the signal comes, it gets SIGINT, upon which commands print what
 * they have, and SIGKILL a little later.
 * @param forMs how long it may take; null: as long as it wants
 * @param cli the command line, for tests
 */
export function runChild(
  argv: readonly string[],
  forMs: number | null,
  signal: AbortSignal,
  cli: string = CLI,
): Promise<ChildResult> {
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    // A group of its own: Ctrl-C comes to it once, from here, and not from the terminal as well.
    const child = spawn(process.execPath, [cli, ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
    });
    const out: Buffer[] = [];
    let err = '';
    let cut = false;
    let killer: NodeJS.Timeout | undefined;
    const kill = (): void => {
      child.kill('SIGKILL');
    };
    const ask = (): void => {
      if (killer !== undefined) return;
      child.kill('SIGINT');
      killer = setTimeout(kill, GRACE_MS);
    };
    const timer =
      forMs === null
        ? undefined
        : setTimeout(
            () => {
              cut = true;
              ask();
            },
            Math.max(0, forMs),
          );
    child.stdout.on('data', (d: Buffer) => out.push(d));
    child.stderr.on('data', (d: Buffer) => {
      err = (err + d.toString()).slice(-64_000);
    });
    const done = (): void => {
      clearTimeout(timer);
      clearTimeout(killer);
      signal.removeEventListener('abort', ask);
      process.removeListener('exit', kill);
    };
    signal.addEventListener('abort', ask);
    process.once('exit', kill);
    child.once('error', (e) => {
      done();
      reject(e);
    });
    child.once('close', (code) => {
      done();
      const stderr = err.split('\n').filter((line) => line.trim() !== '');
      const seconds = (performance.now() - begin) / 1e3;
      resolve({
        code,
        document: parsed(Buffer.concat(out).toString()),
        stderr: stderr.slice(-LINES),
        seconds,
        cut,
      });
    });
    if (signal.aborted) ask();
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
