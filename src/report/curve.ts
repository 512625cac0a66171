// SPDX-License-Identifier: GPL-2.0-only
/** What two curves of goodput by offered load can be compared by: their loads are others in every run, so no point is. */
import type { At } from './at.js';

/** So much of the peak, in percent, two curves differ in what they keep without a reason. */
export const LEAST_KEPT = 5;

/** How far beyond the load of the peak: what the seed asks for, and what a curve must have for it. */
const BEYOND = 4;
const ENOUGH = 2;
/** Loads that were reckoned are a little beside what they should be. */
const ROUNDING = 1.001;
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
    if (all.length === 0) return [];
    const quiet = all.filter((p) => p.quiet);
    const disturbed = quiet.length < QUIET * all.length;
    const used = disturbed ? all : quiet;
    const peak = used.reduce((best, p) => (p.kpps > best.kpps ? p : best));
    const beyond = used.filter(
      (p) => p.offered > peak.offered && p.offered <= BEYOND * peak.offered * ROUNDING,
    );
    const far = Math.max(0, ...beyond.map((p) => p.offered)) >= ENOUGH * peak.offered;
    const least = Math.min(...beyond.map((p) => p.kpps));
    const keptPercent = far && peak.kpps > 0 ? (100 * least) / peak.kpps : null;
    return [{ setting, peakKpps: peak.kpps, keptPercent, disturbed }];
  });
}
