// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of threads that busy poll their instance without end (seed 003): napi_poll.ts, napi_control.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { CPU } from '../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { rcuReadLock, synchronizeRcu } from '../kernel/rcu.js';
import type { Arena } from '../mm/arena.js';
import { NAPI_F_PREFER_BUSY_POLL, napiBusyLoop } from '../net/core/busy_poll.js';
import { NAPI, NAPIF_STATE_IN_BUSY_POLL, NAPIF_STATE_SCHED_THREADED } from '../net/core/napi.js';
import { napiDisable, napiEnable } from '../net/core/napi_control.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiSchedule, napiWatchdog } from '../net/core/napi_schedule.js';
import { napiSetThreaded } from '../net/core/napi_threaded.js';
import { netContext } from '../net/core/net_context.js';
import { NETDEV_NAPI_THREADED_BUSY_POLL } from '../net/core/net_device.js';
import {
  type BusyOptions,
  type BusySetup,
  busyEvent,
  busyFor,
  busySetup,
  busyThread,
  device,
  take,
} from './busy_world.js';
import { listTasks, netMemory, nodeOf } from './net_world.js';
import { currentOf } from './world.js';

/** An instance whose thread is to busy poll, and does so from the first event on. */
export function busyPolled(arena: Arena, label: Label, o: BusyOptions = {}): BusySetup {
  const s = busySetup(arena, label, { threaded: true, ...o });
  const net = netContext(currentOf(arena.m, s.control), arena);
  napiSetThreaded(net, net.napi(s.napi), NETDEV_NAPI_THREADED_BUSY_POLL);
  return s;
}

/** Everything is polled, and the thread goes on. */
function polledOn(events: number): (arena: Arena, s: BusySetup) => boolean {
  return ({ m }, s) =>
    m[s.ring] === 0 &&
    m[s.polled] === events &&
    (m[s.napi + NAPI.state] & (NAPIF_STATE_IN_BUSY_POLL | NAPIF_STATE_SCHED_THREADED)) ===
      (NAPIF_STATE_IN_BUSY_POLL | NAPIF_STATE_SCHED_THREADED);
}

function events(arena: Arena, s: BusySetup): void {
  const net = busyFor(arena, s, s.irqA);
  busyEvent(net, s);
  busyEvent(net, s);
}

function polls(name: string, weight: number, why: string): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup: (arena, label) => busyPolled(arena, label, { weight }),
    threads: { device: events, napi: busyThread },
    goal: polledOn(2),
    forbids: 'an event that a busy thread does not poll, or a thread that rests',
    why,
  });
}

export const busyThreadPolls: readonly Litmus[] = Object.freeze([
  polls('busy-thread', 4, 'it is woken by the first event, and polls until it is told otherwise'),
  polls('busy-thread-weight-1', 1, 'so it does behind a poll that used its whole weight'),
]);

export const busyThreadWatchdog: Litmus = litmus({
  name: 'busy-thread-watchdog',
  memory: netMemory,
  setup: (arena, label) => busyPolled(arena, label, { defer: 1 }),
  threads: {
    device: events,
    timer(arena, s) {
      const net = busyFor(arena, s, s.cpu);
      napiWatchdog(net, net.napi(s.napi));
    },
    napi: busyThread,
  },
  goal: polledOn(2),
  forbids: 'a watchdog that gets into the way of a busy thread',
  why: 'what is owned it leaves alone; what it schedules the thread gets',
});

export const busyThreadSocket: Litmus = litmus({
  name: 'busy-thread-socket',
  memory: netMemory,
  setup: (arena, label) => busyPolled(arena, label, { weight: 1 }),
  threads: {
    device: events,
    app(arena, s) {
      napiBusyLoop(busyFor(arena, s, s.irqB), s.id, null, NAPI_F_PREFER_BUSY_POLL, 2);
    },
    napi: busyThread,
  },
  daemons: ['napi'],
  goal: ({ m }, s) => m[s.ring] === 0 && m[s.polled] === 2,
  forbids: 'a socket and a busy thread that poll at once, or a thread that leaves its instance to a socket',
  why: 'IN_BUSY_POLL belongs to the owner of SCHED; while it is set complete does nothing',
});

