// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of threads that outlive their instance: parked at delete, given to the next one of the same index. */
import { type Litmus, litmus, must } from '../check/index.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { cpuIdleLoop, doSoftirq } from '../kernel/softirq.js';
import { TASK, TASK_PARKED, wakeUpProcess } from '../kernel/task.js';
import { netdevNapiExit } from '../net/core/dev.js';
import { NAPI } from '../net/core/napi.js';
import { napiDisable, napiEnable, netifNapiAdd, netifNapiDel } from '../net/core/napi_control.js';
import { napiStopKthread, netifSetThreaded } from '../net/core/napi_threaded.js';
import type { NetContext } from '../net/core/net_context.js';
import { NAPI_KTHREAD_PERSIST_OFF } from '../net/core/softnet_data.js';
import { napiThread, netFor, netMemory } from './net_world.js';
import {
  allPolled,
  configSlot,
  interrupt,
  isThreaded,
  noMore,
  type PersistSetup,
  persistFor,
  persistSetup,
  putUp,
  scheduleAt,
  serves,
  started,
  takeDown,
} from './persist_world.js';

export const persistReadd: Litmus = litmus({
  name: 'napi-persist-readd',
  memory: netMemory,
  setup: (arena, label) => persistSetup(arena, label, true),
  threads: {
    irqA: interrupt,
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      const node = m[s.napi + NAPI.threadNode];
      takeDown(net, s, s.napi);
      must(configSlot(m, s) === node, 'the thread is not kept');
      must(Atomics.load(m, s.thread + TASK.state) === TASK_PARKED, 'the thread is not parked');
      const again = netifNapiAdd(net, s.dev, 0, 0, 4, 0, 0);
      putUp(net, s, again);
      must(m[again + NAPI.threadNode] === node && configSlot(m, s) === 0, 'the thread is not taken back');
      must(isThreaded(m, again), 'a thread, and not THREADED');
    },
    napi: serves,
    kthreadd: noMore,
  },
  daemons: ['napi', 'kthreadd'],
  final: allPolled,
  forbids: 'a thread that polls an instance which is gone, or does not see the one it gets',
  why: 'park, then napi = 0; napi = the new instance, then unpark (P1 to P3)',
});

export const persistSafeSwitch: Litmus = litmus({
  name: 'napi-persist-safe-switch',
  memory: netMemory,
  setup: (arena, label) => persistSetup(arena, label, true),
  threads: {
    irqA: interrupt,
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      const node = m[s.napi + NAPI.threadNode];
      const again = netifNapiAdd(net, s.dev, 0, 0, 4, 0, 0);
      must(m[again + NAPI.threadNode] === 0, 'two instances have a thread');
      takeDown(net, s, s.napi);
      putUp(net, s, again);
      must(m[again + NAPI.threadNode] === node && configSlot(m, s) === 0, 'the thread is not taken over');
    },
    napi: serves,
    kthreadd: noMore,
  },
  daemons: ['napi', 'kthreadd'],
  final: allPolled,
  forbids: 'a second thread for a queue whose new instance is added before the old one is deleted',
  why: 'threads are looked for at enable, when the old one is parked',
});

