// SPDX-License-Identifier: GPL-2.0-only
/** A run in pieces of some seconds each, as xsk_rr reports while it runs (-l): here told when the trial has ended. */
import { type Percentiles, percentilesOf } from './percentiles.js';
import type { Trial } from './summary.js';

/** What was measured of the packets due in one piece of a trial. */
export interface Interval extends Percentiles {
  readonly from_s: number;
  readonly to_s: number;
  readonly packets: number;
}

/** @returns the pieces of a trial, `seconds` each; the last one may be shorter */
export function intervalsOf(
  { latencies, stamps }: Pick<Trial, 'latencies' | 'stamps'>,
  seconds: number,
): Interval[] {
  const out: Interval[] = [];
  const stepNs = seconds * 1e9;
  for (let from = 0, i = 0; from < stamps.length; i++) {
    const endNs = stamps[0] + (i + 1) * stepNs;
    let to = from;
    while (to < stamps.length && stamps[to] < endNs) to++;
    out.push({
      from_s: rounded(i * seconds),
      to_s: rounded((i + 1) * seconds),
      packets: to - from,
      ...percentilesOf(latencies.slice(from, to).sort()),
    });
    from = to;
  }
  return out;
}

/** @returns one line for a person */
export function intervalText(i: Interval): string {
  const figures = (['p5', 'p50', 'p95', 'p99'] as const).map((p) => `${p} ${i[`${p}_ns`] ?? 'none'}`);
  return `${i.from_s}-${i.to_s} s: ${i.packets} packets, ${figures.join(', ')} ns`;
}

/** 0.3, and not 0.30000000000000004. */
function rounded(s: number): number {
  return Number(s.toFixed(3));
}
