// SPDX-License-Identifier: GPL-2.0-only
import { displayName } from './capture_error.js';
import { type CaptureRecord, MAX_CAP_LEN } from './capture_record.js';
import { CaptureWindow, MIN_WORK_BYTES } from './capture_window.js';
import { describeForeign } from './foreign_format.js';
import { isPcapMagic, PcapReader } from './pcap.js';
import { PcapngReader, SECTION_HEADER } from './pcapng.js';

export { CaptureRecord } from './capture_record.js';
export { MAX_CAP_LEN, MIN_WORK_BYTES };

export type CaptureFormat = 'pcap' | 'pcapng';
export type ByteOrder = 'little' | 'big';

/**
 * Reads a pcap or pcapng capture from chunks of its bytes, in any sizes:
 *
 *     for each chunk:
 *       for (let at = 0; at < chunk.length; ) {
 *         at += parser.push(chunk.subarray(at));
 *         while (parser.next(rec)) use(rec);
 *       }
 *     parser.end();
 *     while (parser.next(rec)) use(rec);
 *     if (parser.warning !== null) tell(parser.warning);
 *
 * Bytes are copied once, into the work buffer, and records are parsed where they lie. Nothing is allocated for a
 * record, and memory does not grow with the file. All errors come out of `next` as CaptureError; after one, every
 * further `next` throws it again.
 *
 * A capture that ends within its last record or block is one that was cut off: what precedes is delivered and
 * `warning` is set. It is an error instead where the last record's lengths contradict each other or the limits,
 * and where the file header is not whole.
 */
export class CaptureParser {
  readonly #window: CaptureWindow;
  #reader: PcapReader | PcapngReader | null = null;

  /**
   * @param workBuf at least MIN_WORK_BYTES; may view a SharedArrayBuffer at any offset. Throws RangeError if smaller.
   * @param fileName for messages
   */
  constructor(workBuf: Uint8Array, fileName: string) {
    this.#window = new CaptureWindow(workBuf, fileName);
  }

  /**
   * Takes bytes of the stream. Returns how many: fewer than chunk.length when the work buffer is full; then call
   * `next` until it returns false and push the rest. Ends the validity of the bytes of earlier records.
   */
  push(chunk: Uint8Array): number {
    if (this.#window.ended) throw new Error('capture parser: push() after end()');
    return this.#window.push(chunk);
  }

  /** Says that the stream ends here. Call `next` until it returns false again: the verdict on the end comes there. */
  end(): void {
    this.#window.ended = true;
  }

  /**
   * Fills in rec with the next packet and returns true; false when more bytes are needed, or after `end` when there
   * are no more packets. Throws CaptureError.
   */
  next(rec: CaptureRecord): boolean {
    const w = this.#window;
    if (w.failure !== null) throw w.failure;
    if (this.#reader === null && !this.#detect()) return false;
    return this.#reader!.next(rec);
  }

  /** Where the capture was cut off, as one line; null while it is whole. */
  get warning(): string | null {
    return this.#window.warning;
  }

  /** Set it when the bytes come out of a gzip file: messages then say that their offsets are not the file's. */
  set compressed(value: boolean) {
    this.#window.compressed = value;
  }

  /** null until the first bytes are parsed. */
  get format(): CaptureFormat | null {
    return this.#reader === null ? null : this.#reader.format;
  }

  /** Of the file, or of the current section; null until known. */
  get byteOrder(): ByteOrder | null {
    if (this.#reader === null) return null;
    return this.#reader.littleEndian ? 'little' : 'big';
  }

  /** The LINKTYPE_ value of the file, or of the last packet's (else the first) interface; -1 until known. */
  get linkType(): number {
    return this.#reader === null ? -1 : this.#reader.linkType;
  }

  /** What a unit of the time stamps is, in nanoseconds (below 1 is possible); 0 until known. */
  get resolutionNs(): number {
    return this.#reader === null ? 0 : this.#reader.resolutionNs;
  }

  /** Finds out the format from the first four bytes. Returns false where they are not here. */
  #detect(): boolean {
    const w = this.#window;
    const here = w.tail - w.head;
    if (here < 4 && !w.ended) return false;
    if (here === 0) {
      w.fail(w.head, 'empty, not a capture', 'give a pcap or pcapng file');
    }
    const start = w.bytes.subarray(w.head, Math.min(w.tail, w.head + 8));
    if (here >= 4) {
      const magic = w.view.getUint32(w.head);
      if (isPcapMagic(magic)) {
        if (!PcapReader.headerIsHere(w)) return false;
        this.#reader = new PcapReader(w);
        return true;
      }
      if (magic === SECTION_HEADER) {
        this.#reader = new PcapngReader(w);
        return true;
      }
    }
    const { what, remedy } = describeForeign(start);
    return w.fail(w.head, what, remedy);
  }

  /** The name in messages. */
  get fileName(): string {
    return displayName(this.#window.fileName);
  }
}
