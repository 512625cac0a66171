// SPDX-License-Identifier: GPL-2.0-only
/**
 * A percentile distribution in the text format of HdrHistogram (`.hgrm`), which its plotters read. Made from all samples:
 * its values are exact, where HdrHistogram's own are rounded to its buckets.
 */

/** Lines between one halving of what is left and the next (HdrHistogram's percentileTicksPerHalfDistance). */
const TICKS = 5;

/** @returns the file's text; values in the unit of the samples, which are in rising order */
export function hgrmText(sorted: Float64Array): string {
  const n = sorted.length;
  const lines = ['       Value     Percentile TotalCount 1/(1-Percentile)', ''];
  for (let level = 0, count = 0; ; level += tick(level)) {
    // The sample of this level, and all that are equal to it.
    while (count < n && (count < level * n || count === 0 || sorted[count] === sorted[count - 1])) count++;
    if (count === n) break;
    const tail = (1 / (1 - level)).toFixed(2).padStart(14);
    lines.push(`${field(sorted[count - 1])} ${level.toFixed(12)} ${String(count).padStart(10)} ${tail}`);
  }
  if (n > 0) lines.push(`${field(sorted[n - 1])} ${(1).toFixed(12)} ${String(n).padStart(10)}`);
  const mean = n === 0 ? 0 : sum(sorted, (v) => v) / n;
  const deviation = n === 0 ? 0 : Math.sqrt(sum(sorted, (v) => (v - mean) ** 2) / n);
  const max = n === 0 ? 0 : sorted[n - 1];
  lines.push(
    `#[Mean    = ${field(mean)}, StdDeviation   = ${field(deviation)}]`,
    `#[Max     = ${field(max)}, Total count    = ${String(n).padStart(12)}]`,
    `#[Buckets = ${'1'.padStart(12)}, SubBuckets     = ${String(n).padStart(12)}]`,
  );
  return `${lines.join('\n')}\n`;
}

/** The step from one level to the next: so many to each halving of the distance to 1. */
function tick(level: number): number {
  return 1 / (TICKS * 2 ** (Math.floor(Math.log2(1 / (1 - level))) + 1));
}

function field(value: number): string {
  return value.toFixed(3).padStart(12);
}

function sum(values: Float64Array, of: (v: number) => number): number {
  let s = 0;
  for (let i = 0; i < values.length; i++) s += of(values[i]);
  return s;
}
