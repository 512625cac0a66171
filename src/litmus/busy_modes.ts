// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of busy polling threads whose mode changes, or whose instance goes and comes back: napi_threaded.ts, napi_thread.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { kthread } from '../kernel/kthread.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { NAPI_F_PREFER_BUSY_POLL } from '../net/core/busy_poll.js';
import {
  NAPI,
  NAPIF_STATE_IN_BUSY_POLL,
  NAPIF_STATE_SCHED,
  NAPIF_STATE_SCHED_THREADED,
  NAPIF_STATE_THREADED_BUSY_POLL,
} from '../net/core/napi.js';
import { napiDisable, napiEnable, netifNapiAdd, netifNapiDel } from '../net/core/napi_control.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiGetThreaded, napiSetThreaded } from '../net/core/napi_threaded.js';
import type { NetContext } from '../net/core/net_context.js';
import {
  NETDEV_NAPI_THREADED_BUSY_POLL,
  NETDEV_NAPI_THREADED_DISABLED,
  NETDEV_NAPI_THREADED_ENABLED,
} from '../net/core/net_device.js';
import { NAPI_KTHREAD_PERSIST_FIXED } from '../net/core/softnet_data.js';
import { app } from './busy_sockets.js';
import { busyPolled } from './busy_threads.js';
import {
  type BusySetup,
  busyCpu,
  busyEvent,
  busyFor,
  busySetup,
  busyThread,
  raise,
  restful,
} from './busy_world.js';
import { event, listTasks, netFor, netMemory, nodeOf, pollThread } from './net_world.js';
import { addWord } from './world.js';

const BUSY_BITS = NAPIF_STATE_SCHED | NAPIF_STATE_SCHED_THREADED | NAPIF_STATE_IN_BUSY_POLL;

/** Body of a thread that is stopped: with the handshake of its creation. */
function stoppable(arena: Arena, s: BusySetup): void {
  const net = busyFor(arena, s, s.thread);
  kthread(net.cur, () => napiThreadedPoll(net, nodeOf(arena, s)));
}

/** Body of a thread that grace periods look at. */
function inRcu(arena: Arena, s: BusySetup): void {
  const net = busyFor(arena, s, s.thread);
  rcuReadLock(net.cur);
  napiThreadedPoll(net, nodeOf(arena, s));
}

function started(arena: Arena, s: BusySetup): NetContext {
  const net = busyFor(arena, s, s.control);
  sleepOnCompletion(net.cur, s.thread + TASK.created);
  wakeUpProcess(arena.m, s.thread);
  return net;
}

function mode({ m }: Arena, s: BusySetup): number {
  return napiGetThreaded(m, s.napi);
}

function eventInRcu(arena: Arena, s: BusySetup): void {
  const net = busyFor(arena, s, s.irqA);
  rcuReadLock(net.cur);
  busyEvent(net, s);
  rcuReadUnlock(net.cur);
}

export const busyStop: Litmus = litmus({
  name: 'busy-thread-stop',
  memory: netMemory,
  setup(arena, label) {
    const s = busyPolled(arena, label);
    listTasks(arena.m, [s.irqA, s.control]);
    return s;
  },
  threads: {
    device: eventInRcu,
    control(arena, s) {
      const net = started(arena, s);
      must(napiSetThreaded(net, net.napi(s.napi), NETDEV_NAPI_THREADED_DISABLED) === 0, 'off is refused');
      must(arena.m[s.napi + NAPI.threadNode] === 0, 'off, and the thread is still published');
    },
    napi: stoppable,
    cpu: busyCpu,
  },
  daemons: ['cpu'],
  final(arena, s) {
    restful(1)(arena, s);
    must((arena.m[s.napi + NAPI.state] & BUSY_BITS) === 0, 'still owned at rest');
  },
  forbids: 'a busy thread that cannot be stopped, or an event lost when it is',
  why: 'THREADED_BUSY_POLL goes with THREADED: the thread leaves its busy loop and completes (N14)',
});

