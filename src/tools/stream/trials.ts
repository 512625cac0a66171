// SPDX-License-Identifier: GPL-2.0-only
/** The same load on every setting, as often as it takes. */
import { type CellReport, runCell, type Timing } from './cell.js';
import { isDisturbed, pickTrial } from './host.js';
import type { Row, Setting } from './plan.js';
import type { Stand } from './stand.js';

export interface TrialOptions {
  readonly timing: Timing;
  readonly trials: number;
  /** Trials on top, for a setting that the host disturbed in all of them. */
  readonly retries: number;
}

/**
 * @param tooLittle told of each goodput; true: the load is too small, and what was measured so far is no use
 * @returns the trial of each setting that counts; or null if it was interrupted
 */
export async function runTrials(
  stands: readonly Stand[],
  row: Row,
  kpps: number,
  o: TrialOptions,
  tooLittle: (kpps: number) => boolean,
  signal: AbortSignal,
): Promise<ReadonlyMap<Setting, CellReport> | 'too little' | null> {
  const trials = new Map<Setting, CellReport[]>(stands.map((s) => [s.setting, []]));
  for (let round = 0; round < o.trials + o.retries; round++) {
    const left = stands.filter((s) => round < o.trials || (trials.get(s.setting) ?? []).every(isDisturbed));
    // A B C, C B A: what the host does meanwhile meets all of them alike.
    for (const stand of round % 2 === 0 ? left : left.reverse()) {
      if (signal.aborted) return null;
      const cell = await runCell(stand, row, kpps, o.timing, signal);
      if (signal.aborted) return null;
      if (tooLittle(cell.kpps)) return 'too little';
      trials.get(stand.setting)?.push(cell);
    }
  }
  return new Map([...trials].map(([setting, cells]) => [setting, pickTrial(cells)]));
}
