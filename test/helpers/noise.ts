// SPDX-License-Identifier: GPL-2.0-only
/** Bytes and frames without any pattern that a wrong copy could hide in. */
import { MAC_A, MAC_B } from './frames.js';

/** The same `len` bytes each time. */
export function noise(len: number): Uint8Array {
  const out = new Uint8Array(len);
  for (let i = 0, x = 12345; i < len; i++) {
    x = (Math.imul(x, 1103515245) + 12345) | 0;
    out[i] = x >>> 16;
  }
  return out;
}

/** A frame that is not IP. */
export function longFrame(len: number): Uint8Array {
  const frame = noise(len);
  frame.set([...MAC_B, ...MAC_A, 0x88, 0xb5]);
  return frame;
}
