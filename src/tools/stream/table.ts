// SPDX-License-Identifier: GPL-2.0-only
/** What `softnet stream` prints: the table of the experiment, what became of the rest, the curve as a plot. */
import { table } from '../table.js';
import type { CellReport, Drops } from './cell.js';
import { type CurvePoint, curveFigures } from './curve.js';
import { isDisturbed } from './host.js';
import { rowName, SETTINGS, type Setting } from './plan.js';
import type { RowReport } from './rows.js';
import type { Summary } from './summary.js';

const TITLES: { readonly [setting in Setting]: string } = {
  vanilla: 'vanilla',
  guest_threaded: 'guest threaded',
  both_threaded: 'hypervisor and guest threaded',
};

/** Above this a change is told as a factor. */
const MOST_PERCENT = 999;

/** kpps and the change against vanilla, row by row. */
export function streamTable(rows: readonly RowReport[], settings: readonly Setting[]): string {
  const head = ['size/flows', ...settings.map((s) => TITLES[s]), 'offered'];
  const unit = ['', ...settings.map((s) => (s === 'vanilla' ? 'kpps' : 'kpps/delta')), 'kpps'];
  return table([
    head,
    unit,
    ...rows.map((r) => [
      rowName(r),
      ...settings.map((s) => {
        const cell = r.settings[s];
        if (cell === undefined) return '';
        const mark = isDisturbed(cell) ? '*' : '';
        return mark + (s === 'vanilla' ? kpps(cell.kpps) : `${kpps(cell.kpps)}/${delta(cell.delta_pct)}`);
      }),
      kpps(r.offered_kpps),
    ]),
  ]);
}

/** Where the core's time and the other frames went. */
export function livelockTable(rows: readonly RowReport[], settings: readonly Setting[]): string {
  const places = (Object.keys(rows[0].settings[settings[0]]?.drops ?? {}) as (keyof Drops)[]).filter(
    (place) => rows.some((r) => settings.some((s) => (r.settings[s]?.drops[place] ?? 0) > 0)),
  );
  const lines = rows.flatMap((r) =>
    settings.flatMap((s) => {
      const cell = r.settings[s];
      return cell === undefined
        ? []
        : [[`${rowName(r)} ${s}`, ...shares(cell), ...dropped(cell, places), jain(cell), ...scheduled(cell)]];
    }),
  );
  return table([
    [
      '',
      'softirq',
      'threads',
      'receivers',
      ...places.map((p) => p.replace('_', ' ')),
      'Jain',
      'delay',
      'switches',
    ],
    ...lines,
  ]);
}

function shares({ cpu_share: share }: CellReport): string[] {
  if (share === null) return ['-', '-', '-'];
  return [share.softirq, share.threads, share.receivers].map((x) => `${Math.round(100 * x)}%`);
}

/** Part of what was offered. */
function dropped(cell: CellReport, places: readonly (keyof Drops)[]): string[] {
  return places.map((p) => `${((100 * cell.drops[p]) / Math.max(1, cell.offered_frames)).toFixed(1)}%`);
}

function jain(cell: CellReport): string {
  return cell.jain === null ? '-' : cell.jain.toFixed(2);
}

/** Of the tasks' thread: how long it waited for the core, in parts of the time; how often it left it, a second. */
function scheduled(cell: CellReport): string[] {
  const t = cell.threads.find((x) => x.name === 'app/tasks');
  if (t === undefined || t.run_delay_ms === null) return ['-', '-'];
  const switches = ((t.voluntary_switches ?? 0) + (t.forced_switches ?? 0)) / cell.duration_s;
  return [`${Math.round(t.run_delay_ms / cell.duration_s / 10)}%`, `${Math.round(switches)}/s`];
}

function kpps(n: number): string {
  return n < 9.95 ? n.toFixed(1) : n.toFixed(0);
}

function delta(pct: number | null): string {
  if (pct === null) return '-';
  if (pct > MOST_PERCENT) return `x${(pct / 100 + 1).toFixed(0)}`;
  return `${pct < 0 ? '' : '+'}${pct.toFixed(0)}%`;
}

/** What the table says, in a line for each setting. */
export function summaryText(summaries: { readonly [setting in Setting]?: Summary }): string {
  return Object.entries(summaries)
    .map(([setting, s]) => {
      const many =
        s.rows === 0
          ? []
          : [
              `better in ${s.won} of ${s.rows} rows of 25 flows and more up to 1438 bytes, median ${delta(s.median_delta_pct)}`,
            ];
      const one =
        s.one_flow_median_delta_pct === null
          ? []
          : [`with one flow median ${delta(s.one_flow_median_delta_pct)}`];
      return [...many, ...one].length === 0
        ? ''
        : `${TITLES[setting as Setting]}: ${[...many, ...one].join('; ')}\n`;
    })
    .join('');
}

const PLOT_ROWS = 16;
const PLOT_COLUMNS = 64;
const MARKS: { readonly [setting in Setting]: string } = {
  vanilla: 'v',
  guest_threaded: 'g',
  both_threaded: 'b',
};

/** Goodput over offered load, a letter for each setting. */
export function curvePlot(points: readonly CurvePoint[]): string {
  const settings = SETTINGS.filter((s) => points.some((p) => p.settings[s] !== undefined));
  const mostX = Math.max(...points.map((p) => p.offered_kpps));
  const mostY = Math.max(1, ...points.flatMap((p) => settings.map((s) => p.settings[s]?.kpps ?? 0)));
  const grid = Array.from({ length: PLOT_ROWS }, () => new Array<string>(PLOT_COLUMNS).fill(' '));
  for (const p of points) {
    const x = Math.round((p.offered_kpps / mostX) * (PLOT_COLUMNS - 1));
    for (const s of settings) {
      const y = Math.round(((p.settings[s]?.kpps ?? 0) / mostY) * (PLOT_ROWS - 1));
      const row = grid[PLOT_ROWS - 1 - y];
      row[x] = row[x] === ' ' ? MARKS[s] : '*';
    }
  }
  const label = (i: number): string => (i === 0 ? kpps(mostY) : i === PLOT_ROWS - 1 ? '0' : '').padStart(6);
  const lines = grid.map((row, i) => `${label(i)} |${row.join('').trimEnd()}`);
  const axis = `       +${'-'.repeat(PLOT_COLUMNS)}`;
  const foot = `        0${`${kpps(mostX)} kpps offered`.padStart(PLOT_COLUMNS - 1)}`;
  const legend = settings.map((s) => `${MARKS[s]} ${TITLES[s]}`).join(', ');
  return `goodput, kpps (${legend}, * several)\n${lines.join('\n')}\n${axis}\n${foot}\n${summaries(points, settings)}`;
}

function summaries(points: readonly CurvePoint[], settings: readonly Setting[]): string {
  return settings
    .map((s) => {
      const c = curveFigures(points, s);
      if (c === null) return '';
      const from = `${TITLES[s]}: peak ${kpps(c.peakKpps)} kpps at ${kpps(c.peakOfferedKpps)} offered`;
      return `${from}; at least ${Math.round(100 * c.kept)}% of it up to ${kpps(c.uptoKpps)}\n`;
    })
    .join('');
}
