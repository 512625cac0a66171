// SPDX-License-Identifier: GPL-2.0-only
/**
 * Litmus tests of who gets which thread: napi_thread.ts, for each value of `napi_kthread_persist`. Here threads return at
 * once: which of them an instance has is told by the node. What threads do meanwhile is in napi_persist.ts.
 */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { COMPLETION_ALL, complete } from '../kernel/completion.js';
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
import { addNode, listTasks, type NetTasks, netBoot, netMemory, netSetup } from './net_world.js';
import { isThreaded } from './persist_world.js';
import { addTask, currentOf, takeRequest } from './world.js';

interface AdoptSetup extends NetTasks {
  /** A device of two queues, threaded; and one of three that keeps nothing for them, not threaded yet. */
  readonly dev: number;
  readonly bare: number;
}

/** kthreadd: every thread returns as soon as it is made. */
function returnAtOnce({ m }: Arena): void {
  for (;;) {
    const t = takeRequest(m);
    Atomics.store(m, t + TASK.state, TASK_DEAD);
    complete(m, t + TASK.exited);
    complete(m, t + TASK.created);
  }
}

/** Gives an instance a thread that has returned. @returns the node */
function giveThread(m: Int32Array, label: Label, at: number): number {
  const task = addTask(m, label, 'thread');
  m[task + TASK.state] = TASK_DEAD;
  m[task + TASK.exited] = COMPLETION_ALL;
  m[at + NAPI.threadNode] = addNode(m, label, task, at);
  return m[at + NAPI.threadNode];
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

function up(net: NetContext, at: number): number {
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

/** What a test sets up, before it checks what the control worker does. */
type Prepare<T> = (net: NetContext, s: AdoptSetup, label: Label) => T;

/** A test of one control worker. */
function controls<T extends object>(
  name: string,
  persist: number,
  prepare: Prepare<T>,
  control: (net: NetContext, s: AdoptSetup & T) => void,
  forbids: string,
  why: string,
): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena: Arena, label: Label): AdoptSetup & T {
      const { m } = arena;
      const tasks = netBoot(arena, label, persist);
      listTasks(m, [tasks.control]);
      const net = netContext(currentOf(m, tasks.control), arena);
      const s = { ...tasks, dev: allocNetdev(m, 'eth0', 0, 2), bare: allocNetdev(m, 'eth1', 0, 3, false) };
      turn(net, s.dev, 1);
      return { ...s, ...prepare(net, s, label) };
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

/** An instance of queue index 0 with a thread, enabled. */
function served(net: NetContext, dev: number, label: Label): { old: number; node: number } {
  const old = add(net, dev, 0);
  const node = giveThread(net.m, label, old);
  return { old: up(net, old), node };
}

export const attachFixed: Litmus = controls(
  'napi-attach-fixed',
  NAPI_KTHREAD_PERSIST_FIXED,
  (net, s, label) => served(net, s.dev, label),
  (net, { dev, old }) => {
    const { m } = net;
    const second = up(net, add(net, dev, 0));
    must(nodeAt(m, second) === 0, 'a queue has two threads');
    must(!isThreaded(m, second), 'THREADED without a thread');
    const other = up(net, add(net, dev, 1));
    must(nodeAt(m, other) !== 0 && isThreaded(m, other), 'another queue waits for the thread of this one');
    // Off for the second: nobody waits for the thread of the first any more.
    must(napiSetThreaded(net, net.napi(second), 0) === 0, 'off is refused');
    must(m[m[second + NAPI.config] + NAPI_CONFIG.threaded] === 0, 'the config says threaded');
    del(net, old);
    must(nodeAt(m, second) === 0 && parkedAt(m, dev) === 0, 'a thread is kept that nobody wants');
  },
  'a queue with two threads, or a thread that is kept for nobody',
  'an instance waits for a thread only if another one of its index has one',
);

function twoOfOneIndex(net: NetContext, { dev }: AdoptSetup): { first: number; second: number } {
  turn(net, dev, 0);
  return { first: up(net, add(net, dev, 0)), second: up(net, add(net, dev, 0)) };
}

export const attachNobody: Litmus = controls(
  'napi-attach-nobody',
  NAPI_KTHREAD_PERSIST_FIXED,
  twoOfOneIndex,
  (net, { dev, first, second }) => {
    turn(net, dev, 1);
    must(
      (nodeAt(net.m, first) === 0) !== (nodeAt(net.m, second) === 0),
      'of two instances not one has a thread',
    );
  },
  'a queue without a thread, or with two',
  'the second of two instances waits for the thread of the first only once that has one',
);

export const attachOff: Litmus = controls(
  'napi-attach-off',
  NAPI_KTHREAD_PERSIST_OFF,
  twoOfOneIndex,
  (net, { dev, first, second }) => {
    const { m } = net;
    turn(net, dev, 1);
    must(nodeAt(m, first) !== 0 && nodeAt(m, second) !== 0, 'an instance waits for the thread of another');
    del(net, first);
    must(parkedAt(m, dev) === 0, 'a thread is kept');
    must(nodeAt(m, second) !== 0, 'the other thread went with it');
  },
  'an instance without a thread, or a thread that outlives its instance, where none is to',
  'off: each instance has its own thread, which goes with it',
);

export const addMode: Litmus = controls(
  'napi-add-mode',
  NAPI_KTHREAD_PERSIST_OFF,
  // A threaded device, one of whose instances was switched off.
  (net, { dev }) => {
    net.m[napiConfigAt(net.m, dev, 0) + NAPI_CONFIG.threaded] = 0;
    return {};
  },
  (net, { dev }) => {
    const at = add(net, dev, 0);
    must(nodeAt(net.m, at) === 0, 'it has a thread, and its config says otherwise');
    must(!isThreaded(net.m, up(net, at)), 'it is threaded, and its config says otherwise');
  },
  'an instance that comes back in the mode of its device instead of its own',
  'what its config keeps goes before what the device has',
);

export const adoptV1: Litmus = controls(
  'napi-adopt-v1',
  NAPI_KTHREAD_PERSIST_V1,
  (net, { dev }, label) => {
    // Threaded only once it has a thread: there is nobody yet who would make one.
    turn(net, dev, 0);
    const old = up(net, add(net, dev, 0));
    const node = giveThread(net.m, label, old);
    turn(net, dev, 1);
    return { old, node };
  },
  (net, { dev, old, node }) => {
    const { m } = net;
    del(net, old);
    must(parkedAt(m, dev) === node, 'the thread is not kept');
    must(Atomics.load(m, node + NAPI_THREAD_NODE.napi) === 0, 'a parked thread has an instance');
    const second = add(net, dev, 0);
    must(nodeAt(m, second) === node && parkedAt(m, dev) === 0, 'the thread is not taken back');
    must(Atomics.load(m, node + NAPI_THREAD_NODE.napi) === second, 'the thread serves another');
    up(net, second);
    // As posted: whoever is added gets a thread, whether the queue has one or not.
    const third = up(net, add(net, dev, 0));
    const own = nodeAt(m, third);
    must(own !== 0 && own !== node, 'no thread when it is added');
    del(net, second);
    must(nodeAt(m, third) === own && parkedAt(m, dev) === node, 'the thread is not parked');
    // As posted: only add looks for parked threads.
    must(napiSetThreaded(net, net.napi(third), 0) === 0, 'off is refused');
    must(napiSetThreaded(net, net.napi(third), 1) === 0, 'on is refused');
    must(nodeAt(m, third) !== 0 && parkedAt(m, dev) === node, 'the parked thread is taken by who is there');
  },
  'a v1 that is better, or worse, than the seed it shows',
  'parked at delete, taken by the next add, and by nobody else',
);

function bare(name: string, persist: number): Litmus {
  return controls(
    name,
    persist,
    (net, s, label) => {
      // A block that the allocator has to give: a list that is not empty.
      const block = kmalloc(net.m, 200);
      kfree(net.m, block, 200);
      return { ...served(net, s.bare, label), second: up(net, add(net, s.bare, 1)), block };
    },
    (net, s) => {
      const { m } = net;
      turn(net, s.bare, 1);
      must(nodeAt(m, s.second) !== 0, 'an instance waits for the thread of another');
      del(net, s.old);
      for (let i = 0; i < NAPI_CONFIG.SIZE; i++) must(m[i] === 0, 'a config that is not there was written');
      netdevNapiExit(net, s.bare);
      must(kmalloc(m, 200) === s.block, 'memory was lost');
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
  (net, s, label) => {
    const first = served(net, s.dev, label);
    // In the list before the one that is to get the thread: another index, and one that is disabled.
    const other = add(net, s.dev, 1);
    const own = giveThread(net.m, label, other);
    up(net, other);
    return { ...first, other, own, next: up(net, add(net, s.dev, 0)), disabled: add(net, s.dev, 0) };
  },
  (net, s) => {
    const { m } = net;
    del(net, s.old);
    must(nodeAt(m, s.next) === s.node && parkedAt(m, s.dev) === 0, 'the thread is not handed over');
    must(isThreaded(m, s.next), 'a thread, and not THREADED');
    must(Atomics.load(m, s.node + NAPI_THREAD_NODE.napi) === s.next, 'the thread serves another');
    must(nodeAt(m, s.other) === s.own, 'another queue got the thread');
    must(nodeAt(m, s.disabled) === 0, 'a disabled instance got the thread');
  },
  'a thread that is handed to an instance which does not want it, or to none',
  'it goes to the enabled instance of its index',
);

export const handOverNobody: Litmus = controls(
  'napi-hand-over-nobody',
  NAPI_KTHREAD_PERSIST_FIXED,
  (net, s, label) => ({ ...served(net, s.dev, label), disabled: add(net, s.dev, 0) }),
  (net, { dev, old, node, disabled }) => {
    const { m } = net;
    del(net, old);
    must(parkedAt(m, dev) === node && nodeAt(m, disabled) === 0, 'the thread is not parked');
    must(Atomics.load(m, node + NAPI_THREAD_NODE.napi) === 0, 'a parked thread has an instance');
    must(netifNapiDel(net, net.napi(disabled)) === 0, 'delete was refused');
    turn(net, dev, 1);
    must(parkedAt(m, dev) === node, 'on once more stops what is parked');
    const last = up(net, add(net, dev, 0));
    must(nodeAt(m, last) === node && parkedAt(m, dev) === 0, 'the thread is not taken');
  },
  'a thread that is lost while nobody wants it',
  'it is parked until an instance of its index is enabled',
);

export const handOverScheduled: Litmus = litmus({
  name: 'napi-hand-over-scheduled',
  memory: netMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = netSetup(arena, label, true, 4, true, NAPI_KTHREAD_PERSIST_FIXED);
    m[s.thread + TASK.state] = TASK_DEAD;
    const net = netContext(currentOf(m, s.control), arena);
    const next = up(net, add(net, s.dev, 0));
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
