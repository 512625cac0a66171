// SPDX-License-Identifier: GPL-2.0-only
/** Seed 004: the table of sizes and flows, the livelock curve, who had the CPU. */
import type { At } from './at.js';
import { details, esc, figure, table } from './html.js';
import type { SeriesStyle } from './plot.js';
import { shares } from './plot_bars.js';
import { linePlot, X_RANGE, Y_RANGE } from './plot_lines.js';
import { band, linear, logClose } from './scale.js';

const SETTINGS = [
  { key: 'vanilla', name: 'vanilla' },
  { key: 'guest_threaded', name: 'guest threaded' },
  { key: 'both_threaded', name: 'hypervisor and guest threaded' },
] as const;

const CPU: readonly (SeriesStyle & { readonly key: string })[] = [
  { key: 'softirq', name: 'softirq', nr: 0 },
  { key: 'threads', name: 'NAPI threads', nr: 1 },
  { key: 'receivers', name: 'receivers', nr: 2 },
];

/** @param result the document of `softnet stream` */
export function streamSection(id: string, result: At): string {
  const rows = result.at('rows').items();
  return [
    `<div class="plots">${curve(id, result.at('curve').items())}${cpuShares(id, rows)}</div>`,
    rows.length === 0 ? '' : seedTable(rows),
    flowPlots(id, rows),
    rows.length === 0 ? '' : details('Drops by place, and fairness across flows', dropTable(rows)),
    threadTable(rows),
  ].join('');
}

function rowName(row: At): string {
  return `${row.at('size').number ?? '?'}/${row.at('flows').number ?? '?'}`;
}

/** Others had more than a tenth of the core: the rule of `softnet stream`. */
function star(cell: At): string {
  return (cell.at('core_available').number ?? 1) < 0.9 ? ' *' : '';
}

function seedTable(rows: readonly At[]): string {
  const disturbed = rows.some((row) => SETTINGS.some((s) => star(row.at('settings', s.key)) !== ''));
  const note = disturbed
    ? '<p class="note">* Others had more than a tenth of the core meanwhile: not counted.</p>'
    : '';
  return (
    note +
    table(
      'Goodput, kpps, and its change against vanilla',
      ['size/flows', 'vanilla', 'guest threaded', 'change', 'both threaded', 'change', 'offered'],
      rows.map((row) => {
        const of = (setting: string): At => row.at('settings', setting);
        return [
          esc(rowName(row)),
          figure(of('vanilla').at('kpps'), 'sig') + star(of('vanilla')),
          figure(of('guest_threaded').at('kpps'), 'sig') + star(of('guest_threaded')),
          figure(of('guest_threaded').at('delta_pct'), 'delta'),
          figure(of('both_threaded').at('kpps'), 'sig') + star(of('both_threaded')),
          figure(of('both_threaded').at('delta_pct'), 'delta'),
          figure(row.at('offered_kpps'), 'sig'),
        ];
      }),
    )
  );
}

function curve(id: string, points: readonly At[]): string {
  if (points.length === 0) return '';
  const goodput = points.flatMap((p) => SETTINGS.map((s) => p.at('settings', s.key, 'kpps').number ?? 0));
  const numbers = table(
    'Goodput against offered load, kpps',
    ['offered', ...SETTINGS.map((s) => s.name)],
    points.map((p) => [
      figure(p.at('offered_kpps'), 'sig'),
      ...SETTINGS.map((s) => figure(p.at('settings', s.key, 'kpps'), 'sig')),
    ]),
  );
  return linePlot(`${id}-curve`, {
    title: 'Receive livelock: goodput against offered load',
    description: 'A line for each setting. In livelock goodput falls while more is offered.',
    // On a linear axis up to many times the peak's load its rise and fall would be a few pixels wide.
    x: logClose(
      points.map((p) => p.at('offered_kpps').number ?? 0),
      X_RANGE,
    ),
    y: linear(Math.max(0, ...goodput), Y_RANGE),
    xLabel: 'offered, kpps',
    yLabel: 'read by applications, kpps',
    series: SETTINGS.map((s, nr) => ({
      name: s.name,
      nr,
      points: points.map((p) => ({ x: p.at('offered_kpps'), y: p.at('settings', s.key, 'kpps') })),
    })),
    say: (x, y) => `${y.toFixed(1)} kpps of ${x.toFixed(0)} offered`,
    after: details('The numbers', numbers),
  });
}

