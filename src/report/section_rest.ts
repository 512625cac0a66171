// SPDX-License-Identifier: GPL-2.0-only
/** Seed 000, the litmus suite, its mutants, the replay of a capture. */
import { type At, numbers } from './at.js';
import { details, esc, figure, quote, table } from './html.js';
import { histogram } from './plot_bars.js';
import { DOT_RANGE, dotPlot } from './plot_dots.js';
import { timelinePlot } from './plot_timeline.js';
import { log, timeLabel } from './scale.js';
import { ladderPlot } from './section_rr.js';

const PERSISTS: { readonly [key: string]: string } = { off: 'off', v1: 'as posted', fixed: 'mended' };

/** @param result the document of `softnet reconfig` */
export function reconfigSection(id: string, result: At): string {
  const runs = result.at('runs').items();
  if (runs.length === 0) return '';
  const name = (r: At): string => PERSISTS[r.at('persist').text] ?? r.at('persist').text;
  const way = (r: At): string => r.at('personality').text.replace('config=', '').replace(',reconfig=', ', ');
  // A run that was ended before its first cycle has times of 0, and threads of which nothing is known.
  const ran = runs.filter((r) => r.at('cycles').number !== 0);
  const times = numbers(ran.flatMap((r) => [r.at('cycle_us', 'p50'), r.at('cycle_us', 'p99')]));
  const rows = table(
    'What became of the threads',
    [
      'driver',
      'persistence',
      'cycles',
      'threads made',
      'leaked',
      'same threads',
      'affinity kept',
      'frames lost',
      'cycle p50, µs',
      'p99, µs',
    ],
    runs.map((r) => [
      esc(way(r)),
      esc(name(r)),
      ...(ran.includes(r)
        ? [
            figure(r.at('cycles'), 'int'),
            figure(r.at('threads_created'), 'int'),
            figure(r.at('threads_leaked'), 'int'),
            yesNo(r.at('pids_stable')),
            yesNo(r.at('affinity_kept')),
            figure(r.at('lost'), 'int'),
            figure(r.at('cycle_us', 'p50'), 'sig'),
            figure(r.at('cycle_us', 'p99'), 'sig'),
          ]
        : ['none ran', ...Array<string>(7).fill('<span class="none">–</span>')]),
    ]),
    { words: 2 },
  );
  if (ran.length === 0) return rows;
  const plot = dotPlot(`${id}-cycles`, {
    title: 'Time of a cycle under traffic, p50 to p99',
    description:
      'A row for each driver and persistence, from the median of the cycle’s time to its 99th percentile.',
    x: log(
      times.map((t) => t.v),
      DOT_RANGE,
      (us) => timeLabel(us * 1e3),
    ),
    xLabel: 'time',
    rows: ran.map((r) => ({
      label: `${way(r).replace('persistent, ', '')}, ${name(r)}`,
      joined: true,
      dots: [
        { at: r.at('cycle_us', 'p50'), nr: 0 },
        { at: r.at('cycle_us', 'p99'), nr: 1 },
      ],
    })),
    series: [
      { name: 'p50', nr: 0 },
      { name: 'p99', nr: 1 },
    ],
    say: (us) => timeLabel(us * 1e3),
  });
  return rows + plot;
}

function yesNo(at: At): string {
  if (typeof at.value !== 'boolean') return '<span class="none">–</span>';
  return `<span data-at="${esc(at.path)}">${at.value ? 'yes' : 'no'}</span>`;
}

/** @param result the document of `softnet check` */
export function litmusSection(_id: string, result: At): string {
  const tests = result.at('tests').items();
  if (tests.length === 0) return '';
  const rows = table(
    'Tests: what must not be, and how many states were seen',
    ['test', 'forbidden', 'outcome', 'states', 'time, ms'],
    tests.map((t) => [
      quote(t.at('test')),
      quote(t.at('forbids')),
      quote(t.at('outcome')),
      figure(t.at('states'), 'int'),
      milliseconds(t.at('time_ns')),
    ]),
    { words: 3 },
  );
  return details(`The ${tests.length} tests`, rows);
}

