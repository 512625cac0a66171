// SPDX-License-Identifier: GPL-2.0-only
/** A histogram by powers of two, as bpftrace prints its `hist()`. */

const BAR = 52;
const SUFFIXES = ['', 'K', 'M', 'G', 'T'];

/**
 * @param counts how many values had their highest bit at this place: counts[9] are those from 512 up to 1024; counts[0]
 *   those below 2, or, with `zeros`, those that are 1
 * @param zeros how many values were 0, where these are counted by themselves
 * @returns a line for each power of two from the first that has any to the last; nothing without values
 */
export function log2HistogramText(counts: ArrayLike<number>, zeros?: number): string {
  const all = zeros === undefined ? Array.from(counts) : [zeros, ...Array.from(counts)];
  const first = all.findIndex((n) => n > 0);
  if (first < 0) return '';
  const last = all.findLastIndex((n) => n > 0);
  const most = Math.max(...all);
  const lines: string[] = [];
  for (let i = first; i <= last; i++) {
    const range = zeros === undefined ? rangeText(i) : i < 2 ? `[${i}]` : rangeText(i - 1);
    const bar = '@'.repeat(Math.floor((all[i] / most) * BAR)).padEnd(BAR);
    lines.push(`${range.padEnd(16)} ${String(all[i]).padStart(12)} |${bar}|`);
  }
  return `${lines.join('\n')}\n`;
}

function rangeText(place: number): string {
  return place === 0 ? '[0, 2)' : `[${power(place)}, ${power(place + 1)})`;
}

/** 512, 1K, 2K, … 1M. */
function power(exponent: number): string {
  return `${2 ** (exponent % 10)}${SUFFIXES[Math.floor(exponent / 10)]}`;
}
