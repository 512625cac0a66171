// SPDX-License-Identifier: GPL-2.0-only
/** The state word of a NAPI instance: scheduling, completing, the watchdog. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HRTIMER, hrtimerRunQueues } from '../../dist/kernel/hrtimer.js';
import { TASK, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../../dist/kernel/task.js';
import {
  NAPI,
  NAPI_STATE_NAMES,
  NAPIF_STATE_DISABLE,
  NAPIF_STATE_IN_BUSY_POLL,
  NAPIF_STATE_LISTED,
  NAPIF_STATE_MISSED,
  NAPIF_STATE_NPSVC,
  NAPIF_STATE_PREFER_BUSY_POLL,
  NAPIF_STATE_SCHED,
  NAPIF_STATE_SCHED_THREADED,
  NAPIF_STATE_THREADED,
  type Napi,
} from '../../dist/net/core/napi.js';
import { napiEnable, netifNapiAdd } from '../../dist/net/core/napi_control.js';
import {
  napiCompleteDone,
  napiSchedule,
  napiScheduleOn,
  napiSchedulePrep,
  napiWatchdog,
} from '../../dist/net/core/napi_schedule.js';
import { SOFTNET_DATA } from '../../dist/net/core/softnet_data.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { beforeNext, hookAtomics } from '../helpers/atomics.js';
import { BareMachine, stateOf } from '../helpers/bare_machine.js';

let bm: BareMachine;
let ctx: ThreadContext;
let n: Napi;

/** 'SCHED|MISSED' to bits. */
function bits(text: string): number {
  if (text === '') return 0;
  return text.split('|').reduce((word, name) => {
    const bit = NAPI_STATE_NAMES.indexOf(name);
    if (bit < 0) throw new Error(`no state bit is called ${name}`);
    return word | (1 << bit);
  }, 0);
}

function setState(state: number): void {
  Atomics.store(n.m, n.state, state);
}

beforeEach(() => {
  bm = new BareMachine();
  ctx = bm.thread(0);
  ctx.net.napiPollFns[1] = () => 0;
  n = ctx.net.napi(netifNapiAdd(ctx.net, bm.netdev(ctx), 1, 0, 64, 0));
  expect(stateOf(n)).toBe('SCHED|NPSVC|LISTED');
  napiEnable(ctx.net, n);
  expect(stateOf(n)).toBe('LISTED');
});

afterEach(() => vi.restoreAllMocks());

describe('napi_schedule_prep', () => {
  it.each([
    ['', 'SCHED', true],
    ['LISTED', 'SCHED|LISTED', true],
    ['LISTED|THREADED', 'SCHED|LISTED|THREADED', true],
    ['SCHED', 'SCHED|MISSED', false],
    ['SCHED|MISSED', 'SCHED|MISSED', false],
    ['SCHED|THREADED|SCHED_THREADED', 'SCHED|MISSED|THREADED|SCHED_THREADED', false],
    ['SCHED|IN_BUSY_POLL', 'SCHED|MISSED|IN_BUSY_POLL', false],
    ['DISABLE|LISTED', 'DISABLE|LISTED', false],
    ['SCHED|DISABLE|LISTED', 'SCHED|DISABLE|LISTED', false],
    ['SCHED|MISSED|DISABLE', 'SCHED|MISSED|DISABLE', false],
  ])('%s becomes %s', (before, after, won) => {
    setState(bits(before));
    expect(napiSchedulePrep(n)).toBe(won);
    expect(Atomics.load(n.m, n.state)).toBe(bits(after));
  });

  it('leaves MISSED when it loses the race for SCHED', () => {
    // Another CPU is first.
    beforeNext('compareExchange', () => setState(NAPIF_STATE_LISTED | NAPIF_STATE_SCHED));
    expect(napiSchedulePrep(n)).toBe(false);
    expect(stateOf(n)).toBe('SCHED|MISSED|LISTED');
  });
});