/** @param result the document of `softnet check --mutants` */
export function mutantSection(_id: string, result: At): string {
  const mutants = result.at('mutants').items();
  if (mutants.length === 0) return '';
  const rows = table(
    'Bugs, and the tests that catch them',
    ['mutant', 'what it does', 'test', 'found', 'steps', 'time, ms'],
    mutants.map((m) => [
      quote(m.at('mutant')),
      quote(m.at('why')),
      quote(m.at('test')),
      m.at('caught').value === true ? quote(m.at('found')) : '<strong>not caught</strong>',
      figure(m.at('steps'), 'int'),
      milliseconds(m.at('time_ns')),
    ]),
    { words: 4 },
  );
  return details(`The ${mutants.length} mutants`, rows);
}

function milliseconds(at: At): string {
  const v = at.number;
  return v === null
    ? ''
    : `<data value="${v}" data-at="${esc(at.path)}" data-as="ms">${(v / 1e6).toFixed(1)}</data>`;
}

const BINS = ['0', '1', '2–3', '4–7', '8–15', '16–31', '32–63', '64+'];

/** @param result the document of `softnet replay` */
export function replaySection(id: string, result: At): string {
  const runs = result.at('runs').items();
  if (runs.length === 0) return '';
  const mode = (r: At): string => r.at('mode').text;
  const ladders = runs.map((r, nr) => ({ name: mode(r), nr, rungs: r.at('latency_ladder').items() }));
  const polls = runs.map((r, nr) => ({ name: mode(r), nr, counts: r.at('packets_per_poll_log2').items() }));
  const plots = [
    ladders.some((l) => l.rungs.length > 0)
      ? ladderPlot(`${id}-ladder`, 'Latency from the ring to the application', ladders)
      : '',
    polls.some((p) => p.counts.length > 0)
      ? histogram(`${id}-polls`, {
          title: 'Packets a poll',
          description: 'How many polls took so many packets, by powers of two, for each mode.',
          bins: BINS,
          xLabel: 'packets in one poll',
          yLabel: 'polls',
          series: polls,
        })
      : '',
    ...runs.map((r, i) => timelinePlot(`${id}-time-${i}`, `Threads over time: ${mode(r)}`, r.at('timeline'))),
  ];
  return `<div class="plots">${plots.join('')}</div>${figures(runs)}${details('CPU time of each thread', threads(runs))}`;
}

function figures(runs: readonly At[]): string {
  const row = (name: string, of: (r: At) => string): string[] => [name, ...runs.map(of)];
  return table(
    'The capture in each mode',
    ['', ...runs.map((r) => r.at('mode').text)],
    [
      row('packets read', (r) => figure(r.at('packets', 'read'), 'int')),
      row('packets delivered', (r) => figure(r.at('packets', 'delivered'), 'int')),
      row('reordered', (r) => figure(r.at('reordered'), 'int')),
      row('packets/s', (r) => figure(r.at('pps'), 'int')),
      ...['p5', 'p50', 'p95', 'p99', 'max'].map((p) =>
        row(`latency ${p}, µs`, (r) => figure(r.at('latency_ns', p), 'us')),
      ),
      row('polls', (r) => figure(r.at('polls'), 'int')),
      row('packets a poll', (r) => figure(r.at('packets_per_poll'), 'fixed1')),
      row('interrupts', (r) => figure(r.at('interrupts'), 'int')),
      row('wake-ups', (r) => figure(r.at('wakeups'), 'int')),
      row('polls cut short', (r) => figure(r.at('time_squeeze'), 'int')),
      row('left to ksoftirqd', (r) => figure(r.at('ksoftirqd_handovers'), 'int')),
    ],
  );
}

function threads(runs: readonly At[]): string {
  return table(
    'Seconds',
    ['mode', 'thread', 'ran', 'waited for a core'],
    runs.flatMap((r) =>
      r
        .at('threads')
        .items()
        .map((t) => [
          quote(r.at('mode')),
          quote(t.at('name')),
          figure(t.at('cpu_s'), 'sig'),
          figure(t.at('run_delay_s'), 'sig'),
        ]),
    ),
    { words: 2 },
  );
}
