// SPDX-License-Identifier: GPL-2.0-only
/** Seeds 001 and 002: medians over trials, and every trial of them as a dot. */
import type { At } from './at.js';
import { derived, details, esc, figure, table } from './html.js';
import { DOT_RANGE, dotPlot } from './plot_dots.js';
import { linear } from './scale.js';

const CASES: { readonly [key: string]: string } = {
  nic: 'RPS to all CPUs',
  loopback: 'Loopback',
  few: 'Few flows on one CPU',
};
const MODES: { readonly [key: string]: string } = {
  ipi: 'interrupts',
  threaded: 'run-time threads',
  smpboot: 'boot-time threads',
  'smpboot-no-bypass': '… without bypass',
};

/** The runs of one load in one mode. */
interface Group {
  readonly kase: string;
  readonly size: number;
  readonly flows: number;
  readonly mode: string;
  readonly runs: readonly At[];
}

/** @param result the document of `softnet backlog` */
export function backlogSection(id: string, result: At): string {
  const runs = result.at('runs').items();
  const groups = groupsOf(runs);
  if (groups.length === 0) return '';
  return (
    `<div class="plots">${[...new Set(groups.map((g) => g.kase))].map((kase) => plot(id, kase, groups)).join('')}</div>` +
    medians(groups) +
    details('Every run', everyRun(runs))
  );
}

function groupsOf(runs: readonly At[]): Group[] {
  const groups = new Map<string, { kase: string; size: number; flows: number; mode: string; runs: At[] }>();
  for (const run of runs) {
    const kase = run.at('case').text;
    const mode = run.at('mode').text;
    const size = run.at('size').number ?? 0;
    const flows = run.at('flows').number ?? 0;
    const key = `${kase} ${size} ${flows} ${mode}`;
    const group = groups.get(key) ?? { kase, size, flows, mode, runs: [] };
    group.runs.push(run);
    groups.set(key, group);
  }
  const order = Object.keys(MODES);
  return [...groups.values()].sort(
    (a, b) =>
      a.kase.localeCompare(b.kase) ||
      a.size - b.size ||
      a.flows - b.flows ||
      order.indexOf(a.mode) - order.indexOf(b.mode),
  );
}

function plot(id: string, kase: string, all: readonly Group[]): string {
  const groups = all.filter((g) => g.kase === kase);
  const sizes = new Set(groups.map((g) => g.size)).size;
  const order = Object.keys(MODES);
  const used = order.filter((m) => groups.some((g) => g.mode === m));
  const most = Math.max(0, ...groups.flatMap((g) => g.runs.map((r) => r.at('pps').number ?? 0)));
  return dotPlot(`${id}-${kase}`, {
    title: `${CASES[kase] ?? kase}: packets a second`,
    description: 'A row for each way of running backlogs, a dot for each trial.',
    x: linear(most, DOT_RANGE),
    xLabel: 'packets/s; each dot is a trial',
    rows: groups.map((g) => ({
      label: `${MODES[g.mode] ?? g.mode}${sizes > 1 ? `, ${g.size} B` : ''}`,
      joined: true,
      dots: g.runs.map((r) => ({ at: r.at('pps'), nr: order.indexOf(g.mode) })),
    })),
    series: used.map((m) => ({ name: MODES[m], nr: order.indexOf(m) })),
    say: (v) => `${Math.round(v).toLocaleString('en')} packets/s`,
  });
}

function medians(groups: readonly Group[]): string {
  return table(
    'Medians over trials; changes are of runs of the same trial',
    ['case', 'way', 'bytes', 'flows', 'packets/s', 'to interrupts', 'dropped', 'RPS interrupts'],
    groups.map((g) => {
      const peers = groups.find(
        (p) => p.mode === 'ipi' && p.kase === g.kase && p.size === g.size && p.flows === g.flows,
      );
      const pairs = g.runs.flatMap((r) => {
        const peer = peers?.runs.find((p) => p.at('trial').number === r.at('trial').number);
        return peer === undefined || (peer.at('pps').number ?? 0) <= 0 ? [] : [r.at('pps'), peer.at('pps')];
      });
      const of = (key: string): At[] => g.runs.map((r) => r.at(key));
      return [
        esc(CASES[g.kase] ?? g.kase),
        esc(MODES[g.mode] ?? g.mode),
        g.size.toLocaleString('en'),
        g.flows.toLocaleString('en'),
        derived('median', of('pps'), 'int'),
        g.mode === 'ipi' ? '' : derived('median-ratio', pairs, 'delta'),
        derived('median', of('drops'), 'int'),
        derived('median', of('received_rps'), 'int'),
      ];
    }),
    { words: 2 },
  );
}

function everyRun(runs: readonly At[]): string {
  return table(
    'Runs in the order in which they were made',
    [
      'trial',
      'case',
      'way',
      'bytes',
      'packets/s',
      'offered',
      'delivered',
      'dropped',
      'CPU s',
      'polls cut short',
    ],
    runs.map((r) => [
      figure(r.at('trial'), 'int'),
      esc(CASES[r.at('case').text] ?? r.at('case').text),
      esc(MODES[r.at('mode').text] ?? r.at('mode').text),
      figure(r.at('size'), 'int'),
      figure(r.at('pps'), 'int'),
      figure(r.at('offered'), 'int'),
      figure(r.at('delivered'), 'int'),
      figure(r.at('drops'), 'int'),
      figure(r.at('cpu_s'), 'sig'),
      figure(r.at('time_squeeze'), 'int'),
    ]),
    { words: 3 },
  );
}
