// SPDX-License-Identifier: GPL-2.0-only
//
// The classic pcap format (draft-ietf-opsawg-pcap; libpcap's sf-pcap.c is what files in the wild were written for).
//
//     file header, 24 bytes              record header, 16 bytes, then the packet
//      0  magic: byte order, resolution   0  seconds
//      4  major, 6 minor version          4  micro- or nanoseconds
//      8  time zone, 12 accuracy: unused  8  captured length
//     16  snapshot length                12  length on the wire
//     20  FCS bits and link type
import { type CaptureRecord, MAX_CAP_LEN } from './capture_record.js';
import type { CaptureWindow } from './capture_window.js';
import { LINKTYPE_ETHERNET, linkTypeRemedy, linkTypeText } from './link_types.js';

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;

/** The magic as a big-endian word of the file, so the other byte order shows as its mirror image. */
const MAGIC_USEC = 0xa1b2c3d4;
const MAGIC_USEC_SWAPPED = 0xd4c3b2a1;
const MAGIC_NSEC = 0xa1b23c4d;
const MAGIC_NSEC_SWAPPED = 0x4d3cb2a1;

/** Above the link type: whether the length of the frame check sequence is known, and that length in 16-bit units. */
const FCS_LENGTH_PRESENT = 0x04000000;
const FCS_LENGTH_SHIFT = 28;

const MAX_SNAPLEN = 0x7fffffff;

/** Which of a record's two lengths comes first. Versions before 2.3 had them the other way round, 2.3 had both. */
const LENGTHS_IN_ORDER = 0;
const LENGTHS_SWAPPED = 1;
const LENGTHS_UNSURE = 2;

/** Whether the first four bytes of a file (as a big-endian word) are pcap's. */
export function isPcapMagic(magic: number): boolean {
  return (
    magic === MAGIC_USEC ||
    magic === MAGIC_USEC_SWAPPED ||
    magic === MAGIC_NSEC ||
    magic === MAGIC_NSEC_SWAPPED
  );
}

/**
 * Reads records of one pcap file from a window.
 *
 * Decisions, where the format leaves a choice:
 * - The snapshot length 0 means no limit; one above 2^31-1, which libpcap takes for nonsense and replaces, is an
 *   error, as a header damaged there is damaged elsewhere too. A packet longer than the snapshot length, or than
 *   MAX_CAP_LEN, is an error.
 * - Where the header says how long the frame check sequence is, it is cut off from every packet: a NIC does not hand
 *   it up either. Where it says nothing, packets are as they are.
 * - Seconds are unsigned (until 2106). A fraction of a second or more, which damaged files have, is carried.
 * - A packet's length on the wire is raised to its captured length where it is below (some writers put 0 there).
 */
export class PcapReader {
  readonly format = 'pcap';
  readonly littleEndian: boolean;
  readonly linkType: number;
  /** Nanoseconds a time stamp's unit: 1000 or 1. */
  readonly resolutionNs: number;
  readonly #window: CaptureWindow;
  readonly #maxCapLen: number;
  readonly #fcsLen: number;
  readonly #lengthOrder: number;
  #records = 0;

  /** Reads the file header. Call it when `headerIsHere` says so; throws CaptureError. */
  constructor(window: CaptureWindow) {
    const { view, head } = window;
    const magic = view.getUint32(head);
    const little = magic === MAGIC_USEC_SWAPPED || magic === MAGIC_NSEC_SWAPPED;
    this.littleEndian = little;
    this.resolutionNs = magic === MAGIC_NSEC || magic === MAGIC_NSEC_SWAPPED ? 1 : 1000;
    this.#window = window;

    const major = view.getUint16(head + 4, little);
    const minor = view.getUint16(head + 6, little);
    if (major !== 2 || minor > 4) {
      window.fail(
        head + 4,
        `pcap version ${major}.${minor}, and only 2.0 to 2.4 are known`,
        'rewrite the file with a current tcpdump or editcap, or take another copy of it',
      );
    }
    this.#lengthOrder = minor < 3 ? LENGTHS_SWAPPED : minor === 3 ? LENGTHS_UNSURE : LENGTHS_IN_ORDER;

    const snapLen = view.getUint32(head + 16, little);
    if (snapLen > MAX_SNAPLEN) {
      window.fail(
        head + 16,
        `a snapshot length of ${snapLen}`,
        'the file header is damaged: take another copy of the file, or write 0 (no limit) there',
      );
    }
    this.#maxCapLen = snapLen === 0 ? MAX_CAP_LEN : Math.min(snapLen, MAX_CAP_LEN);

    const network = view.getUint32(head + 20, little);
    this.linkType = network & 0xffff;
    this.#fcsLen = (network & FCS_LENGTH_PRESENT) !== 0 ? 2 * (network >>> FCS_LENGTH_SHIFT) : 0;
    if (this.linkType !== LINKTYPE_ETHERNET) {
      window.fail(head + 20, `link type ${linkTypeText(this.linkType)}`, linkTypeRemedy(this.linkType));
    }
    window.head += FILE_HEADER_BYTES;
  }

