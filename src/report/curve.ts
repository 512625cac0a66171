// SPDX-License-Identifier: GPL-2.0-only
/** What two curves of goodput by offered load can be compared by: their loads are others in every run, so no point is. */
import type { At } from './at.js';
import { plateau, summit } from './curve_figures.js';

/** So much of the peak, in percent, two curves differ in what they keep without a reason. */
export const LEAST_KEPT = 5;

/** How far beyond the load of its peak a curve must go to say what is kept of it. */
const ENOUGH = 2;
/** Part of the points that must not have been disturbed. */
const QUIET = 0.8;

export interface CurveKept {
  readonly setting: string;
  readonly peakKpps: number;
  /** The least goodput beyond the load of the peak, up to four times that; null where the load did not go to twice that. */
  readonly keptPercent: number | null;
  readonly disturbed: boolean;
}

/** Others had more than a tenth of the core of this cell of `softnet stream`: its own rule. */
export function lostCore(cell: At): boolean {
  return (cell.at('core_available').number ?? 1) < 0.9;
}

/** @param points of the document of `softnet stream`; @returns a line for each setting */
export function curveKept(points: readonly At[]): CurveKept[] {
  const settings = [
    ...new Set(
      points.flatMap((p) =>
        p
          .at('settings')
          .fields()
          .map((f) => f.key),
      ),
    ),
  ];
  return settings.flatMap((setting) => {
    const all = points.flatMap((p) => {
      const cell = p.at('settings', setting);
      const [offered, kpps] = [p.at('offered_kpps').number, cell.at('kpps').number];
      return offered === null || kpps === null ? [] : [{ offered, kpps, quiet: !lostCore(cell) }];
    });
    all.sort((a, b) => a.offered - b.offered);
    const quiet = all.filter((p) => p.quiet);
    const disturbed = quiet.length < QUIET * all.length;
    const used = disturbed ? all : quiet;
    const figures = setting === 'vanilla' ? summit(used) : plateau(used);
    if (figures === null) return [];
    const { peakKpps, kept, peakOfferedKpps, uptoKpps } = figures;
    const keptPercent = peakKpps > 0 && uptoKpps >= ENOUGH * peakOfferedKpps ? 100 * kept : null;
    return [{ setting, peakKpps, keptPercent, disturbed }];
  });
}
