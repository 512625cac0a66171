// SPDX-License-Identifier: GPL-2.0-only
//
// The pcapng format (draft-ietf-opsawg-pcapng): blocks, each
//
//      0  type
//      4  total length, a multiple of 4, this header and the trailer included
//      8  body
//     -4  total length again
//
// A section header block gives the byte order of all that follows up to the next one, and forgets the interfaces.
import { type CaptureRecord, MAX_CAP_LEN } from './capture_record.js';
import { type CaptureWindow, MIN_WORK_BYTES } from './capture_window.js';
import { LINKTYPE_ETHERNET, linkTypeRemedy, linkTypeText } from './link_types.js';
import { PcapngInterface } from './pcapng_interface.js';

/** The first four bytes of every pcapng file, the same in both byte orders. */
export const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const BYTE_ORDER_MAGIC_SWAPPED = 0x4d3c2b1a;

const TRAILER_BYTES = 4;
const MIN_BLOCK_BYTES = 12;
const MIN_SECTION_BYTES = 28;
const MIN_INTERFACE_BYTES = 20;
const MIN_SIMPLE_BYTES = 16;
/** Enhanced and obsolete packet blocks alike: 28 bytes before the packet, and the trailer. */
const MIN_PACKET_BYTES = 32;
const PACKET_DATA = 28;
const SIMPLE_DATA = 12;

/** The longest block of a type that is read: it has to be in the work buffer at once. */
const MAX_READ_BLOCK_BYTES = MIN_WORK_BYTES;
/** The longest block of a type that is skipped: libpcap's limit. A longer one is a damaged length. */
const MAX_SKIPPED_BLOCK_BYTES = 16 << 20;
/** So that a file of nothing but interface descriptions does not fill the memory. */
const MAX_INTERFACES = 65536;

/**
 * Reads packets of one pcapng file from a window. Blocks other than sections, interfaces and packets are skipped
 * without being held in memory; of their content only the lengths are checked.
 *
 * Decisions: a frame check sequence that the interface description announces (if_fcslen) is cut off from every
 * packet, while the flags word of single packets is not looked at. Simple packet blocks have no time stamp: 0.
 * A section's length field is not used, as in libpcap.
 */
export class PcapngReader {
  readonly format = 'pcapng';
  littleEndian = true;
  readonly #window: CaptureWindow;
  #interfaces: PcapngInterface[] = [];
  /** The interface of the last packet, or else the first one. */
  #shown: PcapngInterface | null = null;
  #records = 0;
  #sections = 0;
  /** Total length of a block that is being skipped and whose trailer is still to come; else 0. */
  #trailerOf = 0;
  /** Stream offset at which that block begins. */
  #trailerOfOffset = 0;

  constructor(window: CaptureWindow) {
    this.#window = window;
  }

  /** Link type of the last packet's interface (or the first one's); -1 while there is none. */
  get linkType(): number {
    return this.#shown === null ? -1 : this.#shown.linkType;
  }

  /** Nanoseconds a time stamp's unit on that interface; 0 while there is none. */
  get resolutionNs(): number {
    return this.#shown === null ? 0 : this.#shown.time.resolutionNs;
  }

