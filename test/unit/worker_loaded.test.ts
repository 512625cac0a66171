// SPDX-License-Identifier: GPL-2.0-only
/** When a worker of the pool says that it may be ended. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { LOADED_SLOTS } from '../../dist/threads/tasks.js';

const WORKER = fileURLToPath(new URL('../../dist/threads/worker.js', import.meta.url));

it('is when whoever loads its module is done with it: Node 20 does not survive the end of a thread that still is not', async () => {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const loaded = new Int32Array(workerData);
    require(${JSON.stringify(WORKER)});
    const atOnce = Atomics.load(loaded, 0);
    queueMicrotask(() => parentPort.postMessage([atOnce, Atomics.load(loaded, 0)]));`;
  const worker = new Worker(code, {
    eval: true,
    workerData: new SharedArrayBuffer(4 * (1 + LOADED_SLOTS)),
  });
  const seen = await new Promise((resolve, reject) => {
    worker.on('message', resolve);
    worker.on('error', reject);
  });
  await worker.terminate();
  expect(seen).toEqual([0, 1]);
});
