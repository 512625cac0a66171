// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of sockets that busy poll an instance (net/core/busy_poll.ts), against whoever else may poll it. */
import { type Litmus, litmus, must } from '../check/index.js';
import { doSoftirq } from '../kernel/softirq.js';
import type { Arena } from '../mm/arena.js';
import { type BusyLoopEnd, NAPI_F_PREFER_BUSY_POLL, napiBusyLoop } from '../net/core/busy_poll.js';
import { NAPI, NAPIF_STATE_PREFER_BUSY_POLL } from '../net/core/napi.js';
import type { NetContext } from '../net/core/net_context.js';
import {
  type BusyOptions,
  type BusySetup,
  busyCpu,
  busyFor,
  busySetup,
  busyThread,
  device,
  restful,
} from './busy_world.js';
import { event, netFor, netMemory } from './net_world.js';
import { STILL } from './world.js';

interface LoopOptions extends BusyOptions {
  readonly flags?: number;
  readonly budget?: number;
  /** The loop goes on until the device is done; else it polls once. */
  readonly long?: boolean;
  /** Events in the ring when the device raises its interrupt. */
  readonly events?: number;
}

/** Ends a loop once a word is set. */
export function overAt(net: NetContext, at: number): BusyLoopEnd {
  return () => Atomics.load(net.m, at) !== 0;
}

/** Body of an application that busy polls: one loop. */
export function app(arena: Arena, s: BusySetup & LoopOptions): void {
  const net = busyFor(arena, s, s.irqB, STILL, s.appCpu);
  busyLoop(net, s);
}

/** One loop, in a thread that runs the softirqs of its CPU itself. */
function busyLoop(net: NetContext, s: BusySetup & LoopOptions): void {
  net.cur.runsSoftirqs = true;
  const end = s.long === true ? overAt(net, s.over) : null;
  napiBusyLoop(net, s.id, end, s.flags ?? 0, s.budget ?? 2);
}

const STALL =
  'an event nobody polls, two polls at once, or an interrupt that stays masked though nobody sees to it';

function loop(name: string, o: LoopOptions, why: string): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label) {
      const s = busySetup(arena, label, { ownCpu: true, ...o });
      arena.m[s.ring] = o.events ?? 1;
      return { ...s, ...o };
    },
    threads: { device, app, cpu: busyCpu },
    daemons: ['cpu'],
    final: restful(o.events ?? 1),
    forbids: STALL,
    why,
  });
}

export const busyLoops: readonly Litmus[] = Object.freeze([
  loop(
    'busy-poll-once',
    {},
    'who gives it up polls once more, behind MISSED; that poll completes (N11, N12)',
  ),
  loop(
    'busy-poll-once-full',
    { budget: 1, events: 3 },
    'a last poll that used its budget leaves it scheduled',
  ),
  loop('busy-poll-loop', { long: true, events: 2 }, 'an interrupt that comes during the loop leaves MISSED'),
]);

export const busyShared: Litmus = litmus({
  name: 'busy-poll-shared-interrupt',
  memory: netMemory,
  setup: (arena, label) => busySetup(arena, label, { ownCpu: true }),
  threads: {
    // Nobody masks it: it may come at any time, and only once. It runs its softirqs itself.
    device(arena, s) {
      const net = netFor(arena, s, s.irqA);
      event(net, s);
      doSoftirq(net.cur);
    },
    appA: (arena, s) => busyLoop(netFor(arena, s, s.irqB, STILL, s.appCpu), s),
    appB: (arena, s) => busyLoop(netFor(arena, s, s.cpu), s),
  },
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 1, `${m[s.polled]} events of 1 were polled`);
  },
  forbids: 'an event that is forgotten while two sockets take turns',
  why: 'MISSED is cleared only while the instance is owned, and before a poll (N11)',
});

