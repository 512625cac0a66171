// SPDX-License-Identifier: GPL-2.0-only
/** What is shown of traces: slices and arrows for Perfetto, histograms. */
import { describe, expect, it } from 'vitest';
import { TP_SCHED_SWITCH_IN, TP_SCHED_SWITCH_OUT, TP_SCHED_WAKEUP } from '../../dist/kernel/trace.js';
import { perfettoEvents } from '../../dist/tools/trace/perfetto.js';
import { traceStat } from '../../dist/tools/trace/stat.js';
import type { Trace } from '../../dist/trace.js';
import { type Row, type Shown, traceOf } from '../helpers/trace_rows.js';

function shown(...traces: Trace[]): Shown[] {
  return [...perfettoEvents(traces)] as unknown as Shown[];
}

/** @returns arrows: from when to when, us */
function arrows(t: Trace): [number, number][] {
  const events = shown(t);
  const starts = events.filter((e) => e.ph === 's');
  const ends = events.filter((e) => e.ph === 'f');
  expect(ends.map((e) => e.id)).toEqual(starts.map((e) => e.id));
  return starts.map((s, i) => [s.ts, ends[i].ts]);
}

const OUT = TP_SCHED_SWITCH_OUT;
const IN = TP_SCHED_SWITCH_IN;
const WAKE = TP_SCHED_WAKEUP;

describe('a file of several machines', () => {
  it('has processes, tracks and arrows of each, on one time line', () => {
    const rows: readonly Row[] = [
      [10, 1, OUT],
      [20, 0, WAKE, 1],
      [25, 1, IN],
    ];
    const first = traceOf(['waker', 'sleeper'], rows);
    const laterNs = 2_000_000;
    const second = {
      ...first,
      beganNs: first.beganNs + laterNs,
      endedNs: first.endedNs + laterNs,
      ns: first.ns.map((ns) => ns + laterNs),
    };
    const events = shown(first, second);
    const processes = events.filter((e) => e.name === 'process_name');
    expect(processes.map((e) => [e.pid, e.args.name])).toEqual([
      [1, 'machine 1: threads'],
      [2, 'machine 1: CPUs'],
      [3, 'machine 2: threads'],
      [4, 'machine 2: CPUs'],
    ]);
    const ends = events.filter((e) => e.ph === 'f');
    expect(ends.map((e) => [e.pid, e.ts])).toEqual([
      [1, 25],
      [3, 2025],
    ]);
    expect(new Set(ends.map((e) => e.id)).size).toBe(2);
    expect(shown(first).find((e) => e.name === 'process_name')?.args.name).toBe('threads');
  });
});

describe('wake-ups', () => {
  const cases: readonly [string, readonly Row[], [number, number][]][] = [
    [
      'lead to the next switch-in',
      [
        [10, 1, OUT],
        [20, 0, WAKE, 1],
        [25, 1, IN],
      ],
      [[20, 25]],
    ],
    [
      'of a thread that first says that it runs again, too',
      [
        [20, 0, WAKE, 1],
        [25, 1, IN],
      ],
      [[20, 25]],
    ],
    [
      'that come while the thread runs belong to no sleep',
      [
        [10, 1, OUT],
        [25, 1, IN],
        [26, 0, WAKE, 1],
        [30, 1, OUT],
        [400, 1, IN],
      ],
      [],
    ],
    [
      'are joined once, and the first of a sleep counts',
      [
        [10, 1, OUT],
        [20, 0, WAKE, 1],
        [21, 0, WAKE, 1],
        [25, 1, IN],
        [40, 1, OUT],
        [50, 1, IN],
      ],
      [[20, 25]],
    ],
    [
      'that nothing follows have no arrow',
      [
        [10, 1, OUT],
        [20, 0, WAKE, 1],
      ],
      [],
    ],
  ];
  it.each(cases)('%s', (_name, rows, expected) => {
    const t = traceOf(['waker', 'sleeper'], rows);
    expect(arrows(t)).toEqual(expected);
    const { wakeNs } = traceStat(t);
    const counted = [...wakeNs.values()].flatMap((h) => Object.entries(h));
    expect(counted).toEqual(expected.map(([from, to]) => [`${Math.floor(Math.log2((to - from) * 1e3))}`, 1]));
  });
});
