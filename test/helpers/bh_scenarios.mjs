// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of bh.test.ts: they keep softirqs off their CPU.

import {
  condResched,
  irqLockCpu,
  irqUnlockCpu,
  localBhDisable,
  localBhEnable,
} from '../../dist/kernel/bh.js';
import { advance, dawdle, meet, random, reach } from './kernel_steps.mjs';

/** A plain increment that is wide open to a lost update: only a lock makes it exact. */
function increment(m, at) {
  const seen = m[at];
  dawdle(20);
  m[at] = seen + 1;
}

/** Counts under the BH lock of this thread's CPU, nested one to three deep. */
export function countNested(cur, { counter, gate, count, id, rounds }) {
  const { m } = cur;
  const next = random(id);
  meet(m, gate, count);
  for (let i = 0; i < rounds; i++) {
    const depth = 1 + next(3);
    for (let k = 0; k < depth; k++) localBhDisable(cur);
    increment(m, counter);
    for (let k = 1; k < depth; k++) localBhEnable(cur);
    increment(m, counter);
    localBhEnable(cur);
  }
}

/** Counts under the interrupt lock of CPU 0. */
export function countIrqLock(cur, { counter, gate, count, rounds }) {
  meet(cur.m, gate, count);
  for (let i = 0; i < rounds; i++) {
    irqLockCpu(cur.cpus[0]);
    increment(cur.m, counter);
    irqUnlockCpu(cur.cpus[0]);
  }
}

/** Holds the lock of its CPU, two deep, until told to go. */
export function hold(cur, { held, go, left }) {
  localBhDisable(cur);
  localBhDisable(cur);
  localBhEnable(cur);
  advance(cur.m, held);
  reach(cur.m, go, 1);
  Atomics.store(cur.m, left, 1);
  localBhEnable(cur);
}

/** Takes the lock of its CPU while another thread holds one. @returns whether that thread had let go */
export function takeMeanwhile(cur, { held, left, taking }) {
  reach(cur.m, held, 1);
  advance(cur.m, taking);
  localBhDisable(cur);
  const seen = Atomics.load(cur.m, left);
  localBhEnable(cur);
  return seen;
}

/** Polls back to back as under load: turns of about `turn` loop steps under the lock, a look in between. */
export function loop(cur, { turns, turn, stop, waiters, gate, count }) {
  const { m } = cur;
  meet(m, gate, count);
  while (Atomics.load(m, stop) < waiters) {
    localBhDisable(cur);
    dawdle(turn);
    localBhEnable(cur);
    condResched(cur);
    Atomics.add(m, turns, 1);
  }
}

/** Wants the lock now and then. @returns the most turns that others had meanwhile, each time */
export function wantNowAndThen(cur, { turns, times, stop, gate, count, most }) {
  const { m } = cur;
  const waited = [];
  meet(m, gate, count);
  for (let i = 0; i < times; i++) {
    const before = Atomics.load(m, turns);
    // The looper is at it again before the next try.
    while (Atomics.load(m, turns) < before + 3 && waited.length > 0);
    const from = Atomics.load(m, turns);
    localBhDisable(cur);
    waited.push(Atomics.load(m, turns) - from);
    localBhEnable(cur);
    if (waited[i] > most) break;
  }
  Atomics.add(m, stop, 1);
  return waited;
}