describe('scheduling', () => {
  it('puts a softirq instance onto the list of the CPU it is for, and wakes that CPU', () => {
    expect(napiSchedulePrep(n)).toBe(true);
    napiScheduleOn(ctx.net, ctx.cur.cpus[1], n);
    expect(bm.pollList(1)).toEqual([n.at]);
    expect(bm.pollList(0)).toEqual([]);
    expect(bm.m[n.at + NAPI.listOwner]).toBe(2);
    expect([bm.softirqPending(1), bm.cpuWoken(1)]).toEqual([true, true]);
    expect([bm.softirqPending(0), bm.cpuWoken(0)]).toEqual([false, false]);
  });

  it('leaves a CPU alone that is looking at its list anyhow', () => {
    Atomics.store(bm.m, bm.softnet(0) + SOFTNET_DATA.inNetRxAction, 1);
    expect(napiSchedule(ctx.net, n)).toBe(true);
    expect(bm.pollList(0)).toEqual([n.at]);
    expect([bm.softirqPending(0), bm.cpuWoken(0)]).toEqual([false, false]);
  });

  it('schedules once for any number of events', () => {
    expect(napiSchedule(ctx.net, n)).toBe(true);
    expect(napiSchedule(ctx.net, n)).toBe(false);
    expect(napiSchedule(ctx.net, n)).toBe(false);
    expect(bm.pollList(0)).toEqual([n.at]);
    expect(stateOf(n)).toBe('SCHED|MISSED|LISTED');
  });

  it.each([
    ['asleep', TASK_INTERRUPTIBLE],
    ['running', TASK_RUNNING],
  ])('gives a threaded instance to its thread, %s: SCHED_THREADED is always set', (_what, taskState) => {
    const task = bm.giveThread(n);
    bm.m[task + TASK.state] = taskState;
    setState(NAPIF_STATE_LISTED | NAPIF_STATE_THREADED);
    expect(napiSchedule(ctx.net, n)).toBe(true);
    expect(stateOf(n)).toBe('SCHED|LISTED|THREADED|SCHED_THREADED');
    expect(bm.m[task + TASK.state]).toBe(TASK_RUNNING);
    expect(bm.pollList(0)).toEqual([]);
    expect([bm.softirqPending(0), bm.cpuWoken(0)]).toEqual([false, false]);
  });

  it('sets SCHED_THREADED before it looks whether the thread sleeps', () => {
    const task = bm.giveThread(n);
    setState(NAPIF_STATE_LISTED | NAPIF_STATE_THREADED);
    const seen: string[] = [];
    hookAtomics('load', (real, m, at) => {
      if (at === task + TASK.state) {
        seen.push((real(m, n.state) & NAPIF_STATE_SCHED_THREADED) !== 0 ? 'owned' : 'not owned');
      }
      return real(m, at);
    });
    napiSchedule(ctx.net, n);
    expect(new Set(seen)).toEqual(new Set(['owned']));
  });

  it('uses softirq while THREADED stands and there is no thread', () => {
    setState(NAPIF_STATE_LISTED | NAPIF_STATE_THREADED);
    napiSchedule(ctx.net, n);
    expect(stateOf(n)).toBe('SCHED|LISTED|THREADED');
    expect(bm.pollList(0)).toEqual([n.at]);
  });
});

describe('napi_complete_done', () => {
  it.each([
    ['SCHED|LISTED', 'LISTED'],
    ['SCHED|LISTED|THREADED|SCHED_THREADED', 'LISTED|THREADED'],
    ['SCHED|LISTED|PREFER_BUSY_POLL', 'LISTED'],
    ['SCHED|DISABLE|LISTED', 'DISABLE|LISTED'],
  ])('gives %s up: %s', (before, after) => {
    setState(bits(before));
    expect(napiCompleteDone(ctx.net, n, 3)).toBe(true);
    expect(stateOf(n)).toBe(after);
    expect(bm.pollList(0)).toEqual([]);
    expect(bm.m[n.at + NAPI.work]).toBe(3);
    expect(bm.m[n.at + NAPI.completions]).toBe(1);
  });

  it.each(['NPSVC', 'IN_BUSY_POLL'])('is refused under %s', (bit) => {
    setState(NAPIF_STATE_LISTED | NAPIF_STATE_SCHED | NAPIF_STATE_MISSED | bits(bit));
    const before = stateOf(n);
    expect(napiCompleteDone(ctx.net, n, 3)).toBe(false);
    expect(stateOf(n)).toBe(before);
    expect(bm.pollList(0)).toEqual([]);
    expect(bm.m[n.at + NAPI.completions]).toBe(0);
  });

  it('schedules again for an event that came meanwhile', () => {
    setState(NAPIF_STATE_LISTED | NAPIF_STATE_SCHED | NAPIF_STATE_MISSED);
    expect(napiCompleteDone(ctx.net, n, 3)).toBe(false);
    expect(stateOf(n)).toBe('SCHED|LISTED');
    expect(bm.pollList(0)).toEqual([n.at]);
    expect(bm.softirqPending(0)).toBe(true);
  });

  it('schedules again for an event that comes between its look at the state and its step', () => {
    setState(NAPIF_STATE_LISTED | NAPIF_STATE_SCHED);
    // What napiSchedulePrep leaves.
    beforeNext('compareExchange', () => Atomics.or(n.m, n.state, NAPIF_STATE_MISSED));
    expect(napiCompleteDone(ctx.net, n, 3)).toBe(false);
    expect(stateOf(n)).toBe('SCHED|LISTED');
    expect(bm.pollList(0)).toEqual([n.at]);
  });

  it('gives a threaded instance with MISSED to its thread again', () => {
    const task = bm.giveThread(n);
    setState(bits('SCHED|MISSED|LISTED|THREADED|SCHED_THREADED'));
    expect(napiCompleteDone(ctx.net, n, 3)).toBe(false);
    expect(stateOf(n)).toBe('SCHED|LISTED|THREADED|SCHED_THREADED');
    expect(bm.m[task + TASK.state]).toBe(TASK_RUNNING);
    expect(bm.pollList(0)).toEqual([]);
  });

  it('moves to softirq at the next schedule when THREADED was cleared meanwhile', () => {
    bm.giveThread(n);
    setState(bits('SCHED|MISSED|LISTED|SCHED_THREADED'));
    expect(napiCompleteDone(ctx.net, n, 3)).toBe(false);
    expect(stateOf(n)).toBe('SCHED|LISTED');
    expect(bm.pollList(0)).toEqual([n.at]);
  });
});

