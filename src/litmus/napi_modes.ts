// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of switching whole devices, and of both modes beside each other on one CPU: napi_control.ts, napi_poll.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { EBUSY, EINVAL, ENOMEM } from '../kernel/errno.js';
import { kthread, kthreaddFail, kthreaddTakeRequests } from '../kernel/kthread.js';
import { rcuReadLock, synchronizeRcu } from '../kernel/rcu.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import { TASK } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { NAPI, NAPIF_STATE_SCHED, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import {
  napiDisable,
  napiEnable,
  napiSetThreaded,
  netifNapiAdd,
  netifNapiDel,
  netifSetThreaded,
} from '../net/core/napi_control.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiCompleteDone, napiSchedule } from '../net/core/napi_schedule.js';
import { netContext } from '../net/core/net_context.js';
import { allocNetdev, NAPI_CONFIG, NET_DEVICE } from '../net/core/net_device.js';
import { event, listTasks, type NetSetup, netFor, netMemory, netSetup, pollThread } from './net_world.js';
import { addWord, currentOf } from './world.js';

const DOORBELL = KERNEL_AT + KERNEL.createDoorbell;

function idleCpu(arena: Arena, s: NetSetup): void {
  cpuIdleLoop(netFor(arena, s, s.cpu).cur);
}

/** Waits for the next request to create a thread. */
function takeRequest(m: Int32Array): number {
  for (;;) {
    const seen = Atomics.load(m, DOORBELL);
    const t = kthreaddTakeRequests(m);
    if (t !== 0) return t;
    Atomics.wait(m, DOORBELL, seen);
  }
}

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
      must(m[s.napi + NAPI.thread] === 0, 'off makes a thread');
      must(napiSetThreaded(net, n, 1) === -ENOMEM, 'a refusal is ENOMEM');
      must((Atomics.load(m, n.state) & NAPIF_STATE_THREADED) === 0, 'THREADED without a thread');
      must(napiSetThreaded(net, n, 1) === 0, 'a thread is to be had, and it is refused');
      must((Atomics.load(m, n.state) & NAPIF_STATE_THREADED) !== 0, 'a thread, and not THREADED');
      event(net, s);
    },
    kthreadd(arena, s) {
      kthreaddFail(arena.m, takeRequest(arena.m), ENOMEM);
      const net = netFor(arena, s, takeRequest(arena.m));
      kthread(net.cur, () => napiThreadedPoll(net, net.napi(s.napi)));
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
      const thread = m[s.napi + NAPI.thread];
      must(thread !== 0, 'THREADED without a thread');
      must(netifSetThreaded(net, s.dev, 1) === 0, 'once more is refused');
      must(m[s.napi + NAPI.thread] === thread, 'once more makes another thread');
      event(net, s);
      must(netifSetThreaded(net, s.dev, 0) === 0, 'off is refused');
      must((Atomics.load(m, s.napi + NAPI.state) & NAPIF_STATE_THREADED) === 0, 'off, and still THREADED');
      must(m[s.napi + NAPI.thread] === 0, 'off, and the thread is still published');
      must(netifSetThreaded(net, s.dev, 0) === 0, 'off once more is refused');
      Atomics.store(m, s.done, 1);
      event(net, s);
    },
    kthreadd(arena, s) {
      const net = netFor(arena, s, takeRequest(arena.m));
      kthread(net.cur, () => napiThreadedPoll(net, net.napi(s.napi)));
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
    m[m[s.dev + NET_DEVICE.napiConfigs] + NAPI_CONFIG.SIZE + NAPI_CONFIG.saved] = 1;
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
      napiThreadedPoll(net, net.napi(s.napi));
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

export const addDelete: Litmus = litmus({
  name: 'napi-add-delete',
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
      must(netifNapiDel(net, n) === -EBUSY, 'an enabled instance is deleted');
      must(netifNapiAdd(net, s.dev, 0, 0, 65, 1) === -EINVAL, 'a weight of 65 is not refused');
      m[s.dev + NET_DEVICE.threaded] = 1;
      // Its thread is refused: the device stops being threaded.
      const second = netifNapiAdd(net, s.dev, 0, 0, 4, 1, 0);
      must(second > 0, 'an instance cannot be added without a thread');
      must(m[s.dev + NET_DEVICE.threaded] === 0, 'the device counts as threaded');
      const two = net.napi(second);
      must(!napiSchedule(net, two), 'a new instance is scheduled before it is enabled');
      m[second + NAPI.deferHardIrqs] = 3;
      m[second + NAPI.groFlushTimeoutNs] = 4000;
      must(napiEnable(net, two) === 0, 'enable was refused');
      const id = m[second + NAPI.napiId];
      must(id !== 0 && id !== m[s.napi + NAPI.napiId], 'two instances have one id');
      must(napiDisable(net, two) === 0, 'disable was refused');
      // It goes while it stands before another in the device's list.
      must(netifNapiDel(net, n) === -EBUSY, 'an enabled instance is deleted');
      must(netifNapiDel(net, two) === 0, 'delete was refused');
      must(m[s.dev + NET_DEVICE.napiFirst] === s.napi, 'the other instance is not in the list any more');
      const again = netifNapiAdd(net, s.dev, 0, 0, 4, 1, 0);
      must(napiEnable(net, net.napi(again)) === 0, 'enable was refused');
      must(m[again + NAPI.napiId] === id, 'the instance of a queue got another id');
      must(m[again + NAPI.deferHardIrqs] === 3, 'what its config kept is gone');
      must(m[again + NAPI.groFlushTimeoutNs] === 4000, 'what its config kept is gone');
      m[again + NAPI.groFlushTimeoutNs] = 0; // the clock stands still: a watchdog would never come
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(netifNapiDel(net, n) === 0, 'delete was refused');
      must(m[s.dev + NET_DEVICE.napiFirst] === again, 'the wrong instance was taken from the list');
      Atomics.add(m, s.ring, 1);
      must(napiSchedule(net, net.napi(again)), 'an enabled instance cannot be scheduled');
    },
    kthreadd: ({ m }) => {
      kthreaddFail(m, takeRequest(m), ENOMEM);
    },
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 1, `${m[s.polled]} events of 1 were polled`);
  },
  forbids: 'an instance that is lost from its device, or comes back with other values',
  why: 'the list belongs to the holder of the device mutex; values are kept by queue index',
});

