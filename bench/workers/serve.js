// SPDX-License-Identifier: GPL-2.0-only
import { parentPort } from 'node:worker_threads';

/** Answers the calls of a BenchWorker: `handlers[op](args)`. What a handler throws ends the worker and the bench. */
export function serve(handlers) {
  parentPort.on('message', async ({ op, args }) => {
    parentPort.postMessage(await handlers[op](args));
  });
}
