// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of irq.test.ts: devices that raise an interrupt, and threads that mask and disable it.

import {
  IrqDesc,
  irqDisable,
  irqEnable,
  irqMask,
  irqSetAffinity,
  irqUnmask,
  raiseIrq,
} from '../../dist/kernel/irq.js';
import { advance, dawdle, meet, random, reach, SCRATCH_AT } from './kernel_steps.mjs';

/** Words behind the one that SCRATCH_AT points to. */
const WANTED = 0; // by raiser
const SEEN = 16; // by raiser
const INSIDE = 32;
const OVERLAPS = 33;
const RUNS = 34;
const HOLD = 35; // 1: the next run waits for GO
const HELD = 36;
const GO = 37;
const DONE = 38;
const ELSEWHERE = 39; // runs on behalf of another CPU than was asked for
const CPUS = 40; // runs by CPU
export const STATE_WORDS = 64;

function handler(cur, devId) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  if (Atomics.add(m, state + INSIDE, 1) !== 0) Atomics.add(m, state + OVERLAPS, 1);
  Atomics.add(m, state + RUNS, 1);
  m[state + CPUS + cur.cpu.id]++;
  if (devId !== 77) Atomics.add(m, state + ELSEWHERE, 1);
  if (Atomics.exchange(m, state + HOLD, 0) === 1) {
    advance(m, state + HELD);
    reach(m, state + GO, 1);
  }
  for (let id = 1; id < 8; id++) {
    const wanted = Atomics.load(m, state + WANTED + id);
    if (Atomics.load(m, state + SEEN + id) === wanted) continue;
    Atomics.store(m, state + SEEN + id, wanted);
    Atomics.notify(m, state + SEEN + id);
  }
  dawdle(30);
  Atomics.sub(m, state + INSIDE, 1);
}

export function setup(cur) {
  cur.irqHandlers[0] = handler;
}

/** Raises the interrupt and waits each time until a handler has seen what it was raised for. */
export function raiseAndWait(cur, { irq, id, gate, count, rounds }) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  const d = new IrqDesc(m, irq);
  const next = random(id);
  meet(m, gate, count);
  for (let i = 1; i <= rounds; i++) {
    Atomics.store(m, state + WANTED + id, i);
    raiseIrq(cur, d);
    reach(m, state + SEEN + id, i);
    dawdle(next(100));
  }
  advance(m, state + DONE);
}

const obstacles = {
  mask: [(_cur, d) => irqMask(d), irqUnmask],
  disable: [irqDisable, irqEnable],
  affinity: [(_cur, d) => irqSetAffinity(d, 1), (_cur, d) => irqSetAffinity(d, 0)],
};

/** Puts an obstacle in the way and takes it away again, until `raisers` threads are done. */
export function obstruct(cur, { irq, how, raisers, gate, count, id }) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  const d = new IrqDesc(m, irq);
  const next = random(id);
  const [put, take] = obstacles[how];
  meet(m, gate, count);
  while (Atomics.load(m, state + DONE) < raisers) {
    put(cur, d);
    dawdle(next(200));
    take(cur, d);
    dawdle(next(200));
  }
}

/** Disables, raises, enables. While it is disabled no handler may run. @returns how often one did */
export function disableAndRaise(cur, { irq, id, gate, count, rounds }) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  const d = new IrqDesc(m, irq);
  const next = random(id);
  let ran = 0;
  meet(m, gate, count);
  for (let i = 0; i < rounds; i++) {
    irqDisable(cur, d);
    const runs = Atomics.load(m, state + RUNS);
    if (Atomics.load(m, state + INSIDE) !== 0) ran++;
    dawdle(next(60));
    if (raiseIrq(cur, d) || Atomics.load(m, state + RUNS) !== runs) ran++;
    irqEnable(cur, d);
    dawdle(next(60));
  }
  return ran;
}

/** Raises once; the handler is held. */
export function raiseHeld(cur, { irq }) {
  Atomics.store(cur.m, cur.m[SCRATCH_AT] + HOLD, 1);
  return raiseIrq(cur, new IrqDesc(cur.m, irq));
}

/** Disables the interrupt while its handler is held. @returns handlers inside, seen after irqDisable */
export function disableHeld(cur, { irq, istate, depth }) {
  const { m } = cur;
  const state = m[SCRATCH_AT];
  reach(m, state + HELD, 1);
  irqDisable(cur, new IrqDesc(m, irq));
  const inside = Atomics.load(m, state + INSIDE);
  return {
    inside,
    go: Atomics.load(m, state + GO),
    depth: Math.floor(Atomics.load(m, irq + istate) / depth),
  };
}

/** Lets the held handler go on once the interrupt is disabled. */
export function releaseWhenDisabled({ m }, { irq, istate, depth }) {
  const state = m[SCRATCH_AT];
  reach(m, state + HELD, 1);
  while (Atomics.load(m, irq + istate) < depth);
  dawdle(100_000);
  advance(m, state + GO);
}

export function counts({ m }) {
  const state = m[SCRATCH_AT];
  return {
    runs: m[state + RUNS],
    overlaps: m[state + OVERLAPS],
    elsewhere: m[state + ELSEWHERE],
    cpus: [m[state + CPUS], m[state + CPUS + 1]],
  };
}
