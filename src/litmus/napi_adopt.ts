// SPDX-License-Identifier: GPL-2.0-only
/**
 * Litmus tests of who gets which thread: napi_thread.ts, for each value of `napi_kthread_persist`. Here threads return at
 * once: which of them an instance has is told by the node. What threads do meanwhile is in napi_persist.ts.
 */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { complete } from '../kernel/completion.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { TASK, TASK_DEAD } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { kfree, kmalloc } from '../mm/slab.js';
import { netdevNapiExit } from '../net/core/dev.js';
import { NAPI, NAPIF_STATE_SCHED, NAPIF_STATE_SCHED_THREADED } from '../net/core/napi.js';
import {
  napiDisable,
  napiEnable,
  netifNapiAdd,
  netifNapiDel,
  netifNapiUnlist,
} from '../net/core/napi_control.js';
import { napiSchedule } from '../net/core/napi_schedule.js';
import { NAPI_THREAD_NODE } from '../net/core/napi_thread.js';
import { napiSetThreaded, netifSetThreaded } from '../net/core/napi_threaded.js';
import { type NetContext, netContext } from '../net/core/net_context.js';
import { allocNetdev, NAPI_CONFIG, napiConfigAt } from '../net/core/net_device.js';
import {
  NAPI_KTHREAD_PERSIST_FIXED,
  NAPI_KTHREAD_PERSIST_OFF,
  NAPI_KTHREAD_PERSIST_V1,
} from '../net/core/softnet_data.js';
import { listTasks, type NetTasks, netBoot, netMemory, netSetup } from './net_world.js';
import { isThreaded } from './persist_world.js';
import { currentOf, takeRequest } from './world.js';

interface AdoptSetup extends NetTasks {
  /** A device of two queues, and one that keeps nothing for its queues. */
  readonly dev: number;
  readonly bare: number;
}

/** kthreadd: every thread returns as soon as it is made. */
function returnAtOnce({ m }: Arena): void {
  for (;;) {
    const t = takeRequest(m);
    Atomics.store(m, t + TASK.state, TASK_DEAD);
    complete(m, t + TASK.created);
    complete(m, t + TASK.exited);
  }
}

function nodeAt(m: Int32Array, at: number): number {
  return Atomics.load(m, at + NAPI.threadNode);
}

/** The node parked for queue index 0. */
function parkedAt(m: Int32Array, dev: number): number {
  return m[napiConfigAt(m, dev, 0) + NAPI_CONFIG.threadNode];
}

function add(net: NetContext, dev: number, index: number): number {
  return netifNapiAdd(net, dev, 0, 0, 4, index, 0);
}

function addUp(net: NetContext, dev: number, index: number): number {
  const at = add(net, dev, index);
  must(napiEnable(net, net.napi(at)) === 0, 'enable was refused');
  return at;
}

function del(net: NetContext, at: number): void {
  must(napiDisable(net, net.napi(at)) === 0, 'disable was refused');
  must(netifNapiDel(net, net.napi(at)) === 0, 'delete was refused');
}

function turn(net: NetContext, dev: number, threaded: number): void {
  must(netifSetThreaded(net, dev, threaded) === 0, 'the device cannot be switched');
}

/** A test of one control worker. */
function controls(
  name: string,
  persist: number,
  control: (net: NetContext, s: AdoptSetup) => void,
  forbids: string,
  why: string,
): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena: Arena, label: Label): AdoptSetup {
      const { m } = arena;
      const s = netBoot(arena, label, persist);
      listTasks(m, [s.control]);
      return { ...s, dev: allocNetdev(m, 'eth0', 0, 2), bare: allocNetdev(m, 'eth1', 0, 2, false) };
    },
    threads: {
      control: (arena, s) => control(netContext(currentOf(arena.m, s.control), arena), s),
      kthreadd: returnAtOnce,
    },
    daemons: ['kthreadd'],
    forbids,
    why,
  });
}

