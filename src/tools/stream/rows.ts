// SPDX-License-Identifier: GPL-2.0-only
/** The rows of `softnet stream`: every setting under the same load, far above what the virtual CPU can deliver. */
import { capacityOf, warmUp } from './capacity.js';
import type { CellReport } from './cell.js';
import { type Row, rowName, type Setting } from './plan.js';
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

/** Runs a row; again with more if it turns out that what was offered was not too much. */
export async function runRow(
  stands: readonly Stand[],
  row: Row,
  known: Capacities,
  o: RowOptions,
  signal: AbortSignal,
): Promise<RowReport | null> {
  const beginMs = performance.now();
  for (let retry = 0; ; retry++) {
    const kpps = o.overload * (known.get(row.size) ?? 0);
    const cells = await runTrials(stands, row, kpps, o, signal);
    if (cells === null) return null;
    const best = Math.max(...[...cells.values()].map((c) => c.kpps));
    const enough = best * OVERLOAD <= kpps || o.overload < OVERLOAD;
    if (enough || retry === RETRIES || signal.aborted) {
      return rowReport(row, kpps, best, cells, (performance.now() - beginMs) / 1e3);
    }
    known.set(row.size, best);
  }
}

function rowReport(
  row: Row,
  kpps: number,
  best: number,
  cells: ReadonlyMap<Setting, CellReport>,
  tookS: number,
): RowReport {
  const vanilla = cells.get('vanilla')?.kpps ?? 0;
  const settings: { [setting in Setting]?: RowCell } = {};
  for (const [setting, cell] of cells) {
    const delta = setting === 'vanilla' || vanilla === 0 ? null : (cell.kpps / vanilla - 1) * 100;
    settings[setting] = { ...cell, delta_pct: setting === 'vanilla' ? 0 : delta };
  }
  return { ...row, offered_kpps: kpps, overload: best === 0 ? null : kpps / best, took_s: tookS, settings };
}
