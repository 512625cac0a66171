// SPDX-License-Identifier: GPL-2.0-only
/** The rings of a machine's workers, as their reader knows them. */
import { TRACE_HEADER_WORDS, TRACE_SLOT_WORDS, TRACE_SLOTS } from './threads/trace_ring.js';
import type { Piece } from './trace_merge.js';
import type { Heard } from './trace_names.js';

/** From the `from`-th event of a ring on (wraps) it is that thread's. */
export interface Tenure {
  readonly from: number;
  readonly who: Heard;
  /** Behind its latest event, once that has been read. */
  end: number | null;
}

export interface Ring {
  readonly ring: number;
  /** Whose it was and is, oldest first. */
  tenures: Tenure[];
  readonly words: Int32Array;
  /** Events read so far (wraps). */
  tail: number;
  /** What has been read of this trace. */
  pieces: Piece[];
}

/** @returns whose the `n`-th event of a ring is; null: he has not been heard, as the one before has ended */
export function tenureOf({ tenures }: Ring, n: number): Tenure | null {
  let i = tenures.length - 1;
  while (i > 0 && ((n - tenures[i].from) | 0) < 0) i--;
  const tenure = tenures[i];
  return tenure.end !== null && ((n - tenure.end) | 0) >= 0 ? null : tenure;
}

/** Copies `n` slots of a ring from the `from`-th event on. */
export function copyOf(words: Int32Array, from: number, n: number): Int32Array {
  const copy = new Int32Array(n * TRACE_SLOT_WORDS);
  const first = from & (TRACE_SLOTS - 1);
  const straight = Math.min(n, TRACE_SLOTS - first);
  const begin = TRACE_HEADER_WORDS + first * TRACE_SLOT_WORDS;
  copy.set(words.subarray(begin, begin + straight * TRACE_SLOT_WORDS));
  if (straight < n) {
    const rest = words.subarray(TRACE_HEADER_WORDS, TRACE_HEADER_WORDS + (n - straight) * TRACE_SLOT_WORDS);
    copy.set(rest, straight * TRACE_SLOT_WORDS);
  }
  return copy;
}
