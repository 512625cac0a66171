// SPDX-License-Identifier: GPL-2.0-only
//
// Steps that scenarios of kernel_lab.ts share. None of them sleeps for a time: they wait for words to change.

import { ROOT_AT } from '../../dist/mm/slab.js';

/** Root words that the kernel leaves free: where a test tells handlers and thread functions what it is about. */
export const SCRATCH_AT = ROOT_AT + 448;

/** Sleeps until word `at` has reached `value`. */
export function reach(m, at, value) {
  for (let now = Atomics.load(m, at); now < value; now = Atomics.load(m, at)) Atomics.wait(m, at, now);
}

/** Raises word `at` by one and wakes who waits for it. @returns the new value */
export function advance(m, at) {
  const now = Atomics.add(m, at, 1) + 1;
  Atomics.notify(m, at);
  return now;
}

/** All `count` threads leave together, so that they contend and do not run one after the other. */
export function meet(m, gate, count) {
  advance(m, gate);
  reach(m, gate, count);
}

/** A small deterministic generator: numbers from 0 to `below` - 1. */
export function random(seed) {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Keeps the core for a few nanoseconds to a few microseconds: moves threads against each other. */
export function dawdle(turns) {
  for (let i = 0; i < turns; i++) spun = (spun + i) | 0;
}
let spun = 0;
