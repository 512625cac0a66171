// SPDX-License-Identifier: GPL-2.0-only
/** The trials of a row: the cells in turn, there and back, and again those that the host disturbed. */
import { type Cell, cellKey, type Row } from './plan.js';
import type { Trial } from './summary.js';

/** How often. */
export interface TrialPlan {
  /** Undisturbed trials wanted of each cell. */
  readonly trials: number;
  /** Disturbed ones that are repeated, at most, of each cell. */
  readonly retries: number;
}

/**
 * Runs the trials of a row: one of each cell, then one of each the other way round, and so on, so that what the host does
 * meanwhile meets all of them alike. A cell is done when it has as many undisturbed trials as wanted, or when its retries
 * are used up.
 * @param run runs one trial; null: it was ended before it gave anything
 * @param stopped tells that no other trial is to begin
 * @returns the trials of each cell by its key
 */
export async function rowTrials(
  row: Row,
  cells: readonly Cell[],
  { trials, retries }: TrialPlan,
  run: (row: Row, cell: Cell, nr: number) => Promise<Trial | null>,
  stopped: () => boolean,
): Promise<Map<string, Trial[]>> {
  const done = new Map<string, Trial[]>(cells.map((c) => [cellKey(c), []]));
  for (let round = 0; round < trials + retries; round++) {
    for (const cell of round % 2 === 0 ? cells : [...cells].reverse()) {
      if (stopped()) return done;
      const had = done.get(cellKey(cell))!;
      if (had.filter((t) => t.disturbed === null).length >= trials) continue;
      const trial = await run(row, cell, had.length + 1);
      if (trial !== null) had.push(trial);
    }
  }
  return done;
}
