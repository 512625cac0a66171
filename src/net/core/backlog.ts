// SPDX-License-Identifier: GPL-2.0-only
/**
 * Out of the backlog of a CPU (Linux: process_backlog, flush_backlog in net/core/dev.c). Into it: backlog_queue.ts.
 *
 * States of the backlog's instance: idle; scheduled (SCHED, and SCHED_THREADED if its thread is to poll). Its frames:
 * input queue → process queue → sockets.
 *
 * Owners
 *   input queue     inputLock
 *   process queue   owner of SCHED
 *   inputQueueHead  owner of SCHED
 *
 * Invariants
 *   - A process queue that is not empty has SCHED set.
 *   - The backlog is given up under inputLock with both queues empty: whoever queues next finds it idle.
 *   - To give it up takes away SCHED and SCHED_THREADED and nothing else: THREADED stays (seed 001), and a toggle at the
 *     same time is not lost (seed 002).
 *   - inputQueueHead passes a frame only when that and all before it are in their sockets, or dropped.
 *
 * Ordering
 *   R2 backlog: input queue empty (under inputLock), then and of SCHED   pairs with  R1 (backlog_queue.ts)
 *   V1 frames in the sockets (published), then store of inputQueueHead    pairs with  V2 (rps.ts)
 *   X1 backlog: process queue empty, then processQueueEmpty + 1 (under inputLock)  pairs with  X2
 *   X2 flush: reads processQueueEmpty under inputLock until it has changed         pairs with  X1
 */
import { spinLock, spinUnlock } from '../../kernel/locking/spinlock.js';
import { netRpsAction } from './backlog_queue.js';
import { skbDeferKick } from './defer_free.js';
import { NAPI, NAPIF_STATE_SCHED, NAPIF_STATE_SCHED_THREADED, type Napi } from './napi.js';
import type { NetContext } from './net_context.js';
import { skbDev } from './page_pool.js';
import { flushSockets, receiveSkb } from './rx.js';
import { dropChain } from './skb_free.js';
import { SKB } from './skbuff.js';
import { DROP_DEV_READY, NET, SOFTNET_DATA, type SoftnetData } from './softnet_data.js';

/** Sleep between two looks at the process queue of a backlog, us (Linux: msleep(1)). */
const FLUSH_LOOK_US = 100;

/**
 * Poll function of every backlog: takes frames until `quota` of them are done or both queues are empty; then it has
 * given the instance up.
 */
export function processBacklog(net: NetContext, n: Napi, quota: number): number {
  const { m } = net;
  const sd = net.softnet[m[n.at + NAPI.index]];
  // Other CPUs wait for these: better now than when the round ends.
  netRpsAction(net, net.cur.cpu);
  m[n.at + NAPI.weight] = Math.max(1, Math.imul(m[net.at + NET.devWeight], m[net.at + NET.devWeightRxBias]));
  net.ownPool = 0;
  let work = 0;
  for (;;) {
    const got = deliver(net, sd, quota - work);
    work += got;
    if (work >= quota) return work;
    if (!refill(net, n, sd, work)) return work;
  }
}

/** Hands up to `max` frames of the process queue to the sockets. @returns how many */
function deliver(net: NetContext, sd: SoftnetData, max: number): number {
  const { m } = net;
  const { at } = sd;
  const left = m[at + SOFTNET_DATA.processQlen];
  const n = Math.min(left, max);
  if (n === 0) return 0;
  let skb = m[at + SOFTNET_DATA.processHead];
  for (let i = 0; i < n; i++) {
    const next = m[skb + SKB.next];
    receiveSkb(net, skb);
    skb = next;
  }
  m[at + SOFTNET_DATA.processHead] = skb;
  m[at + SOFTNET_DATA.processQlen] = left - n;
  net.processed += n;
  flushSockets(net);
  Atomics.store(m, sd.inputQueueHead, (m[sd.inputQueueHead] + n) | 0); // V1
  return n;
}

