// SPDX-License-Identifier: GPL-2.0-only
/** From checks to a verdict, and what checks of measured ratios have in common. */
import type { Check, Verdict } from '../../report/document.js';

/** @returns the middle value, NaN without values */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[mid] : (sorted[mid - 1] + sorted[mid]) / 2;
}

/** What a ratio is to be; both ends belong to it. */
export interface Band {
  readonly atLeast?: number;
  readonly atMost?: number;
}

/**
 * Judges a ratio by its trials. The median decides, unless a trial contradicts it and the median is no further from the
 * bound than the trials are apart: then nothing can be told.
 */
export function ratioCheck(claim: string, trials: readonly number[], band: Band): Check {
  if (trials.length === 0) return { claim, agrees: null, measured: 'not measured' };
  const inside = (v: number): boolean => v >= (band.atLeast ?? -Infinity) && v <= (band.atMost ?? Infinity);
  const mid = median(trials);
  const agrees = inside(mid);
  const [low, high] = [Math.min(...trials), Math.max(...trials)];
  const spread = trials.length === 1 ? '' : ` (${fixed(low)} to ${fixed(high)} in ${trials.length} trials)`;
  const measured = `${fixed(mid)} times${spread}`;
  const torn = trials.some((v) => inside(v) !== agrees);
  const distance = Math.min(...[band.atLeast, band.atMost].map((b) => Math.abs(mid - (b ?? Infinity))));
  if (torn && distance <= (high - low) / 2) {
    return { claim, agrees: null, measured: `the trials contradict each other: ${measured}` };
  }
  return { claim, agrees, measured };
}

/**
 * The verdict of a part: it differs if any check does; the first check is the main one, and without it nothing can be told.
 * @returns it with its reason: the check that decided
 */
export function verdictOf(checks: readonly Check[]): { verdict: Verdict; reason: string } {
  const wrong = checks.find((c) => c.agrees === false);
  if (wrong !== undefined) return { verdict: 'differs', reason: `${wrong.claim}: ${wrong.measured}` };
  const [main] = checks;
  if (main === undefined) return { verdict: 'this host cannot tell', reason: 'nothing was measured' };
  const reason = `${main.claim}: ${main.measured}`;
  if (main.agrees === null) return { verdict: 'this host cannot tell', reason };
  const open = checks.filter((c) => c.agrees === null).length;
  return {
    verdict: 'agrees',
    reason: open === 0 ? reason : `${reason}; ${open} of ${checks.length} statements cannot be told`,
  };
}

/** @returns the checks with none decided that depends on time, for figures that are not to be trusted */
export function untold(checks: readonly Check[], why: string): Check[] {
  return checks.map((c) =>
    c.exact === true || c.agrees === null ? c : { ...c, agrees: null, measured: `${why}: ${c.measured}` },
  );
}

function fixed(v: number): string {
  return v.toFixed(2);
}
