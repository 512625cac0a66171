// SPDX-License-Identifier: GPL-2.0-only
/** Litmus test of a buffer pool that goes while a buffer of it is still out: net/core/page_pool_retire.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { kmalloc } from '../mm/slab.js';
import { type NetContext, netContext } from '../net/core/net_context.js';
import { PAGE_POOL, pagePoolCreate, pagePoolView } from '../net/core/page_pool.js';
import { pagePoolReap, pagePoolRetire } from '../net/core/page_pool_retire.js';
import { SKB_STRIDE } from '../net/core/skbuff.js';
import { listTasks, netBoot, netMemory } from './net_world.js';
import { currentOf } from './world.js';

/** What follows a buffer that came back: whoever waits for it is looked up. */
function lookForWaiter(net: NetContext, pool: number): void {
  must(Atomics.load(net.m, pool + PAGE_POOL.queue) === 0, 'a queue that is gone is told of a buffer');
}

export const pagePoolRetired: Litmus = litmus({
  name: 'page-pool-retire',
  memory: netMemory,
  setup(arena, label) {
    const { m } = arena;
    const tasks = netBoot(arena, label);
    listTasks(m, [tasks.control, tasks.irqA]);
    const pool = pagePoolCreate(m, 2);
    label(m, pool, PAGE_POOL, 'pool');
    const view = pagePoolView(m, pool);
    view.take(1);
    return { ...tasks, pool, out: m[view.taken] };
  },
  threads: {
    app(arena, s) {
      const net = netContext(currentOf(arena.m, s.irqA), arena);
      net.poolFreed = lookForWaiter;
      const list = new Int32Array(1);
      list[0] = s.out;
      arena.m[s.out + SKB_STRIDE - 1] = 1; // still the application's
      net.recycle(s.pool, list, 0, 1);
    },
    control(arena, s) {
      const { m } = arena;
      const net = netContext(currentOf(m, s.control), arena);
      pagePoolRetire(net, s.pool);
      if (pagePoolReap(net) !== 0) return; // the buffer is still out
      // Its memory is somebody else's now.
      const at = kmalloc(m, PAGE_POOL.SIZE);
      m[at + PAGE_POOL.id] = 0;
      m[at + PAGE_POOL.queue] = 7;
    },
  },
  forbids:
    'a pool destroyed while a buffer of it is out, or while who brought the last one back still looks at it',
  why: 'buffers come back in a read section of RCU; a whole pool waits for a grace period',
});
