// SPDX-License-Identifier: GPL-2.0-only
/** What is shown of traces: slices and arrows for Perfetto, histograms. */
import { describe, expect, it } from 'vitest';
import { TASK_INTERRUPTIBLE, TASK_PARKED } from '../../dist/kernel/task.js';
import {
  TP_KTHREAD_PARK,
  TP_KTHREAD_UNPARK,
  TP_NAPI_POLL,
  TP_NAPI_POLL_BEGIN,
  TP_SCHED_PROCESS_EXIT,
  TP_SCHED_SWITCH_IN,
  TP_SCHED_SWITCH_OUT,
  TP_SCHED_WAKEUP,
  TP_TRACE_LOST,
} from '../../dist/kernel/trace.js';
import { perfettoEvents } from '../../dist/tools/trace/perfetto.js';
import { traceStat, traceStatText } from '../../dist/tools/trace/stat.js';
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
    const counted = [...wakeNs.values()].flatMap((h) => Object.entries(h).filter(([, n]) => n > 0));
    expect(counted).toEqual(
      expected.map(([from, to]) => [`${Math.floor(Math.log2((to - from) * 1e3)) + 1}`, 1]),
    );
  });
});

describe('slices of a thread', () => {
  /** @returns those of thread 0: [name, from, to], us */
  function slices(t: Trace): [string, number, number][] {
    return shown(t)
      .filter((e) => e.ph === 'X' && e.pid === 1 && e.tid === 1)
      .map((e) => [e.name, e.ts, e.ts + e.dur]);
  }

  it('are none as long as nothing is known of it', () => {
    expect(slices(traceOf(['silent', 'other'], [[10, 1, OUT]]))).toEqual([]);
    const woken: readonly Row[] = [
      [10, 0, IN],
      [30, 0, OUT, TASK_INTERRUPTIBLE],
    ];
    expect(slices(traceOf(['asleep at first'], woken))).toEqual([['running', 10, 30]]);
  });

  it('tell from its first event what it had done before', () => {
    const ran = traceOf(['runs'], [[40, 0, OUT, TASK_INTERRUPTIBLE]]);
    expect(slices(ran)).toEqual([['running', 0, 40]]);
    const [thread] = ran.threads;
    const young = { ...ran, threads: [{ ...thread, bornNs: ran.beganNs + 25_000 }] };
    expect(slices(young)).toEqual([['running', 25, 40]]);
    const polls = traceOf(['never rests'], [[40, 0, TP_NAPI_POLL_BEGIN, 0, 64]], 100);
    expect(slices(polls)).toEqual([['running', 0, 100]]);
  });

  it('end with it', () => {
    const rows: readonly Row[] = [
      [10, 0, IN],
      [30, 0, TP_SCHED_PROCESS_EXIT],
    ];
    expect(slices(traceOf(['ends'], rows))).toEqual([['running', 10, 30]]);
  });

  it('show it parked while it sleeps so, beside running', () => {
    const rows: readonly Row[] = [
      [10, 0, IN],
      [30, 0, TP_KTHREAD_PARK],
      [31, 0, OUT, TASK_PARKED],
      [60, 0, IN],
      [61, 0, TP_KTHREAD_UNPARK],
      [70, 0, TP_NAPI_POLL_BEGIN, 0, 64],
      [80, 0, TP_NAPI_POLL, 0, 5, 64],
      [90, 0, OUT, TASK_PARKED],
    ];
    expect(slices(traceOf(['parks'], rows, 100))).toEqual([
      ['running', 10, 31],
      ['parked', 31, 60],
      ['napi_poll', 70, 80],
      ['running', 60, 90],
      ['parked', 90, 100],
    ]);
  });

  it('know nothing of the time in which events were lost', () => {
    const rows: readonly Row[] = [
      [10, 0, IN],
      [20, 0, TP_NAPI_POLL_BEGIN, 0, 64],
      [50, 0, TP_TRACE_LOST, 1000],
      [50, 0, TP_NAPI_POLL, 0, 5, 64],
      [60, 0, OUT, TASK_INTERRUPTIBLE],
    ];
    expect(slices(traceOf(['loses'], rows, 100))).toEqual([
      ['running', 10, 20],
      ['running', 50, 60],
    ]);
  });
});

describe('histograms', () => {
  it('tell polls of no, one and more packets apart, and leave no place out', () => {
    const rows = [0, 0, 1, 5].flatMap((packets, i): Row[] => [
      [10 * i, 0, TP_NAPI_POLL_BEGIN, 0, 64],
      [10 * i + 4, 0, TP_NAPI_POLL, 0, packets, 64],
    ]);
    const s = traceStat(traceOf(['poller'], rows));
    expect(s.napi.get('eth0 napi 8193')?.packets).toEqual([2, 1, 0, 1]);
    const text = traceStatText(s).split('\n').slice(1, 5);
    expect(
      text.map((line) =>
        line
          .slice(0, 30)
          .trim()
          .split(/\s{2,}/),
      ),
    ).toEqual([
      ['[0]', '2'],
      ['[1]', '1'],
      ['[2, 4)', '0'],
      ['[4, 8)', '1'],
    ]);
  });

  it('of some instances are of their threads only', () => {
    const rows: readonly Row[] = [
      [10, 0, TP_NAPI_POLL, 0, 1, 64],
      [11, 0, WAKE, 1],
      [12, 1, IN],
      [13, 1, WAKE, 0],
      [14, 1, TP_NAPI_POLL, 1, 1, 64],
    ];
    const s = traceStat(traceOf(['one', 'two'], rows), '8194');
    expect([[...s.napi.keys()], [...s.wakeNs.keys()], s.softirqNs]).toEqual([
      ['eth0 napi 8194'],
      ['two'],
      [],
    ]);
    expect(traceStat(traceOf(['one', 'two'], rows), '8193').wakeNs.size).toBe(0);
  });
});
