// SPDX-License-Identifier: GPL-2.0-only
/** The receive-livelock curve: goodput by offered load, for every setting. */
import { type CellReport, runCell } from './cell.js';
import { isDisturbed, pickTrial } from './host.js';
import { type Row, SETTINGS, type Setting } from './plan.js';
import type { Stand } from './stand.js';
import type { TrialOptions } from './trials.js';

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

/** What a setting does beyond its peak; of medians over three neighbouring loads. */
export interface CurveSummary {
  readonly peak_kpps: number;
  /** The least load at which nearly the peak (95 %) is reached. */
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
const MOST_MORE = 8;
const STEP = 1.5;
const NEARLY = 0.95;

/**
 * Sweeps the load, as often as there are trials, up and down in turn: what the host does meanwhile meets all loads alike.
 * @returns the points in the order of their loads; those of which every setting has a trial
 */
export async function runCurve(
  stands: readonly Stand[],
  row: Row,
  o: TrialOptions & { readonly capacity: number; readonly loads: readonly number[] },
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<CurvePoint[]> {
  const sweep: Tried[] = o.loads.map((part) => ({ kpps: part * o.capacity, trials: new Map() }));
  for (let round = 0; round < o.trials + o.retries; round++) {
    for (let i = 0; i < sweep.length; i++) {
      const at = sweep[round % 2 === 0 ? i : sweep.length - 1 - i];
      for (const stand of stands) {
        const trials = at.trials.get(stand.setting) ?? [];
        if (round >= o.trials && !trials.every(isDisturbed)) continue;
        tell(`curve, sweep ${round + 1}, ${at.kpps.toFixed(0)} kpps offered, ${stand.setting}`);
        if (signal.aborted) return pointsOf(sweep, stands.length);
        const cell = await runCell(stand, row, at.kpps, o.timing, signal);
        // Cut short, it says nothing.
        if (signal.aborted) return pointsOf(sweep, stands.length);
        trials.push(cell);
        at.trials.set(stand.setting, trials);
      }
      const further = round === 0 && i + 1 === sweep.length && sweep.length < o.loads.length + MOST_MORE;
      if (further && !reachesFar(pointsOf(sweep, stands.length))) {
        sweep.push({ kpps: at.kpps * STEP, trials: new Map() });
      }
    }
  }
  return pointsOf(sweep, stands.length);
}

/** A load, and what came of it. */
interface Tried {
  readonly kpps: number;
  readonly trials: Map<Setting, CellReport[]>;
}

function pointsOf(sweep: readonly Tried[], settings: number): CurvePoint[] {
  return sweep
    .filter(({ trials }) => trials.size === settings)
    .map(({ kpps, trials }) => {
      const cells: { [setting in Setting]?: CurveCell } = {};
      for (const [setting, all] of trials) {
        const { kpps, core_available } = pickTrial(all);
        cells[setting] = { kpps, core_available };
      }
      return { offered_kpps: kpps, settings: cells };
    });
}

/** @returns true if there are points as far beyond the peak of every setting as it is judged by */
function reachesFar(points: readonly CurvePoint[]): boolean {
  const last = points[points.length - 1].offered_kpps;
  return SETTINGS.every((s) => BEYOND * (curveSummary(points, s)?.peak_offered_kpps ?? 0) <= last * 1.001);
}

/** The median of a point and its neighbours: a single one that the host lifted or pressed decides nothing. */
function medianAround(points: readonly { readonly kpps: number }[], i: number): number {
  const near = points.slice(Math.max(0, i - 1), i + 2).map((p) => p.kpps);
  near.sort((a, b) => a - b);
  return near[(near.length - 1) >> 1];
}

/** @returns what a setting does beyond its peak, or null without points of it */
export function curveSummary(points: readonly CurvePoint[], setting: Setting): CurveSummary | null {
  const raw = points.flatMap((p) => {
    const kpps = p.settings[setting]?.kpps;
    return kpps === undefined ? [] : [{ offered: p.offered_kpps, kpps }];
  });
  if (raw.length === 0) return null;
  const of = raw.map(({ offered }, i) => ({ offered, kpps: medianAround(raw, i) }));
  const most = Math.max(...of.map((p) => p.kpps));
  // On a plateau the most is anywhere: it begins where nearly that is reached.
  const peak = of.find((p) => p.kpps >= NEARLY * most) ?? of[0];
  const beyond = of.filter((p) => p.offered >= peak.offered && p.offered <= BEYOND * peak.offered * 1.001);
  return {
    peak_kpps: most,
    peak_offered_kpps: peak.offered,
    kept: most === 0 ? 0 : Math.min(...beyond.map((p) => p.kpps)) / most,
    upto_kpps: Math.max(...beyond.map((p) => p.offered)),
  };
}
