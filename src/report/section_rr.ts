// SPDX-License-Identifier: GPL-2.0-only
/** Seed 003: a latency ladder for each row, the seed's table, what each cell costs, times of single polls. */
import type { At } from './at.js';
import { details, esc, figure, table } from './html.js';
import { histogram } from './plot_bars.js';
import { linePlot, X_RANGE, Y_RANGE } from './plot_lines.js';
import { log, nines, timeLabel } from './scale.js';

const MODES = [
  { key: 'interrupts', name: 'interrupts' },
  { key: 'busypoll', name: 'SO_BUSYPOLL' },
  { key: 'busypoll-separate', name: 'SO_BUSYPOLL (separate)' },
  { key: 'threaded', name: 'NAPI threaded' },
] as const;
const PERCENTILES = ['p5_ns', 'p50_ns', 'p95_ns', 'p99_ns', 'max_ns'] as const;

/** @param result the document of `softnet rr` */
export function rrSection(id: string, result: At): string {
  const rows = result.at('rows').items();
  if (rows.length === 0) return '';
  const disturbed = rows.some((r) => MODES.some((m) => r.at('modes', m.key, 'marked').value === true));
  return (
    `<div class="plots">${rows.map((row, i) => ladder(`${id}-ladder-${i}`, row)).join('')}</div>` +
    percentiles(rows) +
    (disturbed
      ? '<p class="note">* The host disturbed every trial of this cell: not to be trusted.</p>'
      : '') +
    details('What it costs', costs(rows)) +
    pollTimes(id, rows)
  );
}

/** A latency ladder of a row: the rungs of the document, by mode. */
function ladder(id: string, row: At): string {
  const rungs = MODES.map((m) => row.at('modes', m.key, 'ladder').items());
  const all = rungs.flat();
  if (all.length === 0) return '';
  const title = row.at('title').text;
  return ladderPlot(
    id,
    title,
    MODES.map((m, nr) => ({
      name: `${m.name}${row.at('modes', m.key, 'marked').value === true ? ' *' : ''}`,
      nr,
      rungs: rungs[nr],
    })),
  );
}

/** The percentile axis goes by nines, the axis of latencies is logarithmic. */
export function ladderPlot(
  id: string,
  title: string,
  series: readonly { readonly name: string; readonly nr: number; readonly rungs: readonly At[] }[],
): string {
  const all = series.flatMap((s) => s.rungs);
  const most = Math.max(50, ...all.map((r) => r.at('percent').number ?? 0));
  return linePlot(id, {
    title,
    description:
      'Latency by percentile, a line for each mode. The percentile axis goes by nines, the other is logarithmic.',
    x: nines(most, X_RANGE),
    y: log(
      all.map((r) => r.at('ns').number ?? 0),
      Y_RANGE,
      timeLabel,
    ),
    xLabel: 'percentile (by nines)',
    yLabel: 'latency',
    series: series.map((s) => ({
      name: s.name,
      nr: s.nr,
      points: s.rungs.map((r) => ({ x: r.at('percent'), y: r.at('ns') })),
    })),
    say: (x, y) => `p${x} ${(y / 1e3).toFixed(1)} µs`,
  });
}

function percentiles(rows: readonly At[]): string {
  return table(
    'Latency, µs',
    ['row', 'mode', 'p5', 'p50', 'p95', 'p99', 'max'],
    rows.flatMap((row) =>
      MODES.filter((m) => row.at('modes', m.key).value !== undefined).map((m) => {
        const cell = row.at('modes', m.key);
        const star = cell.at('marked').value === true ? ' *' : '';
        return [
          esc(row.at('title').text),
          `${esc(m.name)}${star}`,
          ...PERCENTILES.map((p) => figure(cell.at(p), 'us')),
        ];
      }),
    ),
    { words: 2 },
  );
}

function costs(rows: readonly At[]): string {
  return table(
    'CPU time and what else each cell took',
    [
      'row',
      'mode',
      'CPU µs a packet',
      'cores',
      'packets',
      'missed',
      'socket calls',
      'wake-ups',
      'run delay, µs',
      'disturbed trials',
      'trials',
    ],
    rows.flatMap((row) =>
      MODES.filter((m) => row.at('modes', m.key).value !== undefined).map((m) => {
        const cell = row.at('modes', m.key);
        return [
          esc(row.at('title').text),
          esc(m.name),
          figure(cell.at('cpu_us_per_packet'), 'fixed2'),
          figure(cell.at('cores'), 'fixed2'),
          figure(cell.at('packets'), 'int'),
          figure(cell.at('missed'), 'int'),
          figure(cell.at('socket_calls'), 'int'),
          figure(cell.at('wakeups'), 'int'),
          figure(cell.at('run_delay_us'), 'int'),
          figure(cell.at('disturbed_trials'), 'int'),
          figure(cell.at('trials'), 'int'),
        ];
      }),
    ),
    { words: 2 },
  );
}

/** Times of single polls, where the modes that poll by calls took them. */
function pollTimes(id: string, rows: readonly At[]): string {
  const plots = rows.map((row, i) => {
    const series = MODES.flatMap((m, nr) => {
      const counts = row.at('modes', m.key, 'poll_ns_log2').items();
      return counts.length === 0 ? [] : [{ name: m.name, nr, counts }];
    });
    const filled = series.flatMap((s) => s.counts.flatMap((c, k) => ((c.number ?? 0) > 0 ? [k] : [])));
    if (filled.length === 0) return '';
    const [low, high] = [Math.min(...filled), Math.max(...filled)];
    return histogram(`${id}-polls-${i}`, {
      title: `${row.at('title').text}: times of single polls`,
      description: 'How many polls took so long, by powers of two.',
      bins: Array.from({ length: high - low + 1 }, (_, k) => powerName(low + k)),
      xLabel: 'from, ns; each bin to its double',
      yLabel: 'polls',
      series: series.map((s) => ({ ...s, counts: s.counts.slice(low, high + 1) })),
    });
  });
  const drawn = plots.filter((p) => p !== '');
  return drawn.length === 0 ? '' : `<div class="plots">${drawn.join('')}</div>`;
}

function powerName(k: number): string {
  return k < 10 ? String(2 ** k) : k < 20 ? `${2 ** (k - 10)}K` : `${2 ** (k - 20)}M`;
}
