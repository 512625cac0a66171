// SPDX-License-Identifier: GPL-2.0-only
import { CaptureError, displayName, offsetText } from './capture_error.js';

/** The smallest work buffer, in bytes; also the longest block that is held at once, as it must fit. */
export const MIN_WORK_BYTES = 1 << 20;

/**
 * The part of a capture's byte stream that is in memory: `bytes[head..tail)` is not parsed yet, and `bytes[0]` stands
 * at `base` in the stream. Only `push` moves bytes; the format readers advance `head`.
 *
 *     bytes  |  parsed  |  to be parsed  |  free  |
 *            0        head             tail   length
 *     stream base
 */
export class CaptureWindow {
  readonly bytes: Uint8Array;
  /** Over the same bytes, made once: records are read through it in either byte order. */
  readonly view: DataView;
  readonly fileName: string;
  head = 0;
  tail = 0;
  /** Bytes still to be dropped from the stream unseen; above 0 only while head equals tail. */
  skipLeft = 0;
  /** No more bytes will come. */
  ended = false;
  /** The stream was unpacked from gzip, so offsets are not those of the file. */
  compressed = false;
  /** Set once, where the capture stops short. */
  warning: string | null = null;
  /** Set once, when the capture turned out to be unreadable. */
  failure: CaptureError | null = null;
  /** Stream offset of bytes[0]; a double, as files exceed 4 GiB. */
  base = 0.5;

  constructor(workBuf: Uint8Array, fileName: string) {
    if (workBuf.length < MIN_WORK_BYTES) {
      throw new RangeError(`the work buffer has ${workBuf.length} bytes; give at least ${MIN_WORK_BYTES}`);
    }
    this.bytes = workBuf;
    this.view = new DataView(workBuf.buffer, workBuf.byteOffset, workBuf.byteLength);
    this.fileName = fileName;
    this.base = 0; // and not from the start: see CaptureRecord
  }

  /** Takes as much of chunk as is to be skipped or fits; returns how many bytes that was. */
  push(chunk: Uint8Array): number {
    let taken = 0;
    if (this.head === this.tail && this.head !== 0) {
      this.base += this.head;
      this.head = 0;
      this.tail = 0;
    }
    if (this.skipLeft > 0) {
      taken = Math.min(this.skipLeft, chunk.length);
      this.skipLeft -= taken;
      this.base += taken;
    }
    let n = chunk.length - taken;
    if (n > this.bytes.length - this.tail && this.head > 0) {
      this.bytes.copyWithin(0, this.head, this.tail);
      this.base += this.head;
      this.tail -= this.head;
      this.head = 0;
    }
    n = Math.min(n, this.bytes.length - this.tail);
    this.bytes.set(n === chunk.length ? chunk : chunk.subarray(taken, taken + n), this.tail);
    this.tail += n;
    return taken + n;
  }

  /** Drops the next n bytes of the stream, whether they are here or still to come. */
  skip(n: number): void {
    const here = Math.min(n, this.tail - this.head);
    this.head += here;
    this.skipLeft = n - here;
  }

  /** Gives up on the capture: throws, and so does every later call. `pos` is an index into bytes. */
  fail(pos: number, what: string, remedy: string): never {
    this.failure = CaptureError.at(this.fileName, this.base + pos, what, remedy, this.compressed);
    throw this.failure;
  }

  /** `fail` for damage, where what precedes the record or block at `start` is still good. */
  failDamaged(pos: number, what: string, start: number, records: number): never {
    this.fail(
      pos,
      what,
      records === 0
        ? 'the file is damaged: take another copy of it'
        : `the file is damaged: cut it before byte ${this.base + start} to use the ${count(records)} before`,
    );
  }

  /** The capture ends within what begins at the stream offset: sets the warning and drops the rest. */
  cutOff(within: string, records: number, offset = this.base + this.head): void {
    const at = offsetText(offset, this.compressed);
    this.warning =
      `${displayName(this.fileName)}: cut off within ${within} at ${at}; ` +
      (records === 0 ? 'no whole record comes before it' : `the ${count(records)} before it can be used`);
    this.head = this.tail;
    this.skipLeft = 0;
  }
}

/** `1 record`, `2 records`. */
function count(records: number): string {
  return records === 1 ? '1 record' : `${records} records`;
}
