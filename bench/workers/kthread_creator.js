// SPDX-License-Identifier: GPL-2.0-only
/**
 * Asks for threads, as a control operation does: blocking, in process context. The kernel thread is the one of a NAPI
 * instance that rests; the first thing its function does is to say that it sleeps, which the asker watches for.
 */
import { Worker, workerData } from 'node:worker_threads';
import { cpuRelax } from '../../dist/kernel/cpu_relax.js';
import { kthreadPark, kthreadRun, kthreadStop, kthreadUnpark } from '../../dist/kernel/kthread.js';
import { TASK, TASK_INTERRUPTIBLE } from '../../dist/kernel/task.js';
import { KTHREAD_NAPI_POLL, TASK_KIND_NAPI } from '../../dist/net/core/ids.js';
import { threadContext } from '../../dist/threads/context.js';
import { nowNs } from '../lib/clock.js';
import { addInstances, newThreadNode } from '../lib/protocol.js';
import { serve } from './serve.js';

const { cur, net } = threadContext(workerData.sab, workerData.taskAt);
const [napiAt] = addInstances(net, 1, 0);
/** Serves an instance that rests, whichever thread it is. */
const node = newThreadNode(cur.m, napiAt, 0);
/** The thread that is parked again and again. */
let kept = 0;
const FIRST_LINE = new URL('./first_line.js', import.meta.url);

function run() {
  const task = kthreadRun(cur, KTHREAD_NAPI_POLL, node, 0, TASK_KIND_NAPI, 'napi/bench');
  if (task < 0) throw new Error(`kthreadRun: errno ${-task}`);
  return task;
}

/** Returns when a thread waits for its instance: the first thing its function does. */
function sleeps(task) {
  while (Atomics.load(cur.m, task + TASK.state) !== TASK_INTERRUPTIBLE) cpuRelax();
}

serve({
  /** @returns ns from kthread_run to its return, and to the thread function’s first instruction */
  kthread() {
    const startNs = nowNs();
    const task = run();
    const createdNs = nowNs();
    sleeps(task);
    const ranNs = nowNs();
    const result = kthreadStop(cur, task);
    return { createdNs: createdNs - startNs, ranNs: ranNs - startNs, stoppedNs: nowNs() - ranNs, result };
  },
  /** @returns ns to park a thread, and from unpark until it waits for its instance again */
  park() {
    if (kept === 0) {
      kept = run();
      sleeps(kept);
    }
    const startNs = nowNs();
    const err = kthreadPark(cur, kept);
    const parkedNs = nowNs();
    kthreadUnpark(cur.m, kept);
    sleeps(kept);
    return { parkedNs: parkedNs - startNs, ranNs: nowNs() - parkedNs, result: err };
  },
  /** Ends the thread that was kept. */
  done() {
    return kept === 0 ? 0 : kthreadStop(cur, kept);
  },
  /** @returns ns from `new Worker` to its first line */
  async worker() {
    const ran = new Int32Array(new SharedArrayBuffer(4));
    const atNs = new Float64Array(new SharedArrayBuffer(8));
    const startNs = nowNs();
    const worker = new Worker(FIRST_LINE, { workerData: { ran, atNs } });
    Atomics.wait(ran, 0, 0);
    const ranNs = atNs[0];
    await worker.terminate();
    return { ranNs: ranNs - startNs };
  },
});
