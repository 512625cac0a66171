// SPDX-License-Identifier: GPL-2.0-only
/** The rungs of a latency ladder: percentiles that come closer to 100 by halves and fifths of what is left. */

const RUNGS = [
  1, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 99.995, 99.999,
] as const;

/** A rung: so many percent are at or below so many nanoseconds. */
export interface Rung {
  readonly percent: number;
  readonly ns: number;
}

/**
 * @param samples how many there are: rungs beyond the last two samples say nothing and are left out
 * @param percentile of all samples, ns
 */
export function ladderOf(samples: number, percentile: (percent: number) => number): Rung[] {
  return RUNGS.filter((percent) => samples * (1 - percent / 100) >= 2 - 1e-6).map((percent) => ({
    percent,
    ns: Math.round(percentile(percent)),
  }));
}
