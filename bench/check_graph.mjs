// SPDX-License-Identifier: GPL-2.0-only
// A graph of a million states: four threads that each move a counter of their own.
import { litmus, must } from 'softnet/check';

const LAST = 31;

const count = (own) => (m) => {
  for (let i = 0; i < LAST; i++) Atomics.add(m, own, 1);
};

export const million = litmus({
  name: 'million',
  memory: () => new Int32Array(new SharedArrayBuffer(16)),
  threads: { a: count(0), b: count(1), c: count(2), d: count(3) },
  final(m) {
    for (let i = 0; i < 4; i++) must(m[i] === LAST, 'a count is wrong');
  },
  forbids: 'a lost count',
  why: 'add is atomic',
});