/** The process queue is empty: takes the input queue, or gives the instance up. @returns false if it gave it up */
function refill(net: NetContext, n: Napi, sd: SoftnetData, work: number): boolean {
  const { m } = net;
  const { at } = sd;
  const passed = m[at + SOFTNET_DATA.flushedBefore];
  spinLock(m, sd.inputLock);
  m[at + SOFTNET_DATA.processQueueEmpty]++; // X1
  const qlen = m[at + SOFTNET_DATA.inputQlen];
  const flushed = m[at + SOFTNET_DATA.flushed];
  const head = (m[sd.inputQueueHead] + passed + (qlen === 0 ? flushed : 0)) | 0;
  if (head !== m[sd.inputQueueHead]) Atomics.store(m, sd.inputQueueHead, head);
  m[at + SOFTNET_DATA.flushed] = 0;
  m[at + SOFTNET_DATA.flushedBefore] = qlen === 0 ? 0 : flushed;
  if (qlen === 0) {
    m[n.at + NAPI.work] += work;
    m[n.at + NAPI.completions]++;
    Atomics.and(m, n.state, ~(NAPIF_STATE_SCHED | NAPIF_STATE_SCHED_THREADED)); // R2
    spinUnlock(m, sd.inputLock);
    return false;
  }
  m[at + SOFTNET_DATA.processHead] = m[at + SOFTNET_DATA.inputHead];
  m[at + SOFTNET_DATA.processQlen] = qlen;
  m[at + SOFTNET_DATA.inputQlen] = 0;
  spinUnlock(m, sd.inputLock);
  return true;
}

/**
 * A device goes away: drops its frames in every backlog, and returns when none of them is on its way to a socket
 * (Linux: flush_all_backlogs; what to do about a process queue that a thread may be at is seed 002's). Nothing must
 * bring new frames of that device. Process context, in no read section of RCU.
 */
export function flushBacklog(net: NetContext, dev: number): void {
  for (let cpu = 0; cpu < net.softnet.length; cpu++) flushOne(net, net.softnet[cpu], dev);
  skbDeferKick(net);
}

function flushOne(net: NetContext, sd: SoftnetData, dev: number): void {
  const { m, cur } = net;
  const { at } = sd;
  spinLock(m, sd.inputLock);
  const list = unlinkFrames(m, at, dev);
  // Whoever holds SCHED may be at frames of the device; it will find its process queue empty once.
  const waits = (Atomics.load(m, sd.backlog + NAPI.state) & NAPIF_STATE_SCHED) !== 0;
  const empty = m[at + SOFTNET_DATA.processQueueEmpty]; // X2
  spinUnlock(m, sd.inputLock);
  for (let skb = list; skb !== 0; ) {
    const next = m[skb + SKB.next];
    dropChain(net, skb, DROP_DEV_READY);
    skb = next;
  }
  while (waits) {
    cur.platform.usleep(FLUSH_LOOK_US);
    spinLock(m, sd.inputLock);
    const changed = m[at + SOFTNET_DATA.processQueueEmpty] !== empty;
    spinUnlock(m, sd.inputLock);
    if (changed) return;
  }
}

/** Takes a device's frames out of the input queue. inputLock held. @returns the first, linked by `next` */
function unlinkFrames(m: Int32Array, at: number, dev: number): number {
  let first = 0;
  let last = 0;
  let kept = 0;
  let skb = m[at + SOFTNET_DATA.inputHead];
  const qlen = m[at + SOFTNET_DATA.inputQlen];
  let left = 0;
  for (let i = 0; i < qlen; i++) {
    const next = m[skb + SKB.next];
    m[skb + SKB.next] = 0;
    if (skbDev(m, skb) === dev) {
      if (first === 0) first = skb;
      else m[last + SKB.next] = skb;
      last = skb;
      // Those behind it may not be counted as passed before those in front of it.
      m[at + SOFTNET_DATA.flushed]++;
    } else {
      if (left === 0) m[at + SOFTNET_DATA.inputHead] = skb;
      else m[kept + SKB.next] = skb;
      kept = skb;
      left++;
    }
    skb = next;
  }
  m[at + SOFTNET_DATA.inputTail] = kept;
  m[at + SOFTNET_DATA.inputQlen] = left;
  return first;
}