export const attachFixed: Litmus = controls(
  'napi-attach-fixed',
  NAPI_KTHREAD_PERSIST_FIXED,
  (net, { dev }) => {
    const { m } = net;
    turn(net, dev, 1);
    const first = addUp(net, dev, 0);
    const node = nodeAt(m, first);
    must(node !== 0 && isThreaded(m, first), 'the first instance has no thread');
    const other = addUp(net, dev, 1);
    must(nodeAt(m, other) !== 0 && isThreaded(m, other), 'another queue waits for the thread of this one');
    const second = addUp(net, dev, 0);
    must(nodeAt(m, second) === 0, 'a queue has two threads');
    must(!isThreaded(m, second), 'THREADED without a thread');
    // Off for the second: nobody waits for the thread of the first any more.
    must(napiSetThreaded(net, net.napi(second), 0) === 0, 'off is refused');
    must(m[m[second + NAPI.config] + NAPI_CONFIG.threaded] === 0, 'the config says threaded');
    del(net, first);
    must(nodeAt(m, second) === 0 && parkedAt(m, dev) === 0, 'a thread is kept that nobody wants');
    must(napiSetThreaded(net, net.napi(second), 1) === 0, 'on is refused');
    must(m[m[second + NAPI.config] + NAPI_CONFIG.threaded] === 1, 'the config does not say threaded');
    // Two of one index, and neither has a thread.
    turn(net, dev, 0);
    const third = addUp(net, dev, 0);
    turn(net, dev, 1);
    must((nodeAt(m, second) === 0) !== (nodeAt(m, third) === 0), 'of two instances not one has a thread');
  },
  'a queue with two threads, or with none',
  'an instance waits for a thread only if another one of its index has one',
);

export const attachOff: Litmus = controls(
  'napi-attach-off',
  NAPI_KTHREAD_PERSIST_OFF,
  (net, { dev }) => {
    const { m } = net;
    const first = addUp(net, dev, 0);
    const second = addUp(net, dev, 0);
    turn(net, dev, 1);
    must(nodeAt(m, first) !== 0 && nodeAt(m, second) !== 0, 'an instance waits for the thread of another');
    del(net, first);
    must(parkedAt(m, dev) === 0, 'a thread is kept');
    must(nodeAt(m, second) !== 0, 'the other thread went with it');
  },
  'an instance without a thread, or a thread that outlives its instance, where none is to',
  'off: each instance has its own thread, which goes with it',
);

export const adoptV1: Litmus = controls(
  'napi-adopt-v1',
  NAPI_KTHREAD_PERSIST_V1,
  (net, { dev }) => {
    const { m } = net;
    turn(net, dev, 1);
    const first = add(net, dev, 0);
    const node = nodeAt(m, first);
    must(node !== 0, 'no thread when it is added');
    must(napiEnable(net, net.napi(first)) === 0, 'enable was refused');
    del(net, first);
    must(parkedAt(m, dev) === node, 'the thread is not kept');
    must(Atomics.load(m, node + NAPI_THREAD_NODE.napi) === 0, 'a parked thread has an instance');
    const second = add(net, dev, 0);
    must(nodeAt(m, second) === node && parkedAt(m, dev) === 0, 'the thread is not taken back');
    must(Atomics.load(m, node + NAPI_THREAD_NODE.napi) === second, 'the thread serves another');
    must(napiEnable(net, net.napi(second)) === 0, 'enable was refused');
    // As posted: whoever is added gets a thread, whether the queue has one or not.
    const third = addUp(net, dev, 0);
    const own = nodeAt(m, third);
    must(own !== 0 && own !== node, 'no thread when it is added');
    del(net, second);
    must(nodeAt(m, third) === own && parkedAt(m, dev) === node, 'the thread is not parked');
    // As posted: only add looks for parked threads.
    must(napiSetThreaded(net, net.napi(third), 0) === 0, 'off is refused');
    must(napiSetThreaded(net, net.napi(third), 1) === 0, 'on is refused');
    must(nodeAt(m, third) !== 0 && parkedAt(m, dev) === node, 'the parked thread is taken by who is there');
    turn(net, dev, 0);
    must(nodeAt(m, third) === 0 && parkedAt(m, dev) === 0, 'off, and there are threads');
  },
  'a v1 that is better, or worse, than the seed it shows',
  'parked at delete, taken by the next add, and by nobody else',
);

