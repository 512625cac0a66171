// SPDX-License-Identifier: GPL-2.0-only
/** What hardware does when a frame arrives: writes it into a buffer. */
import { SKB, skbData } from '../../net/core/skbuff.js';

/** Frames up to this long are copied word by word where they are aligned. */
const WORD_COPY_BYTES = 256;

/** Copies a frame of `len` bytes at byte `off` of the arena, that one buffer holds, into the buffer `skb`. */
export function copyFrame(m: Int32Array, b: Uint8Array, skb: number, off: number, len: number): void {
  if (len <= WORD_COPY_BYTES && (off & 3) === 0) {
    // Short and aligned: words are faster than a call. The buffer has room for the last one.
    const to = skb + SKB.SIZE;
    const from = off >> 2;
    const words = (len + 3) >> 2;
    for (let i = 0; i < words; i++) m[to + i] = m[from + i];
  } else {
    b.copyWithin(skbData(skb), off, off + len);
  }
}
