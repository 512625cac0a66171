// SPDX-License-Identifier: GPL-2.0-only
/**
 * Frames freed where they were allocated (Linux: skb_attempt_defer_free in net/core/skbuff.c, skb_defer_free_flush in
 * dev.c). A thread that ends a frame of a pool it does not own leaves it in a list of the CPU that serves the pool; the
 * CPU frees them all at once, in its next softirq.
 *
 * States of deferIpiScheduled: 0; 1 from the decision to interrupt the CPU until its handler raises the softirq.
 *
 * Owners: list and count: deferLock. The call word belongs to whoever has set deferIpiScheduled.
 *
 * Invariants
 *   - A frame in the list is freed by the next softirq or poll loop of that CPU, and one is always to come: the interrupt
 *     goes out at half of skb_defer_max, or when the poll loop that left it there ends (Linux leaves the rest lying:
 *     there it is only memory, here a receive queue may wait for the buffers).
 *   - Nobody sends a second call while one is on its way: the count says nothing about that, as the CPU may reset it
 *     before the call has arrived (97e719a82b43).
 *
 * Ordering
 *   F1 sender: list (under deferLock), then CAS of deferIpiScheduled     pairs with  F2
 *   F2 handler: store deferIpiScheduled = 0, then raises the softirq, which takes the list  pairs with  F1
 *   F3 sender: holds deferLock, then loads online                        pairs with  F4
 *   F4 hotplug: online = 0, then takes the list under deferLock (cpu_dead.ts)   pairs with  F3
 */
import { cpuOnline, onlineInstead } from '../../kernel/cpu.js';
import type { Current } from '../../kernel/current.js';
import { spinLock, spinUnlock } from '../../kernel/locking/spinlock.js';
import { smpCallFunctionSingleAsync } from '../../kernel/smp.js';
import { NET_RX_SOFTIRQ, raiseSoftirq } from '../../kernel/softirq.js';
import type { NetContext } from './net_context.js';
import { PAGE_POOL } from './page_pool.js';
import { SKB } from './skbuff.js';
import { NET, SOFTNET_DATA, type SoftnetData } from './softnet_data.js';

/** Leaves a frame of somebody else's pool to the CPU that serves it. */
export function skbAttemptDeferFree(net: NetContext, skb: number): void {
  const { m } = net;
  const max = m[net.at + NET.skbDeferMax];
  if (max <= 0) {
    freeList(net, skb, 1);
    return;
  }
  const sd = lockDefer(net, m[m[skb + SKB.pool] + PAGE_POOL.cpu]);
  m[skb + SKB.next] = m[sd.at + SOFTNET_DATA.deferList];
  Atomics.store(m, sd.at + SOFTNET_DATA.deferList, skb);
  const count = m[sd.at + SOFTNET_DATA.deferCount] + 1;
  m[sd.at + SOFTNET_DATA.deferCount] = count;
  spinUnlock(m, sd.at + SOFTNET_DATA.deferLock);
  if (count >= max >>> 1) kick(net, sd);
  else if (!net.deferredTo.includes(sd)) net.deferredTo.push(sd);
}

/** The poll loop ends: the CPUs that got frames to free are told. */
export function skbDeferKick(net: NetContext): void {
  const { deferredTo } = net;
  for (let i = 0; i < deferredTo.length; i++) kick(net, deferredTo[i]);
  deferredTo.length = 0;
}

/** Takes the deferLock of a CPU that is online, `id` or the one that stands in for it. */
function lockDefer(net: NetContext, id: number): SoftnetData {
  const { m } = net;
  const { cpus } = net.cur;
  let cpu = cpus[id];
  for (;;) {
    const sd = net.softnet[cpu.id];
    spinLock(m, sd.at + SOFTNET_DATA.deferLock);
    if (cpuOnline(cpu)) return sd; // F3
    spinUnlock(m, sd.at + SOFTNET_DATA.deferLock);
    cpu = onlineInstead(cpus, cpu);
  }
}

function kick(net: NetContext, sd: SoftnetData): void {
  const { m, cur } = net;
  if (Atomics.compareExchange(m, sd.at + SOFTNET_DATA.deferIpiScheduled, 0, 1) !== 0) return; // F1
  const csd = sd.at + SOFTNET_DATA.deferCsd;
  const err = smpCallFunctionSingleAsync(cur, cur.cpus[sd.cpu], csd, triggerRxSoftirq, sd.at);
  if (err !== 0) throw new Error('the call that frees deferred frames was sent twice');
}

/** Linux: trigger_rx_softirq. */
function triggerRxSoftirq(cur: Current, sdAt: number): void {
  Atomics.store(cur.m, sdAt + SOFTNET_DATA.deferIpiScheduled, 0); // F2
  raiseSoftirq(cur, cur.cpu, NET_RX_SOFTIRQ);
}

/** Frees what was left to a CPU. By its softirq and its poll loops. */
export function skbDeferFreeFlush(net: NetContext, sd: SoftnetData): void {
  if (Atomics.load(net.m, sd.at + SOFTNET_DATA.deferList) !== 0) skbDeferFreeAll(net, sd);
}

/** The same without a look outside the lock: whoever holds it now may be about to leave one (F4). */
export function skbDeferFreeAll(net: NetContext, sd: SoftnetData): void {
  const { m } = net;
  spinLock(m, sd.at + SOFTNET_DATA.deferLock);
  const list = m[sd.at + SOFTNET_DATA.deferList];
  const n = m[sd.at + SOFTNET_DATA.deferCount];
  Atomics.store(m, sd.at + SOFTNET_DATA.deferList, 0);
  m[sd.at + SOFTNET_DATA.deferCount] = 0;
  spinUnlock(m, sd.at + SOFTNET_DATA.deferLock);
  freeList(net, list, n);
}

/**
 * Gives the buffers of `n` frames linked by `next` back, those of one pool together as far as they follow each other. Any
 * thread: under the locks of the pools.
 */
export function freeList(net: NetContext, list: number, n: number): void {
  const { m, freeBatch } = net;
  let k = 0;
  let pool = 0;
  let skb = list;
  for (let i = 0; i < n; i++) {
    const following = m[skb + SKB.next];
    for (let s = skb; s !== 0; ) {
      const next = m[s + SKB.frags];
      if (next !== 0) m[s + SKB.frags] = 0;
      if (k === freeBatch.length || m[s + SKB.pool] !== pool) {
        if (k > 0) net.recycleBatch(pool, k);
        k = 0;
        pool = m[s + SKB.pool];
      }
      freeBatch[k++] = s;
      s = next;
    }
    skb = following;
  }
  if (k > 0) net.recycleBatch(pool, k);
}
