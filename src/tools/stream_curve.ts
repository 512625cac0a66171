// SPDX-License-Identifier: GPL-2.0-only
/** The receive-livelock curve: goodput by offered load, for every setting. */
import { type Row, SETTINGS, type Setting } from './stream_plan.js';
import type { Stand } from './stream_stand.js';
import { runTrials, type TrialOptions } from './stream_trials.js';

/** Goodput of a setting at a load. */
export interface CurveCell {
  readonly kpps: number;
  /** See CellReport. */
  readonly core_available: number | null;
}

/** A point, as the JSON document has it. */
export interface CurvePoint {
  readonly offered_kpps: number;
  readonly settings: { readonly [setting in Setting]?: CurveCell };
}

/** What a setting does beyond its peak. */
export interface CurveSummary {
  readonly peak_kpps: number;
  /** The load at the peak. */
  readonly peak_offered_kpps: number;
  /** The least goodput from the peak's load on, up to four times that; in parts of the peak. */
  readonly kept: number;
  readonly upto_kpps: number;
}

/** Loads, in parts of the capacity. */
export const LOADS: readonly number[] = [0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5];
export const LOADS_QUICK: readonly number[] = [0.15, 0.4, 0.7, 1, 1.5, 2.5, 4];
/** How far beyond the peak's load. */
const BEYOND = 4;
/** Where the peak lies further up than the capacity said, there are so many more points at most, each so much further. */
const MOST_MORE = 6;
const STEP = 1.5;

/** The loads in the order of the points; every setting meets one before the next one comes. */
export async function runCurve(
  stands: readonly Stand[],
  row: Row,
  o: TrialOptions & { readonly capacity: number; readonly loads: readonly number[] },
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<CurvePoint[]> {
  const points: CurvePoint[] = [];
  const loads = o.loads.map((part) => part * o.capacity);
  for (let i = 0; i < loads.length; i++) {
    const kpps = loads[i];
    tell(`curve, ${kpps.toFixed(0)} kpps offered`);
    const cells = await runTrials(stands, row, kpps, o, signal);
    if (cells === null) return points;
    const settings: { [setting in Setting]?: CurveCell } = {};
    for (const [setting, cell] of cells) {
      settings[setting] = { kpps: cell.kpps, core_available: cell.core_available };
    }
    points.push({ offered_kpps: kpps, settings });
    const more = i + 1 === loads.length && loads.length < o.loads.length + MOST_MORE;
    if (more && !reachesFar(points)) loads.push(kpps * STEP);
  }
  return points;
}

/** @returns true if there are points as far beyond the peak of every setting as it is judged by */
function reachesFar(points: readonly CurvePoint[]): boolean {
  const last = points[points.length - 1].offered_kpps;
  return SETTINGS.every((s) => BEYOND * (curveSummary(points, s)?.peak_offered_kpps ?? 0) <= last * 1.001);
}

/** @returns what a setting does beyond its peak, or null without points of it */
export function curveSummary(points: readonly CurvePoint[], setting: Setting): CurveSummary | null {
  const of = points.flatMap((p) => {
    const kpps = p.settings[setting]?.kpps;
    return kpps === undefined ? [] : [{ offered: p.offered_kpps, kpps }];
  });
  if (of.length === 0) return null;
  const peak = of.reduce((a, p) => (p.kpps > a.kpps ? p : a));
  const beyond = of.filter((p) => p.offered >= peak.offered && p.offered <= BEYOND * peak.offered * 1.001);
  return {
    peak_kpps: peak.kpps,
    peak_offered_kpps: peak.offered,
    kept: peak.kpps === 0 ? 0 : Math.min(...beyond.map((p) => p.kpps)) / peak.kpps,
    upto_kpps: Math.max(...beyond.map((p) => p.offered)),
  };
}
