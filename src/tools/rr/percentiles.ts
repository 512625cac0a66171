// SPDX-License-Identifier: GPL-2.0-only
/** Percentiles of all samples: true ones, and those that xsk_rr prints. */

/** Which ones the experiment shows. */
export const PERCENTS = [5, 50, 95, 99] as const;

/** In nanoseconds, as keys of a JSON document; null without samples. */
export interface Percentiles {
  readonly p5_ns: number | null;
  readonly p50_ns: number | null;
  readonly p95_ns: number | null;
  readonly p99_ns: number | null;
}

/** @returns the sample with `p` percent of all at or below it (nearest rank); `sorted` in rising order, not empty */
export function percentile(sorted: Float64Array, p: number): number {
  return sorted[rank(sorted.length, p) - 1];
}

/** How many samples `p` percent of `n` are, 1 at least. 99.9 % of 1000 is 999, also where doubles say a bit more. */
function rank(n: number, p: number): number {
  return Math.max(1, Math.ceil((p * n) / 100 - 1e-6));
}

/** @returns the percentiles of samples in rising order, whole nanoseconds */
export function percentilesOf(sorted: Float64Array): Percentiles {
  return collect((p) => (sorted.length === 0 ? null : Math.round(percentile(sorted, p))));
}

/**
 * What xsk_rr prints as percentiles: the mean of the samples up to the cut. A p99 that way is far below the value that one
 * packet in a hundred exceeds.
 */
export function asXskRrPrints(sorted: Float64Array): Percentiles {
  if (sorted.length === 0) return collect(() => null);
  const means = new Map<number, number>();
  let sum = 0;
  let n = 0;
  for (const p of PERCENTS) {
    for (const end = rank(sorted.length, p); n < end; n++) sum += sorted[n];
    means.set(p, Math.round(sum / n));
  }
  return collect((p) => means.get(p)!);
}

function collect(of: (p: number) => number | null): Percentiles {
  return { p5_ns: of(5), p50_ns: of(50), p95_ns: of(95), p99_ns: of(99) };
}

/** @returns the samples of several trials together, in rising order */
export function pooled(trials: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(trials.reduce((n, t) => n + t.length, 0));
  let at = 0;
  for (const t of trials) {
    all.set(t, at);
    at += t.length;
  }
  return all.sort();
}
