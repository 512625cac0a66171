// SPDX-License-Identifier: GPL-2.0-only
/** The receive-livelock curve: goodput by offered load, for every setting. */

import { BEYOND, type CurveFigures, plateau, summit } from '../../report/curve_figures.js';
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

/** Loads, in parts of the capacity. */
export const LOADS: readonly number[] = [0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5];
export const LOADS_QUICK: readonly number[] = [0.15, 0.4, 0.7, 1, 1.5, 2.5, 4];
/** Where the peak lies further up than the capacity said, there are so many more points at most, each so much further. */
const MOST_MORE = 8;
const STEP = 1.5;

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
  return SETTINGS.every((s) => BEYOND * (curveFigures(points, s)?.peakOfferedKpps ?? 0) <= last * 1.001);
}

/** @returns what a setting does beyond its peak, or null without points of it: softirqs fall, threads stay */
export function curveFigures(points: readonly CurvePoint[], setting: Setting): CurveFigures | null {
  const of = points.flatMap((p) => {
    const kpps = p.settings[setting]?.kpps;
    return kpps === undefined ? [] : [{ offered: p.offered_kpps, kpps }];
  });
  return setting === 'vanilla' ? summit(of) : plateau(of);
}
