// SPDX-License-Identifier: GPL-2.0-only
/** The rows of `softnet stream`: every setting under the same load, far above what the virtual CPU can deliver. */
import { capacityOf, warmUp } from './capacity.js';
import type { CellReport } from './cell.js';
import { type Row, rowName, SETTINGS, type Setting } from './plan.js';
import type { Stand } from './stand.js';
import { runTrials, type TrialOptions } from './trials.js';

/** A cell with its change against vanilla. */
export type RowCell = CellReport & {
  /** null without vanilla, or where that got nothing. */
  readonly delta_pct: number | null;
};

/** A row, as the JSON document has it. */
export interface RowReport extends Row {
  readonly offered_kpps: number;
  /** What was offered, in parts of the best goodput of the row. */
  readonly overload: number | null;
  /** How long the row took, all of its cells. */
  readonly took_s: number;
  readonly settings: { readonly [setting in Setting]?: RowCell };
}

/** What every row has in common. */
export interface RowOptions extends TrialOptions {
  /** What is offered, in parts of the capacity. */
  readonly overload: number;
}

/** A load is too much if it is so many times what the best setting got through. */
const OVERLOAD = 2;
const RETRIES = 1;
/** Flows of the row whose capacity counts for all of a size: it is largest with one, and the usual with some. */
const PROBED: readonly number[] = [1, 25];

/** Capacities by the size of datagrams, thousands a second. */
export type Capacities = Map<number, number>;

/** Finds what the virtual CPU can deliver of each size. */
export async function capacities(
  stands: readonly Stand[],
  rows: readonly Row[],
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<Capacities> {
  const found: Capacities = new Map();
  tell('warming up');
  await warmUp(stands, signal);
  for (const size of new Set(rows.map((r) => r.size))) {
    const flows = new Set(rows.filter((r) => r.size === size).map((r) => r.flows));
    const probed = PROBED.filter((f) => flows.has(f));
    for (const f of probed.length > 0 ? probed : [Math.min(...flows)]) {
      if (signal.aborted) return found;
      tell(`capacity, ${rowName({ size, flows: f })}`);
      const capacity = await capacityOf(stands, { size, flows: f }, signal);
      found.set(size, Math.max(found.get(size) ?? 0, capacity));
    }
  }
  return found;
}

/**
 * Runs a row; again with more if it turns out that what was offered was not too much. The setting that gets most through is
 * looked at first: the others are not tried in vain.
 */
export async function runRow(
  stands: readonly Stand[],
  row: Row,
  known: Capacities,
  o: RowOptions,
  signal: AbortSignal,
): Promise<RowReport | null> {
  const beginMs = performance.now();
  let capacity = known.get(row.size) ?? 0;
  for (let retry = 0; ; retry++) {
    const kpps = o.overload * capacity;
    let best = 0;
    const tooLittle = (got: number): boolean => {
      best = Math.max(best, got);
      return o.overload >= OVERLOAD && best * OVERLOAD > kpps && retry < RETRIES;
    };
    const cells = await runTrials(fastestFirst(stands), row, kpps, o, tooLittle, signal);
    if (cells === null) return null;
    if (cells !== 'too little') return rowReport(row, kpps, cells, (performance.now() - beginMs) / 1e3);
    // For this row alone: those of one size are to be offered the same, where that is enough.
    capacity = best;
  }
}

function fastestFirst(stands: readonly Stand[]): readonly Stand[] {
  const first = stands.find((s) => s.setting === 'guest_threaded');
  return first === undefined ? stands : [first, ...stands.filter((s) => s !== first)];
}

function rowReport(
  row: Row,
  kpps: number,
  cells: ReadonlyMap<Setting, CellReport>,
  tookS: number,
): RowReport {
  const best = Math.max(...[...cells.values()].map((c) => c.kpps));
  const vanilla = cells.get('vanilla')?.kpps ?? 0;
  const settings: { [setting in Setting]?: RowCell } = {};
  for (const setting of SETTINGS) {
    const cell = cells.get(setting);
    if (cell === undefined) continue;
    const delta = setting === 'vanilla' || vanilla === 0 ? null : (cell.kpps / vanilla - 1) * 100;
    settings[setting] = { ...cell, delta_pct: setting === 'vanilla' ? 0 : delta };
  }
  return { ...row, offered_kpps: kpps, overload: best === 0 ? null : kpps / best, took_s: tookS, settings };
}
