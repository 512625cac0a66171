// SPDX-License-Identifier: GPL-2.0-only
/**
 * kmalloc: memory of the arena, in whole cache lines, from any thread and without a lock.
 *
 * States of a block: free in the list of its size class, or owned by whoever got it from kmalloc.
 *
 * Owners
 *   brk        any thread, by fetch-and-add: memory below it was handed out once
 *   freeList[] any thread, by exchange (take all) and compare-and-swap (give back a chain)
 *   a block    its owner; the first word links it while it is free
 *
 * Invariants: a block is in at most one list or has one owner. A list is only ever taken whole, so no head can be
 * recycled under a concurrent pop (no ABA); who takes a list keeps the first block and gives the others back.
 *
 * Ordering
 *   S1 kfree: link word (plain) then CAS of the head      pairs with  S2
 *   S2 kmalloc: exchange of the head then link word (plain) pairs with S1
 */
import { CACHE_LINE_WORDS, cacheAlign, line, struct, word, words } from './struct.js';

const NR_CLASSES = 32;

/** The allocator's own words. */
export const MM_STRUCT = struct(
  'mm_struct',
  line('any thread, fetch-and-add', {
    brk: word('first word never handed out yet'),
  }),
  line('main thread, before any other starts', {
    end: word('first word past the arena'),
  }),
  line('any thread, exchange and compare-and-swap', {
    freeList: words(NR_CLASSES, 'heads of the free lists; class c holds blocks of 2^c cache lines'),
  }),
);

/** Where the allocator's words lie: right behind the NULL line. */
export const MM_AT = CACHE_LINE_WORDS;

/** Room for the roots of the layers above: the only structs at a fixed place. */
export const ROOT_AT = cacheAlign(MM_AT + MM_STRUCT.SIZE);
const ROOT_WORDS = 512;

/** First word that kmalloc hands out. */
const MM_FIRST = ROOT_AT + ROOT_WORDS;

function sizeClass(lines: number): number {
  return lines <= 1 ? 0 : 32 - Math.clz32(lines - 1);
}

/**
 * Words at the end that are never handed out: the headers of a frame are read as if the whole frame stood in one
 * piece, which may look past its first buffer, but never past the arena.
 */
const GUARD_WORDS = 1 << 16;

/** Prepares the allocator. Called once, before other threads exist. */
export function mmInit(m: Int32Array): void {
  m[MM_AT + MM_STRUCT.brk] = MM_FIRST;
  m[MM_AT + MM_STRUCT.end] = m.length - GUARD_WORDS;
}

/**
 * Allocates zeroed memory on a cache line.
 * @param size in words
 * @returns the word index, or 0 (ENOMEM)
 */
export function kmalloc(m: Int32Array, size: number): number {
  const c = sizeClass(cacheAlign(size) / CACHE_LINE_WORDS);
  const blockWords = CACHE_LINE_WORDS << c;
  let at = takeFree(m, MM_AT + MM_STRUCT.freeList + c);
  if (at === 0) {
    at = Atomics.add(m, MM_AT + MM_STRUCT.brk, blockWords);
    // Compared by subtraction: after many failures the sum may pass 2^31.
    if (at < 0 || at + blockWords > m[MM_AT + MM_STRUCT.end]) {
      Atomics.sub(m, MM_AT + MM_STRUCT.brk, blockWords);
      return 0;
    }
    return at; // never used: zero, and not touched before it is needed
  }
  m.fill(0, at, at + size);
  return at;
}

/** Gives memory back. `size` is the size that was asked for, in words. */
export function kfree(m: Int32Array, at: number, size: number): void {
  if (at === 0) return;
  const c = sizeClass(cacheAlign(size) / CACHE_LINE_WORDS);
  giveChain(m, MM_AT + MM_STRUCT.freeList + c, at, at);
}

/** Words still to be had from never-used memory. For messages; racy by nature. */
export function mmFreeWords(m: Int32Array): number {
  return m[MM_AT + MM_STRUCT.end] - Atomics.load(m, MM_AT + MM_STRUCT.brk);
}

function takeFree(m: Int32Array, head: number): number {
  if (Atomics.load(m, head) === 0) return 0;
  const first = Atomics.exchange(m, head, 0); // S2
  if (first === 0) return 0;
  const rest = m[first];
  if (rest !== 0) {
    let last = rest;
    while (m[last] !== 0) last = m[last];
    giveChain(m, head, rest, last);
  }
  return first;
}

function giveChain(m: Int32Array, head: number, first: number, last: number): void {
  let seen = Atomics.load(m, head);
  for (;;) {
    m[last] = seen;
    const was = Atomics.compareExchange(m, head, seen, first); // S1
    if (was === seen) return;
    seen = was;
  }
}
