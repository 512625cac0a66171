// SPDX-License-Identifier: GPL-2.0-only

/** @returns the value at or below which `p` percent of the samples lie (nearest rank); NaN without samples */
export function percentile(samples, p) {
  if (samples.length === 0) return Number.NaN;
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
}

/** @returns the middle value, the mean of the two middle ones of an even number */
export function median(samples) {
  if (samples.length === 0) return Number.NaN;
  const sorted = Float64Array.from(samples).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
