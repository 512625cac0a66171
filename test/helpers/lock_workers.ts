// SPDX-License-Identifier: GPL-2.0-only
//
// Starts the scenarios of lock_worker.mjs on worker threads, and sees to it that none outlives its test.

import { Worker } from 'node:worker_threads';
import { expect } from 'vitest';

const running = new Set<Worker>();

/** Runs one scenario on a thread of its own; answers what the scenario returns, fails if it throws. */
export function startLockWorker<T>(scenario: string, args: object): Promise<T> {
  const worker = new Worker(new URL('./lock_worker.mjs', import.meta.url), {
    workerData: { scenario, args },
  });
  running.add(worker);
  return new Promise<T>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => {
      running.delete(worker);
      reject(new Error(`${scenario}: the worker ended with code ${code} and without an answer`));
    });
  });
}

/** Runs one scenario on `count` threads; each gets `id` (1 to count) and `count`. */
export function startLockWorkers<T>(count: number, scenario: string, args: object): Promise<T[]> {
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  return Promise.all(ids.map((id) => startLockWorker<T>(scenario, { ...args, id, count })));
}

/** Ends what still runs, asleep or not: for afterEach. */
export async function stopLockWorkers(): Promise<void> {
  await Promise.all([...running].map((worker) => worker.terminate()));
  running.clear();
}

/** Looks at the condition until it holds, and lets other threads run in between. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Words of shared memory, all 0. */
export function sharedWords(words: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT));
}

/** Runs a wait that must give up: it answers false, and not before its time. */
export function expectTimeout(wait: (timestamp: number) => boolean): void {
  const timestamp = Date.now() + 5;
  expect(wait(timestamp)).toBe(false);
  expect(Date.now()).toBeGreaterThanOrEqual(timestamp);
}
