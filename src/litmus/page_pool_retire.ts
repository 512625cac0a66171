// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of a buffer pool that goes while a buffer of it is still out: net/core/page_pool_retire.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import type { Arena } from '../mm/arena.js';
import { kmalloc } from '../mm/slab.js';
import { type NetContext, netContext } from '../net/core/net_context.js';
import { PAGE_POOL, pagePoolCreate, pagePoolView } from '../net/core/page_pool.js';
import { pagePoolReap, pagePoolRetire } from '../net/core/page_pool_retire.js';
import { SKB_STRIDE } from '../net/core/skbuff.js';
import { NET } from '../net/core/softnet_data.js';
import { listTasks, type NetTasks, netBoot, netMemory } from './net_world.js';
import { addWord, currentOf } from './world.js';

interface RetireSetup extends NetTasks {
  readonly pool: number;
  /** The buffer that is out. */
  readonly out: number;
}

/** A pool of two buffers, one of which is out. */
function addPool(m: Int32Array, label: Label, name: string): { pool: number; out: number } {
  const pool = pagePoolCreate(m, 2);
  label(m, pool, PAGE_POOL, name);
  const view = pagePoolView(m, pool);
  view.take(1);
  return { pool, out: m[view.taken] };
}

function giveBack(net: NetContext, s: RetireSetup): void {
  const list = new Int32Array(1);
  list[0] = s.out;
  net.m[s.out + SKB_STRIDE - 1] = 1; // still the application's
  net.recycle(s.pool, list, 0, 1);
}

/** What follows a buffer that came back: whoever waits for it is looked up. */
function lookForWaiter({ m }: NetContext, pool: number): void {
  for (const word of [PAGE_POOL.queue, PAGE_POOL.waiter]) {
    const at = Atomics.load(m, pool + word);
    if (at !== 0) must(m[at] === 1, 'somebody who is gone is told of a buffer');
  }
}

export const pagePoolRetired: Litmus = litmus({
  name: 'page-pool-retire',
  memory: netMemory,
  setup(arena, label) {
    const { m } = arena;
    const tasks = netBoot(arena, label);
    listTasks(m, [tasks.control, tasks.irqA]);
    const { pool, out } = addPool(m, label, 'pool');
    const queue = addWord(m, label, 'queue');
    const waiter = addWord(m, label, 'waiter');
    m[pool + PAGE_POOL.queue] = queue;
    m[pool + PAGE_POOL.waiter] = waiter;
    m[queue] = 1;
    m[waiter] = 1;
    return { ...tasks, pool, out, queue, waiter };
  },
  threads: {
    app(arena, s) {
      const net = netContext(currentOf(arena.m, s.irqA), arena);
      net.poolFreed = lookForWaiter;
      giveBack(net, s);
    },
    control(arena, s) {
      const { m } = arena;
      const net = netContext(currentOf(m, s.control), arena);
      pagePoolRetire(net, s.pool);
      m[s.queue] = 0;
      m[s.waiter] = 0;
      pagePoolReap(net);
    },
    other({ m }) {
      // If the pool is destroyed, its memory is somebody else's.
      const at = kmalloc(m, PAGE_POOL.SIZE);
      m[at + PAGE_POOL.id] = 0;
      m[at + PAGE_POOL.queue] = 7;
    },
  },
  forbids:
    'a pool destroyed while a buffer of it is out, or while who brought the last one back still looks at it, or at whom it served',
  why: 'buffers come back in a read section of RCU; who retires a pool and who destroys it wait for a grace period',
});

function reaps({ m }: Arena, net: NetContext, pool: number, left: number): void {
  const n = pagePoolReap(net);
  must(n === left, `${n} pools are left of ${left}`);
  must(kmalloc(m, PAGE_POOL.SIZE) === pool, 'the pool is not destroyed');
}

export const pagePoolReaped: Litmus = litmus({
  name: 'page-pool-reap',
  memory: netMemory,
  setup(arena, label) {
    const { m } = arena;
    const tasks = netBoot(arena, label);
    const whole = pagePoolCreate(m, 2);
    label(m, whole, PAGE_POOL, 'whole pool');
    return { ...tasks, ...addPool(m, label, 'pool'), whole };
  },
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = netContext(currentOf(m, s.control), arena);
      pagePoolRetire(net, s.whole);
      pagePoolRetire(net, s.pool);
      reaps(arena, net, s.whole, 1);
      must(pagePoolReap(net) === 1, 'a pool is destroyed while a buffer of it is out');
      giveBack(net, s);
      reaps(arena, net, s.pool, 0);
      must(m[net.at + NET.retiredPools] === 0, 'a pool that is destroyed is still in the list');
    },
  },
  forbids: 'a pool that is whole and is never destroyed, or takes others out of the list with it',
  why: 'the list is looked through each time, and each pool is taken out by itself',
});
