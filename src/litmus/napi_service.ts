// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of an instance out of service: disabled twice, stopped while disabled, deleted, added again. */
import { type Litmus, litmus, must } from '../check/index.js';
import { EINVAL } from '../kernel/errno.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import { NAPI } from '../net/core/napi.js';
import { napiDisable, napiEnable, netifNapiAdd, netifNapiDel } from '../net/core/napi_control.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiSchedule } from '../net/core/napi_schedule.js';
import { napiStopKthread, netifSetThreaded } from '../net/core/napi_threaded.js';
import { netContext } from '../net/core/net_context.js';
import {
  event,
  idleCpu,
  listTasks,
  napiThread,
  netFor,
  netMemory,
  netSetup,
  nodeOf,
  pollThread,
} from './net_world.js';
import { addWord, currentOf } from './world.js';

export const doubleDisable: Litmus = litmus({
  name: 'napi-double-disable',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, true, 4),
  threads: {
    irqA: (arena, s) => event(netFor(arena, s, s.irqA), s),
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(napiDisable(net, n) === -EINVAL, 'a second disable was not refused');
      must(napiEnable(net, n) === 0, 'enable was refused');
      must(napiEnable(net, n) === -EINVAL, 'a second enable was not refused');
    },
    napi: pollThread,
  },
  daemons: ['napi'],
  forbids: 'a second disable that waits for ever on what the first one holds',
  why: 'the holder of the device mutex sees NPSVC, which only disable and enable change',
});

export const disableFullPolls: Litmus = litmus({
  name: 'napi-disable-full-polls',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, true, 1),
  threads: {
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      napiSchedule(net, n);
      must(napiDisable(net, n) === 0, 'disable was refused');
      arena.m[s.polled] = 1;
    },
    napi(arena, s) {
      const net = netContext(currentOf(arena.m, s.thread), arena);
      // Traffic without end: every poll uses its whole weight.
      net.napiPollFns.push((_net, _n, budget) => budget);
      napiThreadedPoll(net, nodeOf(arena, s));
    },
  },
  daemons: ['napi'],
  goal: ({ m }, s, threads) => m[s.polled] === 1 && threads.asleep('napi'),
  forbids: 'a disable that waits for ever on a poll that always finds work',
  why: 'an owner that used its weight looks at DISABLE and completes',
});

export const disableScheduling: Litmus = litmus({
  name: 'napi-disable-scheduling',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, true, 1),
  threads: {
    irqA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      napiSchedule(net, net.napi(s.napi));
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      must(napiDisable(net, net.napi(s.napi)) === 0, 'disable was refused');
      arena.m[s.polled] = 1;
    },
    napi(arena, s) {
      const net = netContext(currentOf(arena.m, s.thread), arena);
      // Traffic without end: every poll uses its whole weight.
      net.napiPollFns.push((_net, _n, budget) => budget);
      napiThreadedPoll(net, nodeOf(arena, s));
    },
  },
  daemons: ['napi'],
  goal: ({ m }, s, threads) => m[s.polled] === 1 && threads.asleep('napi'),
  forbids: 'a disable that is lost because a schedule sets its own bit in the same word',
  why: 'SCHED_THREADED is set by fetch-and-or: it keeps what others set meanwhile',
});

export const stopDisabled: Litmus = litmus({
  name: 'napi-stop-disabled',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, true, 4);
    listTasks(arena.m, [s.control]);
    return s;
  },
  threads: {
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      sleepOnCompletion(net.cur, s.thread + TASK.created);
      wakeUpProcess(arena.m, s.thread);
      event(net, s);
      must(napiDisable(net, n) === 0, 'disable was refused');
      napiStopKthread(net, n);
      must(arena.m[s.napi + NAPI.threadNode] === 0, 'the thread is still published');
    },
    napi: napiThread,
  },
  final({ m }, s) {
    must(m[s.polled] + m[s.ring] === 1, 'the event is gone');
  },
  forbids: 'a stop that waits for ever on SCHED, which disable holds',
  why: 'a disabled instance is polled by nobody: stop need not wait for its owner',
});

export const configOverride: Litmus = litmus({
  name: 'napi-config-override',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, true, 4);
    listTasks(arena.m, [s.control]);
    return s;
  },
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      sleepOnCompletion(net.cur, s.thread + TASK.created);
      wakeUpProcess(m, s.thread);
      const n = net.napi(s.napi);
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(netifNapiDel(net, n) === 0, 'delete was refused');
      must(netifSetThreaded(net, s.dev, 0) === 0, 'the device cannot be switched');
      const again = netifNapiAdd(net, s.dev, 0, 0, 4, 0);
      must(napiEnable(net, net.napi(again)) === 0, 'enable was refused');
      must(m[again + NAPI.threadNode] === 0, 'the old mode came back');
      Atomics.add(m, s.ring, 1);
      napiSchedule(net, net.napi(again));
    },
    napi: napiThread,
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 1, `${m[s.polled]} events of 1 were polled`);
  },
  forbids: 'an instance that comes back in the mode it had before the device was switched',
  why: 'a write to the device overrides what is kept for instances not there',
});

export const deleteReader: Litmus = litmus({
  name: 'napi-delete-reader',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, false, 4);
    listTasks(arena.m, [s.control, s.irqA]);
    const published = addWord(arena.m, label, 'published');
    arena.m[published] = s.napi;
    return { ...s, published };
  },
  threads: {
    irqA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      rcuReadLock(net.cur);
      const napi = Atomics.load(arena.m, s.published);
      if (napi !== 0) napiSchedule(net, net.napi(napi));
      rcuReadUnlock(net.cur);
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      Atomics.store(arena.m, s.published, 0);
      const n = net.napi(s.napi);
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(netifNapiDel(net, n) === 0, 'delete was refused');
    },
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  forbids: 'an instance freed under an interrupt handler that found it',
  why: 'between unpublishing and freeing there is a grace period',
});

export const softirqTwo: Litmus = litmus({
  name: 'napi-softirq-two-instances',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, false, 4);
    const net = netContext(currentOf(arena.m, s.control), arena);
    const second = netifNapiAdd(net, s.dev, 0, 0, 4, 1, 0);
    label(arena.m, second, NAPI, 'napi2');
    napiEnable(net, net.napi(second));
    return { ...s, second };
  },
  threads: {
    irqA: (arena, s) => event(netFor(arena, s, s.irqA), s),
    irqB(arena, s) {
      const net = netFor(arena, s, s.irqB);
      Atomics.add(arena.m, s.ring, 1);
      napiSchedule(net, net.napi(s.second));
    },
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 2, `${m[s.polled]} events of 2 were polled`);
  },
  forbids: 'an instance lost from the poll list while another is taken from it',
  why: 'the list changes only under irqLock',
});
