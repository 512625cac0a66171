// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of NAPI: net/core/napi_schedule.ts, napi_poll.ts, napi_control.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import type { Arena } from '../mm/arena.js';
import { napiDisable, napiEnable } from '../net/core/napi_control.js';
import { napiSchedule } from '../net/core/napi_schedule.js';
import { event, idleCpu, type NetSetup, netFor, netMemory, netSetup, pollThread } from './net_world.js';

function allPolled(count: number): (arena: Arena, s: NetSetup) => void {
  return ({ m }, s) => {
    must(m[s.ring] === 0, `${m[s.ring]} events are left in the ring`);
    must(m[s.polled] === count, `${m[s.polled]} events of ${count} were polled`);
  };
}

function eventsA(count: number): (arena: Arena, s: NetSetup) => void {
  return (arena, s) => {
    const net = netFor(arena, s, s.irqA);
    for (let i = 0; i < count; i++) event(net, s);
  };
}

function eventB(arena: Arena, s: NetSetup): void {
  event(netFor(arena, s, s.irqB), s);
}

export const napiThreaded: Litmus = litmus({
  name: 'napi-threaded',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, true, 4),
  threads: { irqA: eventsA(2), irqB: eventB, napi: pollThread },
  daemons: ['napi'],
  final: allPolled(3),
  forbids: 'an event nobody polls, or two polls at once',
  why: 'MISSED leads to another poll; SCHED_THREADED says who owns (N1 to N4)',
});

export const napiThreadedWeight: Litmus = litmus({
  name: 'napi-threaded-weight-1',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, true, 1),
  threads: { irqA: eventsA(2), napi: pollThread },
  daemons: ['napi'],
  final: allPolled(2),
  forbids: 'an event nobody polls after a poll that used its whole weight',
  why: 'such a poll has not completed: its owner polls again',
});

export const napiSoftirq: Litmus = litmus({
  name: 'napi-softirq',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, false, 4),
  threads: { irqA: eventsA(1), irqB: eventB, cpu: idleCpu },
  daemons: ['cpu'],
  final: allPolled(2),
  forbids: 'an instance left on the poll list with the CPU asleep, or polled twice at once',
  why: 'the list is looked at again after inNetRxAction is cleared (N7, N8)',
});

export const napiDisableEnable: Litmus = litmus({
  name: 'napi-disable-enable',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, true, 4),
  threads: {
    irqA: eventsA(1),
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      must(napiDisable(net, n) === 0, 'disable was refused');
      arena.m[s.polled] += 100; // nobody polls: the data is ours
      must(napiEnable(net, n) === 0, 'enable was refused');
      napiSchedule(net, n);
    },
    napi: pollThread,
  },
  daemons: ['napi'],
  final: allPolled(101),
  forbids: 'a poll while disabled, a disable that never ends, or an event lost over it',
  why: 'disable takes SCHED and NPSVC in one step once both are free; enable clears both in one (N9, N10)',
});

export const napiEndless: Litmus = litmus({
  name: 'napi-endless',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, true, 2, false),
  threads: {
    irqA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      for (;;) if (Atomics.load(arena.m, s.ring) < 2) event(net, s);
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      for (;;) {
        must(napiDisable(net, n) === 0, 'disable was refused');
        arena.m[s.polled] = 0; // nobody polls: the data is ours
        must(napiEnable(net, n) === 0, 'enable was refused');
        napiSchedule(net, n);
      }
    },
    napi: pollThread,
  },
  goal: ({ m }, s, threads) => m[s.ring] === 0 && threads.asleep('napi'),
  forbids: 'a state from which the ring can no longer be emptied',
  why: 'traffic, disable and enable may go on for ever: no state of the instance is a dead end',
});

export const napiSoftirqWeight: Litmus = litmus({
  name: 'napi-softirq-weight-1',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, false, 1),
  threads: { irqA: eventsA(2), cpu: idleCpu },
  daemons: ['cpu'],
  final: allPolled(2),
  forbids: 'an instance that used its weight and is never polled again',
  why: 'it goes to the repoll list, and what is left of a round raises the softirq again',
});
