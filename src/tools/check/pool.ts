// SPDX-License-Identifier: GPL-2.0-only
/** Threads of softnet check: the main one works, too, so that a short run needs no other. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CheckUsageError, RefusedError } from '../../check/refuse.js';
import { type CheckWork, doWork, postable, stopWork, type WorkRow } from './work.js';
import type { FromWorker } from './worker.js';

/** Most threads: each has all modules under test for itself. */
const MAX_JOBS = 8;
/** A thread's start costs what so many small tests do. */
const NAMES_A_JOB = 8;

/** @returns how many threads are worth it for so many tests or mutants */
export function jobsFor(names: number): number {
  return Math.max(1, Math.min(availableParallelism(), MAX_JOBS, Math.floor(names / NAMES_A_JOB)));
}

/** Batches that each thread gets at least, if there are names enough. */
const BATCHES_A_JOB = 4;

/**
 * Puts names into batches: those that take long first, one by one, so that no thread ends long before another; then
 * those that are loaded from one file, a few together.
 * @param fileOf which file a name's test is in
 * @param long names of tests that take long, the longest first
 */
export function batchesOf(
  names: readonly string[],
  testOf: (name: string) => string,
  fileOf: (test: string) => number,
  long: readonly string[],
  jobs: number,
): string[][] {
  const most = Math.max(1, Math.min(NAMES_A_JOB, Math.floor(names.length / (jobs * BATCHES_A_JOB))));
  const rank = new Map(long.map((name, i) => [name, i]));
  const rankOf = (name: string): number => rank.get(testOf(name)) ?? Infinity;
  const first = names.filter((n) => rankOf(n) < Infinity).sort((a, b) => rankOf(a) - rankOf(b));
  const rest: string[][] = [];
  const byFile = new Map<number, string[]>();
  for (const name of names) {
    if (rankOf(name) < Infinity) continue;
    const file = fileOf(testOf(name));
    let batch = byFile.get(file);
    if (batch === undefined || batch.length === most) {
      batch = [];
      byFile.set(file, batch);
      rest.push(batch);
    }
    batch.push(name);
  }
  return [...first.map((name) => [name]), ...rest];
}

/**
 * Runs the work on `jobs` threads, this one among them.
 * @param begins called right before this thread's first search
 * @throws what a thread throws: RefusedError, CheckUsageError
 */
export async function runPool(
  work: CheckWork,
  jobs: number,
  begins: () => void,
  row: (r: WorkRow) => void,
): Promise<void> {
  const others = Array.from({ length: jobs - 1 }, () => otherThread(work));
  const ends = others.map((worker) => ended(worker, row));
  try {
    await Promise.all([...ends, doWork(work, begins, row)]);
  } catch (e) {
    stopWork(work);
    await Promise.all(others.map((worker) => worker.terminate()));
    throw e;
  }
}

function otherThread(work: CheckWork): Worker {
  return new Worker(new URL('./worker.js', import.meta.url), { workerData: postable(work) });
}

function ended(worker: Worker, row: (r: WorkRow) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on('message', (m: FromWorker) => {
      if ('row' in m) row(m.row);
      else reject(m.refused ? new RefusedError(m.message) : new CheckUsageError(m.message));
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve());
  });
}