describe('deferral', () => {
  const poll = (work: number): boolean => {
    setState(NAPIF_STATE_LISTED | NAPIF_STATE_SCHED);
    return napiCompleteDone(ctx.net, n, work);
  };

  it('keeps the interrupt masked for so many empty polls, with a timer each', () => {
    bm.m[n.at + NAPI.deferHardIrqs] = 2;
    bm.m[n.at + NAPI.groFlushTimeoutNs] = 50_000;
    const unmask = [poll(5), poll(0), poll(0), poll(0)];
    expect(unmask).toEqual([false, false, true, true]);
    expect([poll(1), poll(1), poll(0), poll(0)]).toEqual([false, false, false, true]);
  });

  it('sets the timer to the time-out, rounded up to microseconds', () => {
    bm.m[n.at + NAPI.deferHardIrqs] = 1;
    bm.m[n.at + NAPI.groFlushTimeoutNs] = 50_500;
    expect(poll(5)).toBe(false);
    const timer = n.at + NAPI.timer;
    expect(bm.m[timer + HRTIMER.enqueued]).toBe(1);
    expect((bm.m[timer + HRTIMER.expiresUs] - bm.clock.us) | 0).toBe(51);
  });

  it('does nothing without a time-out, and sets no timer without deferral and held packets', () => {
    bm.m[n.at + NAPI.deferHardIrqs] = 2;
    expect([poll(5), poll(0)]).toEqual([true, true]);
    bm.m[n.at + NAPI.deferHardIrqs] = 0;
    bm.m[n.at + NAPI.groFlushTimeoutNs] = 50_000;
    expect([poll(0), poll(5), poll(0)]).toEqual([true, true, true]);
    expect(bm.timers(0)).toBe(0);
  });

  it('polls again when the time is up', () => {
    bm.m[n.at + NAPI.deferHardIrqs] = 1;
    bm.m[n.at + NAPI.groFlushTimeoutNs] = 50_000;
    expect(poll(5)).toBe(false);
    bm.clock.us += 49;
    expect(hrtimerRunQueues(ctx.cur)).toBe(1);
    expect(stateOf(n)).toBe('LISTED');
    bm.clock.us += 1;
    hrtimerRunQueues(ctx.cur);
    expect(stateOf(n)).toBe('SCHED|LISTED');
    expect(bm.pollList(0)).toEqual([n.at]);
    expect(bm.timers(0)).toBe(0);
  });
});

describe('the watchdog', () => {
  it('polls an idle instance', () => {
    setState(NAPIF_STATE_LISTED | NAPIF_STATE_PREFER_BUSY_POLL);
    napiWatchdog(ctx.net, n);
    expect(stateOf(n)).toBe('SCHED|LISTED');
    expect(bm.pollList(0)).toEqual([n.at]);
  });

  it('gives a threaded one to its thread', () => {
    const task = bm.giveThread(n);
    setState(NAPIF_STATE_LISTED | NAPIF_STATE_THREADED);
    napiWatchdog(ctx.net, n);
    expect(stateOf(n)).toBe('SCHED|LISTED|THREADED|SCHED_THREADED');
    expect(bm.m[task + TASK.state]).toBe(TASK_RUNNING);
  });

  it.each([
    ['owned', NAPIF_STATE_LISTED | NAPIF_STATE_SCHED],
    ['owned by its thread', bits('SCHED|LISTED|THREADED|SCHED_THREADED')],
    ['being disabled', NAPIF_STATE_LISTED | NAPIF_STATE_DISABLE],
    ['disabled', NAPIF_STATE_LISTED | NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC],
    ['busy-polled', NAPIF_STATE_LISTED | NAPIF_STATE_SCHED | NAPIF_STATE_IN_BUSY_POLL],
  ])('leaves an instance alone that is %s, and never sets MISSED', (_what, state) => {
    setState(state);
    napiWatchdog(ctx.net, n);
    expect(Atomics.load(n.m, n.state)).toBe(state);
    expect(bm.pollList(0)).toEqual([]);
  });
});