/** Traffic: none, or so much that every poll uses its whole weight. */
function grace(name: string, work: number, why: string): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label) {
      const s = busyPolled(arena, label, { weight: 1 });
      listTasks(arena.m, [s.control, s.thread]);
      return s;
    },
    threads: {
      control(arena, s) {
        const net = busyFor(arena, s, s.control);
        napiSchedule(net, net.napi(s.napi));
        synchronizeRcu(net.cur);
        Atomics.store(arena.m, s.over, 1);
      },
      napi(arena, s) {
        const net = busyFor(arena, s, s.thread);
        net.napiPollFns[0] = () => work;
        rcuReadLock(net.cur);
        napiThreadedPoll(net, nodeOf(arena, s));
      },
    },
    goal: ({ m }, s) => m[s.over] === 1,
    forbids: 'a grace period that never ends because a thread busy polls',
    why,
  });
}

export const busyThreadGrace: readonly Litmus[] = Object.freeze([
  grace('busy-thread-grace', 0, 'every turn of the busy loop reports a quiescent state'),
  grace('busy-thread-grace-full', 1, 'so do polls that use their whole weight, every few'),
]);

/** Somebody wants the CPU's bottom halves all the time. */
function givesWay(name: string, work: number, why: string): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label) {
      const s = busyPolled(arena, label, { weight: 1 });
      arena.m[arena.m[KERNEL_AT + KERNEL.cpus] + CPU.bhYield] = 1;
      return s;
    },
    threads: {
      control(arena, s) {
        const net = busyFor(arena, s, s.control);
        napiSchedule(net, net.napi(s.napi));
      },
      napi(arena, s) {
        const net = busyFor(arena, s, s.thread);
        let first = true;
        net.napiPollFns[0] = ({ cur }) => {
          must(first || cur.yields !== 0, 'it polls on though others want the CPU');
          first = false;
          cur.yields = 0;
          return work;
        };
        napiThreadedPoll(net, nodeOf(arena, s));
      },
    },
    goal: false,
    forbids: 'a busy thread that keeps the CPU though others wait for it',
    why,
  });
}

export const busyThreadGivesWay: readonly Litmus[] = Object.freeze([
  givesWay('busy-thread-gives-way', 0, 'it gives way behind a poll that left nothing to do, too'),
  givesWay('busy-thread-gives-way-full', 1, 'it gives way between polls that use their whole weight'),
]);

export const busyThreadDisable: Litmus = litmus({
  name: 'busy-thread-disable',
  memory: netMemory,
  setup(arena, label) {
    const s = busyPolled(arena, label);
    arena.m[s.ring] = 1;
    return s;
  },
  threads: {
    device,
    control(arena, s) {
      const { m } = arena;
      const net = busyFor(arena, s, s.control);
      const n = net.napi(s.napi);
      must(napiDisable(net, n) === 0, 'disable was refused');
      m[s.polled] += 100; // nobody polls: the data is ours
      m[s.napi + NAPI.groBitmask] = 0;
      must((Atomics.load(m, n.state) & NAPIF_STATE_IN_BUSY_POLL) === 0, 'a disabled instance is busy polled');
      must(napiEnable(net, n) === 0, 'enable was refused');
      Atomics.add(m, s.ring, 1);
      napiSchedule(net, n);
    },
    napi: busyThread,
  },
  goal: polledOn(102),
  forbids: 'a disable that never ends, a poll while disabled, or a thread that does not busy poll behind it',
  why: 'DISABLE ends the busy loop (N14); enable brings the mode back (N10)',
});

export const busyThreadDisableFull: Litmus = litmus({
  name: 'busy-thread-disable-full',
  memory: netMemory,
  setup: (arena, label) => busyPolled(arena, label, { weight: 1, counting: false }),
  threads: {
    control(arena, s) {
      const net = busyFor(arena, s, s.control);
      const n = net.napi(s.napi);
      napiSchedule(net, n);
      must(napiDisable(net, n) === 0, 'disable was refused');
      Atomics.store(arena.m, s.over, 1);
      arena.m[s.napi + NAPI.groBitmask] = 0;
    },
    napi(arena, s) {
      const net = busyFor(arena, s, s.thread);
      // Traffic without end: every poll uses its whole weight.
      net.napiPollFns[0] = (c, n, budget) => {
        take(c, n, budget, s);
        return budget;
      };
      napiThreadedPoll(net, nodeOf(arena, s));
    },
  },
  daemons: ['napi'],
  goal: ({ m }, s, threads) => m[s.over] === 1 && threads.asleep('napi'),
  forbids: 'a disable that never ends because traffic does not',
  why: 'a poll that used its whole weight looks at DISABLE, too, and the busy loop ends there',
});
