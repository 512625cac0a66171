// SPDX-License-Identifier: GPL-2.0-only
/** The figures of `softnet rr`: percentiles, histograms, files. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallTimes } from '../../dist/threads/rr_shared.js';
import { hgrmText } from '../../dist/tools/rr/hgrm.js';
import { intervalsOf, intervalText } from '../../dist/tools/rr/intervals.js';
import { log2HistogramText } from '../../dist/tools/rr/log2_histogram.js';
import { asXskRrPrints, percentile, percentilesOf, pooled } from '../../dist/tools/rr/percentiles.js';

const upTo = (n: number): Float64Array => Float64Array.from({ length: n }, (_, i) => i + 1);

describe('percentiles', () => {
  it('are samples: nearest rank', () => {
    expect(percentilesOf(upTo(100))).toEqual({ p5_ns: 5, p50_ns: 50, p95_ns: 95, p99_ns: 99 });
    expect(percentilesOf(Float64Array.of(7))).toEqual({ p5_ns: 7, p50_ns: 7, p95_ns: 7, p99_ns: 7 });
    expect(percentilesOf(new Float64Array(0))).toEqual({
      p5_ns: null,
      p50_ns: null,
      p95_ns: null,
      p99_ns: null,
    });
  });

  it('have at least that part of the samples at or below them, and a smaller sample has not', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 100 }),
        (a, p) => {
          const sorted = Float64Array.from(a).sort();
          const v = percentile(sorted, p);
          const atOrBelow = sorted.filter((x) => x <= v).length;
          const below = sorted.filter((x) => x < v).length;
          expect(sorted).toContain(v);
          expect(atOrBelow * 100).toBeGreaterThanOrEqual(p * a.length);
          expect(below * 100).toBeLessThan(p * a.length);
        },
      ),
    );
  });

  it('as xsk_rr prints them hide the tail: 120 thousand samples with a true p99 of 300 µs', () => {
    const samples = new Float64Array(120_000).fill(13_000);
    samples.fill(300_000, 118_700);
    expect(percentilesOf(samples).p99_ns).toBe(300_000);
    const printed = asXskRrPrints(samples);
    expect(printed).toMatchObject({ p5_ns: 13_000, p50_ns: 13_000, p95_ns: 13_000 });
    // The mean of the first 118 800: 100 of them are slow.
    expect(printed.p99_ns).toBe(Math.round((118_700 * 13_000 + 100 * 300_000) / 118_800));
  });

  it('as xsk_rr prints them are means up to the cut, none without samples', () => {
    expect(asXskRrPrints(upTo(100))).toEqual({ p5_ns: 3, p50_ns: 26, p95_ns: 48, p99_ns: 50 });
    expect(asXskRrPrints(new Float64Array(0)).p50_ns).toBeNull();
  });

  it('are of all trials together', () => {
    const all = pooled([Float64Array.of(3, 1), Float64Array.of(2, 10)]);
    expect([...all]).toEqual([1, 2, 3, 10]);
  });
});

describe('intervals', () => {
  it('cut a run by the times at which packets were due', () => {
    const stamps = Float64Array.of(1e9, 1.5e9, 1.9e9, 2e9, 4.2e9);
    const latencies = Float64Array.of(30, 10, 20, 5, 8);
    const pieces = intervalsOf({ latencies, stamps }, 1);
    expect(pieces.map((i) => [i.from_s, i.packets, i.p50_ns])).toEqual([
      [0, 3, 20],
      [1, 1, 5],
      [2, 0, null],
      [3, 1, 8],
    ]);
    expect(intervalText(pieces[0])).toBe('0-1 s: 3 packets, p5 10, p50 20, p95 30, p99 30 ns');
    expect(intervalText(pieces[2])).toContain('2-3 s: 0 packets, p5 none');
    // The order of arrival is left as it was.
    expect([...latencies]).toEqual([30, 10, 20, 5, 8]);
  });
});

describe('histogram by powers of two', () => {
  it('looks as bpftrace prints it', () => {
    const counts = new Array<number>(40).fill(0);
    counts.splice(7, 6, 24073, 55633, 20974, 34234, 3266, 19);
    expect(log2HistogramText(counts).trimEnd().split('\n')).toEqual([
      '[128, 256)              24073 |@@@@@@@@@@@@@@@@@@@@@@                              |',
      '[256, 512)              55633 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|',
      '[512, 1K)               20974 |@@@@@@@@@@@@@@@@@@@                                 |',
      '[1K, 2K)                34234 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@                     |',
      '[2K, 4K)                 3266 |@@@                                                 |',
      '[4K, 8K)                   19 |                                                    |',
    ]);
  });

  it('shows ranges between, that have none, and is empty without values', () => {
    expect(log2HistogramText([0, 0, 0])).toBe('');
    expect(log2HistogramText([4, 0, 2]).split('\n')).toHaveLength(4);
    expect(log2HistogramText([4, 0, 2])).toContain('[0, 2) ');
    const wide = new Array<number>(40).fill(0);
    wide[20] = 1;
    expect(log2HistogramText(wide)).toContain('[1M, 2M) ');
  });

  it('counts times of calls by their highest bit', () => {
    const times = new CallTimes();
    for (const ns of [0, 1, 2, 3, 512, 1023.9, 1024, 2 ** 31 + 1]) times.record(ns);
    const { log2 } = times;
    expect([log2[0], log2[1], log2[9], log2[10], log2[31]]).toEqual([2, 2, 2, 1, 1]);
    times.reset();
    expect(Math.max(...log2)).toBe(0);
  });
});

/** What HdrHistogram's plotters take from a file: lines of three or four numbers. */
function readHgrm(text: string): { value: number; percentile: number; count: number }[] {
  return text
    .split('\n')
    .filter((line) => /^\s*\d/.test(line))
    .map((line) => {
      const [value, p, count, ...rest] = line.trim().split(/\s+/).map(Number);
      expect(rest.length).toBeLessThanOrEqual(1);
      return { value, percentile: p, count };
    });
}

