// SPDX-License-Identifier: GPL-2.0-only
/** The rows of the report: the figures of every cell, and what they come to against each other. */
import { type Cell, cellKey, type Mode, type Row, rowTitle, utilisation } from './plan.js';
import { type CellSummary, summaryOf, type Trial } from './summary.js';

/** How the modes of a row compare; null where a cell is missing. */
export interface Ratios {
  readonly threaded_p50_to_lowest: number | null;
  readonly threaded_p99_to_p5: number | null;
  readonly interrupts_p50_to_threaded: number | null;
  /** Below 1 where threads are faster. */
  readonly threaded_p50_to_separate_uncharged: number | null;
  readonly threaded_p50_to_handover: number | null;
}

/** A row, as the JSON document has it. */
export interface RowReport {
  readonly title: string;
  readonly period_us: number;
  readonly delay_us: number;
  readonly modes: { readonly [mode in Mode]?: CellSummary };
  /** The modes that poll by socket calls, with nothing charged for these. */
  readonly uncharged: { readonly [mode in Mode]?: CellSummary };
  /** Every mode with two cores: inline polling by two threads, with half of the packets each. */
  readonly equal_cores?: {
    readonly budget_cores: 2;
    readonly modes: { readonly [mode in Mode]?: CellSummary };
  };
  readonly handover?: CellSummary;
  readonly ratios: Ratios;
}

/** The trials of one row, by cell. */
export interface RowTrials {
  readonly row: Row;
  readonly cells: readonly Cell[];
  readonly trials: ReadonlyMap<string, readonly Trial[]>;
}

/** @param samplesOf the latencies of a cell in rising order, once they are known */
export function rowReport(
  { row, cells, trials }: RowTrials,
  syscallNs: number,
  samples?: (key: string) => Float64Array,
): RowReport {
  const modes: { [mode in Mode]?: CellSummary } = {};
  const uncharged: { [mode in Mode]?: CellSummary } = {};
  let pair: CellSummary | undefined;
  let handover: CellSummary | undefined;
  for (const cell of cells) {
    const key = cellKey(cell);
    const of = trials.get(key) ?? [];
    if (of.length === 0) continue;
    const summary = summaryOf(of, utilisation(row), samples?.(key));
    if (cell.mode === 'handover') handover = summary;
    else if (cell.apps === 2) pair = summary;
    else if (cell.syscallNs !== syscallNs) uncharged[cell.mode] = summary;
    else modes[cell.mode] = summary;
  }
  return {
    title: rowTitle(row),
    period_us: row.periodUs,
    delay_us: row.delayUs,
    modes,
    uncharged,
    ...(pair === undefined
      ? {}
      : { equal_cores: { budget_cores: 2, modes: { ...modes, busypoll: pair } } as const }),
    ...(handover === undefined ? {} : { handover }),
    ratios: ratiosOf(modes, uncharged, handover),
  };
}

function ratiosOf(
  modes: RowReport['modes'],
  uncharged: RowReport['uncharged'],
  handover: CellSummary | undefined,
): Ratios {
  const all = Object.values(modes).flatMap((s) => (s.p50_ns === null ? [] : [s.p50_ns]));
  const threaded = modes.threaded?.p50_ns;
  // With --syscall-ns 0 nothing is charged in the first place.
  const separate = uncharged['busypoll-separate'] ?? free(modes['busypoll-separate']);
  return {
    threaded_p50_to_lowest: ratio(threaded, all.length === 0 ? null : Math.min(...all)),
    threaded_p99_to_p5: ratio(modes.threaded?.p99_ns, modes.threaded?.p5_ns),
    interrupts_p50_to_threaded: ratio(modes.interrupts?.p50_ns, threaded),
    threaded_p50_to_separate_uncharged: ratio(threaded, separate?.p50_ns),
    threaded_p50_to_handover: ratio(threaded, handover?.p50_ns),
  };
}

function free(summary: CellSummary | undefined): CellSummary | undefined {
  return summary?.syscall_ns === 0 ? summary : undefined;
}

function ratio(a: number | null | undefined, b: number | null | undefined): number | null {
  return a == null || b == null || b <= 0 ? null : a / b;
}
