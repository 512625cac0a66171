// SPDX-License-Identifier: GPL-2.0-only
/** What a curve of goodput by offered load comes to: where its peak is, and what is left beyond it. For whoever prints or judges it. */

/** Goodput under a load, thousands a second. */
export interface LoadPoint {
  readonly offered: number;
  readonly kpps: number;
}

/** A curve's peak and what is kept of it. */
export interface CurveFigures {
  readonly peakKpps: number;
  /** The load at which it is reached. */
  readonly peakOfferedKpps: number;
  /** The least goodput from there on, up to four times that load; in parts of the peak. */
  readonly kept: number;
  /** The largest load that counted for it. */
  readonly uptoKpps: number;
}

/** How far beyond the peak's load. */
export const BEYOND = 4;
/** What is nearly the peak. */
const NEARLY = 0.95;
/** Loads that were reckoned are a little beside what they should be. */
const ROUNDING = 1.001;

/** The median of a point and its neighbours: a single one that the host lifted or pressed decides nothing. */
function medianAround(points: readonly LoadPoint[], i: number): number {
  const near = points.slice(Math.max(0, i - 1), i + 2).map((p) => p.kpps);
  near.sort((a, b) => a - b);
  return near[(near.length - 1) >> 1];
}

function figuresOf(points: readonly LoadPoint[], most: number, peakOffered: number): CurveFigures {
  const beyond = points.filter(
    (p) => p.offered >= peakOffered && p.offered <= BEYOND * peakOffered * ROUNDING,
  );
  return {
    peakKpps: most,
    peakOfferedKpps: peakOffered,
    kept: most === 0 ? 0 : Math.min(...beyond.map((p) => p.kpps)) / most,
    uptoKpps: Math.max(...beyond.map((p) => p.offered)),
  };
}

/**
 * Of a curve that stays where it is: by medians of three neighbours, the peak at the least load at which nearly the most is
 * reached; on a plateau the most itself is anywhere.
 * @param points in the order of their loads
 */
export function plateau(points: readonly LoadPoint[]): CurveFigures | null {
  if (points.length === 0) return null;
  const smooth = points.map(({ offered }, i) => ({ offered, kpps: medianAround(points, i) }));
  const most = Math.max(...smooth.map((p) => p.kpps));
  const begin = smooth.find((p) => p.kpps >= NEARLY * most) ?? smooth[0];
  return figuresOf(smooth, most, begin.offered);
}

/** Of a curve that falls: its peak may be one point wide. */
export function summit(points: readonly LoadPoint[]): CurveFigures | null {
  if (points.length === 0) return null;
  const peak = points.reduce((best, p) => (p.kpps > best.kpps ? p : best));
  return figuresOf(points, peak.kpps, peak.offered);
}