  /** Fills in rec and returns true, or returns false where no further packet is whole. */
  next(rec: CaptureRecord): boolean {
    const w = this.#window;
    const view = w.view;
    for (;;) {
      if (this.#trailerOf !== 0 && !this.#skippedTrailer()) return false;
      const head = w.head;
      const here = w.tail - head;
      if (here < 8) {
        if (here > 0 && this.#sections === 0) return this.#incompleteSection();
        if (here > 0 && w.ended) this.#endsWithin('a block header');
        return false;
      }
      const little = this.littleEndian;
      const type = view.getUint32(head, little);
      if (type === ENHANCED_PACKET || type === PACKET) {
        const total = view.getUint32(head + 4, little);
        this.#checkTotal(total, MIN_PACKET_BYTES, MAX_READ_BLOCK_BYTES);
        if (here < total) {
          if (w.ended) this.#endsWithinPacket(here, total);
          return false;
        }
        this.#packet(rec, type, total);
        return true;
      }
      if (type === SIMPLE_PACKET) {
        const total = view.getUint32(head + 4, little);
        this.#checkTotal(total, MIN_SIMPLE_BYTES, MAX_READ_BLOCK_BYTES);
        if (here < total) {
          if (w.ended) this.#endsWithin(`record ${this.#records + 1}`);
          return false;
        }
        this.#simplePacket(rec, total);
        return true;
      }
      if (type === SECTION_HEADER) {
        if (!this.#section(here)) return false;
      } else if (type === INTERFACE_DESCRIPTION) {
        if (!this.#interface(here)) return false;
      } else {
        const total = view.getUint32(head + 4, little);
        this.#checkTotal(total, MIN_BLOCK_BYTES, MAX_SKIPPED_BLOCK_BYTES);
        this.#trailerOf = total;
        this.#trailerOfOffset = w.base + head;
        w.skip(total - TRAILER_BYTES);
      }
    }
  }

  /** An enhanced packet block, or an obsolete packet block, which differs in the interface's field only. */
  #packet(rec: CaptureRecord, type: number, total: number): void {
    const w = this.#window;
    const { view, head } = w;
    const little = this.littleEndian;
    this.#checkTrailer(head + total - TRAILER_BYTES, total);
    const id = type === ENHANCED_PACKET ? view.getUint32(head + 8, little) : view.getUint16(head + 8, little);
    const iface = this.#interfaceOf(id);
    const capLen = view.getUint32(head + 20, little);
    this.#checkCapLen(capLen, head + 20, iface, total - MIN_PACKET_BYTES);
    iface.time.apply(view, head + 12, little, rec);
    this.#found(rec, iface, PACKET_DATA, capLen, view.getUint32(head + 24, little), total);
  }

  /** A simple packet block: interface 0, no time stamp, and the captured length follows from the snapshot length. */
  #simplePacket(rec: CaptureRecord, total: number): void {
    const w = this.#window;
    const { view, head } = w;
    this.#checkTrailer(head + total - TRAILER_BYTES, total);
    const iface = this.#interfaceOf(0);
    const origLen = view.getUint32(head + 8, this.littleEndian);
    const capLen = iface.snapLen !== 0 && origLen > iface.snapLen ? iface.snapLen : origLen;
    this.#checkCapLen(capLen, head + 8, iface, total - MIN_SIMPLE_BYTES);
    rec.tsSec = 0;
    rec.tsNsec = 0;
    this.#found(rec, iface, SIMPLE_DATA, capLen, origLen, total);
  }

  /** Fills in the rest of rec for a packet that starts `data` bytes into its block, and goes past the block. */
  #found(
    rec: CaptureRecord,
    iface: PcapngInterface,
    data: number,
    capLen: number,
    origLen: number,
    total: number,
  ): void {
    const w = this.#window;
    const head = w.head;
    let wireLen = Math.max(origLen, capLen);
    let len = capLen;
    if (iface.fcsLen !== 0 && wireLen >= iface.fcsLen) {
      wireLen -= iface.fcsLen;
      if (len > wireLen) len = wireLen;
    }
    rec.off = head + data;
    rec.capLen = len;
    rec.origLen = wireLen;
    rec.linkType = LINKTYPE_ETHERNET;
    rec.index = this.#records++;
    rec.fileOffset = w.base + head;
    this.#shown = iface;
    w.head = head + total;
  }

  /** The interface that a packet names; throws where it is undefined or not Ethernet. */
  #interfaceOf(id: number): PcapngInterface {
    const w = this.#window;
    if (id >= this.#interfaces.length) {
      this.#damaged(
        w.head + 8,
        `record ${this.#records + 1} is of interface ${id}, and the section describes ` +
          `${this.#interfaces.length === 0 ? 'none' : `only ${this.#interfaces.length}`}`,
      );
    }
    const iface = this.#interfaces[id];
    if (iface.linkType !== LINKTYPE_ETHERNET) {
      w.fail(
        iface.offset + 8 - w.base,
        `interface ${id}, to which record ${this.#records + 1} belongs, has link type ${linkTypeText(iface.linkType)}`,
        linkTypeRemedy(iface.linkType),
      );
    }
    return iface;
  }

