// SPDX-License-Identifier: GPL-2.0-only
/**
 * Asks for threads, as a control operation does: blocking, in process context. The kernel thread is the one of a NAPI
 * instance that rests; the first thing its function does is to say that it sleeps, which the asker watches for.
 */
import { Worker, workerData } from 'node:worker_threads';
import { cpuRelax } from '../../dist/kernel/cpu_relax.js';
import { kthreadRun, kthreadStop } from '../../dist/kernel/kthread.js';
import { TASK, TASK_INTERRUPTIBLE } from '../../dist/kernel/task.js';
import { KTHREAD_NAPI_POLL, TASK_KIND_NAPI } from '../../dist/net/core/ids.js';
import { threadContext } from '../../dist/threads/context.js';
import { nowNs } from '../lib/clock.js';
import { addInstances } from '../lib/protocol.js';
import { serve } from './serve.js';

const { cur, net } = threadContext(workerData.sab, workerData.taskAt);
const [napiAt] = addInstances(net, 1, 0);
const FIRST_LINE = new URL('./first_line.js', import.meta.url);

serve({
  /** @returns ns from kthread_run to its return, and to the thread function’s first instruction */
  kthread() {
    const startNs = nowNs();
    const task = kthreadRun(cur, KTHREAD_NAPI_POLL, napiAt, 0, TASK_KIND_NAPI, 'napi/bench');
    if (task < 0) throw new Error(`kthreadRun: errno ${-task}`);
    const createdNs = nowNs();
    while (Atomics.load(cur.m, task + TASK.state) !== TASK_INTERRUPTIBLE) cpuRelax();
    const ranNs = nowNs();
    const result = kthreadStop(cur, task);
    return { createdNs: createdNs - startNs, ranNs: ranNs - startNs, result };
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
