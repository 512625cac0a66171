// SPDX-License-Identifier: GPL-2.0-only
/** The text of `softnet rr`: the experiment's table, and what stands beside it. */
import { table } from '../table.js';
import type { Percentiles } from './percentiles.js';
import { MODE_TITLES, MODES, type Mode } from './plan.js';
import type { RowReport } from './report.js';
import type { CellSummary } from './summary.js';

const MARK = ' *';

/** A column of the experiment's table. */
interface Column {
  readonly title: string;
  readonly of: (row: RowReport) => CellSummary | undefined;
}

/** The table as the experiment has it: a block for each row, in nanoseconds. */
export function experimentTable(rows: readonly RowReport[]): string {
  return blocks(
    rows,
    columnsOf(rows, (row) => row.modes),
  );
}

/** The percentiles as xsk_rr prints them: means of the samples up to the cut. */
export function xskRrTable(rows: readonly RowReport[]): string {
  return blocks(
    rows,
    columnsOf(rows, (row) => row.modes),
    (s) => s.as_xsk_rr_prints,
  );
}

/** The modes that poll by socket calls when these cost nothing, beside the one that needs none; nothing without them. */
export function unchargedTable(rows: readonly RowReport[]): string {
  const columns = columnsOf(rows, (row) => row.uncharged);
  if (columns.length === 0) return '';
  return blocks(rows, [...columns, ...columnsOf(rows, (row) => pick(row, 'threaded'))]);
}

/** Every mode with two cores; nothing where that was not run. */
export function equalCoresTable(rows: readonly RowReport[]): string {
  const columns = columnsOf(rows, (row) => row.equal_cores?.modes ?? {});
  const named = columns.map((c) =>
    c.title === MODE_TITLES.busypoll ? { ...c, title: `${c.title}, 2 threads` } : c,
  );
  return columns.length === 0 ? '' : blocks(rows, named);
}

function pick(row: RowReport, mode: Mode): RowReport['modes'] {
  const s = row.modes[mode];
  return s === undefined ? {} : { [mode]: s };
}

/** The modes that some row has. */
function columnsOf(rows: readonly RowReport[], of: (row: RowReport) => RowReport['modes']): Column[] {
  return MODES.filter((mode) => rows.some((row) => of(row)[mode] !== undefined)).map((mode) => ({
    title: MODE_TITLES[mode],
    of: (row) => of(row)[mode],
  }));
}

function blocks(
  rows: readonly RowReport[],
  columns: readonly Column[],
  figures: (s: CellSummary) => Percentiles = (s) => s,
): string {
  const lines: string[][] = [['Experiment', ...columns.map((c) => c.title)]];
  for (const row of rows) {
    lines.push([row.title, ...columns.map(() => '')]);
    for (const p of ['p5', 'p50', 'p95', 'p99'] as const) {
      const cells = columns.map(({ of }) => {
        const s = of(row);
        if (s === undefined) return '';
        const ns = figures(s)[`${p}_ns`];
        return `${p}: ${ns === null ? 'none' : ns}${s.marked ? MARK : ''}`;
      });
      lines.push(['', ...cells]);
    }
  }
  const widths = lines[0].map((_, i) => Math.max(...lines.map((l) => l[i].length)));
  const text = lines.map((l) => `| ${l.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`);
  text.splice(1, 0, `|${widths.map((w) => '-'.repeat(w + 2)).join('|')}|`);
  return `${text.join('\n')}\n`;
}

/** What each cell costs, and what disturbed it. */
export function costTable(rows: readonly RowReport[]): string {
  const lines = [
    [
      'experiment',
      'mode',
      'CPU µs/packet',
      'cores',
      'utilisation',
      'packets',
      'missed',
      'socket calls',
      'empty polls',
      'wake-ups',
      'run delay µs',
      'forced switches',
      'steal µs',
      'disturbed',
    ],
  ];
  for (const row of rows) {
    const add = (name: string, s: CellSummary | undefined): void => {
      if (s === undefined) return;
      lines.push([
        row.title,
        name,
        decimal(s.cpu_us_per_packet, 2),
        decimal(s.cores, 2),
        `${Math.round(s.utilisation * 100)} %`,
        integer(s.packets),
        integer(s.missed),
        integer(s.socket_calls),
        integer(s.empty_polls),
        integer(s.wakeups),
        integer(s.run_delay_us),
        integer(s.forced_switches),
        integer(s.steal_us),
        `${s.disturbed_trials} of ${s.trials}${s.marked ? MARK : ''}`,
      ]);
    };
    for (const mode of MODES) add(MODE_TITLES[mode], row.modes[mode]);
    for (const mode of MODES) add(`${MODE_TITLES[mode]}, uncharged`, row.uncharged[mode]);
    add(`${MODE_TITLES.busypoll}, 2 threads`, row.equal_cores?.modes.busypoll);
  }
  return table(lines);
}

/** What the modes come to against each other; nothing without NAPI threads. */
export function ratioTable(rows: readonly RowReport[]): string {
  if (!rows.some((row) => row.modes.threaded !== undefined)) return '';
  const lines = [
    [
      'NAPI threaded',
      'p50 to lowest',
      'p99 to p5',
      'interrupts to it',
      'it to separate, uncharged',
      'bare hand-over p50 ns',
      'it to hand-over',
    ],
  ];
  for (const { title, ratios: r, handover } of rows) {
    lines.push([
      title,
      decimal(r.threaded_p50_to_lowest, 2),
      decimal(r.threaded_p99_to_p5, 2),
      decimal(r.interrupts_p50_to_threaded, 1),
      decimal(r.threaded_p50_to_separate_uncharged, 2),
      integer(handover?.p50_ns ?? null),
      decimal(r.threaded_p50_to_handover, 2),
    ]);
  }
  return table(lines);
}

function integer(v: number | null): string {
  return v === null ? 'n/a' : Math.round(v).toLocaleString('en');
}

function decimal(v: number | null, digits: number): string {
  return v === null ? 'n/a' : v.toFixed(digits);
}
