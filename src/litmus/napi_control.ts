// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of NAPI control: threads made and stopped, modes switched under traffic, watchdog. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { ENOMEM } from '../kernel/errno.js';
import { kthread, kthreadCreate, kthreaddFail, kthreaddTakeRequests } from '../kernel/kthread.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { MM_AT, MM_STRUCT } from '../mm/slab.js';
import { NAPI, NAPIF_STATE_SCHED, NAPIF_STATE_SCHED_THREADED } from '../net/core/napi.js';
import { napiDisable, napiEnable } from '../net/core/napi_control.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiWatchdog } from '../net/core/napi_schedule.js';
import { napiSetThreaded, napiStopKthread } from '../net/core/napi_threaded.js';
import type { NetContext } from '../net/core/net_context.js';
import {
  event,
  idleCpu,
  listTasks,
  type NetSetup,
  napiThread,
  netFor,
  netMemory,
  netSetup,
  pollThread,
} from './net_world.js';
import { addWord } from './world.js';

const DOORBELL = KERNEL_AT + KERNEL.createDoorbell;

/** An event from a thread that grace periods look at, as an interrupt handler is. */
function eventInRcu(arena: Arena, s: NetSetup): void {
  const net = netFor(arena, s, s.irqA);
  rcuReadLock(net.cur);
  event(net, s);
  rcuReadUnlock(net.cur);
}

function listed(arena: Arena, label: Label, threaded: boolean): NetSetup {
  const s = netSetup(arena, label, threaded, 4);
  listTasks(arena.m, [s.irqA, s.control]);
  return s;
}

/** kthreadd and the worker it gives a request to, in one thread: a single request. */
function kthreadd(arena: Arena, s: NetSetup, start: (net: NetContext, data: number) => number): void {
  const { m } = arena;
  while (Atomics.load(m, KERNEL_AT + KERNEL.createList) === 0) {
    const seen = Atomics.load(m, DOORBELL);
    if (Atomics.load(m, KERNEL_AT + KERNEL.createList) === 0) Atomics.wait(m, DOORBELL, seen);
  }
  const t = kthreaddTakeRequests(m);
  const net = netFor(arena, s, t);
  kthread(net.cur, (_cur, data) => start(net, data));
}

export const napiThreadOff: Litmus = litmus({
  name: 'napi-threaded-off',
  memory: netMemory,
  setup: (arena, label) => listed(arena, label, true),
  threads: {
    irqA: eventInRcu,
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      sleepOnCompletion(net.cur, s.thread + TASK.created);
      wakeUpProcess(arena.m, s.thread);
      napiStopKthread(net, net.napi(s.napi));
    },
    napi: napiThread,
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 1, `${m[s.polled]} events of 1 were polled`);
    must(
      (m[s.napi + NAPI.state] & (NAPIF_STATE_SCHED | NAPIF_STATE_SCHED_THREADED)) === 0,
      'still owned at rest',
    );
  },
  forbids: 'a thread stopped while it owns the instance, or an event lost in the switch',
  why: 'THREADED goes first, then the thread is waited for until it owns nothing',
});

export const napiThreadOn: Litmus = litmus({
  name: 'napi-threaded-on',
  memory: netMemory,
  setup: (arena, label) => listed(arena, label, false),
  threads: {
    irqA: eventInRcu,
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      must(napiSetThreaded(net, net.napi(s.napi), 1) === 0, 'no thread could be had');
    },
    kthreadd: (arena, s) => kthreadd(arena, s, (net, node) => napiThreadedPoll(net, node)),
    cpu: idleCpu,
  },
  daemons: ['cpu', 'kthreadd'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 1, `${m[s.polled]} events of 1 were polled`);
  },
  forbids: 'an event lost in the switch, or polled by thread and softirq at once',
  why: 'the thread is published before THREADED is set (N5, N6)',
});

export const kthreadCreation: Litmus = litmus({
  name: 'kthread-create',
  memory: netMemory,
  setup: (arena, label) => listed(arena, label, false),
  threads: {
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const t = kthreadCreate(net.cur, 0, 0, 0, 0, 'made');
      must(t > 0 || t === -ENOMEM, `kthreadCreate gave ${t}`);
      if (t > 0) wakeUpProcess(arena.m, t);
    },
    kthreadd: (arena, s) => kthreadd(arena, s, () => 0),
  },
  final({ m }) {
    must(m[KERNEL_AT + KERNEL.nrTasks] === 2, `${m[KERNEL_AT + KERNEL.nrTasks]} tasks are left of 2`);
  },
  forbids: 'a creator asleep for ever, or a task left in the list',
  why: 'the request is published before the doorbell rings (K5, K6)',
});

export const kthreadRefused: Litmus = litmus({
  name: 'kthread-create-refused',
  memory: netMemory,
  setup: (arena, label) => ({ ...listed(arena, label, false), made: addWord(arena.m, label, 'made') }),
  threads: {
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      must(kthreadCreate(net.cur, 0, 0, 0, 0, 'made') === -ENOMEM, 'a refusal is ENOMEM');
    },
    kthreadd({ m }, s) {
      let t = 0;
      while (t === 0) {
        const seen = Atomics.load(m, DOORBELL);
        t = kthreaddTakeRequests(m);
        if (t === 0) Atomics.wait(m, DOORBELL, seen);
      }
      m[s.made] = t;
      kthreaddFail(m, t, ENOMEM);
    },
  },
  final({ m }, s) {
    const lists = m.subarray(MM_AT + MM_STRUCT.freeList, MM_AT + MM_STRUCT.end);
    must(lists.includes(m[s.made]), 'the task_struct of a thread that was refused is not freed');
  },
  forbids: 'a creator that never learns of the refusal, or touches the request after it was freed',
  why: 'the result is written before the completion',
});

export const watchdog: Litmus = litmus({
  name: 'napi-watchdog-disable',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, true, 4),
  threads: {
    timer(arena, s) {
      const net = netFor(arena, s, s.cpu);
      napiWatchdog(net, net.napi(s.napi));
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      must(napiDisable(net, n) === 0, 'disable was refused');
      arena.m[s.polled] += 100;
      must(napiEnable(net, n) === 0, 'enable was refused');
    },
    napi: pollThread,
  },
  daemons: ['napi'],
  final({ m }, s) {
    must(m[s.polled] === 100, 'polled without an event');
    must((m[s.napi + NAPI.state] & NAPIF_STATE_SCHED) === 0, 'owned at rest: the instance is dead');
  },
  forbids: 'a watchdog that takes an instance out from under disable, or leaves it owned',
  why: 'it takes SCHED only if nobody has it, and schedules what it took',
});