/** A plot for each size that was run with several numbers of flows. */
function flowPlots(id: string, rows: readonly At[]): string {
  const sizes = [...new Set(rows.map((r) => r.at('size').number ?? 0))];
  const plots = sizes.map((size) => {
    const of = rows.filter((r) => r.at('size').number === size);
    if (of.length < 3) return '';
    const goodput = of.flatMap((r) => SETTINGS.map((s) => r.at('settings', s.key, 'kpps').number ?? 0));
    return linePlot(`${id}-flows-${size}`, {
      title: `${size.toLocaleString('en')} bytes: goodput by flows`,
      description: 'A line for each setting, a point for each number of flows.',
      x: band(
        of.map((r) => r.at('flows').number ?? 0),
        X_RANGE,
      ),
      y: linear(Math.max(0, ...goodput), Y_RANGE),
      xLabel: 'flows',
      yLabel: 'kpps',
      series: SETTINGS.map((s, nr) => ({
        name: s.name,
        nr,
        points: of.map((r) => ({ x: r.at('flows'), y: r.at('settings', s.key, 'kpps') })),
      })),
      say: (x, y) => `${y.toFixed(1)} kpps with ${x} flows`,
    });
  });
  const drawn = plots.filter((p) => p !== '');
  return drawn.length === 0 ? '' : `<div class="plots">${drawn.join('')}</div>`;
}

function cpuShares(id: string, rows: readonly At[]): string {
  const told = rows.filter((r) => r.at('settings', 'vanilla', 'cpu_share', 'softirq').number !== null);
  if (told.length === 0) return '';
  return shares(`${id}-cpu`, {
    title: 'Who had the guest’s CPU',
    description:
      'For each row and setting the shares of softirq, of NAPI threads and of the receiving tasks.',
    groups: ['vanilla', 'guest threaded', 'both threaded'],
    series: CPU,
    rows: told.map((row) => ({
      label: rowName(row),
      shares: SETTINGS.map((s) => CPU.map((c) => row.at('settings', s.key, 'cpu_share', c.key))),
    })),
  });
}

function dropTable(rows: readonly At[]): string {
  const places = [
    ...new Set(
      rows.flatMap((r) =>
        SETTINGS.flatMap((s) =>
          r
            .at('settings', s.key, 'drops')
            .fields()
            .map((f) => f.key),
        ),
      ),
    ),
  ];
  return table(
    'Frames dropped by place, and Jain’s index (1: all flows get the same)',
    ['size/flows', 'setting', ...places.map((p) => p.replaceAll('_', ' ')), 'Jain'],
    rows.flatMap((row) =>
      SETTINGS.map((s) => {
        const of = row.at('settings', s.key);
        return [
          esc(rowName(row)),
          esc(s.name),
          ...places.map((p) => figure(of.at('drops', p), 'int')),
          figure(of.at('jain'), 'fixed2'),
        ];
      }),
    ),
    { words: 2 },
  );
}

/** What each thread did in one row: that of the curve, or the first with many flows. The others are in the JSON. */
function threadTable(rows: readonly At[]): string {
  const told = rows.filter((r) => r.at('settings', 'vanilla', 'threads').items().length > 0);
  const row =
    told.find((r) => rowName(r) === '64/25') ??
    told.find((r) => (r.at('flows').number ?? 0) >= 25) ??
    told[0];
  if (row === undefined) return '';
  const lines = SETTINGS.flatMap((s) =>
    row
      .at('settings', s.key, 'threads')
      .items()
      .map((t) => [
        esc(s.name),
        esc(t.at('name').text),
        figure(t.at('cpu_ms'), 'sig'),
        figure(t.at('run_delay_ms'), 'sig'),
        figure(t.at('voluntary_switches'), 'int'),
        figure(t.at('forced_switches'), 'int'),
      ]),
  );
  return details(
    `What each thread did, row ${rowName(row)}`,
    table(
      'Scheduler figures of each thread',
      ['setting', 'thread', 'ran, ms', 'waited for a core, ms', 'gave it up', 'had to'],
      lines,
      { words: 2 },
    ),
  );
}