  #checkCapLen(capLen: number, pos: number, iface: PcapngInterface, room: number): void {
    if (capLen <= iface.maxCapLen && capLen <= room) return;
    const limit =
      capLen > MAX_CAP_LEN
        ? `above the maximum of ${MAX_CAP_LEN}`
        : capLen > iface.maxCapLen
          ? `above the snapshot length of ${iface.maxCapLen}`
          : `and its block has room for ${room}`;
    this.#damaged(pos, `record ${this.#records + 1} has a captured length of ${capLen} bytes, ${limit}`);
  }

  /** A section header block. Returns false where it is not whole. */
  #section(here: number): boolean {
    const w = this.#window;
    const { view, head } = w;
    if (here < 12) return this.#incompleteSection();
    const magic = view.getUint32(head + 8);
    if (magic !== BYTE_ORDER_MAGIC && magic !== BYTE_ORDER_MAGIC_SWAPPED) {
      this.#damaged(head + 8, 'a section header without the byte-order magic 1a2b3c4d');
    }
    const little = magic === BYTE_ORDER_MAGIC_SWAPPED;
    this.littleEndian = little;
    const total = view.getUint32(head + 4, little);
    this.#checkTotal(total, MIN_SECTION_BYTES, MAX_READ_BLOCK_BYTES);
    if (here < total) return this.#incompleteSection();
    this.#checkTrailer(head + total - TRAILER_BYTES, total);
    const major = view.getUint16(head + 12, little);
    const minor = view.getUint16(head + 14, little);
    // 1.2 is written by some programs and means 1.0.
    if (major !== 1 || (minor !== 0 && minor !== 2)) {
      w.fail(
        head + 12,
        `pcapng version ${major}.${minor}, and only 1.0 is known`,
        'rewrite the file with a current editcap, or take another copy of it',
      );
    }
    this.#interfaces = [];
    this.#sections++;
    w.head = head + total;
    return true;
  }

  /** Without its first section header a file is no capture; cut off in a later one, it is one that stops there. */
  #incompleteSection(): false {
    const w = this.#window;
    if (!w.ended) return false;
    if (this.#sections === 0) {
      w.fail(
        w.tail,
        `cut off within its section header (${w.tail - w.head} bytes of it are there)`,
        'take another copy of the file',
      );
    }
    this.#endsWithin('a section header');
    return false;
  }

  /** An interface description block. Returns false where it is not whole. */
  #interface(here: number): boolean {
    const w = this.#window;
    const { view, head } = w;
    const total = view.getUint32(head + 4, this.littleEndian);
    this.#checkTotal(total, MIN_INTERFACE_BYTES, MAX_READ_BLOCK_BYTES);
    if (here < total) {
      if (w.ended) this.#endsWithin('an interface description');
      return false;
    }
    this.#checkTrailer(head + total - TRAILER_BYTES, total);
    if (this.#interfaces.length === MAX_INTERFACES) {
      this.#damaged(head, `a section with more than ${MAX_INTERFACES} interfaces`);
    }
    const iface = new PcapngInterface(w.base + head);
    const fault = iface.parse(view, head + 8, head + total - TRAILER_BYTES, this.littleEndian);
    if (fault !== null) this.#damaged(iface.faultPos, fault);
    this.#interfaces.push(iface);
    this.#shown ??= iface;
    w.head = head + total;
    return true;
  }

  #checkTotal(total: number, min: number, max: number): void {
    if (total >= min && total <= max && (total & 3) === 0) return;
    const fault =
      total < min
        ? `too short (its type has at least ${min})`
        : total > max
          ? `too long (its type has at most ${max} here)`
          : 'not a multiple of 4';
    const { head, view } = this.#window;
    const type = view.getUint32(head, this.littleEndian);
    this.#damaged(
      head + 4,
      `a block of type 0x${type.toString(16)} with a total length of ${total}, ${fault}`,
    );
  }

  #checkTrailer(pos: number, total: number): void {
    const trailer = this.#window.view.getUint32(pos, this.littleEndian);
    if (trailer === total) return;
    this.#damaged(pos, `a block ends with total length ${trailer} and began with ${total}`);
  }

  /** Checks the trailer of a block that was skipped. Returns false while it is not here. */
  #skippedTrailer(): boolean {
    const w = this.#window;
    if (w.tail - w.head < TRAILER_BYTES) {
      if (w.ended) {
        // Only now is it known how much of the block there was: report where it begins, not where the file ends.
        this.#endsWithin('a block that is not needed', this.#trailerOfOffset);
        this.#trailerOf = 0;
      }
      return false;
    }
    this.#checkTrailer(w.head, this.#trailerOf);
    w.head += TRAILER_BYTES;
    this.#trailerOf = 0;
    return true;
  }

  /**
   * The file ends within a packet's block. Where the fields that are there contradict each other, it is damage and
   * no cut: the length has swallowed what follows.
   */
  #endsWithinPacket(here: number, total: number): void {
    const { view, head } = this.#window;
    if (here >= PACKET_DATA) {
      const capLen = view.getUint32(head + 20, this.littleEndian);
      const origLen = view.getUint32(head + 24, this.littleEndian);
      if (capLen > total - MIN_PACKET_BYTES || capLen > MAX_CAP_LEN || capLen > origLen) {
        this.#damaged(
          head + 20,
          `record ${this.#records + 1} has a captured length of ${capLen} bytes for a packet of ${origLen}, ` +
            `longer than its block or than the ${here - PACKET_DATA} bytes left in the file`,
        );
      }
    }
    this.#endsWithin(`record ${this.#records + 1}`);
  }

  #endsWithin(what: string, offset = this.#window.base + this.#window.head): void {
    this.#window.cutOff(what, this.#records, offset);
  }

  #damaged(pos: number, what: string): never {
    this.#window.failDamaged(pos, what, this.#window.head, this.#records);
  }
}
