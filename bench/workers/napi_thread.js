// SPDX-License-Identifier: GPL-2.0-only
/**
 * An instance's kernel thread, as src/threads/kthread_thread.ts runs it, which says how much heap it held before and
 * after. Needs --expose-gc.
 */
import { getHeapStatistics } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { kthread } from '../../dist/kernel/kthread.js';
import { napiThreadedPoll } from '../../dist/net/core/napi_poll.js';
import { threadContext } from '../../dist/threads/context.js';

/** Bytes that live objects of this thread take, inside the heap and outside. */
function heldBytes() {
  globalThis.gc();
  globalThis.gc();
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

const ctx = threadContext(workerData.sab, workerData.taskAt);
const beforeBytes = heldBytes();
kthread(ctx.cur, (_cur, node) => napiThreadedPoll(ctx.net, node));
const afterBytes = heldBytes();
parentPort.postMessage({ beforeBytes, afterBytes });
