// SPDX-License-Identifier: GPL-2.0-only
/**
 * A log-linear histogram (the layout of HdrHistogram with 64 steps an octave: an error below 1.6 %).
 * Recording is an index computation and an increment: no allocation, no clock.
 */

/** Steps an octave: 2^SUB_BITS. */
const SUB_BITS = 6;
const SUB = 1 << SUB_BITS;
/** Buckets for values up to 2^42: values above count in the last one, the maximum is kept apart. */
const OCTAVES = 42 - SUB_BITS;
const BUCKETS = (OCTAVES + 1) * SUB;

/** Values from here on count in the last bucket. */
const LIMIT = 2 ** 42;

/** @returns the bucket of a value, a number from 0 up */
function bucketOf(value: number): number {
  if (value < SUB) return value < 0 ? 0 : value | 0;
  if (value >= LIMIT) return BUCKETS - 1;
  // Above 31 bits the shifts would wrap: halve first.
  let v = value;
  let octave = 0;
  while (v >= 0x40000000) {
    v /= 2;
    octave++;
  }
  const w = v | 0;
  const shift = 31 - Math.clz32(w) - SUB_BITS;
  octave += shift;
  const i = (octave + 1) * SUB + ((w >>> shift) & (SUB - 1));
  return i < BUCKETS ? i : BUCKETS - 1;
}

/** @returns the middle of a bucket */
function bucketMiddle(bucket: number): number {
  if (bucket < SUB) return bucket;
  const octave = Math.floor(bucket / SUB) - 1;
  const width = 2 ** octave;
  return (SUB + (bucket % SUB)) * width + width / 2;
}

export class LogHistogram {
  readonly counts: Int32Array;
  /** Largest value recorded, exact. */
  max: number;

  constructor(counts: Int32Array = new Int32Array(BUCKETS), max = 0) {
    this.counts = counts;
    this.max = max;
  }

  /** Counts one value, from 0 up; fractions are cut off. */
  record(value: number): void {
    if (value > this.max) this.max = value;
    this.counts[bucketOf(value)]++;
  }

  /** Adds another histogram's counts. */
  add(other: LogHistogram): void {
    for (let i = 0; i < this.counts.length; i++) this.counts[i] += other.counts[i];
    if (other.max > this.max) this.max = other.max;
  }

  /** Values recorded. */
  total(): number {
    let n = 0;
    for (const c of this.counts) n += c;
    return n;
  }

  /** @returns the value below which `p` percent of the values lie, never above the maximum; 0 without values */
  percentile(p: number): number {
    const total = this.total();
    if (total === 0) return 0;
    // 99.9 % of 1000 is 999, also where the product of doubles says 999.0000000000001.
    const rank = Math.max(1, Math.ceil((p * total) / 100 - 1e-6));
    let seen = 0;
    for (let i = 0; i < this.counts.length; i++) {
      seen += this.counts[i];
      if (seen >= rank) return Math.min(bucketMiddle(i), this.max);
    }
    return this.max;
  }
}
