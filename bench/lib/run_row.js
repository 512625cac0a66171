// SPDX-License-Identifier: GPL-2.0-only
import { fork } from 'node:child_process';

/** No row takes longer, on the slowest host: it hangs. */
const LIMIT_MS = 300_000;

/**
 * Runs a row in a process of its own.
 * @returns what lib/row_process.js made of it; rejects if its result was wrong, it died, or it hung
 */
export function runRow(row, quick) {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('./row_process.js', import.meta.url), [], {
      execArgv: [...process.execArgv, ...(row.execArgv ?? [])],
      stdio: ['ignore', 2, 2, 'ipc'], // stdout is the report's
    });
    const watchdog = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${row.name}: no result after ${LIMIT_MS / 60_000} minutes; it hangs`));
    }, LIMIT_MS);
    child.once('message', ({ result, error }) => {
      if (error === undefined) resolve(result);
      else reject(new Error(`${row.name}: ${error}`));
    });
    child.once('exit', (code, signal) => {
      clearTimeout(watchdog);
      reject(new Error(`${row.name}: its process ended early (${signal ?? `exit code ${code}`})`));
    });
    child.send({ name: row.name, quick });
  });
}