  /** Whether the constructor may run; throws CaptureError where the file ends before. */
  static headerIsHere(window: CaptureWindow): boolean {
    const here = window.tail - window.head;
    if (here >= FILE_HEADER_BYTES) return true;
    if (window.ended) {
      window.fail(
        window.tail,
        `cut off within its file header (${here} of ${FILE_HEADER_BYTES} bytes)`,
        'take another copy of the file',
      );
    }
    return false;
  }

  /** Fills in rec and returns true, or returns false where the next record is not whole. */
  next(rec: CaptureRecord): boolean {
    const w = this.#window;
    const head = w.head;
    const here = w.tail - head;
    if (here < RECORD_HEADER_BYTES) {
      if (w.ended && here > 0) w.cutOff(`record ${this.#records + 1}`, this.#records);
      return false;
    }
    const view = w.view;
    const little = this.littleEndian;
    let capLen = view.getUint32(head + 8, little);
    let origLen = view.getUint32(head + 12, little);
    if (
      this.#lengthOrder !== LENGTHS_IN_ORDER &&
      (this.#lengthOrder === LENGTHS_SWAPPED || capLen > origLen)
    ) {
      const first = capLen;
      capLen = origLen;
      origLen = first;
    }
    if (capLen > this.#maxCapLen) this.#failTooLong(capLen);
    if (here < RECORD_HEADER_BYTES + capLen) {
      if (w.ended) this.#endsWithin(capLen, origLen);
      return false;
    }

    let sec = view.getUint32(head, little);
    let nsec = view.getUint32(head + 4, little) * this.resolutionNs;
    if (nsec >= 1e9) {
      sec += Math.floor(nsec / 1e9);
      nsec %= 1e9;
    }
    if (origLen < capLen) origLen = capLen;
    if (this.#fcsLen !== 0 && origLen >= this.#fcsLen) {
      origLen -= this.#fcsLen;
      rec.capLen = Math.min(capLen, origLen);
    } else {
      rec.capLen = capLen;
    }
    rec.off = head + RECORD_HEADER_BYTES;
    rec.origLen = origLen;
    rec.tsSec = sec;
    rec.tsNsec = nsec;
    rec.linkType = LINKTYPE_ETHERNET;
    rec.index = this.#records++;
    rec.fileOffset = w.base + head;
    w.head = head + RECORD_HEADER_BYTES + capLen;
    return true;
  }

  #failTooLong(capLen: number): never {
    const limit =
      this.#maxCapLen === MAX_CAP_LEN ? `maximum of ${MAX_CAP_LEN}` : `snapshot length of ${this.#maxCapLen}`;
    const { head } = this.#window;
    this.#window.failDamaged(
      head + 8,
      `record ${this.#records + 1} has a captured length of ${capLen} bytes, above the ${limit}`,
      head,
      this.#records,
    );
  }

  /**
   * The file ends within a packet. No capture cut off in its last record holds more of a packet than the packet had:
   * then it is the length that is wrong, and what follows it was swallowed.
   */
  #endsWithin(capLen: number, origLen: number): void {
    const w = this.#window;
    if (capLen > origLen) {
      const left = w.tail - w.head - RECORD_HEADER_BYTES;
      w.failDamaged(
        w.head + 8,
        `record ${this.#records + 1} has a captured length of ${capLen} bytes for a packet of ${origLen}, ` +
          `longer than the ${left} bytes left in the file`,
        w.head,
        this.#records,
      );
    }
    w.cutOff(`record ${this.#records + 1}`, this.#records);
  }
}
