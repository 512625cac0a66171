// SPDX-License-Identifier: GPL-2.0-only
/**
 * Tasks: the state word, sleeping and waking (Linux: kernel/sched/core.c).
 *
 * States of `state`
 *   TASK_RUNNING          runs, or is about to look at its condition again
 *   TASK_INTERRUPTIBLE    sleeps or is about to; wakeUpProcess makes it run
 *   TASK_UNINTERRUPTIBLE  the same, for waits nobody may cut short
 *   TASK_PARKED           parked kernel thread; only kthreadUnpark makes it run
 *   TASK_DEAD             has left; nobody wakes it
 *
 * Owners: `state` is set to a sleeping state by the task itself and to TASK_RUNNING by the task or, by
 * compare-and-swap, by a waker. Everything else in its line is the task's own.
 *
 * Invariant: a waker changes the word only from a state it was asked to wake, so a wake-up meant for one kind of
 * sleep cannot end another.
 *
 * Ordering (all atomics of JS are sequentially consistent)
 *   T1 sleeper: store state, then load its condition       pairs with  T2
 *   T2 waker:   store the condition, then load state       pairs with  T1
 *      (either the waker sees the sleeping state or the sleeper sees the condition)
 *   T3 waker:   CAS state to RUNNING, then notify           pairs with  T4
 *   T4 sleeper: Atomics.wait compares state before it sleeps pairs with T3
 */
import { readName } from '../mm/arena.js';
import { f64, line, struct, word, words } from '../mm/struct.js';
import type { Current } from './current.js';
import { TP_SCHED_WAKEUP, trace } from './trace.js';

export const TASK_RUNNING = 0;
export const TASK_INTERRUPTIBLE = 1;
export const TASK_UNINTERRUPTIBLE = 2;
export const TASK_PARKED = 64;
export const TASK_DEAD = 128;
/** What wakeUpProcess wakes. */
export const TASK_NORMAL = TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE;

/** Words of a task's name: 32 bytes, the last one NUL. The operating system's tools show the first 15. */
export const TASK_COMM_WORDS = 8;

/** struct task_struct, with struct kthread behind it. */
export const TASK = struct(
  'task_struct',
  line('the task (sleeping states), wakers by CAS (to running)', {
    state: word('TASK_* state; Atomics.wait sleeps on it'),
  }),
  line('the task', {
    rcuCtr: word('grace period last seen, 0 while in an extended quiescent state'),
  }),
  line('the task', {
    tid: word('kernel thread id, 0 where /proc is not available'),
    nvcsw: word('times it really went to sleep'),
    cpu: word('simulated CPU it counts as running on'),
    result: word('return value of the thread function'),
    started: word('1 once its first instruction ran'),
    cpuBaseNs: f64('CPU time its worker had used before it'),
    delayBaseNs: f64('run delay its worker had had before it'),
    worker: word('number of the worker that runs it'),
  }),
  line('any thread, by atomic or/and', {
    kthreadFlags: word('KTHREAD_SHOULD_STOP, KTHREAD_SHOULD_PARK'),
  }),
  line('holders of a reference, by atomic add/sub', {
    usage: word('references: whoever gives the last one back frees it'),
  }),
  line('the thread (complete), its controller (wait)', {
    parked: word('completion: reached the parked state'),
    exited: word('completion: the thread function returned'),
    created: word('completion: the creation request was carried out'),
    createResult: word('0, or -ENOMEM; written before `created` completes'),
  }),
  line('creator, before the thread starts', {
    fn: word('which thread function (KTHREAD_FN_*)'),
    data: word('its argument'),
    boundCpu: word('simulated CPU it is created for'),
    kind: word('TASK_KIND_*: what the thread is in the picture'),
    comm: words(TASK_COMM_WORDS, 'name, as ps -T shows it'),
    createNext: word('link in the list of creation requests'),
  }),
  line('holder of the task list lock', {
    next: word('task list: next'),
    prev: word('task list: previous'),
  }),
);

/** A view of a task_struct. Make once a thread and task, keep. */
export class Task {
  readonly m: Int32Array;
  readonly at: number;
  readonly state: number;

  constructor(m: Int32Array, at: number) {
    this.m = m;
    this.at = at;
    this.state = at + TASK.state;
  }
}

/** Sets the state of the running task itself; the next load of its condition comes after (T1). */
export function setCurrentState(t: Task, state: number): void {
  Atomics.store(t.m, t.state, state); // T1
}

/**
 * Wakes a task that sleeps in one of the states of `mask` (Linux: try_to_wake_up).
 * @param at the task_struct's word index
 * @param by who wakes it, for its tracepoint: that comes before the task is told, so no thread runs before it is woken
 * @returns true if this call made it run
 */
export function wakeUpState(m: Int32Array, at: number, mask: number, by: Current | null = null): boolean {
  const word = at + TASK.state;
  let seen = Atomics.load(m, word); // T2
  while ((seen & mask) !== 0) {
    const was = Atomics.compareExchange(m, word, seen, TASK_RUNNING); // T3
    if (was === seen) {
      if (by !== null) trace(by, TP_SCHED_WAKEUP, at);
      Atomics.notify(m, word, 1);
      return true;
    }
    seen = was;
  }
  return false;
}

/** Wakes a task that sleeps interruptibly or uninterruptibly (Linux: wake_up_process). */
export function wakeUpProcess(m: Int32Array, at: number, by: Current | null = null): boolean {
  return wakeUpState(m, at, TASK_NORMAL, by);
}

/** @returns the task's name. Cold path. */
export function taskComm(m: Int32Array, at: number): string {
  return readName(m, at + TASK.comm, TASK_COMM_WORDS);
}
