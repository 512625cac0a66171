// SPDX-License-Identifier: GPL-2.0-only
/**
 * Timers of microsecond resolution (Linux: kernel/time/hrtimer.c): one shot, pinned to the CPU that starts them, run
 * by that CPU's thread.
 *
 * States: inactive; enqueued (in the list of its base, sorted by expiry); running (its function is being called).
 * A timer may be enqueued again while it is running, on the
 * same CPU.
 *
 * Owners
 *   base list, enqueued, expiresUs, next, base   holder of the base's timerLock
 *   running                                      the CPU thread that calls the function: 1 under its base's timerLock
 *   fn, data                                     whoever set the timer up, before it is first started
 *   timerLook                                    the CPU's own thread
 *
 * Invariants: a timer that is running is in the base of the CPU that runs it, or in none; after hrtimerCancel returned the timer is neither enqueued nor running, unless its owner starts it again.
 * A timer is not late: the thread of its CPU is woken when it becomes the first, unless that thread has promised in
 * timerLook to look at the list by itself before the timer expires. It keeps a promise by sleeping no longer, or by looking
 * earlier; before it sleeps without a limit it takes the promise back and looks once more. One that rests offline has no
 * timers, and looks when it is back.
 *
 * Ordering
 *   H1 CPU thread: running = 0, then notify        pairs with  H2
 *   H2 canceller: wait while running               pairs with  H1
 *   H3 starter: insert (under timerLock), then wake the CPU's thread        pairs with  H4
 *   H4 CPU thread: sleeping state, then look at the list (under timerLock)  pairs with  H3
 *   H7 CPU thread: timerLook of the first timer, then unlocks timerLock; none: timerLook = 0, then looks at the list
 *      again   pairs with  H8
 *   H8 starter: insert, then load of timerLook (both under timerLock)       pairs with  H7
 *   H5 starter: holds the base’s timerLock, then loads its CPU’s online     pairs with  H6
 *   H6 hotplug: online = 0 (cpu_hotplug.ts), then moves the list under timerLock   pairs with  H5
 */
import { line, struct, word } from '../mm/struct.js';
import { type Cpu, cpuTask, onlineInstead } from './cpu.js';
import type { Current } from './current.js';
import { spinLock, spinUnlock } from './locking/spinlock.js';
import { tryToWakeUp } from './sched.js';

/** struct hrtimer, to be embedded: a line of its own. */
export const HRTIMER = struct(
  'hrtimer',
  line('holder of the base’s timerLock', {
    enqueued: word('1 while in its base’s list'),
    expiresUs: word('when, in wrapping microseconds'),
    next: word('next timer of the base'),
    base: word('CPU whose base it is or was in'),
    fn: word('which function (an entry of hrtimerFns)'),
    data: word('its argument'),
    running: word('1 while its function is called; waited on by hrtimerCancel'),
  }),
);

/** Largest distance a timer may have: half the range of the wrapping clock, less a margin. */
export const HRTIMER_MAX_US = 1_800_000_000;

/** Prepares a timer; nobody else may know it yet (Linux: hrtimer_setup). */
export function hrtimerSetup(m: Int32Array, timer: number, fn: number, data: number): void {
  m[timer + HRTIMER.fn] = fn;
  m[timer + HRTIMER.data] = data;
}

/**
 * Starts the timer `delayUs` microseconds from now; one already started is moved (Linux: hrtimer_start with
 * HRTIMER_MODE_REL_PINNED).
 * @param on the CPU whose thread runs it: by default the one this thread counts as running on
 */
export function hrtimerStart(cur: Current, timer: number, delayUs: number, on: Cpu = cur.cpu): void {
  const delay = Math.min(delayUs, HRTIMER_MAX_US);
  hrtimerStartAt(cur, timer, (cur.platform.nowUs() + delay) | 0, on);
}

/**
 * The same with the time at which it expires, in wrapping microseconds, at most HRTIMER_MAX_US ahead (Linux:
 * HRTIMER_MODE_ABS_PINNED): whatever holds this thread up meanwhile does not make the timer late.
 */
export function hrtimerStartAt(cur: Current, timer: number, expires: number, on: Cpu): void {
  const { m } = cur;
  let cpu = cur.cpus[on.id];
  lockBase(cur, timer);
  if (m[timer + HRTIMER.enqueued] !== 0) dequeue(cur, timer);
  // A timer whose function is being called stays with that CPU: else another could call it a second time.
  while (Atomics.load(m, timer + HRTIMER.running) === 0) {
    const oldBase = cur.cpus[m[timer + HRTIMER.base]];
    if (oldBase === cpu) {
      cpu = onlineInstead(cur.cpus, cpu); // H5
      if (oldBase === cpu) break;
    }
    // The word `base` changes under both locks in turn: who finds the old value retries (lockBase).
    Atomics.store(m, timer + HRTIMER.base, cpu.id);
    spinUnlock(m, oldBase.timerLock);
    lockBase(cur, timer);
    if (m[timer + HRTIMER.enqueued] !== 0) dequeue(cur, timer);
  }
  m[timer + HRTIMER.expiresUs] = expires;
  const first = enqueue(cur, timer);
  const base = cur.cpus[m[timer + HRTIMER.base]];
  const look = Atomics.load(m, base.timerLook); // H8
  spinUnlock(m, base.timerLock);
  if (look !== 0 && ((expires - look) | 0) >= 0) return;
  const t = cpuTask(base);
  if (first && t !== cur.task.at) tryToWakeUp(cur, t); // H3
}

