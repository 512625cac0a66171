// SPDX-License-Identifier: GPL-2.0-only
/**
 * kmalloc: memory of the arena, in whole cache lines, from any thread.
 *
 * States of a block: free in the list of its size class, or owned by whoever got it from kmalloc.
 *
 * Owners
 *   brk, freeList[]  holder of `lock`; memory from brk on was never handed out
 *   a block          its owner; the first word links it while it is free
 *
 * Invariants: a block is in at most one list or has one owner; blocks handed out never overlap; kmalloc fails only if
 * neither its list nor the memory from brk on can serve it.
 *
 * Ordering
 *   S1 kfree: link word (plain), then unlock        pairs with  S2
 *   S2 kmalloc: lock, then link word (plain)        pairs with  S1
 *
 * The lock is the kernel's spin lock: it stands below this layer, as it does in Linux.
 */
import { spinLock, spinUnlock } from '../kernel/locking/spinlock.js';
import { CACHE_LINE_WORDS, cacheAlign, line, struct, word, words } from './struct.js';

const NR_CLASSES = 32;

/** The allocator's own words. */
export const MM_STRUCT = struct(
  'mm_struct',
  line('lock holders', { lock: word('spin lock of what follows') }),
  line('lock', {
    brk: word('first word never handed out yet'),
    freeList: words(NR_CLASSES, 'heads of the free lists; class c holds blocks of 2^c cache lines'),
  }),
  line('main thread, before any other starts', {
    end: word('first word past what may be handed out'),
    guardWords: word('words behind each block that nobody may write to, looked at when it is freed; 0: none'),
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

/** What stands in the words that nobody may write to. */
const GUARD = 0x5a5aa5a5;

/**
 * Prepares the allocator. Called once, before other threads exist.
 * @param guardWords words to be guarded behind each block (and what is left of it): for finding writes outside of structs
 */
export function mmInit(m: Int32Array, guardWords: number = 0): void {
  m[MM_AT + MM_STRUCT.guardWords] = guardWords;
  m[MM_AT + MM_STRUCT.brk] = MM_FIRST;
  m[MM_AT + MM_STRUCT.end] = m.length - GUARD_WORDS;
}

/**
 * Allocates zeroed memory on a cache line.
 * @param size in words
 * @returns the word index, or 0 (ENOMEM)
 */
export function kmalloc(m: Int32Array, size: number): number {
  if (size > m.length) return 0; // and the class below stays within 32 bits
  const guardWords = m[MM_AT + MM_STRUCT.guardWords];
  const c = sizeClass(cacheAlign(size + guardWords) / CACHE_LINE_WORDS);
  const blockWords = CACHE_LINE_WORDS << c;
  const head = MM_AT + MM_STRUCT.freeList + c;
  spinLock(m, MM_AT + MM_STRUCT.lock); // S2
  let at = m[head];
  const used = at !== 0;
  if (used) {
    m[head] = m[at];
  } else if (m[MM_AT + MM_STRUCT.end] - m[MM_AT + MM_STRUCT.brk] >= blockWords) {
    at = m[MM_AT + MM_STRUCT.brk];
    m[MM_AT + MM_STRUCT.brk] = at + blockWords;
  }
  spinUnlock(m, MM_AT + MM_STRUCT.lock);
  // Memory never used is zero, and is not touched before it is needed.
  if (used) m.fill(0, at, at + size);
  if (guardWords > 0 && at !== 0) m.fill(GUARD, at + size, at + blockWords);
  return at;
}

/** Gives memory back. `size` is the size that was asked for, in words. */
export function kfree(m: Int32Array, at: number, size: number): void {
  if (at === 0) return;
  const guardWords = m[MM_AT + MM_STRUCT.guardWords];
  const c = sizeClass(cacheAlign(size + guardWords) / CACHE_LINE_WORDS);
  if (guardWords > 0) checkGuard(m, at, size, at + (CACHE_LINE_WORDS << c));
  const head = MM_AT + MM_STRUCT.freeList + c;
  spinLock(m, MM_AT + MM_STRUCT.lock);
  m[at] = m[head];
  m[head] = at;
  spinUnlock(m, MM_AT + MM_STRUCT.lock); // S1
}

/** Throws if a word behind a block was written to: the thread that frees it dies, and says so. */
function checkGuard(m: Int32Array, at: number, size: number, end: number): void {
  for (let i = at + size; i < end; i++) {
    if (m[i] === GUARD) continue;
    throw new Error(
      `a write outside of its struct: word ${i - at} of a block of ${size} at ${at} is 0x${(m[i] >>> 0).toString(16)}`,
    );
  }
}

/** Words still to be had from never-used memory. For messages; racy by nature. */
export function mmFreeWords(m: Int32Array): number {
  return m[MM_AT + MM_STRUCT.end] - m[MM_AT + MM_STRUCT.brk];
}
