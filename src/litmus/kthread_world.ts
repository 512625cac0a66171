// SPDX-License-Identifier: GPL-2.0-only
/** What the litmus tests of kernel threads share: a controller, and a thread that works, parks and stops. */
import type { Label } from '../check/index.js';
import type { Current } from '../kernel/current.js';
import { kthread, kthreadParkme, kthreadShouldPark, kthreadShouldStop } from '../kernel/kthread.js';
import { schedule, sleepOnCompletion } from '../kernel/sched.js';
import { setCurrentState, TASK, TASK_INTERRUPTIBLE, TASK_RUNNING, wakeUpProcess } from '../kernel/task.js';
import { addRunningTask, addTask, addWord, boot, currentOf } from './world.js';

/** A kernel thread's function that works on a counter and parks when asked. */
export function worker(cur: Current, work: number, done: number): number {
  const { m } = cur;
  for (;;) {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE);
    if (kthreadShouldStop(cur)) break;
    if (kthreadShouldPark(cur)) {
      kthreadParkme(cur);
      continue;
    }
    if (Atomics.exchange(m, work, 0) !== 0) {
      setCurrentState(cur.task, TASK_RUNNING);
      m[done]++;
    } else {
      schedule(cur);
    }
  }
  setCurrentState(cur.task, TASK_RUNNING);
  return 0;
}

export interface WorkerSetup {
  readonly main: number;
  readonly thread: number;
  readonly work: number;
  readonly done: number;
}

export function workerSetup(m: Int32Array, label: Label): WorkerSetup {
  boot(m, label, 1);
  return {
    main: addRunningTask(m, label, 'main'),
    thread: addTask(m, label, 'kthread'),
    work: addWord(m, label, 'work'),
    done: addWord(m, label, 'done'),
  };
}

export function workerThread(m: Int32Array, s: WorkerSetup): void {
  const cur = currentOf(m, s.thread);
  kthread(cur, (c) => worker(c, s.work, s.done));
}

/** Begins the controller: the thread is created and waits to be woken. */
export function controller(m: Int32Array, s: WorkerSetup): Current {
  const cur = currentOf(m, s.main);
  sleepOnCompletion(cur, s.thread + TASK.created);
  return cur;
}

/** Begins the controller, and wakes the thread. */
export function starter(m: Int32Array, s: WorkerSetup): Current {
  const cur = controller(m, s);
  wakeUpProcess(m, s.thread);
  return cur;
}