describe('.hgrm', () => {
  it('has the head, the lines and the foot of HdrHistogram', () => {
    const text = hgrmText(upTo(1000));
    const lines = text.trimEnd().split('\n');
    expect(lines[0]).toBe('       Value     Percentile TotalCount 1/(1-Percentile)');
    expect(lines[1]).toBe('');
    expect(lines[2]).toBe('       1.000 0.000000000000          1           1.00');
    expect(lines).toContain('     500.000 0.500000000000        500           2.00');
    expect(lines.at(-4)).toBe('    1000.000 1.000000000000       1000');
    expect(lines.at(-3)).toBe('#[Mean    =      500.500, StdDeviation   =      288.675]');
    expect(lines.at(-2)).toBe('#[Max     =     1000.000, Total count    =         1000]');
    expect(lines.at(-1)).toMatch(/^#\[Buckets = +\d+, SubBuckets +=/);
  });

  it('tells for each line how many samples are at or below its value, rising to all of them', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 500 }), (a) => {
        const sorted = Float64Array.from(a).sort();
        const rows = readHgrm(hgrmText(sorted));
        for (const r of rows) {
          expect(r.count).toBe(sorted.filter((x) => x <= r.value).length);
          expect(r.count).toBeGreaterThanOrEqual(r.percentile * a.length - 1e-6);
        }
        expect(rows.map((r) => r.percentile)).toEqual(rows.map((r) => r.percentile).sort((x, y) => x - y));
        expect(rows.at(-1)).toEqual({ value: sorted.at(-1), percentile: 1, count: a.length });
      }),
      { numRuns: 50 },
    );
  });

  it('goes on into the tail of a long run, and ends', () => {
    const n = 100_000;
    const rows = readHgrm(hgrmText(upTo(n)));
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.length).toBeLessThan(200);
    expect(rows.at(-2)!.percentile).toBeGreaterThan(0.9999);
    expect(hgrmText(new Float64Array(0))).toContain('Total count    =            0]');
  });
});
