// SPDX-License-Identifier: GPL-2.0-only
import type { CaptureRecord } from './capture_record.js';

const TWO_32 = 4294967296;
const NSEC_PER_SEC = 1e9;

/** The finest resolutions whose ticks fit the 64 bits of a time stamp: 10^-19 and 2^-63 s (libpcap's limits too). */
const MAX_DECIMAL = 19;
const MAX_BINARY = 63;

/**
 * Turns 64-bit time stamps, which come as two 32-bit halves, into seconds and nanoseconds: exactly (rounded down), in
 * doubles and without BigInt. One for each interface of a pcapng section.
 */
export class TimestampScale {
  /** Nanoseconds a tick. */
  readonly resolutionNs: number;
  /** if_tsoffset: seconds added to every time stamp. */
  readonly #offsetSec: number;
  /** Binary: 2^-shift seconds a tick; -1 for a decimal scale. */
  readonly #shift: number;
  /** Binary: where a half of the time stamp is split: 2^shift, or 2^(shift-32) above 32; and 2^32 divided by that. */
  readonly #perUnit: number;
  readonly #unit: number;
  /** Decimal: ticks are first divided by this (1 unless they are finer than a nanosecond) … */
  readonly #preDivisor: number;
  /** … then by this, which leaves seconds and a rest … */
  readonly #divisor: number;
  /** … and the rest times this is nanoseconds. */
  readonly #multiplier: number;
  /**
   * Decimal from 10^-4 to 10^-9 s: a 64-bit time stamp as a double is off by less than one second's ticks, and a
   * second's ticks fit 31 bits. All usual captures.
   */
  readonly #isQuick: boolean;
  // The time stamp, and what #divide leaves. Fields, and doubles from the start, so that nothing is allocated for a time stamp.
  #high = 0.5;
  #low = 0.5;
  #rest = 0.5;

  /**
   * @param tsresol the if_tsresol byte: 10^-n seconds, or with the top bit set 2^-n. Check it with `isValid` first.
   * @param offsetSec if_tsoffset, in seconds
   */
  constructor(tsresol: number, offsetSec: number) {
    const exponent = tsresol & 0x7f;
    const isBinary = tsresol >= 0x80;
    this.#offsetSec = offsetSec;
    this.#shift = isBinary ? exponent : -1;
    this.#perUnit = 2 ** (exponent <= 32 ? exponent : exponent - 32);
    this.#unit = TWO_32 / this.#perUnit;
    this.#preDivisor = exponent > 9 ? 10 ** (exponent - 9) : 1;
    this.#divisor = 10 ** Math.min(exponent, 9);
    this.#multiplier = NSEC_PER_SEC / this.#divisor;
    this.#isQuick = !isBinary && exponent >= 4 && exponent <= 9;
    this.resolutionNs = isBinary ? NSEC_PER_SEC / 2 ** exponent : 10 ** (9 - exponent);
  }

  /** Whether an if_tsresol byte is a resolution that 64-bit time stamps can have. */
  static isValid(tsresol: number): boolean {
    return tsresol >= 0x80 ? tsresol - 0x80 <= MAX_BINARY : tsresol <= MAX_DECIMAL;
  }

  /**
   * Sets rec.tsSec and rec.tsNsec from the time stamp at view[pos..pos+8): upper half, lower half, each in the byte
   * order given. (It reads the halves itself, as numbers above 2^31 would be boxed to be handed over.)
   */
  apply(view: DataView, pos: number, little: boolean, rec: CaptureRecord): void {
    const high = view.getUint32(pos, little);
    const low = view.getUint32(pos + 4, little);
    if (this.#isQuick) {
      // One division: rounding makes the quotient wrong by 1 at most, and the rest, which then lies in
      // (-10^9, 2 * 10^9), follows from the lower 32 bits alone.
      const divisor = this.#divisor;
      let sec = Math.floor((high * TWO_32 + low) / divisor);
      let rest = (low - Math.imul(sec, divisor)) | 0;
      if (rest < 0) {
        rest += divisor;
        sec--;
      } else if (rest >= divisor) {
        rest -= divisor;
        sec++;
      }
      rec.tsSec = sec + this.#offsetSec;
      rec.tsNsec = rest * this.#multiplier;
      return;
    }
    this.#high = high;
    this.#low = low;
    if (this.#shift >= 0) {
      this.#applyBinary(rec);
    } else {
      if (this.#preDivisor !== 1) this.#divide(true);
      this.#divide(false);
      rec.tsSec = this.#high * TWO_32 + this.#low + this.#offsetSec;
      rec.tsNsec = this.#rest * this.#multiplier;
    }
  }

  /**
   * Divides #high and #low in place and leaves #rest: long division with digits of 16 bits. A rest times 65536 plus a
   * digit stays below 2^53, hence exact, for divisors below 2^37; the largest in use is 10^10.
   */
  #divide(isFirst: boolean): void {
    const divisor = isFirst ? this.#preDivisor : this.#divisor;
    const high = this.#high;
    const low = this.#low;
    const q0 = Math.floor(high / divisor);
    const n1 = (high - q0 * divisor) * 65536 + (low >>> 16);
    const q1 = Math.floor(n1 / divisor);
    const n2 = (n1 - q1 * divisor) * 65536 + (low & 0xffff);
    const q2 = Math.floor(n2 / divisor);
    this.#high = q0;
    this.#low = q1 * 65536 + q2;
    this.#rest = n2 - q2 * divisor;
  }

  #applyBinary(rec: CaptureRecord): void {
    const high = this.#high;
    const low = this.#low;
    const unit = this.#unit;
    const perUnit = this.#perUnit;
    // The fraction of a second, as a binary fraction of 64 bits: first (its upper half) and second.
    let sec: number;
    let first: number;
    let second = 0;
    if (this.#shift <= 32) {
      const whole = Math.floor(low / perUnit);
      sec = high * unit + whole;
      first = (low - whole * perUnit) * unit;
    } else {
      sec = Math.floor(high / perUnit);
      const lowWhole = Math.floor(low / perUnit);
      first = (high - sec * perUnit) * unit + lowWhole;
      second = (low - lowWhole * perUnit) * unit;
    }
    rec.tsSec = sec + this.#offsetSec;
    rec.tsNsec = scaleFraction(first, second === 0 ? 0 : scaleFraction(second, 0));
  }
}

/** floor((fraction * 10^9 + carry) / 2^32) for 32-bit fractions, in two halves so that each product is exact. */
function scaleFraction(fraction: number, carry: number): number {
  const upper = (fraction >>> 16) * NSEC_PER_SEC;
  const lower = (fraction & 0xffff) * NSEC_PER_SEC + carry;
  return Math.floor((upper + Math.floor(lower / 65536)) / 65536);
}
