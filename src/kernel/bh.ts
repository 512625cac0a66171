// SPDX-License-Identifier: GPL-2.0-only
/**
 * local_bh_disable as PREEMPT_RT spells it: a lock per CPU, nested per thread (Linux: kernel/softirq.c).
 *
 * States: free; held by one thread `bhCount` deep.
 * Owner: the thread that holds it; it runs softirqs or a NAPI poll on behalf of that CPU.
 * Invariants: at most one thread runs softirqs or polls for a CPU at any time; none but a pinned one, which looks,
 * holds the lock of a CPU that is offline.
 * Lock order: device mutex, bhLock, queue locks, irqLock. Nobody sleeps under the irqLock.
 *
 * The lock is not fair: a thread that loops (a poll under load) takes it again before a woken one gets to run, which
 * keeps polls back to back. A waiter that got nothing for a tick raises `bhYield`; loops call condResched outside the
 * lock and sleep there until it had its turn (as the scheduler's tick would see to).
 *
 * Ordering
 *   B1 localBhEnable: per-CPU data (plain) then unlock      pairs with  B2
 *   B2 localBhDisable: lock then per-CPU data (plain)       pairs with  B1
 *   B3 hotplug: lock, online = 0, unlock (cpu_hotplug.ts)   pairs with  B4
 *   B4 localBhDisable: lock, then load of online            pairs with  B3
 */
import { CPU, type Cpu, cpuOnline, onlineInstead } from './cpu.js';
import { SPIN_LOADS } from './cpu_relax.js';
import type { Current } from './current.js';
import {
  SPIN_CONTENDED,
  SPIN_FREE,
  spinBriefly,
  spinLock,
  spinTryLock,
  spinUnlock,
} from './locking/spinlock.js';

/** How long a thread waits for bhLock before it asks loops to give way, and how long they do at most: a tick. */
const TICK_MS = 1;

/**
 * Keeps softirqs and other polls off this CPU until localBhEnable. Nests. A thread whose CPU is offline goes on on
 * another one; those that are pinned stay, and have to look.
 */
export function localBhDisable(cur: Current): void {
  if (cur.bhCount === 0) {
    lockCpu(cur);
    while (!cur.pinned && !cpuOnline(cur.cpu)) moveOff(cur); // B4
  }
  cur.bhCount++;
}

function lockCpu(cur: Current): void {
  if (cur.cpu !== cur.home && cpuOnline(cur.home)) cur.cpu = cur.home;
  cur.bhCpu = cur.cpu;
  if (!spinTryLock(cur.m, cur.cpu.bhLock)) bhLockSlow(cur); // B2
}

/** The CPU whose lock is held went offline: another's instead (Linux: the scheduler migrates what runs there). */
function moveOff(cur: Current): void {
  spinUnlock(cur.m, cur.cpu.bhLock);
  cur.cpu = onlineInstead(cur.cpus, cur.cpu);
  cur.bhCpu = cur.cpu;
  if (!spinTryLock(cur.m, cur.cpu.bhLock)) bhLockSlow(cur); // B2
}

/** Undoes one localBhDisable. */
export function localBhEnable(cur: Current): void {
  cur.bhCount--;
  if (cur.bhCount === 0) spinUnlock(cur.m, cur.bhCpu.bhLock); // B1
}

/**
 * Gives way to threads that wait for this CPU's BH lock (Linux: cond_resched). For loops that take the lock again and
 * again; never while holding it.
 */
export function condResched(cur: Current): void {
  const word = cur.cpu.at + CPU.bhYield;
  const waiting = Atomics.load(cur.m, word);
  if (waiting === 0) return;
  cur.yields++;
  Atomics.wait(cur.m, word, waiting, TICK_MS);
}

/** @returns true if somebody waits for this CPU's bottom halves longer than a tick (Linux: need_resched) */
export function needResched(cur: Current): boolean {
  return Atomics.load(cur.m, cur.cpu.at + CPU.bhYield) !== 0;
}

function bhLockSlow(cur: Current): void {
  const { m, cpu } = cur;
  if (spinBriefly(m, cpu.bhLock, SPIN_LOADS)) return;
  let asked = false;
  const deadlineUs = (cur.platform.nowUs() + TICK_MS * 1000) | 0;
  while (Atomics.exchange(m, cpu.bhLock, SPIN_CONTENDED) !== SPIN_FREE) {
    Atomics.wait(m, cpu.bhLock, SPIN_CONTENDED, TICK_MS);
    // Woken or not: a loop may have taken the lock again each time before this thread got to run.
    if (!asked && ((cur.platform.nowUs() - deadlineUs) | 0) >= 0) {
      asked = true;
      Atomics.add(m, cpu.at + CPU.bhYield, 1);
    }
  }
  if (asked) {
    Atomics.sub(m, cpu.at + CPU.bhYield, 1);
    Atomics.notify(m, cpu.at + CPU.bhYield);
  }
}

/** Takes a CPU's interrupt lock (Linux: local_irq_save on that CPU). A few instructions, never a sleep. */
export function irqLockCpu(cpu: Cpu): void {
  spinLock(cpu.m, cpu.irqLock);
}

/** Releases it (Linux: local_irq_restore). */
export function irqUnlockCpu(cpu: Cpu): void {
  spinUnlock(cpu.m, cpu.irqLock);
}
