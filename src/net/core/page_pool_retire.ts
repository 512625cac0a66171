// SPDX-License-Identifier: GPL-2.0-only
/**
 * Page pools whose queue or sender is gone, while buffers of theirs are still with others (Linux: page_pool_release,
 * page_pool_release_retry).
 *
 * States: in use; retired (in the list; nobody takes buffers, they come back); destroyed.
 * Owner: the list: rtnl.
 *
 * Invariant: a pool is destroyed a grace period after its last buffer came back: whoever brought it back is in a read
 * section of RCU until it has let go of the pool.
 */
import { synchronizeRcu } from '../../kernel/rcu.js';
import type { NetContext } from './net_context.js';
import { PAGE_POOL, pagePoolDestroy, pagePoolInside } from './page_pool.js';
import { NET } from './softnet_data.js';

/** Retires a pool that feeds nobody any more. Caller holds rtnl; process context, in no read section of RCU. */
export function pagePoolRetire(net: NetContext, pool: number): void {
  const { m, at } = net;
  Atomics.store(m, pool + PAGE_POOL.queue, 0);
  Atomics.store(m, pool + PAGE_POOL.waiter, 0);
  m[pool + PAGE_POOL.retiredNext] = m[at + NET.retiredPools];
  m[at + NET.retiredPools] = pool;
  synchronizeRcu(net.cur);
}

/** Destroys the retired pools that are whole again. Caller holds rtnl. @returns how many are left */
export function pagePoolReap(net: NetContext): number {
  const { m, at } = net;
  let left = 0;
  let link = at + NET.retiredPools;
  for (let pool = m[link]; pool !== 0; pool = m[link]) {
    if (pagePoolInside(m, pool) < m[pool + PAGE_POOL.total]) {
      link = pool + PAGE_POOL.retiredNext;
      left++;
      continue;
    }
    m[link] = m[pool + PAGE_POOL.retiredNext];
    synchronizeRcu(net.cur);
    pagePoolDestroy(m, pool);
  }
  return left;
}
