// SPDX-License-Identifier: GPL-2.0-only
/**
 * Entry of every worker of the pool: one call a task, one task a thread of the machine. A thread that ends goes back
 * to the pool warm.
 */
import { threadId, workerData } from 'node:worker_threads';
import { TASK, taskComm } from '../kernel/task.js';
import { Arena } from '../mm/arena.js';
import { runAppThread } from './app_thread.js';
import { runControlThread } from './control_thread.js';
import { runKthread } from './kthread_thread.js';
import { readSchedAttributes, restoreSchedAttributes } from './os_sched.js';
import { readSchedStat, readTid, setComm } from './os_thread.js';
import { loadedSlot, type ThreadExit, type ThreadTask } from './tasks.js';
import { traceExit } from './trace_ring.js';

/** What a worker is called between two threads. */
const IDLE_COMM = 'softnet/idle';

/** This worker's kernel thread id; constant for its life. */
const tid = readTid();
setComm(tid, IDLE_COMM);
/** What this worker was started with. */
const schedAttributes = readSchedAttributes(tid);

/** Runs one thread of a machine to its end. @returns what it cost, and its result */
export default async function runThread(task: ThreadTask): Promise<ThreadExit> {
  const before = readSchedStat(tid);
  const arena = new Arena(task.sab);
  const { m, f } = arena;
  m[task.taskAt + TASK.tid] = tid;
  m[task.taskAt + TASK.worker] = threadId;
  f[(task.taskAt + TASK.cpuBaseNs) >> 1] = before?.cpuNs ?? 0;
  f[(task.taskAt + TASK.delayBaseNs) >> 1] = before?.runDelayNs ?? 0;
  Atomics.store(m, task.taskAt + TASK.started, 1);
  setComm(tid, taskComm(m, task.taskAt));
  const { value, sleeps } = await run(task).finally(traceExit);
  // Control operations are over before anybody could name their thread.
  if (task.kind !== 'control') restoreSchedAttributes(tid, schedAttributes);
  setComm(tid, IDLE_COMM);
  const after = readSchedStat(tid);
  return {
    value,
    sleeps,
    tid,
    cpuNs: before !== null && after !== null ? after.cpuNs - before.cpuNs : null,
    runDelayNs: before !== null && after !== null ? after.runDelayNs - before.runDelayNs : null,
  };
}

/** What a thread's own code gives back. */
interface Ran {
  readonly value: unknown;
  readonly sleeps: number;
}

async function run(task: ThreadTask): Promise<Ran> {
  switch (task.kind) {
    case 'kthread':
      return { value: null, sleeps: runKthread(task, tid) };
    case 'control':
      return { value: runControlThread(task), sleeps: 0 };
    case 'nic': {
      // Reading captures takes modules that no other thread needs: 1 MB a worker.
      const { runNicThread } = await import('./nic_thread.js');
      return { value: await runNicThread(task, tid), sleeps: 0 };
    }
    case 'app':
      return runAppThread(task);
  }
}

// Everything is loaded: from here on the worker may be ended (kthreadd.ts). Behind the end of whatever loads this module: to
// end a worker while Node hands a module over that was required brings the process down, too.
if (workerData instanceof SharedArrayBuffer) {
  const loaded = new Int32Array(workerData);
  queueMicrotask(() => {
    Atomics.store(loaded, loadedSlot(threadId), threadId);
    Atomics.add(loaded, 0, 1);
    Atomics.notify(loaded, 0);
  });
}