function bare(name: string, persist: number): Litmus {
  return controls(
    name,
    persist,
    (net, s) => {
      const { m } = net;
      // A block that the allocator has to give: a list that is not empty.
      const block = kmalloc(m, 200);
      kfree(m, block, 200);
      const first = addUp(net, s.bare, 0);
      const second = addUp(net, s.bare, 1);
      turn(net, s.bare, 1);
      must(nodeAt(m, first) !== 0 && nodeAt(m, second) !== 0, 'an instance waits for the thread of another');
      del(net, first);
      for (let i = 0; i < NAPI_CONFIG.SIZE; i++) must(m[i] === 0, 'a config that is not there was written');
      netdevNapiExit(net, s.bare);
      must(kmalloc(m, 200) === block, 'memory was lost');
    },
    'values or threads kept in a config that is not there',
    'an instance without a config has its own thread, which goes with it',
  );
}

export const bareFixed: Litmus = bare('napi-attach-bare', NAPI_KTHREAD_PERSIST_FIXED);
export const bareV1: Litmus = bare('napi-attach-bare-v1', NAPI_KTHREAD_PERSIST_V1);

export const handOverChoice: Litmus = controls(
  'napi-hand-over-choice',
  NAPI_KTHREAD_PERSIST_FIXED,
  (net, { dev }) => {
    const { m } = net;
    turn(net, dev, 1);
    const old = addUp(net, dev, 0);
    const node = nodeAt(m, old);
    // In the list before the one that is to get the thread: another index, and one that is disabled.
    const other = addUp(net, dev, 1);
    const own = nodeAt(m, other);
    const next = addUp(net, dev, 0);
    const disabled = add(net, dev, 0);
    del(net, old);
    must(nodeAt(m, next) === node && parkedAt(m, dev) === 0, 'the thread is not handed over');
    must(isThreaded(m, next), 'a thread, and not THREADED');
    must(Atomics.load(m, node + NAPI_THREAD_NODE.napi) === next, 'the thread serves another');
    must(nodeAt(m, other) === own, 'another queue got the thread');
    must(nodeAt(m, disabled) === 0, 'a disabled instance got the thread');
    del(net, next);
    must(parkedAt(m, dev) === node && nodeAt(m, disabled) === 0, 'the thread is not parked');
    must(Atomics.load(m, node + NAPI_THREAD_NODE.napi) === 0, 'a parked thread has an instance');
    must(netifNapiDel(net, net.napi(disabled)) === 0, 'delete was refused');
    turn(net, dev, 1);
    must(parkedAt(m, dev) === node, 'on once more stops what is parked');
    const last = addUp(net, dev, 0);
    must(nodeAt(m, last) === node && parkedAt(m, dev) === 0, 'the thread is not taken');
  },
  'a thread that is handed to an instance which does not want it, or to none',
  'it goes to the enabled instance of its index; if there is none it waits for one to be enabled',
);

export const handOverScheduled: Litmus = litmus({
  name: 'napi-hand-over-scheduled',
  memory: netMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = netSetup(arena, label, true, 4, true, NAPI_KTHREAD_PERSIST_FIXED);
    m[s.thread + TASK.state] = TASK_DEAD;
    const net = netContext(currentOf(m, s.control), arena);
    const next = addUp(net, s.dev, 0);
    label(m, next, NAPI, 'next');
    must(napiDisable(net, net.napi(s.napi)) === 0, 'disable was refused');
    return { ...s, next };
  },
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = netContext(currentOf(m, s.irqA), arena);
      rcuReadLock(net.cur);
      if (isThreaded(m, s.next)) must(nodeAt(m, s.next) !== 0, 'THREADED without a thread');
      napiSchedule(net, net.napi(s.next));
      rcuReadUnlock(net.cur);
    },
    control(arena, s) {
      const net = netContext(currentOf(arena.m, s.control), arena);
      must(netifNapiUnlist(net, net.napi(s.napi)) === 0, 'delete was refused');
    },
  },
  final({ m }, s) {
    const state = m[s.next + NAPI.state];
    must(isThreaded(m, s.next), 'a thread, and not THREADED');
    must((state & NAPIF_STATE_SCHED) !== 0, 'it was scheduled, and nobody owns it');
    const threads = (state & NAPIF_STATE_SCHED_THREADED) !== 0;
    must(threads !== (m[s.next + NAPI.listOwner] !== 0), 'thread and softirq both poll it, or neither does');
  },
  forbids: 'a schedule that is lost while the instance gets its thread',
  why: 'the node is there before THREADED, which is one atomic or (N5)',
});
