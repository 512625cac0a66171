// SPDX-License-Identifier: GPL-2.0-only
/**
 * The arena: one SharedArrayBuffer that holds everything the threads of a machine share.
 *
 * "Pointers" are word indices into the Int32Array; 0 is NULL (the first cache line is never handed out).
 */

/** The views every thread makes once, over the one buffer. */
export class Arena {
  /** The buffer itself, as handed from thread to thread. */
  readonly sab: SharedArrayBuffer;
  /** All words. */
  readonly m: Int32Array;
  /** The same memory as bytes: packet data, names. */
  readonly b: Uint8Array;
  /** The same memory as doubles: time stamps (plain accesses only). */
  readonly f: Float64Array;

  constructor(sab: SharedArrayBuffer) {
    this.sab = sab;
    this.m = new Int32Array(sab);
    this.b = new Uint8Array(sab);
    this.f = new Float64Array(sab);
  }
}

/** Reads a NUL-padded ASCII name of `count` words. Cold path. */
export function readName(m: Int32Array, at: number, count: number): string {
  let s = '';
  for (let i = 0; i < count * 4; i++) {
    const c = (m[at + (i >> 2)] >>> ((i & 3) * 8)) & 0xff;
    if (c === 0) break;
    s += String.fromCharCode(c);
  }
  return s;
}

/** Writes a name, cut to `count` words less one byte for the terminating NUL, as TASK_COMM_LEN does. Cold path. */
export function writeName(m: Int32Array, at: number, count: number, name: string): void {
  for (let w = 0; w < count; w++) {
    let v = 0;
    for (let i = 0; i < 4; i++) {
      const pos = w * 4 + i;
      const c = pos < name.length && pos < count * 4 - 1 ? name.charCodeAt(pos) & 0xff : 0;
      v |= c << (i * 8);
    }
    m[at + w] = v;
  }
}
