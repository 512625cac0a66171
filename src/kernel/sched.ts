// SPDX-License-Identifier: GPL-2.0-only
/**
 * Sleeping (Linux: schedule, schedule_timeout) and waiting in process context.
 *
 * A caller sets its state, tests its condition, then calls schedule: see the ordering table of task.ts (T1, T4).
 * While a thread sleeps it is in an extended quiescent state of RCU.
 */
import { waitForCompletion } from './completion.js';
import type { Current } from './current.js';
import { mutexLock, mutexUnlock } from './locking/mutex.js';
import { rcuIdleEnter, rcuIdleExit } from './rcu.js';
import { TASK, TASK_RUNNING, wakeUpProcess } from './task.js';
import { TP_SCHED_SWITCH_IN, TP_SCHED_SWITCH_OUT, trace } from './trace.js';

/** Wakes a task that sleeps (Linux: try_to_wake_up), as wakeUpProcess does, and says so. @returns true if this call made it run */
export function tryToWakeUp(cur: Current, t: number): boolean {
  return wakeUpProcess(cur.m, t, cur);
}

/** Sleeps until somebody sets this task's state to TASK_RUNNING. */
export function schedule(cur: Current): void {
  const { m, task } = cur;
  let state = Atomics.load(m, task.state);
  if (state === TASK_RUNNING) return;
  rcuIdleEnter(cur);
  cur.nvcsw++;
  m[task.at + TASK.nvcsw] = cur.nvcsw;
  trace(cur, TP_SCHED_SWITCH_OUT, state);
  while (state !== TASK_RUNNING) {
    Atomics.wait(m, task.state, state);
    state = Atomics.load(m, task.state);
  }
  trace(cur, TP_SCHED_SWITCH_IN);
  rcuIdleExit(cur);
}

/**
 * Sleeps until woken or until `timeoutUs` microseconds have passed; the state is TASK_RUNNING afterwards.
 * @returns true if it was woken, false if the time was up
 */
export function scheduleTimeout(cur: Current, timeoutUs: number): boolean {
  return scheduleUntil(cur, (cur.platform.nowUs() + timeoutUs) | 0);
}

/** The same until the clock shows `deadlineUs` (wrapping microseconds; Linux: schedule_hrtimeout). */
export function scheduleUntil(cur: Current, deadlineUs: number): boolean {
  const { m, task } = cur;
  const state = Atomics.load(m, task.state);
  if (state === TASK_RUNNING) return true;
  rcuIdleEnter(cur);
  cur.nvcsw++;
  m[task.at + TASK.nvcsw] = cur.nvcsw;
  trace(cur, TP_SCHED_SWITCH_OUT, state);
  let leftUs = (deadlineUs - cur.platform.nowUs()) | 0;
  // A notification meant for an earlier sleep may come late: only the state, or the clock, ends this one.
  while (leftUs > 0 && Atomics.wait(m, task.state, state, leftUs / 1e3) === 'ok') {
    if (Atomics.load(m, task.state) !== state) break;
    leftUs = (deadlineUs - cur.platform.nowUs()) | 0;
  }
  const was = Atomics.compareExchange(m, task.state, state, TASK_RUNNING);
  trace(cur, TP_SCHED_SWITCH_IN);
  rcuIdleExit(cur);
  return was === TASK_RUNNING;
}

/** Waits for a completion in process context: in a quiescent state, so a grace period need not wait for it. */
export function sleepOnCompletion(cur: Current, at: number): void {
  rcuIdleEnter(cur);
  waitForCompletion(cur.m, at);
  rcuIdleExit(cur);
}

/** Takes a mutex in process context (Linux: mutex_lock). `at` is the lock word, the owner word follows. */
export function sleepOnMutex(cur: Current, at: number): void {
  rcuIdleEnter(cur);
  mutexLock(cur.m, at, cur.task.at);
  rcuIdleExit(cur);
}

/** Releases a mutex (Linux: mutex_unlock). */
export function releaseMutex(cur: Current, at: number): void {
  mutexUnlock(cur.m, at, cur.task.at);
}
