// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of a NAPI thread that is to park or to stop while it polls: napiThreadWait, napiStopKthread. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { EINTR } from '../kernel/errno.js';
import { kthread, kthreadExit, kthreadPark, kthreadStop, kthreadUnpark } from '../kernel/kthread.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { doSoftirq } from '../kernel/softirq.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import {
  NAPI,
  NAPIF_STATE_SCHED,
  NAPIF_STATE_SCHED_THREADED,
  NAPIF_STATE_THREADED,
  type Napi,
} from '../net/core/napi.js';
import { netifNapiAdd } from '../net/core/napi_control.js';
import { napiThreadedPoll, napiThreadWait } from '../net/core/napi_poll.js';
import { NAPI_THREAD_NODE } from '../net/core/napi_thread.js';
import { napiStopKthread } from '../net/core/napi_threaded.js';
import type { NetContext } from '../net/core/net_context.js';
import { event, listTasks, type NetSetup, netFor, netMemory, netSetup, nodeOf } from './net_world.js';

interface WaitSetup extends NetSetup {
  /** The instance that the thread is to serve instead. */
  readonly second: number;
}

/** Two instances that the thread owns as soon as it serves them: as in a busy loop, and that for ever. */
function ownedSetup(arena: Arena, label: Label): WaitSetup {
  const { m } = arena;
  const s = netSetup(arena, label, true, 4);
  const second = netifNapiAdd(netFor(arena, s, s.control), s.dev, 0, 0, 4, 1, 0);
  label(m, second, NAPI, 'second');
  for (const at of [s.napi, second])
    m[at + NAPI.state] = NAPIF_STATE_SCHED | NAPIF_STATE_THREADED | NAPIF_STATE_SCHED_THREADED;
  return { ...s, second };
}

function created(arena: Arena, s: WaitSetup): NetContext {
  const net = netFor(arena, s, s.control);
  sleepOnCompletion(net.cur, s.thread + TASK.created);
  wakeUpProcess(arena.m, s.thread);
  return net;
}

/** The thread, from its creation until it serves another instance than the first, or none. */
function polls(arena: Arena, s: WaitSetup, wanted: number): void {
  const net = netFor(arena, s, s.thread);
  kthread(net.cur, () => {
    let n: Napi | null = null;
    do n = napiThreadWait(net, nodeOf(arena, s), n);
    while (n !== null && n.at === s.napi);
    must((n === null ? 0 : n.at) === wanted, 'the thread serves another instance');
    return 0;
  });
}

export const waitParks: Litmus = litmus({
  name: 'napi-wait-park',
  memory: netMemory,
  setup: ownedSetup,
  threads: {
    control(arena, s) {
      const net = created(arena, s);
      must(kthreadPark(net.cur, s.thread) === 0, 'park was refused');
      Atomics.store(net.m, nodeOf(arena, s) + NAPI_THREAD_NODE.napi, s.second);
      kthreadUnpark(net.m, s.thread);
    },
    napi: (arena, s) => polls(arena, s, s.second),
  },
  forbids: 'a thread that polls on though it is to park, with an instance that may be gone then',
  why: 'it looks whether it is to park or to stop before each turn, also where it need not wait',
});

export const waitStops: Litmus = litmus({
  name: 'napi-wait-stop',
  memory: netMemory,
  setup: ownedSetup,
  threads: {
    control(arena, s) {
      const result = kthreadStop(created(arena, s).cur, s.thread);
      must(result === 0 || result === -EINTR, 'the thread ended otherwise');
    },
    napi: (arena, s) => polls(arena, s, 0),
  },
  forbids: 'a thread that polls on though it is to stop, and a stop that never returns',
  why: 'it looks whether it is to park or to stop before each turn, also where it need not wait',
});

export const stopOwned: Litmus = litmus({
  name: 'napi-stop-owned',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, true, 4);
    listTasks(arena.m, [s.irqA, s.control, s.thread]);
    return s;
  },
  threads: {
    // Interrupts and what they leave to the softirq, in one thread.
    irq(arena, s) {
      const net = netFor(arena, s, s.irqA);
      rcuReadLock(net.cur);
      event(net, s);
      doSoftirq(net.cur);
      rcuReadUnlock(net.cur);
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      napiStopKthread(net, net.napi(s.napi));
    },
    // Created and woken before.
    napi(arena, s) {
      const net = netFor(arena, s, s.thread);
      rcuReadLock(net.cur);
      kthreadExit(net.cur, napiThreadedPoll(net, nodeOf(arena, s)));
    },
  },
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 1, `${m[s.polled]} events of 1 were polled`);
    must((m[s.napi + NAPI.state] & OWNED) === 0, 'still owned at rest');
  },
  forbids: 'an event that goes to a thread which is being stopped',
  why: 'stop takes THREADED away while nobody owns the instance, or the thread does, and waits for the thread',
});

/** What an instance has that somebody polls, or is to poll. */
const OWNED = NAPIF_STATE_SCHED | NAPIF_STATE_SCHED_THREADED;
