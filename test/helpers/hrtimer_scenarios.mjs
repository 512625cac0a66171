// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of hrtimer.test.ts: CPUs that run timers, and threads that start and cancel them.

import { HRTIMER, hrtimerCancel, hrtimerSetup, hrtimerStart } from '../../dist/kernel/hrtimer.js';
import { mutexLock, mutexUnlock } from '../../dist/kernel/locking/mutex.js';
import { cpuThreadFns } from './cpu_threads.mjs';
import { advance, dawdle, meet, random, reach, SCRATCH_AT } from './kernel_steps.mjs';

export { bootCpus, stopCpus } from './cpu_threads.mjs';

export const kthreadFns = cpuThreadFns;

/** Words behind the one that SCRATCH_AT points to. */
const CALLS = 0; // calls of the function under test
const INSIDE = 1;
const OVERLAPS = 2;
const EARLY = 3;
const HOLD = 4; // 1: the next call waits for GO
const HELD = 5;
const GO = 6;
const REARM_US = 7; // not 0: the function starts its timer again
const CANCELLING = 8;
const EXPIRES_US = 9; // when it may run at the earliest
const SENTINEL = 10; // calls of the other function
const LOCK = 12; // mutex
const CPUS = 16; // calls by CPU
export const STATE_WORDS = 32;

/** The function under test. */
function tick(cur, timer) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  if (Atomics.add(m, state + INSIDE, 1) !== 0) Atomics.add(m, state + OVERLAPS, 1);
  if (((cur.platform.nowUs() - Atomics.load(m, state + EXPIRES_US)) | 0) < 0)
    Atomics.add(m, state + EARLY, 1);
  m[state + CPUS + cur.cpu.id]++;
  advance(m, state + CALLS);
  if (Atomics.exchange(m, state + HOLD, 0) === 1) {
    advance(m, state + HELD);
    reach(m, state + GO, 1);
  }
  if (m[state + REARM_US] !== 0) hrtimerStart(cur, timer, m[state + REARM_US]);
  Atomics.sub(m, state + INSIDE, 1);
}

/** Tells that its CPU has run what expired before. */
function sentinel({ m }) {
  advance(m, m[SCRATCH_AT] + SENTINEL);
}

export function setup(cur) {
  cur.hrtimerFns[0] = tick;
  cur.hrtimerFns[1] = sentinel;
}

/** Starts a sentinel on this thread's CPU and waits until it was called. */
function passSentinel(cur, timer, delayUs) {
  const { m } = cur;
  const seen = Atomics.load(m, m[SCRATCH_AT] + SENTINEL);
  hrtimerSetup(m, timer, 1, 0);
  hrtimerStart(cur, timer, delayUs);
  reach(m, m[SCRATCH_AT] + SENTINEL, seen + 1);
}

function start(cur, timer, delayUs) {
  // Read before the start: the timer counts from a later moment.
  Atomics.store(cur.m, cur.m[SCRATCH_AT] + EXPIRES_US, (cur.platform.nowUs() + delayUs) | 0);
  hrtimerStart(cur, timer, delayUs);
}

/** Starts the timer `rounds` times, with delays of all sizes, and waits each time until it was called. */
export function startAndWait(cur, { timer, rounds }) {
  const { m } = cur;
  const next = random(1);
  hrtimerSetup(m, timer, 0, timer);
  for (let i = 1; i <= rounds; i++) {
    start(cur, timer, next(8) === 0 ? 0 : next(1000));
    reach(m, m[SCRATCH_AT] + CALLS, i);
  }
  return result(cur);
}

/** While the CPU sleeps until a far timer, a nearer one is started. */
export function startNearer(cur, { timer, far }) {
  const { m } = cur;
  hrtimerSetup(m, far, 1, 0);
  hrtimerStart(cur, far, 1_000_000_000);
  hrtimerSetup(m, timer, 0, timer);
  start(cur, timer, 500);
  reach(m, m[SCRATCH_AT] + CALLS, 1);
  return { ...result(cur), farLeft: hrtimerCancel(cur, far) };
}

/** Starts the timer; its function is held inside. */
export function startHeld(cur, { timer, rearmUs }) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  m[state + REARM_US] = rearmUs;
  Atomics.store(m, state + HOLD, 1);
  hrtimerSetup(m, timer, 0, timer);
  start(cur, timer, 100);
  reach(m, state + HELD, 1);
}

/** Starts the timer again on this thread's CPU, and gives that time to run it. */
export function startAgain(cur, { timer, other }) {
  start(cur, timer, 0);
  passSentinel(cur, other, 100);
}

/** Cancels; afterwards gives the CPU time to call what it should not. @returns calls before and after */
export function cancel(cur, { timer, other }) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  advance(m, state + CANCELLING);
  const was = hrtimerCancel(cur, timer);
  const inside = Atomics.load(m, state + INSIDE);
  const calls = Atomics.load(m, state + CALLS);
  passSentinel(cur, other, 3000);
  return { was, inside, later: Atomics.load(m, state + CALLS) - calls };
}

/** Lets the held function go on once somebody cancels its timer. */
export function releaseWhenCancelled({ m }) {
  const state = m[SCRATCH_AT];
  reach(m, state + CANCELLING, 1);
  dawdle(200_000);
  advance(m, state + GO);
}

/** Threads on several CPUs start the one timer, and cancel it, by turns. @returns calls after a cancel */
export function startAndCancel(cur, { timer, id, gate, count, rounds }) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  const next = random(id);
  let late = 0;
  if (id === 1) hrtimerSetup(m, timer, 0, timer);
  meet(m, gate, count);
  for (let i = 0; i < rounds; i++) {
    mutexLock(m, state + LOCK, cur.task.at);
    const before = Atomics.load(m, state + CALLS);
    start(cur, timer, next(3) * 20);
    const then = next(4);
    if (then === 0) reach(m, state + CALLS, before + 1);
    else dawdle(next(20_000));
    if (then >= 2) {
      hrtimerCancel(cur, timer);
      const calls = Atomics.load(m, state + CALLS);
      if (Atomics.load(m, state + INSIDE) !== 0) late++;
      dawdle(next(5000));
      if (Atomics.load(m, state + CALLS) !== calls) late++;
    }
    mutexUnlock(m, state + LOCK, cur.task.at);
  }
  return late;
}

export function result({ m }) {
  const state = m[SCRATCH_AT];
  return {
    calls: m[state + CALLS],
    overlaps: m[state + OVERLAPS],
    early: m[state + EARLY],
    cpus: [m[state + CPUS], m[state + CPUS + 1]],
  };
}

/** Cancels whatever is left. @returns true if the timer was in its list exactly when it said so */
export function cleanUp(cur, { timer }) {
  const was = cur.m[timer + HRTIMER.enqueued] !== 0;
  return hrtimerCancel(cur, timer) === was;
}
