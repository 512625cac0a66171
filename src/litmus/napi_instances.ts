// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of instances: added, deleted, enabled with a thread and without a config, completed while disabled, their ids. */
import { type Litmus, litmus, must } from '../check/index.js';
import { EBUSY, EINVAL, ENOMEM } from '../kernel/errno.js';
import { kthread, kthreaddFail } from '../kernel/kthread.js';
import { TASK } from '../kernel/task.js';
import { NAPI, NAPIF_STATE_SCHED, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import { napiDisable, napiEnable, netifNapiAdd, netifNapiDel } from '../net/core/napi_control.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiCompleteDone, napiSchedule } from '../net/core/napi_schedule.js';
import { netContext } from '../net/core/net_context.js';
import { allocNetdev, NAPI_CONFIG, NET_DEVICE, napiConfigAt } from '../net/core/net_device.js';
import { event, idleCpu, listTasks, netFor, netMemory, netSetup, pollThread } from './net_world.js';
import { currentOf, takeRequest } from './world.js';

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
      must(netifNapiAdd(net, s.dev, 0, 0, 4, 2) === -EINVAL, 'a third queue of two is not refused');
      m[s.dev + NET_DEVICE.threaded] = 1;
      m[napiConfigAt(m, s.dev, 1) + NAPI_CONFIG.threaded] = 1;
      // Its thread is refused: the device stops being threaded.
      const second = netifNapiAdd(net, s.dev, 0, 0, 4, 1, 0);
      must(second > 0, 'an instance cannot be added without a thread');
      must(m[s.dev + NET_DEVICE.threaded] === 0, 'the device counts as threaded');
      const two = net.napi(second);
      must(!napiSchedule(net, two), 'a new instance is scheduled before it is enabled');
      must(napiEnable(net, two) === 0, 'enable was refused');
      must((Atomics.load(m, two.state) & NAPIF_STATE_THREADED) === 0, 'THREADED without a thread');
      m[second + NAPI.deferHardIrqs] = 3;
      m[second + NAPI.groFlushTimeoutNs] = 4000;
      Atomics.store(m, second + NAPI.irqSuspendTimeoutNs, 5000);
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
      must(Atomics.load(m, again + NAPI.irqSuspendTimeoutNs) === 5000, 'what its config kept is gone');
      m[again + NAPI.groFlushTimeoutNs] = 0; // the clock stands still: a watchdog would never come
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(netifNapiDel(net, n) === 0, 'delete was refused');
      must(m[s.dev + NET_DEVICE.napiFirst] === again, 'the wrong instance was taken from the list');
      Atomics.add(m, s.ring, 1);
      must(napiSchedule(net, net.napi(again)), 'an enabled instance cannot be scheduled');
    },
    kthreadd: ({ m }) => {
      kthreaddFail(m, takeRequest(m), ENOMEM); // when it is added,
      kthreaddFail(m, takeRequest(m), ENOMEM); // and when it is enabled
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
      const thread = m[s.napi + NAPI.threadNode];
      const threaded = (Atomics.load(m, s.napi + NAPI.state) & NAPIF_STATE_THREADED) !== 0;
      must(threaded === (thread !== 0), 'THREADED and thread do not go together');
      must(threaded === (m[config + NAPI_CONFIG.threaded] === 1), 'the config says otherwise');
      event(net, s);
      must(napiDisable(net, n) === 0, 'disable was refused');
      m[config + NAPI_CONFIG.threaded] = 0;
      must(napiEnable(net, n) === 0, 'enable was refused');
      must(m[s.napi + NAPI.threadNode] === 0, 'the thread is still there');
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
      kthread(net.cur, (_cur, node) => napiThreadedPoll(net, node));
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

export const enableFresh: Litmus = litmus({
  name: 'napi-enable-without-config',
  memory: netMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = netSetup(arena, label, false, 4);
    listTasks(m, [s.control]);
    const net = netContext(currentOf(m, s.control), arena);
    const dev = allocNetdev(m, 'eth1', 0, 1);
    m[dev + NET_DEVICE.napiConfigs] = 0; // it keeps nothing for its queues
    return { ...s, dev, second: netifNapiAdd(net, dev, 0, 0, 4, 0, 0) };
  },
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.second);
      const threaded = (): boolean => (Atomics.load(m, n.state) & NAPIF_STATE_THREADED) !== 0;
      const wordOfNull = m[NAPI_CONFIG.deferHardIrqs];
      must(napiEnable(net, n) === 0, 'enable was refused');
      must(m[s.second + NAPI.threadNode] === 0, 'a thread for a device in softirq mode');
      const id = m[s.second + NAPI.napiId];
      must(id !== 0 && id !== m[s.napi + NAPI.napiId], 'it has no id of its own');
      m[s.second + NAPI.deferHardIrqs] = 3;
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(m[NAPI_CONFIG.deferHardIrqs] === wordOfNull, 'values were kept in a config that is not there');
      m[s.second + NAPI.deferHardIrqs] = 0;
      m[s.dev + NET_DEVICE.threaded] = 1;
      must(napiEnable(net, n) === 0, 'enable was refused');
      must(!threaded() && m[s.dev + NET_DEVICE.threaded] === 0, 'threaded, but its thread was refused');
      must(napiDisable(net, n) === 0, 'disable was refused');
      m[s.dev + NET_DEVICE.threaded] = 1;
      must(napiEnable(net, n) === 0, 'enable was refused');
      const node = m[s.second + NAPI.threadNode];
      must(node !== 0 && threaded(), 'it has a thread, and is not threaded');
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(napiEnable(net, n) === 0, 'enable was refused');
      must(m[s.second + NAPI.threadNode] === node && threaded(), 'it lost its thread');
      must(m[s.dev + NET_DEVICE.threaded] === 1, 'the device does not count as threaded any more');
      Atomics.add(m, s.ring, 1);
      napiSchedule(net, n);
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
  forbids: 'an instance without a config that is not in the mode of its device, or loses its thread',
  why: 'enable looks at the device, and sets THREADED together with what it clears (N10)',
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
  why: 'ids are given under napiHashLock: each device has a mutex of its own',
});
