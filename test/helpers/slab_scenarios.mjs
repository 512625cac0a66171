// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of slab.test.ts.

import { kfree, kmalloc } from '../../dist/mm/slab.js';
import { CACHE_LINE_WORDS, cacheAlign } from '../../dist/mm/struct.js';
import { meet, random } from './kernel_steps.mjs';

/**
 * Registers the cache lines of a block to thread `id` in `owners`, or hands them back (id 0).
 * @returns how many of them were not in the expected hands
 */
function register(m, owners, at, size, from, to) {
  let wrong = 0;
  for (let i = 0; i < cacheAlign(size) / CACHE_LINE_WORDS; i++) {
    if (Atomics.exchange(m, owners + at / CACHE_LINE_WORDS + i, to) !== from) wrong++;
  }
  return wrong;
}

function countOthers(m, at, size, value) {
  let others = 0;
  for (let i = 0; i < size; i++) if (m[at + i] !== value) others++;
  return others;
}

/** Allocates and frees at random; holds at most `most` blocks of the sizes given. */
export function churn({ m }, { id, count, gate, owners, rounds, most, sizes }) {
  const next = random(id);
  const held = [];
  const seen = { shared: 0, dirty: 0, overwritten: 0, refused: 0 };
  const drop = ({ at, size }) => {
    seen.overwritten += countOthers(m, at, size, id);
    seen.shared += register(m, owners, at, size, id, 0);
    kfree(m, at, size);
  };
  meet(m, gate, count);
  for (let i = 0; i < rounds; i++) {
    if (held.length > 0 && (held.length === most || next(2) === 0)) {
      drop(held.splice(next(held.length), 1)[0]);
      continue;
    }
    const size = sizes[next(sizes.length)];
    const at = kmalloc(m, size);
    if (at === 0) {
      seen.refused++;
      continue;
    }
    seen.shared += register(m, owners, at, size, 0, id);
    seen.dirty += countOthers(m, at, size, 0);
    m.fill(id, at, at + size);
    held.push({ at, size });
  }
  for (const block of held) drop(block);
  return seen;
}

/** Asks for `large` words, which are refused, and for `size` words, by turns. @returns where the blocks it got are */
export function askLargeAndSmall({ m }, { count, gate, large, size, rounds }) {
  const kept = [];
  meet(m, gate, count);
  for (let i = 0; i < rounds; i++) {
    if (kmalloc(m, large) !== 0) throw new Error(`${large} words were to be had`);
    const at = kmalloc(m, size);
    if (at !== 0) kept.push(at);
  }
  return kept;
}
