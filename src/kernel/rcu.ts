// SPDX-License-Identifier: GPL-2.0-only
/**
 * RCU, quiescent-state based (the scheme of userspace-rcu's QSBR; Linux's guarantee).
 *
 * States of a task's `rcuCtr`: 0 = extended quiescent state (asleep, in user code, not in a read section);
 * g = may hold pointers read since it passed grace period g.
 *
 * Owners: `rcuCtr` the task; `rcuGp`, `rcuWaiting` the one inside synchronizeRcu (mutex rcuLock);
 * `rcuWake` any reader that passes while somebody waits.
 *
 * Invariant: when synchronizeRcu returns, every task that was in a read section when it began has left it.
 *
 * Ordering
 *   U1 reader: store rcuCtr, then load the pointer           pairs with  U2
 *   U2 updater: unpublish the pointer, then load rcuCtr      pairs with  U1
 *   U3 reader: store rcuCtr, then load rcuWaiting            pairs with  U4
 *   U4 updater: store rcuWaiting, then load rcuCtr           pairs with  U3
 */
import { type Current, KERNEL, KERNEL_AT } from './current.js';
import { mutexLock, mutexUnlock } from './locking/mutex.js';
import { spinLock, spinUnlock } from './locking/spinlock.js';
import { TASK } from './task.js';

const GP = KERNEL_AT + KERNEL.rcuGp;
const WAITING = KERNEL_AT + KERNEL.rcuWaiting;
const WAKE = KERNEL_AT + KERNEL.rcuWake;

/** Prepares RCU. Called once, before other threads exist. */
export function rcuInit(m: Int32Array): void {
  m[GP] = 1;
}

/** Leaves the extended quiescent state: from here on pointers read stay valid until a quiescent state. */
export function rcuThreadOnline(cur: Current): void {
  const { m } = cur;
  const gp = Atomics.load(m, GP);
  Atomics.store(m, cur.task.at + TASK.rcuCtr, gp); // U1
}

/** Enters the extended quiescent state: before sleeping, before user code. */
export function rcuThreadOffline(cur: Current): void {
  const { m } = cur;
  Atomics.store(m, cur.task.at + TASK.rcuCtr, 0); // U3
  if (Atomics.load(m, WAITING) !== 0) wakeUpdater(m);
}

/** Reports a quiescent state from a thread that does not sleep (Linux: rcu_softirq_qs). */
export function rcuQuiescentState(cur: Current): void {
  const { m } = cur;
  const gp = Atomics.load(m, GP);
  if (m[cur.task.at + TASK.rcuCtr] === gp) return;
  Atomics.store(m, cur.task.at + TASK.rcuCtr, gp); // U3
  if (Atomics.load(m, WAITING) !== 0) wakeUpdater(m);
}

/** @returns true if a grace period waits for the running thread: a loop that could end its read section is to do so */
export function rcuWaitsFor(cur: Current): boolean {
  const { m } = cur;
  if (Atomics.load(m, WAITING) === 0) return false;
  return m[cur.task.at + TASK.rcuCtr] !== Atomics.load(m, GP);
}

/** Begins a read section (Linux: rcu_read_lock). Free in a kernel thread, which is inside one while it runs. */
export function rcuReadLock(cur: Current): void {
  if (cur.rcuNesting === 0) rcuThreadOnline(cur);
  cur.rcuNesting++;
}

/** Ends a read section (Linux: rcu_read_unlock). */
export function rcuReadUnlock(cur: Current): void {
  cur.rcuNesting--;
  if (cur.rcuNesting === 0) rcuThreadOffline(cur);
}

/** Before a sleep: nobody need wait for a sleeper. */
export function rcuIdleEnter(cur: Current): void {
  if (cur.rcuNesting > 0) rcuThreadOffline(cur);
}

/** After a sleep. */
export function rcuIdleExit(cur: Current): void {
  if (cur.rcuNesting > 0) rcuThreadOnline(cur);
}

/**
 * Waits for a grace period (Linux: synchronize_rcu, synchronize_net). Sleeps: process context only, and the caller
 * must not rely on pointers it read before.
 */
export function synchronizeRcu(cur: Current): void {
  const { m } = cur;
  rcuIdleEnter(cur);
  mutexLock(m, KERNEL_AT + KERNEL.rcuLock, cur.task.at);
  let gp = (m[GP] + 1) | 0;
  if (gp === 0) gp = 1;
  Atomics.store(m, GP, gp);
  Atomics.store(m, WAITING, 1); // U4
  for (;;) {
    const seq = Atomics.load(m, WAKE);
    if (!readersBehind(m, gp)) break; // U2
    Atomics.wait(m, WAKE, seq);
  }
  Atomics.store(m, WAITING, 0);
  mutexUnlock(m, KERNEL_AT + KERNEL.rcuLock, cur.task.at);
  rcuIdleExit(cur);
}

function readersBehind(m: Int32Array, gp: number): boolean {
  let behind = false;
  spinLock(m, KERNEL_AT + KERNEL.taskLock);
  for (let t = m[KERNEL_AT + KERNEL.taskFirst]; t !== 0 && !behind; t = m[t + TASK.next]) {
    const ctr = Atomics.load(m, t + TASK.rcuCtr);
    behind = ctr !== 0 && ctr !== gp;
  }
  spinUnlock(m, KERNEL_AT + KERNEL.taskLock);
  return behind;
}

function wakeUpdater(m: Int32Array): void {
  Atomics.add(m, WAKE, 1);
  Atomics.notify(m, WAKE, 1);
}