export const enableThreaded: Litmus = litmus({
  name: 'napi-enable-makes-thread',
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
      const config = m[s.napi + NAPI.config];
      must(napiDisable(net, n) === 0, 'disable was refused');
      m[config + NAPI_CONFIG.threaded] = 1; // what another queue count would have left
      must(napiEnable(net, n) === 0, 'enable was refused');
      const thread = m[s.napi + NAPI.thread];
      const threaded = (Atomics.load(m, s.napi + NAPI.state) & NAPIF_STATE_THREADED) !== 0;
      must(threaded === (thread !== 0), 'THREADED and thread do not go together');
      must(threaded === (m[config + NAPI_CONFIG.threaded] === 1), 'the config says otherwise');
      event(net, s);
      must(napiDisable(net, n) === 0, 'disable was refused');
      m[config + NAPI_CONFIG.threaded] = 0;
      must(napiEnable(net, n) === 0, 'enable was refused');
      must(m[s.napi + NAPI.thread] === 0, 'the thread is still there');
      must((Atomics.load(m, s.napi + NAPI.state) & NAPIF_STATE_THREADED) === 0, 'off, and still THREADED');
      napiSchedule(net, n);
    },
    kthreadd(arena, s) {
      const { m } = arena;
      const t = takeRequest(m);
      if (Atomics.load(m, s.irqB + TASK.result) !== 0) {
        kthreaddFail(m, t, ENOMEM);
        return;
      }
      const net = netFor(arena, s, t);
      kthread(net.cur, () => napiThreadedPoll(net, net.napi(s.napi)));
    },
    // Whether there is memory for a thread.
    memory: ({ m }, s) => Atomics.store(m, s.irqB + TASK.result, 1),
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.polled] === 1, `${m[s.polled]} events of 1 were polled`);
    must((m[s.napi + NAPI.state] & NAPIF_STATE_SCHED) === 0, 'owned at rest');
  },
  forbids: 'an instance enabled as threaded without a thread, or one whose thread is left behind',
  why: 'enable makes or stops the thread as the config says, before it clears SCHED',
});

export const disabledPoll: Litmus = litmus({
  name: 'napi-complete-disabled',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, true, 4),
  threads: {
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      must(napiDisable(net, n) === 0, 'disable was refused');
      // As a driver's error path would: nobody but enable may give up what disable holds.
      must(!napiCompleteDone(net, n, 0), 'a disabled instance is completed: unmask');
      must((Atomics.load(arena.m, n.state) & NAPIF_STATE_SCHED) !== 0, 'complete gave up what disable holds');
      must(napiEnable(net, n) === 0, 'enable was refused');
    },
    napi: pollThread,
  },
  daemons: ['napi'],
  forbids: 'a completion that takes a disabled instance from who disabled it',
  why: 'complete does nothing while NPSVC is set',
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
      napiThreadedPoll(net, net.napi(s.napi));
    },
  },
  daemons: ['napi'],
  goal: ({ m }, s) => m[s.over] === 1,
  forbids: 'a grace period that never ends because a thread polls without end',
  why: 'a poll loop reports quiescent states every few polls',
});

export const napiIds: Litmus = litmus({
  name: 'napi-ids',
  memory: netMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = netSetup(arena, label, false, 4);
    const net = netContext(currentOf(m, s.control), arena);
    const first = netifNapiAdd(net, s.dev, 0, 0, 4, 1, 0);
    const second = netifNapiAdd(net, allocNetdev(m, 'eth1', 0, 1), 0, 0, 4, 0, 0);
    return { ...s, first, second };
  },
  threads: {
    controlA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      must(napiEnable(net, net.napi(s.first)) === 0, 'enable was refused');
    },
    controlB(arena, s) {
      const net = netFor(arena, s, s.irqB);
      must(napiEnable(net, net.napi(s.second)) === 0, 'enable was refused');
    },
  },
  final({ m }, s) {
    must(m[s.first + NAPI.napiId] !== m[s.second + NAPI.napiId], 'instances of two devices have one id');
  },
  forbids: 'two instances with one id',
  why: 'ids come from fetch-and-add: each device has a mutex of its own',
});
