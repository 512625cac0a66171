// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of sockets that busy poll an instance (net/core/busy_poll.ts), against whoever else may poll it. */
import { type Litmus, litmus } from '../check/index.js';
import type { Arena } from '../mm/arena.js';
import { NAPI } from '../net/core/napi.js';
import { type BusyLoopEnd, NAPI_F_PREFER_BUSY_POLL, napiBusyLoop } from '../net/core/busy_poll.js';
import type { NetContext } from '../net/core/net_context.js';
import { type BusyOptions, type BusySetup, busyCpu, busyFor, busySetup, device, restful } from './busy_world.js';
import { netMemory } from './net_world.js';

interface LoopOptions extends BusyOptions {
  readonly flags?: number;
  readonly budget?: number;
  /** The loop goes on until the device has no more events; else it polls once. */
  readonly long?: boolean;
  /** NET.busyPollStop */
  readonly stop?: number;
  /** Events in the ring when the device raises its interrupt. */
  readonly events?: number;
}

export function loopUntilOver(net: NetContext, s: BusySetup): BusyLoopEnd {
  return () => Atomics.load(net.m, s.over) !== 0;
}

function app(o: LoopOptions): (arena: Arena, s: BusySetup) => void {
  return (arena, s) => {
    const net = busyFor(arena, s, s.irqB);
    const end = o.long === true ? loopUntilOver(net, s) : null;
    napiBusyLoop(net, arena.m[s.napi + NAPI.napiId], end, o.flags ?? 0, o.budget ?? 2);
  };
}

function loop(name: string, o: LoopOptions): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label) {
      const s = busySetup(arena, label, o);
      arena.m[s.ring] = o.events ?? 1;
      return s;
    },
    threads: { device, app: app(o), cpu: busyCpu },
    daemons: ['cpu'],
    final: restful(o.events ?? 1),
    forbids: 'x',
    why: 'y',
  });
}

const P = NAPI_F_PREFER_BUSY_POLL;
export const loops: readonly Litmus[] = Object.freeze([
  loop('busy-poll-once', { events: 2 }),
  loop('busy-poll-once-full', { budget: 1, events: 2 }),
  loop('busy-poll-loop', { long: true, events: 1 }),
  loop('busy-poll-loop2', { long: true, events: 2 }),
  loop('busy-poll-deferred', { flags: P, defer: 1, events: 1 }),
  loop('busy-poll-deferred-full', { flags: P, defer: 1, budget: 1, events: 2 }),
  loop('busy-poll-deferred-loop', { flags: P, defer: 1, long: true, events: 1 }),
]);
