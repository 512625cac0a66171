// SPDX-License-Identifier: GPL-2.0-only
/** What the two threads of the ring row share, and what they send: the same bytes for every peer. */
import { ringWords } from '../../dist/mm/ring.js';

/** Words of a descriptor: 16 bytes. */
export const DESC_WORDS = 4;
/** Descriptors a queue holds, softnet's and ringbuf.js's alike. */
export const CAPACITY = 1024;
/** Where the threads meet before they start, and where softnet's ring lies, in words. */
export const MEET_AT = 0;
export const RING_AT = 16;
/** Words of the shared memory. */
export const SHARED_WORDS = RING_AT + ringWords(CAPACITY, DESC_WORDS);

// Descriptor `seq` holds seq, ~seq, 2 * seq and 1. The first word proves order; the others make the sum.

/** @returns the sum that a receiver of `count` descriptors must get, int32 */
export function expectedSum(count) {
  // ~s + 2s + 1 = s
  const n = BigInt(count);
  return Number(BigInt.asIntN(32, (n * (n - 1n)) / 2n));
}
