// SPDX-License-Identifier: GPL-2.0-only
/** Seed 004 against what `softnet stream` measured. */
import type { Check } from '../../report/document.js';
import { type Json, number, object, objects, present } from './json.js';
import { median } from './judge.js';

/** Of the seed's 16 rows of small packets and many flows so many are to gain, 13: the rest is left to chance. */
const GAINING = 13 / 16;
const SMALL_BYTES = 1438;
const MANY_FLOWS = 25;
/** What counts as no change, in percent. */
const SAME_PERCENT = 5;
/** Goodput that is still at the peak, as a part of it. */
const AT_PEAK = 0.85;

interface Row {
  readonly size: number;
  readonly flows: number;
  /** Goodput of a setting, kpps, null if it was not run. */
  kpps(setting: string): number | null;
}

/** @param result the document of `softnet stream --json` */
export function judgeStream(result: unknown): Check[] {
  const document = object(result);
  const rows = objects(document.rows).map(readRow);
  const many = rows.filter((r) => r.size <= SMALL_BYTES && r.flows >= MANY_FLOWS);
  const one = rows.filter((r) => r.size <= SMALL_BYTES && r.flows === 1);
  const checks = [gain(changes(many, 'vanilla', 'guest_threaded')), oneFlow(one), both(many)];
  const curve = objects(document.curve);
  return curve.length === 0 ? checks : [...checks, ...curveChecks(curve)];
}

function readRow(row: Json): Row {
  const settings = object(row.settings);
  return {
    size: number(row.size) ?? 0,
    flows: number(row.flows) ?? 0,
    kpps: (setting) => number(object(settings[setting]).kpps),
  };
}

/** @returns changes from one setting to another, percent, of the rows that have both */
function changes(rows: readonly Row[], from: string, to: string): number[] {
  return present(
    rows.map((row) => {
      const [a, b] = [row.kpps(from), row.kpps(to)];
      return a === null || b === null || a <= 0 ? null : (b / a - 1) * 100;
    }),
  );
}

function gain(delta: readonly number[]): Check {
  const claim = 'with many small flows the poll thread beats softirq';
  if (delta.length === 0) return { claim, agrees: null, measured: 'no such row was run' };
  const gaining = delta.filter((d) => d > 0).length;
  const agrees = gaining >= Math.floor(GAINING * delta.length) && median(delta) >= 20;
  return {
    claim,
    agrees,
    measured: `${gaining} of ${delta.length} rows, ${percent(median(delta))} in the median`,
  };
}

function oneFlow(rows: readonly Row[]): Check {
  const claim = 'with one flow the thread costs nothing (the seed: +7 to +63 %)';
  const delta = changes(rows, 'vanilla', 'guest_threaded');
  if (delta.length === 0) return { claim, agrees: null, measured: 'no such row was run' };
  return {
    claim,
    agrees: median(delta) >= -SAME_PERCENT,
    measured: `${percent(median(delta))} in the median of ${delta.length} rows`,
  };
}

function both(rows: readonly Row[]): Check {
  const claim = 'threads in the hypervisor, too, give more still';
  const delta = changes(rows, 'guest_threaded', 'both_threaded');
  if (delta.length === 0) return { claim, agrees: null, measured: 'no such row was run' };
  const mid = median(delta);
  const more = delta.filter((d) => d > 0).length;
  const measured = `${more} of ${delta.length} rows, ${percent(mid)} in the median against the guest alone`;
  if (Math.abs(mid) < SAME_PERCENT)
    return { claim, agrees: null, measured: `${measured}: no change to speak of` };
  return { claim, agrees: mid > 0, measured };
}

interface Point {
  readonly offered: number;
  readonly kpps: number;
}

function curveChecks(curve: readonly Json[]): Check[] {
  const points = (setting: string): Point[] =>
    present(
      curve.map((p) => {
        const offered = number(p.offered_kpps);
        const kpps = number(object(object(p.settings)[setting]).kpps);
        return offered === null || kpps === null ? null : { offered, kpps };
      }),
    ).sort((a, b) => a.offered - b.offered);
  return [falls(points('vanilla')), holds(points('guest_threaded'))];
}

function peakOf(points: readonly Point[]): Point | undefined {
  return points.reduce<Point | undefined>((best, p) => (p.kpps > (best?.kpps ?? 0) ? p : best), undefined);
}

function falls(points: readonly Point[]): Check {
  const claim = 'softirq: goodput falls behind its peak (receive livelock)';
  const [peak, last] = [peakOf(points), points.at(-1)];
  if (peak === undefined || last === undefined || last.offered < 2 * peak.offered) {
    return { claim, agrees: null, measured: 'the load did not go to twice the peak' };
  }
  return {
    claim,
    agrees: last.kpps < AT_PEAK * peak.kpps,
    measured: `${kpps(peak)} kpps at best, ${kpps(last)} at ${Math.round(last.offered)} kpps offered`,
  };
}

function holds(points: readonly Point[]): Check {
  const claim = 'thread: goodput stays at its peak under four times that load';
  const peak = peakOf(points);
  const behind = points.filter((p) => peak !== undefined && p.offered > peak.offered);
  if (peak === undefined || (behind.at(-1)?.offered ?? 0) < 2 * peak.offered) {
    return { claim, agrees: null, measured: 'the load did not go to twice the peak' };
  }
  const asked = behind.filter((p) => p.offered <= 4 * peak.offered);
  const worst = asked.reduce((low, p) => (p.kpps < low.kpps ? p : low), peak);
  return {
    claim,
    agrees: worst.kpps >= AT_PEAK * peak.kpps,
    measured: `${kpps(peak)} kpps at best, ${kpps(worst)} at least behind it`,
  };
}

function kpps(p: Point): string {
  return p.kpps.toFixed(p.kpps < 10 ? 1 : 0);
}

function percent(v: number): string {
  return `${v > 0 ? '+' : ''}${Math.round(v)} %`;
}