/**
 * Stops the timer and waits for its function if that is being called (Linux: hrtimer_cancel). Process context.
 * @returns true if it was enqueued
 */
export function hrtimerCancel(cur: Current, timer: number): boolean {
  const { m } = cur;
  let was = false;
  for (;;) {
    lockBase(cur, timer);
    const base = cur.cpus[m[timer + HRTIMER.base]];
    if (m[timer + HRTIMER.enqueued] !== 0) {
      dequeue(cur, timer);
      was = true;
    }
    const running = Atomics.load(m, timer + HRTIMER.running);
    spinUnlock(m, base.timerLock);
    if (running === 0) return was;
    Atomics.wait(m, timer + HRTIMER.running, 1); // H2; its function may start it again: look once more
  }
}

/**
 * Calls the functions of all timers of this CPU that have expired. The CPU's own thread only.
 * @returns microseconds until the next one expires, 0 if timers were run (look again), -1 if there is none
 */
export function hrtimerRunQueues(cur: Current): number {
  const { m, cpu } = cur;
  let ran = false;
  for (;;) {
    if (Atomics.load(m, cpu.timerFirst) === 0) {
      // H4
      if (m[cpu.timerLook] === 0) return ran ? 0 : -1;
      Atomics.store(m, cpu.timerLook, 0); // H7
      continue;
    }
    spinLock(m, cpu.timerLock);
    const timer = m[cpu.timerFirst];
    if (timer === 0) {
      spinUnlock(m, cpu.timerLock);
      continue;
    }
    const expires = m[timer + HRTIMER.expiresUs];
    const leftUs = (expires - cur.platform.nowUs()) | 0;
    if (leftUs > 0) {
      // Rounded up: a timer that expires no earlier than this is seen in time.
      if (m[cpu.timerLook] !== (expires | 1)) Atomics.store(m, cpu.timerLook, expires | 1); // H7
      spinUnlock(m, cpu.timerLock);
      return ran ? 0 : leftUs;
    }
    dequeue(cur, timer);
    Atomics.store(m, timer + HRTIMER.running, 1);
    const fn = m[timer + HRTIMER.fn];
    const data = m[timer + HRTIMER.data];
    spinUnlock(m, cpu.timerLock);
    cur.hrtimerFns[fn](cur, data);
    Atomics.store(m, timer + HRTIMER.running, 0); // H1
    Atomics.notify(m, timer + HRTIMER.running);
    ran = true;
  }
}

/**
 * Moves the timers of a CPU that went offline and whose thread rests (Linux: hrtimers_cpu_dying). Both bases are locked
 * at once: nobody may find a timer in neither.
 */
export function hrtimersCpuDead(cur: Current, from: Cpu, to: Cpu): void {
  const { m } = cur;
  spinLock(m, from.id < to.id ? from.timerLock : to.timerLock);
  spinLock(m, from.id < to.id ? to.timerLock : from.timerLock);
  for (let timer = m[from.timerFirst]; timer !== 0; timer = m[from.timerFirst]) {
    dequeue(cur, timer);
    Atomics.store(m, timer + HRTIMER.base, to.id);
    enqueue(cur, timer);
  }
  spinUnlock(m, from.timerLock);
  spinUnlock(m, to.timerLock);
  tryToWakeUp(cur, cpuTask(to)); // H3
}

/** Takes the lock of the base the timer belongs to, which may change until it is held. */
function lockBase(cur: Current, timer: number): void {
  const { m } = cur;
  for (;;) {
    const base = cur.cpus[Atomics.load(m, timer + HRTIMER.base)];
    spinLock(m, base.timerLock);
    if (Atomics.load(m, timer + HRTIMER.base) === base.id) return;
    spinUnlock(m, base.timerLock);
  }
}

/** Takes it out of its base's list. Base locked. */
function dequeue(cur: Current, timer: number): void {
  const { m } = cur;
  let link = cur.cpus[m[timer + HRTIMER.base]].timerFirst;
  while (m[link] !== timer) link = m[link] + HRTIMER.next;
  Atomics.store(m, link, m[timer + HRTIMER.next]);
  m[timer + HRTIMER.enqueued] = 0;
}

/** Puts it into its base's list by expiry. Base locked. @returns true if it is now the first */
function enqueue(cur: Current, timer: number): boolean {
  const { m } = cur;
  const head = cur.cpus[m[timer + HRTIMER.base]].timerFirst;
  const expires = m[timer + HRTIMER.expiresUs];
  let link = head;
  while (m[link] !== 0 && ((m[m[link] + HRTIMER.expiresUs] - expires) | 0) <= 0)
    link = m[link] + HRTIMER.next;
  m[timer + HRTIMER.next] = m[link];
  m[timer + HRTIMER.enqueued] = 1;
  Atomics.store(m, link, timer);
  return link === head;
}
