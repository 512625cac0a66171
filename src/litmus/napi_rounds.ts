// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of softirq rounds: cut by the budget, and with an interrupt that comes in the middle of a poll. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import type { Arena } from '../mm/arena.js';
import { NAPI, NAPIF_STATE_SCHED } from '../net/core/napi.js';
import { napiEnable, netifNapiAdd } from '../net/core/napi_control.js';
import { netRxAction } from '../net/core/napi_poll.js';
import { napiCompleteDone, napiSchedule } from '../net/core/napi_schedule.js';
import { netContext } from '../net/core/net_context.js';
import { NET } from '../net/core/softnet_data.js';
import { event, type NetSetup, netFor, netMemory, netSetup, pollThread } from './net_world.js';
import { addWord, currentOf } from './world.js';

interface TwoInstances extends NetSetup {
  readonly second: number;
}

function twoInstances(arena: Arena, label: Label, weight: number): TwoInstances {
  const s = netSetup(arena, label, false, weight);
  const net = netContext(currentOf(arena.m, s.control), arena);
  const second = netifNapiAdd(net, s.dev, 0, 0, weight, 1, 0);
  label(arena.m, second, NAPI, 'napi2');
  napiEnable(net, net.napi(second));
  return { ...s, second };
}

export const softirqBudget: Litmus = litmus({
  name: 'napi-softirq-budget',
  memory: netMemory,
  setup(arena, label) {
    const s = twoInstances(arena, label, 1);
    arena.m[arena.m[KERNEL_AT + KERNEL.net] + NET.netdevBudget] = 1;
    return s;
  },
  threads: {
    irqA: (arena, s) => event(netFor(arena, s, s.irqA), s),
    irqB(arena, s) {
      const net = netFor(arena, s, s.irqB);
      Atomics.add(arena.m, s.ring, 1);
      napiSchedule(net, net.napi(s.second));
    },
    cpu(arena, s) {
      cpuIdleLoop(netFor(arena, s, s.cpu).cur);
    },
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 2, `${m[s.polled]} events of 2 were polled`);
  },
  forbids: 'an instance left behind when the budget ends a round',
  why: 'what is left goes back to the poll list under irqLock, and the softirq is raised again',
});

const FIRST = 1;
const SECOND = 2;

export const softirqInterrupted: Litmus = litmus({
  name: 'napi-softirq-interrupted',
  memory: netMemory,
  setup(arena, label) {
    const s = twoInstances(arena, label, 4);
    const line = addWord(arena.m, label, 'line');
    arena.m[line] = FIRST;
    return { ...s, line };
  },
  threads: {
    device({ m }, s) {
      Atomics.or(m, s.line, FIRST);
      Atomics.or(m, s.line, SECOND);
    },
    cpu(arena, s) {
      const { m } = arena;
      const net = netContext(currentOf(m, s.cpu), arena);
      // An interrupt that comes in the thread that polls: before, in or behind a poll, as the line happens to stand.
      const interrupt = (): void => {
        const raised = Atomics.exchange(m, s.line, 0);
        if (raised !== 0) Atomics.add(m, s.ring, 1);
        if ((raised & FIRST) !== 0) napiSchedule(net, net.napi(s.napi));
        if ((raised & SECOND) !== 0) napiSchedule(net, net.napi(s.second));
      };
      net.napiPollFns.push((c, n) => {
        interrupt();
        const work = Atomics.exchange(m, s.ring, 0);
        m[s.polled] = m[s.polled] + work;
        napiCompleteDone(c, n, 0);
        interrupt();
        return 0;
      });
      net.cur.irqHandlers.push(interrupt);
      net.cur.softirqVec.push(() => netRxAction(net));
      interrupt();
      cpuIdleLoop(net.cur);
    },
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] === 0, `${m[s.ring]} events are left`);
    for (const at of [s.napi, s.second])
      must((m[at + NAPI.state] & NAPIF_STATE_SCHED) === 0, 'an instance is owned, and in no list');
  },
  forbids:
    'a poll list that an interrupt in the thread itself damages, or a lock that it waits for and holds',
  why: 'no callback runs under irqLock, and the list is whole wherever one runs',
});

export const softirqBudgetLast: Litmus = litmus({
  name: 'napi-softirq-budget-last',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, false, 2);
    arena.m[arena.m[KERNEL_AT + KERNEL.net] + NET.netdevBudget] = 1;
    return s;
  },
  threads: {
    irqA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      for (let i = 0; i < 2; i++) event(net, s);
    },
    cpu: (arena, s) => cpuIdleLoop(netFor(arena, s, s.cpu).cur),
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 2, `${m[s.polled]} events of 2 were polled`);
  },
  forbids: 'an event that is not heard because the last round was cut with nothing left',
  why: 'a round that leaves nothing behind clears inNetRxAction however it ends',
});

/** One interrupt for two events, and polls of one: a full poll must not give the instance up. */
function oneInterrupt(threaded: boolean): Litmus {
  return litmus({
    name: `napi-full-poll-${threaded ? 'threaded' : 'softirq'}`,
    memory: netMemory,
    setup: (arena, label) => netSetup(arena, label, threaded, 1),
    threads: {
      irqA(arena, s) {
        const net = netFor(arena, s, s.irqA);
        Atomics.add(arena.m, s.ring, 2);
        napiSchedule(net, net.napi(s.napi));
      },
      owner(arena, s) {
        if (threaded) pollThread(arena, s);
        else cpuIdleLoop(netFor(arena, s, s.cpu).cur);
      },
    },
    daemons: ['owner'],
    final({ m }, s) {
      must(m[s.ring] === 0 && m[s.polled] === 2, `${m[s.polled]} events of 2 were polled`);
    },
    forbids: 'events left in the ring by a poll that used its whole weight',
    why: 'such a poll is not complete, and its owner polls again unless disable waits',
  });
}

export const fullPolls: readonly Litmus[] = Object.freeze([oneInterrupt(true), oneInterrupt(false)]);
