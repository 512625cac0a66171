// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogHistogram } from '../../dist/kernel/histogram.js';

const MOST = 2 ** 41;
/** The error that the layout allows. */
const ERROR = 0.016;

function histogramOf(values: readonly number[]): LogHistogram {
  const h = new LogHistogram();
  for (const v of values) h.record(v);
  return h;
}

/** The value of rank ceil(p % of n), by sorting. `p` in thousandths of a percent, so that the rank is exact. */
function exact(values: readonly number[], milliPercent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil((milliPercent * sorted.length) / 100_000)) - 1];
}

/** Values of all magnitudes alike. */
const anyValue = fc
  .tuple(fc.integer({ min: 0, max: 40 }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([octave, part]) => Math.floor(2 ** octave * (1 + part)));

describe('LogHistogram', () => {
  it('is empty at first', () => {
    const h = new LogHistogram();
    expect([h.total(), h.max, h.percentile(0), h.percentile(50), h.percentile(100)]).toEqual([0, 0, 0, 0, 0]);
  });

  it('answers percentiles within 1.6 % of those that sorting gives', () => {
    const percents = fc.constantFrom(0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100);
    fc.assert(
      fc.property(fc.array(anyValue, { minLength: 1, maxLength: 300 }), percents, (values, p) => {
        const want = exact(values, p * 1000);
        const got = histogramOf(values).percentile(p);
        expect(Math.abs(got - want)).toBeLessThanOrEqual(want * ERROR);
      }),
      { numRuns: 300 },
    );
  });

  it('takes percentiles with a fraction at their exact rank', () => {
    // One value in a thousand is slow: p99.9 is still a fast one, p99.91 is the slow one.
    const values = [...new Array<number>(999).fill(100), 1_000_000];
    const h = histogramOf(values);
    expect(h.percentile(99.91)).toBeGreaterThan(900_000);
    expect(h.percentile(99.9)).toBeLessThan(110);
  });

  it('tells every power of two from its neighbours, up to 2^41', () => {
    for (let v = 1; v <= MOST; v *= 2) {
      for (const value of [v - 1, v, v + 1]) {
        const h = new LogHistogram();
        h.record(value);
        h.record(MOST * 2 - 1);
        expect(Math.abs(h.percentile(50) - value), `${value}`).toBeLessThanOrEqual(value * ERROR);
      }
    }
  });

  it('never answers more than the largest value, nor a smaller percentile above a larger one', () => {
    fc.assert(
      fc.property(fc.array(anyValue, { minLength: 1, maxLength: 50 }), (values) => {
        const h = histogramOf(values);
        expect(h.max).toBe(Math.max(...values));
        const answers = [0, 10, 50, 90, 99, 99.9, 100].map((p) => h.percentile(p));
        expect(answers).toEqual(answers.toSorted((a, b) => a - b));
        expect(answers[6]).toBeLessThanOrEqual(h.max);
      }),
    );
  });

  it('counts what is above its range in the last bucket and keeps the maximum', () => {
    const h = histogramOf([5, 2 ** 43, 2 ** 52]);
    expect(h.total()).toBe(3);
    expect(h.max).toBe(2 ** 52);
    expect(h.percentile(1)).toBe(5);
    expect(h.percentile(100)).toBeGreaterThan(MOST);
  });

  it('cuts fractions off and takes what is below zero as zero', () => {
    const h = histogramOf([7.9, -3, 40]);
    expect(h.percentile(34)).toBe(7);
    expect(h.percentile(1)).toBe(0);
    expect(h.total()).toBe(3);
  });

  it('added to another one is as if all values had been recorded in one', () => {
    fc.assert(
      fc.property(fc.array(anyValue), fc.array(anyValue), (a, b) => {
        const sum = histogramOf(a);
        sum.add(histogramOf(b));
        const one = histogramOf([...a, ...b]);
        expect([sum.counts, sum.max]).toEqual([one.counts, one.max]);
      }),
      { numRuns: 20 },
    );
  });

  it('goes on with counts that another thread sent', () => {
    const sent = histogramOf([10, 20, 30]);
    const copy = new LogHistogram(structuredClone(sent.counts), sent.max);
    copy.record(40);
    expect([copy.total(), copy.max, copy.percentile(50), copy.percentile(100)]).toEqual([4, 40, 20, 40]);
  });
});
