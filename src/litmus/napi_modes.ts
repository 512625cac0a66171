// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of switching whole devices, and of both modes beside each other on one CPU: napi_control.ts, napi_poll.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { ENOMEM } from '../kernel/errno.js';
import { kthread, kthreaddFail } from '../kernel/kthread.js';
import { rcuReadLock, synchronizeRcu } from '../kernel/rcu.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import { NAPI, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import { napiEnable, netifNapiAdd } from '../net/core/napi_control.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiCompleteDone, napiSchedule } from '../net/core/napi_schedule.js';
import { napiSetThreaded, netifSetThreaded } from '../net/core/napi_threaded.js';
import { netContext } from '../net/core/net_context.js';
import { NAPI_CONFIG, NET_DEVICE } from '../net/core/net_device.js';
import { event, idleCpu, listTasks, netFor, netMemory, netSetup, nodeOf } from './net_world.js';
import { addWord, currentOf, takeRequest } from './world.js';

export const deviceRefused: Litmus = litmus({
  name: 'napi-device-refused',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, false, 4);
    listTasks(arena.m, [s.irqA, s.control]);
    return s;
  },
  threads: {
    irqA: (arena, s) => event(netFor(arena, s, s.irqA), s),
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      must(netifSetThreaded(net, s.dev, 1) === -ENOMEM, 'a refusal is ENOMEM');
      must(m[s.dev + NET_DEVICE.threaded] === 0, 'the device counts as threaded');
      must(m[m[s.dev + NET_DEVICE.napiConfigs] + NAPI_CONFIG.threaded] === 0, 'its config says threaded');
      must((Atomics.load(m, s.napi + NAPI.state) & NAPIF_STATE_THREADED) === 0, 'THREADED without a thread');
    },
    kthreadd: ({ m }) => kthreaddFail(m, takeRequest(m), ENOMEM),
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 1, `${m[s.polled]} events of 1 were polled`);
  },
  forbids: 'a device that counts as threaded without threads, or an event lost over it',
  why: 'if a thread cannot be had the device goes to softirq mode as a whole',
});

export const instanceRefused: Litmus = litmus({
  name: 'napi-instance-refused',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, false, 4);
    listTasks(arena.m, [s.control]);
    return s;
  },
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      must(napiSetThreaded(net, n, 0) === 0, 'off is refused');
      must(m[s.napi + NAPI.threadNode] === 0, 'off makes a thread');
      must(napiSetThreaded(net, n, 1) === -ENOMEM, 'a refusal is ENOMEM');
      must((Atomics.load(m, n.state) & NAPIF_STATE_THREADED) === 0, 'THREADED without a thread');
      must(napiSetThreaded(net, n, 1) === 0, 'a thread is to be had, and it is refused');
      must((Atomics.load(m, n.state) & NAPIF_STATE_THREADED) !== 0, 'a thread, and not THREADED');
      event(net, s);
    },
    kthreadd(arena, s) {
      kthreaddFail(arena.m, takeRequest(arena.m), ENOMEM);
      const net = netFor(arena, s, takeRequest(arena.m));
      kthread(net.cur, (_cur, node) => napiThreadedPoll(net, node));
    },
  },
  daemons: ['kthreadd'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 1, `${m[s.polled]} events of 1 were polled`);
  },
  forbids: 'an instance that counts as threaded without a thread, or cannot become so later',
  why: 'the mode changes only once the thread is there',
});

export const deviceOnOff: Litmus = litmus({
  name: 'napi-device-on-off',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, false, 4);
    listTasks(arena.m, [s.control]);
    return { ...s, done: addWord(arena.m, label, 'done') };
  },
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      must(netifSetThreaded(net, s.dev, 1) === 0, 'no thread could be had');
      must(m[s.dev + NET_DEVICE.threaded] === 1, 'the device does not count as threaded');
      must((Atomics.load(m, s.napi + NAPI.state) & NAPIF_STATE_THREADED) !== 0, 'a thread, and not THREADED');
      const thread = m[s.napi + NAPI.threadNode];
      must(thread !== 0, 'THREADED without a thread');
      must(netifSetThreaded(net, s.dev, 1) === 0, 'once more is refused');
      must(m[s.napi + NAPI.threadNode] === thread, 'once more makes another thread');
      event(net, s);
      must(netifSetThreaded(net, s.dev, 0) === 0, 'off is refused');
      must((Atomics.load(m, s.napi + NAPI.state) & NAPIF_STATE_THREADED) === 0, 'off, and still THREADED');
      must(m[s.napi + NAPI.threadNode] === 0, 'off, and the thread is still published');
      must(netifSetThreaded(net, s.dev, 0) === 0, 'off once more is refused');
      Atomics.store(m, s.done, 1);
      event(net, s);
    },
    kthreadd(arena, s) {
      const net = netFor(arena, s, takeRequest(arena.m));
      kthread(net.cur, (_cur, node) => napiThreadedPoll(net, node));
      Atomics.load(arena.m, s.done);
    },
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 2, `${m[s.polled]} events of 2 were polled`);
  },
  forbids: 'an event lost when a device changes its mode, or a thread left behind',
  why: 'threads are there before THREADED, and are stopped after it is gone',
});

export const bothModes: Litmus = litmus({
  name: 'napi-both-modes',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, true, 4);
    const { m } = arena;
    const net = netContext(currentOf(m, s.control), arena);
    const second = netifNapiAdd(net, s.dev, 0, 0, 4, 1, 0);
    label(m, second, NAPI, 'napi2');
    napiEnable(net, net.napi(second));
    return { ...s, second, percpu: addWord(m, label, 'percpu') };
  },
  threads: {
    irqA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      napiSchedule(net, net.napi(s.napi));
      napiSchedule(net, net.napi(s.second));
    },
    napi(arena, s) {
      const net = netContext(currentOf(arena.m, s.thread), arena);
      net.napiPollFns.push((c, n) => {
        arena.m[s.percpu]++;
        napiCompleteDone(c, n, 0);
        return 0;
      });
      napiThreadedPoll(net, nodeOf(arena, s));
    },
    cpu(arena, s) {
      const net = netFor(arena, s, s.cpu);
      net.napiPollFns[0] = (c, n) => {
        arena.m[s.percpu]++;
        napiCompleteDone(c, n, 0);
        return 0;
      };
      cpuIdleLoop(net.cur);
    },
  },
  daemons: ['napi', 'cpu'],
  final({ m }, s) {
    must(m[s.percpu] === 2, `${m[s.percpu]} polls of 2`);
  },
  forbids: 'a threaded poll and a softirq poll of one CPU at the same time',
  why: 'each runs under the BH lock of the CPU',
});

export const busyThread: Litmus = litmus({
  name: 'napi-threaded-busy',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, true, 1);
    listTasks(arena.m, [s.control, s.thread]);
    return { ...s, over: addWord(arena.m, label, 'over') };
  },
  threads: {
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      napiSchedule(net, net.napi(s.napi));
      synchronizeRcu(net.cur);
      Atomics.store(arena.m, s.over, 1);
    },
    napi(arena, s) {
      const net = netContext(currentOf(arena.m, s.thread), arena);
      // Traffic without end: every poll uses its whole weight.
      net.napiPollFns.push((_net, _n, budget) => budget);
      rcuReadLock(net.cur);
      napiThreadedPoll(net, nodeOf(arena, s));
    },
  },
  daemons: ['napi'],
  goal: ({ m }, s) => m[s.over] === 1,
  forbids: 'a grace period that never ends because a thread polls without end',
  why: 'a poll loop reports quiescent states every few polls',
});
