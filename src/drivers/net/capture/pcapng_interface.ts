// SPDX-License-Identifier: GPL-2.0-only
import { MAX_CAP_LEN } from './capture_record.js';
import { TimestampScale } from './capture_time.js';

const OPT_END = 0;
const IF_TSRESOL = 9;
const IF_FCSLEN = 13;
const IF_TSOFFSET = 14;

/** if_tsresol where the option is absent: microseconds. */
const MICROSECONDS = 6;

/** An interface of a pcapng section: what its packets need to be understood. */
export class PcapngInterface {
  /** Stream offset of the description block. */
  readonly offset: number;
  linkType = -1;
  /** Snapshot length as given; 0 means no limit. */
  snapLen = 0;
  /** The longest packet to believe in, in bytes. */
  maxCapLen = MAX_CAP_LEN;
  /** Bytes of frame check sequence at the end of every packet; 0 where none is announced. */
  fcsLen = 0;
  time = new TimestampScale(MICROSECONDS, 0);
  /** Where the fault that `parse` returned lies in the view. */
  faultPos = 0;

  constructor(offset: number) {
    this.offset = offset;
  }

  /**
   * Reads the block's body from view[pos..end): link type, two reserved bytes, snapshot length, options.
   * Returns what is wrong with it (and sets faultPos), or null.
   */
  parse(view: DataView, pos: number, end: number, little: boolean): string | null {
    this.linkType = view.getUint16(pos, little);
    this.snapLen = view.getUint32(pos + 4, little);
    if (this.snapLen > 0x7fffffff) {
      this.faultPos = pos + 4;
      return `an interface with a snapshot length of ${this.snapLen}`;
    }
    if (this.snapLen !== 0 && this.snapLen < MAX_CAP_LEN) this.maxCapLen = this.snapLen;
    return this.#options(view, pos + 8, end, little);
  }

  /** Options: code and length, 16 bits each, then the value, padded to a multiple of 4. */
  #options(view: DataView, start: number, end: number, little: boolean): string | null {
    let tsresol = MICROSECONDS;
    let offsetSec = 0;
    let pos = start;
    while (end - pos >= 4) {
      const code = view.getUint16(pos, little);
      const length = view.getUint16(pos + 2, little);
      const value = pos + 4;
      if (code === OPT_END) break;
      this.faultPos = pos;
      if (length > end - value)
        return `an interface option ${code} of ${length} bytes, which its block does not have`;
      const expected = optionBytes(code);
      if (expected !== 0 && length !== expected) {
        return `an interface option ${code} of ${length} bytes, which has ${expected}`;
      }
      if (code === IF_TSRESOL) {
        tsresol = view.getUint8(value);
        if (!TimestampScale.isValid(tsresol)) {
          this.faultPos = value;
          return `a time-stamp resolution of ${tsresol >= 0x80 ? 2 : 10}^-${tsresol & 0x7f} seconds`;
        }
      } else if (code === IF_TSOFFSET) {
        offsetSec = signed64(view, value, little);
      } else if (code === IF_FCSLEN) {
        this.fcsLen = fcsBytes(view.getUint8(value));
      }
      pos = value + ((length + 3) & ~3);
    }
    this.time = new TimestampScale(tsresol, offsetSec);
    return null;
  }
}

/** The length that an option must have; 0 where this reader does not care. */
function optionBytes(code: number): number {
  if (code === IF_TSRESOL || code === IF_FCSLEN) return 1;
  return code === IF_TSOFFSET ? 8 : 0;
}

/** if_fcslen is in bits, but the value 4 comes from writers who count bytes. Odd numbers of bits are ignored. */
function fcsBytes(value: number): number {
  if (value === 4) return 4;
  return value % 8 === 0 ? value / 8 : 0;
}

/** A signed 64-bit integer as a double; exact below 2^53. */
function signed64(view: DataView, pos: number, little: boolean): number {
  const high = view.getInt32(little ? pos + 4 : pos, little);
  const low = view.getUint32(little ? pos : pos + 4, little);
  return high * 4294967296 + low;
}