export const busyOff: Litmus = litmus({
  name: 'busy-thread-off',
  memory: netMemory,
  setup: (arena, label) => busyPolled(arena, label),
  threads: {
    // Nobody masks it: it may come at any time, and only once.
    device(arena, s) {
      const net = netFor(arena, s, s.irqA);
      event(net, s);
      event(net, s);
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      must(napiSetThreaded(net, net.napi(s.napi), NETDEV_NAPI_THREADED_ENABLED) === 0, 'the mode is refused');
      must(mode(arena, s) === NETDEV_NAPI_THREADED_ENABLED, 'the instance has another mode');
    },
    napi: pollThread,
  },
  daemons: ['napi'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 2, `${m[s.polled]} events of 2 were polled`);
    must((m[s.napi + NAPI.state] & BUSY_BITS) === 0, 'still owned at rest');
  },
  forbids: 'a thread that busy polls on though it is to rest, or an event lost in the switch',
  why: 'every turn looks at THREADED_BUSY_POLL; MISSED leads to another poll when it completes (N14, N2)',
});

export const busyOn: Litmus = litmus({
  name: 'busy-thread-on',
  memory: netMemory,
  setup(arena, label) {
    const s = busySetup(arena, label, { threaded: true });
    arena.m[s.ring] = 1;
    return s;
  },
  threads: {
    device(arena, s) {
      raise(busyFor(arena, s, s.irqA), s);
    },
    control(arena, s) {
      const net = busyFor(arena, s, s.control);
      const n = net.napi(s.napi);
      for (const to of [
        NETDEV_NAPI_THREADED_BUSY_POLL,
        NETDEV_NAPI_THREADED_ENABLED,
        NETDEV_NAPI_THREADED_BUSY_POLL,
      ]) {
        must(napiSetThreaded(net, n, to) === 0, 'the mode is refused');
        must(mode(arena, s) === to, 'the instance has another mode');
      }
      busyEvent(net, s);
    },
    napi: busyThread,
  },
  daemons: ['napi'],
  // Idle when the mode came, it begins with the next event.
  goal({ m }, s, threads) {
    const state = m[s.napi + NAPI.state];
    const idle = (state & BUSY_BITS) === 0 && threads.asleep('napi');
    return (
      m[s.polled] === 2 && napiGetThreaded(m, s.napi) === 2 && ((state & BUSY_BITS) === BUSY_BITS || idle)
    );
  },
  forbids: 'a thread that does not busy poll though it is to, or an event lost in the switch',
  why: 'the mode takes effect at the next turn of a loop, or the next schedule',
});

export const busyStopDisabled: Litmus = litmus({
  name: 'busy-thread-stop-disabled',
  memory: netMemory,
  setup(arena, label) {
    const s = busyPolled(arena, label);
    listTasks(arena.m, [s.control]);
    return s;
  },
  threads: {
    control(arena, s) {
      const net = started(arena, s);
      const n = net.napi(s.napi);
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(mode(arena, s) === NETDEV_NAPI_THREADED_DISABLED, 'a disabled instance counts as threaded');
      must(napiSetThreaded(net, n, NETDEV_NAPI_THREADED_BUSY_POLL) === 0, 'the mode is refused');
      must(napiSetThreaded(net, n, NETDEV_NAPI_THREADED_DISABLED) === 0, 'off is refused');
      must(napiEnable(net, n) === 0, 'enable was refused');
      must(mode(arena, s) === NETDEV_NAPI_THREADED_DISABLED, 'the instance is threaded again');
      busyEvent(net, s);
    },
    napi: stoppable,
    cpu: busyCpu,
  },
  daemons: ['cpu'],
  final: restful(1),
  forbids: 'a stop that waits for a disabled instance, or a mode that comes back',
  why: 'a disabled instance is polled by nobody: its bits may go at any time',
});

export const busyReadd: Litmus = litmus({
  name: 'busy-thread-readd',
  memory: netMemory,
  setup(arena, label) {
    const s = busyPolled(arena, label, { persist: NAPI_KTHREAD_PERSIST_FIXED });
    listTasks(arena.m, [s.control, s.thread]);
    return { ...s, again: addWord(arena.m, label, 'again') };
  },
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = busyFor(arena, s, s.control);
      const node = m[s.napi + NAPI.threadNode];
      busyEvent(net, s);
      must(napiDisable(net, net.napi(s.napi)) === 0, 'disable was refused');
      must(netifNapiDel(net, net.napi(s.napi)) === 0, 'delete was refused');
      const at = netifNapiAdd(net, s.dev, 0, 0, 4, 0, 0);
      must(napiEnable(net, net.napi(at)) === 0, 'enable was refused');
      must(m[at + NAPI.threadNode] === node, 'the thread is not taken back');
      must(napiGetThreaded(m, at) === NETDEV_NAPI_THREADED_BUSY_POLL, 'the mode is not what it was');
      Atomics.store(m, s.again, at);
      Atomics.add(m, s.ring, 1);
      Atomics.store(m, s.masked, 0);
      raise(net, { ...s, napi: at });
    },
    napi: inRcu,
  },
  goal({ m }, s) {
    const at = m[s.again];
    return at !== 0 && m[s.ring] === 0 && (m[at + NAPI.state] & BUSY_BITS) === BUSY_BITS;
  },
  forbids: 'a busy thread that cannot be parked, or does not busy poll the instance it gets',
  why: 'the mode is kept by queue index; disable ends the busy loop before the thread is parked (N10, P1 to P3)',
});

