// SPDX-License-Identifier: GPL-2.0-only
/**
 * Sending UDP datagrams (Linux: udp_sendmsg and what it calls, down to the device).
 *
 * States of a sender: open; closed (sends nothing more, its buffers come back one by one).
 *
 * Owners
 *   pool, consumer's end    the application thread that sends
 *   place                   the same
 *   flags                   any thread, atomically
 * Buffers go round: sender → backlog → socket → its reader → back to the sender's pool. A sender without buffers waits
 * for those, as a process waits for room in its send buffer.
 *
 * Ordering
 *   Z1 freer: buffer published in the recycle ring, then load of the waiter's state   pairs with  Z2
 *   Z2 sender: store its sleeping state, then load of the recycle ring                pairs with  Z1
 */
import { localBhDisable } from '../../kernel/bh.js';
import type { Current } from '../../kernel/current.js';
import { rcuReadLock, rcuReadUnlock } from '../../kernel/rcu.js';
import { localBhEnableSoftirq } from '../../kernel/softirq.js';
import { TASK, TASK_RUNNING, wakeUpProcess } from '../../kernel/task.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { line, struct, word, words } from '../../mm/struct.js';
import { skbDeferKick } from '../core/defer_free.js';
import type { NetContext } from '../core/net_context.js';
import { netifRxBegin, netifRxEnd } from '../core/netif_rx.js';
import { PAGE_POOL, type PagePool, pagePoolCreate } from '../core/page_pool.js';
import { pagePoolRetire } from '../core/page_pool_retire.js';
import { RPS_DEV_FLOW_TABLE, RPS_PLACE } from '../core/rps_map.js';
import { SKB, skbData } from '../core/skbuff.js';

export const SENDER_CLOSED = 1;

export const UDP_SENDER = struct(
  'udp_sender',
  line('creator', {
    dev: word('net_device it sends by'),
    pool: word('page pool of its buffers'),
    flows: word('struct rps_dev_flow_table of its flows; the entries are the application thread’s'),
  }),
  line('any thread, atomically', { flags: word('SENDER_CLOSED') }),
  line('application thread', {
    place: words(RPS_PLACE.WORDS, 'struct rps_place: where its latest frame went'),
    sent: word('frames sent (wraps)'),
    seq: word('number of the next frame (wraps)'),
  }),
);

/** Entries of a sender's flow table: those that share one move together. */
const FLOWS = 256;
const FLOWS_WORDS = RPS_DEV_FLOW_TABLE.SIZE + FLOWS * RPS_PLACE.WORDS;

/** A datagram as it is sent again and again: its bytes, and what the stack wants to know of them. */
export interface FrameTemplate {
  readonly bytes: Uint8Array;
  readonly hash: number;
  readonly headers: number;
  readonly payload: number;
  readonly ports: number;
  readonly proto: number;
}

/** Makes a sender with `buffers` (a power of two) buffers. @returns its word index, or 0 (ENOMEM) */
export function udpSenderCreate(m: Int32Array, dev: number, cpu: number, buffers: number): number {
  const at = kmalloc(m, UDP_SENDER.SIZE);
  const flows = kmalloc(m, FLOWS_WORDS);
  const pool = at === 0 || flows === 0 ? 0 : pagePoolCreate(m, buffers);
  if (pool === 0) {
    kfree(m, flows, FLOWS_WORDS);
    kfree(m, at, UDP_SENDER.SIZE);
    return 0;
  }
  m[flows + RPS_DEV_FLOW_TABLE.mask] = FLOWS - 1;
  m[at + UDP_SENDER.flows] = flows;
  m[pool + PAGE_POOL.dev] = dev;
  m[pool + PAGE_POOL.cpu] = cpu;
  m[at + UDP_SENDER.dev] = dev;
  m[at + UDP_SENDER.pool] = pool;
  return at;
}

/** Closes it: its thread sends no more, and is woken if it waits for buffers. */
export function udpSenderShutdown(m: Int32Array, at: number): void {
  Atomics.or(m, at + UDP_SENDER.flags, SENDER_CLOSED);
  poolWake(m, m[at + UDP_SENDER.pool]);
}

/** Frees a closed sender whose thread has ended; its pool when all buffers are back. Caller holds rtnl. */
export function udpSenderFree(net: NetContext, at: number): void {
  const { m } = net;
  pagePoolRetire(net, m[at + UDP_SENDER.pool]);
  kfree(m, m[at + UDP_SENDER.flows], FLOWS_WORDS);
  kfree(m, at, UDP_SENDER.SIZE);
}

/** Wakes the sender that waits for buffers of a pool, if one does. */
export function poolWake(m: Int32Array, pool: number): void {
  const waiter = Atomics.load(m, pool + PAGE_POOL.waiter);
  if (waiter !== 0 && Atomics.load(m, waiter + TASK.state) !== TASK_RUNNING) wakeUpProcess(m, waiter); // Z1
}

/** Hands one frame to a device. @returns true if it was sent */
export type Xmit = (net: NetContext, dev: number, skb: number, place: number, flows: number) => boolean;

/**
 * Sends up to `n` copies of a datagram, as many as there are buffers, in one system call: softirqs that this raises run
 * before it returns.
 * @param tstampNs when they are sent, CLOCK_MONOTONIC
 * @returns how many had a buffer
 */
export function udpSend(
  net: NetContext,
  at: number,
  pool: PagePool,
  frame: FrameTemplate,
  n: number,
  tstampNs: number,
  xmit: Xmit,
): number {
  const { m, cur } = net;
  const dev = m[at + UDP_SENDER.dev];
  const flows = m[at + UDP_SENDER.flows];
  rcuReadLock(cur);
  localBhDisable(cur);
  netifRxBegin(net);
  const got = pool.take(n);
  const first = pool.taken;
  net.ownPool = pool.at;
  for (let i = 0; i < got; i++) {
    const skb = m[first + i];
    fill(net, skb, frame, m[at + UDP_SENDER.seq]++, tstampNs);
    xmit(net, dev, skb, at + UDP_SENDER.place, flows);
  }
  m[at + UDP_SENDER.sent] += got;
  netifRxEnd(net);
  net.ownPool = 0;
  if (net.deferredTo.length > 0) skbDeferKick(net);
  leaveKernel(cur);
  return got;
}

function leaveKernel(cur: Current): void {
  localBhEnableSoftirq(cur);
  rcuReadUnlock(cur);
}

function fill(net: NetContext, skb: number, frame: FrameTemplate, seq: number, tstampNs: number): void {
  const { m, b, f } = net;
  b.set(frame.bytes, skbData(skb));
  m[skb + SKB.len] = frame.bytes.length;
  m[skb + SKB.hash] = frame.hash;
  m[skb + SKB.seq] = seq;
  f[(skb + SKB.tstampNs) >> 1] = tstampNs;
  m[skb + SKB.headers] = frame.headers;
  m[skb + SKB.payload] = frame.payload;
  m[skb + SKB.ports] = frame.ports;
  m[skb + SKB.proto] = frame.proto;
  m[skb + SKB.vlan] = 0;
}
