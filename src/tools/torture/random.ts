// SPDX-License-Identifier: GPL-2.0-only
/** Chance by seed: the same numbers for the same seed, and a stream of its own for each context. */

export class Random {
  private x: number;

  constructor(seed: number) {
    this.x = seed | 0;
  }

  /** @returns 32 bits (mulberry32) */
  private next(): number {
    this.x = (this.x + 0x6d2b79f5) | 0;
    let t = Math.imul(this.x ^ (this.x >>> 15), this.x | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** @returns a whole number from 0 to n - 1 */
  below(n: number): number {
    return Math.floor((this.next() / 2 ** 32) * n);
  }

  /** @returns a whole number from `min` to `max` */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** @returns true with probability `p` */
  chance(p: number): boolean {
    return this.next() / 2 ** 32 < p;
  }

  /** @returns one of them */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** @returns some of the numbers below `n`, in order; perhaps none */
  subset(n: number): number[] {
    return Array.from({ length: n }, (_, i) => i).filter(() => this.chance(0.5));
  }

  /** @returns a stream that depends on the seed and on `name`, not on what was drawn before */
  static of(seed: number, name: string): Random {
    let h = seed | 0;
    for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
    return new Random(h);
  }
}