export const busyHandOver: Litmus = litmus({
  name: 'busy-thread-hand-over',
  memory: netMemory,
  setup(arena, label) {
    const s = busyPolled(arena, label, { persist: NAPI_KTHREAD_PERSIST_FIXED });
    listTasks(arena.m, [s.control, s.thread]);
    return { ...s, again: addWord(arena.m, label, 'again') };
  },
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = busyFor(arena, s, s.control);
      const at = netifNapiAdd(net, s.dev, 0, 0, 4, 0, 0);
      must(napiEnable(net, net.napi(at)) === 0, 'enable was refused');
      must(napiGetThreaded(m, at) === NETDEV_NAPI_THREADED_DISABLED, 'threaded without a thread');
      must(napiDisable(net, net.napi(s.napi)) === 0, 'disable was refused');
      must(netifNapiDel(net, net.napi(s.napi)) === 0, 'delete was refused');
      must(napiGetThreaded(m, at) === NETDEV_NAPI_THREADED_BUSY_POLL, 'the mode is not handed over');
      Atomics.store(m, s.again, at);
      busyEvent(net, { ...s, napi: at });
    },
    napi: inRcu,
  },
  goal({ m }, s) {
    const at = m[s.again];
    return at !== 0 && m[s.polled] === 1 && (m[at + NAPI.state] & BUSY_BITS) === BUSY_BITS;
  },
  forbids: 'an instance that waits for a thread and does not get the mode with it',
  why: 'delete hands over thread and mode',
});

export const busyStopKeepsBit: Litmus = litmus({
  name: 'busy-thread-mode-bits',
  memory: netMemory,
  setup: (arena, label) => busyPolled(arena, label),
  threads: {
    control(arena, s) {
      const net = busyFor(arena, s, s.control);
      const n = net.napi(s.napi);
      must(mode(arena, s) === NETDEV_NAPI_THREADED_BUSY_POLL, 'the instance does not busy poll');
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(
        (Atomics.load(arena.m, n.state) & NAPIF_STATE_THREADED_BUSY_POLL) === 0,
        'the bit outlives disable',
      );
      must(napiSetThreaded(net, n, NETDEV_NAPI_THREADED_ENABLED) === 0, 'the mode is refused');
      must(napiEnable(net, n) === 0, 'enable was refused');
      must(mode(arena, s) === NETDEV_NAPI_THREADED_ENABLED, 'the mode given last is not in force');
    },
  },
  forbids: 'a mode that outlives the one given behind it',
  why: 'disable takes the bits, enable brings those of the config',
});

export const busyPolledMode: Litmus = litmus({
  name: 'busy-poll-mode',
  memory: netMemory,
  setup(arena, label) {
    const s = busySetup(arena, label, { threaded: true, defer: 1, ownCpu: true });
    arena.m[s.ring] = 2;
    arena.m[s.masked] = 1;
    return { ...s, flags: NAPI_F_PREFER_BUSY_POLL, budget: 1 };
  },
  threads: {
    app,
    control(arena, s) {
      const net = busyFor(arena, s, s.control);
      must(
        napiSetThreaded(net, net.napi(s.napi), NETDEV_NAPI_THREADED_BUSY_POLL) === 0,
        'the mode is refused',
      );
    },
  },
  final(arena, s) {
    must(mode(arena, s) === NETDEV_NAPI_THREADED_BUSY_POLL, 'the mode is overwritten');
    must((arena.m[s.napi + NAPI.state] & BUSY_BITS) === 0, 'still owned at rest');
  },
  forbids: 'a mode that is lost because a socket gives the instance up',
  why: 'bits of the state are set and cleared one by one, whoever owns it',
});
