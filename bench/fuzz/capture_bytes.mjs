// SPDX-License-Identifier: GPL-2.0-only
/** Writes capture files, and remembers where what others rely on stands: lengths, types, magic numbers. */
const ROOM = new DataView(new ArrayBuffer(1 << 16));

export class CaptureBytes {
  /** Fields that damage is aimed at: `{ at, size }`. */
  marks = [];
  #at = 0;

  /** @param little byte order of all numbers. One is written at a time. */
  constructor(little) {
    this.little = little;
  }

  /** What is written next is worth damaging. */
  mark(size) {
    this.marks.push({ at: this.#at, size });
    return this;
  }

  u16(value) {
    ROOM.setUint16(this.#at, value, this.little);
    this.#at += 2;
    return this;
  }

  u32(value) {
    ROOM.setUint32(this.#at, value, this.little);
    this.#at += 4;
    return this;
  }

  raw(bytes) {
    new Uint8Array(ROOM.buffer).set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  pad() {
    while (this.#at % 4 !== 0) ROOM.setUint8(this.#at++, 0);
    return this;
  }

  /** A block of pcapng begins. @returns what `close` wants */
  open(type) {
    const at = this.#at;
    this.u32(type).mark(4).u32(0);
    return at;
  }

  /** The block ends: its length goes to both ends. */
  close(at) {
    const length = this.#at + 4 - at;
    this.mark(4).u32(length);
    ROOM.setUint32(at + 4, length, this.little);
  }

  bytes() {
    return new Uint8Array(ROOM.buffer.slice(0, this.#at));
  }
}