/** Timers that may fire at any time, on an instance whose interrupt is masked already. */
function deferred(name: string, o: LoopOptions, why: string): Litmus {
  const events = o.events ?? 1;
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label) {
      const s = busySetup(arena, label, { defer: 1, ...o });
      arena.m[s.ring] = events;
      arena.m[s.masked] = 1;
      return { ...s, flags: NAPI_F_PREFER_BUSY_POLL, ...o };
    },
    threads: { app, cpu: busyCpu },
    daemons: ['cpu'],
    final: restful(events),
    forbids: STALL,
    why,
  });
}

export const busyDeferred: readonly Litmus[] = Object.freeze([
  deferred('busy-poll-deferred', {}, 'the last poll completes, and starts the watchdog'),
  deferred(
    'busy-poll-deferred-full',
    { budget: 1, events: 2 },
    'the watchdog is started once the instance is given up, else it may fire too early, and never again',
  ),
  deferred('busy-poll-deferred-rest', { budget: 1, events: 3 }, 'the watchdog polls what the sockets leave'),
  deferred('busy-poll-no-watchdog', { budget: 1, events: 2, defer: 0 }, 'without a watchdog it is scheduled'),
]);

export const busyDeferredIrq: Litmus = litmus({
  name: 'busy-poll-deferred-interrupt',
  memory: netMemory,
  setup(arena, label) {
    const s = busySetup(arena, label, { defer: 1 });
    arena.m[s.ring] = 1;
    return { ...s, flags: NAPI_F_PREFER_BUSY_POLL, budget: 1 };
  },
  threads: { device, app, cpu: busyCpu },
  daemons: ['cpu'],
  final: restful(1),
  forbids: STALL,
  why: 'an interrupt that comes in the last poll is answered by the watchdog, or by complete',
});

export const busyTwo: Litmus = litmus({
  name: 'busy-poll-two',
  memory: netMemory,
  setup(arena, label) {
    const s = busySetup(arena, label, { ownCpu: true });
    arena.m[s.ring] = 2;
    arena.m[s.masked] = 1;
    return { ...s, budget: 1 };
  },
  threads: {
    appA: app,
    appB: (arena, s) => busyLoop(busyFor(arena, s, s.irqA), s),
    cpu: busyCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] + m[s.polled] === 2, 'an event is gone');
    must(m[s.ring] === 0 && m[s.masked] === 0, 'events are left, and the interrupt is masked');
  },
  forbids: 'two sockets that poll one instance at once',
  why: 'SCHED and IN_BUSY_POLL are taken in one compare-and-swap (N12)',
});

export const busyThreaded: Litmus = litmus({
  name: 'busy-poll-threaded',
  memory: netMemory,
  setup(arena, label) {
    const s = busySetup(arena, label, { threaded: true, ownCpu: true });
    arena.m[s.ring] = 2;
    return { ...s, budget: 1 };
  },
  threads: { device, app, napi: busyThread },
  daemons: ['napi'],
  final: restful(2),
  forbids: 'a socket and the thread of the instance that poll it at once, or an event nobody polls',
  why: 'what a socket leaves is scheduled as the instance is: its thread is woken',
});

/** Softirqs of an instance that a socket prefers to busy poll, and that has more than a poll takes. Nobody busy polls it. */
function preferredFull(name: string, options: BusyOptions): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label) {
      const s = busySetup(arena, label, { weight: 1, ...options });
      arena.m[s.napi + NAPI.state] |= NAPIF_STATE_PREFER_BUSY_POLL;
      arena.m[s.ring] = 2;
      return s;
    },
    threads: { device, cpu: busyCpu },
    daemons: ['cpu'],
    final({ m }, s) {
      must(m[s.ring] === 0, 'what a full poll left is polled by nobody');
      must(m[s.masked] === 0, 'the interrupt is masked at rest');
    },
    forbids: 'events left behind a poll that used its whole weight, because they are a busy poller’s',
    why: 'without a timer the instance is scheduled at once, with one when that fires',
  });
}

export const busyPreferredFull: Litmus = preferredFull('busy-preferred-full', {});
export const busyPreferredFullTimer: Litmus = preferredFull('busy-preferred-full-timer', { defer: 1 });
