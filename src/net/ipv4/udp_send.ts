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
 * By the loopback device buffers go round: sender → backlog → socket → its reader → back to the sender's pool. A sender
 * without buffers waits for those, as a process waits for room in its send buffer. A NIC has sent a frame when the call
 * returns, and the buffer is the sender's again.
 * A sender is closed before its device goes, and a grace period lies between: until the read section ends in which a
 * sender was found open, its device is there.
 *
 * Ordering
 *   Z1 freer: buffer published in the recycle ring, then load of the waiter's state   pairs with  Z2
 *   Z2 sender: store its sleeping state, then load of the recycle ring                pairs with  Z1
 *   Z3 closing: or of SENDER_CLOSED, then a grace period, then the device is freed    pairs with  Z4
 *   Z4 sender: in a read section, load of flags, then the device                      pairs with  Z3
 */
import { localBhDisable } from '../../kernel/bh.js';
import type { Current } from '../../kernel/current.js';
import { rcuReadLock, rcuReadUnlock } from '../../kernel/rcu.js';
import { localBhEnableSoftirq } from '../../kernel/softirq.js';
import { TASK, TASK_RUNNING, wakeUpProcess } from '../../kernel/task.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { line, struct, word, words } from '../../mm/struct.js';
import { skbDeferKick } from '../core/defer_free.js';
import { internetChecksum } from '../core/headers/checksum.js';
import { IPV4_HLEN, UDP_HLEN } from '../core/headers/protocols.js';
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
    byNic: word('1: that is a NIC; 0: the loopback device'),
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

/**
 * A datagram as it is sent again and again: its bytes, and what the stack wants to know of them. Its headers serve
 * datagrams of the same flow with payloads of their own, too.
 */
export interface FrameTemplate {
  readonly bytes: Uint8Array;
  /** The bytes in front of the payload. */
  readonly header: Uint8Array;
  readonly hash: number;
  readonly headers: number;
  readonly payload: number;
  readonly ports: number;
  readonly proto: number;
}

/** Payloads of datagrams of one flow, from entry `first` on; null: each is the template's own. */
export interface Payloads {
  list: readonly Uint8Array[] | null;
  first: number;
}

/** Makes a sender with `buffers` (a power of two) buffers. @returns its word index, or 0 (ENOMEM) */
export function udpSenderCreate(
  m: Int32Array,
  dev: number,
  byNic: boolean,
  cpu: number,
  buffers: number,
): number {
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
  m[pool + PAGE_POOL.dev] = byNic ? 0 : dev; // no frame in these buffers goes up the stack
  m[pool + PAGE_POOL.cpu] = cpu;
  m[at + UDP_SENDER.dev] = dev;
  m[at + UDP_SENDER.byNic] = byNic ? 1 : 0;
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

/** Has the first `n` frames of txOff, txLen, all of the flow with this hash, leave by a NIC. */
export type XmitBatch = (net: NetContext, dev: number, hash: number, n: number) => void;

/**
 * Sends up to `n` datagrams of a flow by the loopback device, as many as there are buffers, in one system call: softirqs
 * that this raises run before it returns.
 * @param tstampNs when they are sent, CLOCK_MONOTONIC
 * @returns how many had a buffer
 */
export function udpSend(
  net: NetContext,
  at: number,
  pool: PagePool,
  frame: FrameTemplate,
  payloads: Payloads,
  n: number,
  tstampNs: number,
  xmit: Xmit,
): number {
  const { m, f, cur } = net;
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
    fill(net, skb, frame, payloads, i);
    m[skb + SKB.seq] = m[at + UDP_SENDER.seq]++;
    f[(skb + SKB.tstampNs) >> 1] = tstampNs;
    xmit(net, dev, skb, at + UDP_SENDER.place, flows);
  }
  m[at + UDP_SENDER.sent] += got;
  netifRxEnd(net);
  net.ownPool = 0;
  if (net.deferredTo.length > 0) skbDeferKick(net);
  leaveKernel(cur);
  return got;
}

/**
 * Sends up to `n` datagrams of a flow, at most TX_BATCH, by a NIC, in one system call: softirqs that this raises run before
 * it returns.
 * @returns how many were handed to the NIC: fewer than `n` if there are fewer buffers; 0 if the sender is closed
 */
export function udpSendByNic(
  net: NetContext,
  at: number,
  pool: PagePool,
  frame: FrameTemplate,
  payloads: Payloads,
  n: number,
  xmit: XmitBatch,
): number {
  const { m, cur, txOff, txLen } = net;
  rcuReadLock(cur);
  localBhDisable(cur);
  let sent = 0;
  // Z4
  if (n > 0 && (Atomics.load(m, at + UDP_SENDER.flags) & SENDER_CLOSED) === 0) {
    // Copies of one datagram leave from one buffer.
    const got = pool.take(payloads.list === null ? 1 : n);
    const first = pool.taken;
    for (let i = 0; i < got; i++) fill(net, m[first + i], frame, payloads, i);
    sent = payloads.list === null ? n : got;
    for (let i = 0; i < sent; i++) {
      const skb = m[first + (payloads.list === null ? 0 : i)];
      txOff[i] = skbData(skb);
      txLen[i] = m[skb + SKB.len];
    }
    xmit(net, m[at + UDP_SENDER.dev], frame.hash, sent);
    m[at + UDP_SENDER.sent] += sent;
    for (let i = 0; i < got; i++) pool.recycleDirect(m[first + i]);
    if (net.deferredTo.length > 0) skbDeferKick(net);
  }
  leaveKernel(cur);
  return sent;
}

function leaveKernel(cur: Current): void {
  localBhEnableSoftirq(cur);
  rcuReadUnlock(cur);
}

/** Writes the `i`th datagram of a call into a buffer. */
function fill(net: NetContext, skb: number, frame: FrameTemplate, payloads: Payloads, i: number): void {
  const { m, b } = net;
  const { list } = payloads;
  if (list === null) {
    b.set(frame.bytes, skbData(skb));
    m[skb + SKB.len] = frame.bytes.length;
    m[skb + SKB.payload] = frame.payload;
  } else {
    const payload = list[payloads.first + i];
    b.set(payload, skbData(skb) + writeHeader(b, skbData(skb), frame, payload.length));
    m[skb + SKB.len] = frame.header.length + payload.length;
    m[skb + SKB.payload] = (payload.length << 16) | frame.header.length;
  }
  m[skb + SKB.hash] = frame.hash;
  m[skb + SKB.headers] = frame.headers;
  m[skb + SKB.ports] = frame.ports;
  m[skb + SKB.proto] = frame.proto;
  m[skb + SKB.vlan] = 0;
}

/** The template's headers in front of `length` bytes of payload. @returns their bytes */
function writeHeader(b: Uint8Array, off: number, frame: FrameTemplate, length: number): number {
  b.set(frame.header, off);
  const ip = off + (frame.headers & 0xffff);
  const udp = off + (frame.headers >>> 16);
  const udpLen = UDP_HLEN + length;
  put16(b, ip + 2, IPV4_HLEN + udpLen);
  put16(b, ip + 10, 0);
  put16(b, ip + 10, internetChecksum(b, ip, IPV4_HLEN, 0));
  put16(b, udp + 4, udpLen);
  put16(b, udp + 6, 0); // none made: that is left to hardware, and valid over IPv4
  return frame.header.length;
}

function put16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value;
}