export const persistHandOver: Litmus = litmus({
  name: 'napi-persist-hand-over',
  memory: netMemory,
  setup: (arena, label) => persistSetup(arena, label, true),
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = persistFor(arena, s, s.irqA);
      rcuReadLock(net.cur);
      const at = Atomics.load(m, s.published);
      Atomics.add(m, at === s.napi ? s.ring : s.newRing, 1);
      scheduleAt(net, at);
      // On the way out of the interrupt: with a CPU that idles beside it the test is eight times as large.
      doSoftirq(net.cur);
      rcuReadUnlock(net.cur);
    },
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      const node = m[s.napi + NAPI.threadNode];
      const again = netifNapiAdd(net, s.dev, 1, 0, 4, 0, 0);
      must(napiEnable(net, net.napi(again)) === 0, 'enable was refused');
      must(m[again + NAPI.threadNode] === 0 && !isThreaded(m, again), 'two instances have a thread');
      Atomics.store(m, s.published, again);
      must(napiDisable(net, net.napi(s.napi)) === 0, 'disable was refused');
      must(netifNapiDel(net, net.napi(s.napi)) === 0, 'delete was refused');
      must(m[again + NAPI.threadNode] === node && configSlot(m, s) === 0, 'the thread is not handed over');
      must(isThreaded(m, again), 'a thread, and not THREADED');
    },
    napi: serves,
  },
  daemons: ['napi'],
  final({ m }, s) {
    // What the old ring held when its instance was disabled stays there.
    must(m[s.ring] + m[s.polled] + m[s.newPolled] === 1, 'the event is gone');
    must(m[s.newRing] === 0, 'an event of the new instance was not polled');
  },
  forbids: 'an instance that never gets the thread it waits for, or is polled by thread and softirq at once',
  why: 'delete hands the parked thread to the enabled instance of the same index, node first, then THREADED (N5)',
});

function ends(
  name: string,
  wake: boolean,
  stop: (net: NetContext, s: PersistSetup) => void,
  why: string,
): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup: (arena, label) => persistSetup(arena, label, false),
    threads: {
      control(arena, s) {
        const net = netFor(arena, s, s.control);
        sleepOnCompletion(net.cur, s.thread + TASK.created);
        if (wake) {
          wakeUpProcess(arena.m, s.thread);
          Atomics.add(arena.m, s.ring, 1);
          scheduleAt(net, s.napi);
        }
        takeDown(net, s, s.napi);
        must(Atomics.load(arena.m, s.thread + TASK.state) === TASK_PARKED, 'the thread is not parked');
        stop(net, s);
        must(configSlot(arena.m, s) === 0, 'the thread is still published');
      },
      napi: napiThread,
    },
    final({ m }, s) {
      must(m[s.ring] + m[s.polled] === (wake ? 1 : 0), 'the event is gone');
    },
    forbids: 'a parked thread that lives on, or that dies over having no instance',
    why,
  });
}

export const persistStopParked: Litmus = ends(
  'napi-persist-stop-parked',
  true,
  (net, s) => must(netifSetThreaded(net, s.dev, 0) === 0, 'the device cannot be switched'),
  'a device that is switched off looks at what its configs keep',
);

export const persistStopEarly: Litmus = ends(
  'napi-persist-stop-early',
  false,
  (net, s) => must(netifSetThreaded(net, s.dev, 0) === 0, 'the device cannot be switched'),
  'a thread that is woken to be stopped does not ask whom it serves',
);

export const persistExit: Litmus = ends(
  'napi-persist-exit',
  true,
  (net, s) => netdevNapiExit(net, s.dev),
  'a device that goes away stops what its configs keep',
);

function scheduleAgainst(name: string, gone: (net: NetContext, s: PersistSetup) => void): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup: (arena, label) => persistSetup(arena, label, false, NAPI_KTHREAD_PERSIST_OFF),
    threads: {
      irqA: interrupt,
      control(arena, s) {
        gone(started(arena, s), s);
      },
      napi: napiThread,
      cpu: (arena, s) => cpuIdleLoop(netFor(arena, s, s.cpu).cur),
    },
    daemons: ['cpu'],
    final({ m }, s) {
      must(m[s.ring] + m[s.polled] === 1, 'the event is gone');
    },
    forbids: 'a scheduler that reads the node or wakes the thread of an instance when these are freed',
    why: 'between unpublishing and freeing there is a grace period, and schedulers are read sections',
  });
}

export const scheduleDelete: Litmus = scheduleAgainst('napi-schedule-delete', (net, s) =>
  takeDown(net, s, s.napi),
);

export const scheduleStop: Litmus = scheduleAgainst('napi-schedule-stop', (net, s) =>
  napiStopKthread(net, net.napi(s.napi)),
);
