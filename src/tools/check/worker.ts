// SPDX-License-Identifier: GPL-2.0-only
/** A thread of softnet check beside the main one: takes batches, posts what comes out. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { CheckUsageError, RefusedError } from '../../check/refuse.js';
import { type CheckWork, doWork, posted, type WorkRow } from './work.js';

/** What a thread posts. */
export type FromWorker =
  | { readonly row: WorkRow }
  /** A module that cannot be loaded. */
  | { readonly refused: boolean; readonly message: string };

const port = parentPort as MessagePort;
const post = (m: FromWorker): void => port.postMessage(m);

try {
  await doWork(
    posted(workerData as CheckWork),
    () => {},
    (row) => post({ row }),
  );
} catch (e) {
  if (!(e instanceof RefusedError) && !(e instanceof CheckUsageError)) throw e;
  post({ refused: e instanceof RefusedError, message: e.message });
}
