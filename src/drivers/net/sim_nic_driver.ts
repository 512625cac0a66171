// SPDX-License-Identifier: GPL-2.0-only
/**
 * The simulated NIC's driver, the data path: interrupt handler, poll, refill. Who owns what is said in sim_nic.ts.
 */
import type { Current } from '../../kernel/current.js';
import { irqMask, raiseIrq } from '../../kernel/irq.js';
import { rcuReadLock, rcuReadUnlock } from '../../kernel/rcu.js';
import { ringLength } from '../../mm/ring.js';
import { dissect } from '../../net/core/flow_dissector.js';
import { napiGroReceive } from '../../net/core/gro.js';
import { DISSECT_OK, DISSECT_TRUNCATED, type FlowKeys } from '../../net/core/headers/flow_keys.js';
import { NAPI, type Napi } from '../../net/core/napi.js';
import { napiCompleteDone, napiScheduleOn, napiSchedulePrep } from '../../net/core/napi_schedule.js';
import type { NetContext } from '../../net/core/net_context.js';
import { NET_DEVICE } from '../../net/core/net_device.js';
import { PAGE_POOL } from '../../net/core/page_pool.js';
import { SKB, SKB_DATA_BYTES, SKB_F_FRAGMENT, SKB_F_IP, skbData } from '../../net/core/skbuff.js';
import type { XdpSock } from '../../net/xdp/xsk.js';
import { NIC_QUEUE, type NicQueue, nicQueueView, POLL_SIZES, RX_DESC } from './sim_nic.js';
import { claimFrame, countBadDesc, fillRoom, recoverLost, unreadDescs } from './sim_nic_claim.js';
import { timedAdvance, timedUnmask } from './sim_nic_timed.js';
import type { NicTx } from './sim_nic_tx.js';

function noInterrupt(): void {}

/** Polls a queue that has an AF_XDP socket. */
export type XskPoll = (
  driver: SimNicDriver,
  net: NetContext,
  n: Napi,
  q: NicQueue,
  budget: number,
  busy: boolean,
) => number;

function noXsk(): number {
  throw new Error('this thread cannot poll a queue with an AF_XDP socket');
}

function noHash(): number {
  return 0;
}

/** The driver's part of a thread: its queue views. */
export class SimNicDriver {
  readonly net: NetContext;
  /** Handler of queues whose driver has no NAPI (sim_nic_netif_rx.ts). */
  netifRxInterrupt: (driver: SimNicDriver, queueAt: number) => void = noInterrupt;
  /** The receive hash of a frame that was dissected, int32 (toeplitz.ts), as a cable's transmitter makes it. */
  receiveHash: (b: Uint8Array, keys: FlowKeys) => number = noHash;
  /** What transmitting works with (sim_nic_tx.ts); made when first needed. */
  tx: NicTx | null = null;
  /** Poll function of queues with an AF_XDP socket (sim_nic_xsk.ts), and this thread's views of those. */
  xskPoll: XskPoll = noXsk;
  readonly xsks = new Map<number, XdpSock>();
  /** Keeps the loads of prefetch from being dropped as unused. */
  touched = 0;
  private readonly queues = new Map<number, NicQueue>();

  constructor(net: NetContext) {
    this.net = net;
  }

  /** @returns this thread's view of the nic_queue at `at` */
  queue(at: number): NicQueue {
    let q = this.queues.get(at);
    if (q === undefined || q.id !== this.net.m[at + NIC_QUEUE.id]) {
      q = nicQueueView(this.net.m, at);
      this.queues.set(at, q);
    }
    return q;
  }
}

/** Interrupt handler of a queue: masks the interrupt and schedules the instance. */
export function simNicInterrupt(driver: SimNicDriver, cur: Current, queueAt: number): void {
  const napiAt = Atomics.load(cur.m, queueAt + NIC_QUEUE.napi);
  if (napiAt === 0) {
    if (Atomics.load(cur.m, queueAt + NIC_QUEUE.service) !== 0) driver.netifRxInterrupt(driver, queueAt);
    return;
  }
  const n = driver.net.napi(napiAt);
  if (!napiSchedulePrep(n)) return;
  irqMask(driver.queue(queueAt).irq);
  napiScheduleOn(driver.net, cur.cpu, n);
}

/** Poll function: takes up to `budget` frames, refills, and completes if the ring ran dry. */
export function simNicPoll(driver: SimNicDriver, net: NetContext, n: Napi, budget: number): number {
  const { m, f } = net;
  const q = driver.queue(m[n.at + NAPI.priv]);
  const rx = q.rxConsumer;
  net.ownPool = q.pool;
  rcuReadLock(net.cur);
  const timed = Atomics.load(m, q.at + NIC_QUEUE.timed);
  if (timed !== 0) timedAdvance(driver, q, timed);
  const { busy } = net;
  if (m[q.at + NIC_QUEUE.xsk] !== 0) {
    const taken = driver.xskPoll(driver, net, n, q, budget, busy);
    rcuReadUnlock(net.cur);
    return taken;
  }
  if (busy && q.rxConsumer.empty() && ringIsFull(m, q) && m[q.at + NIC_QUEUE.suspect] === 0) {
    m[n.at + NAPI.emptyPolls]++;
    rcuReadUnlock(net.cur);
    return 0;
  }
  const features = Atomics.load(m, q.dev + NET_DEVICE.features);
  rx.begin();
  const work = unreadDescs(m, q, budget); // D2
  const { mark } = q;
  for (let done = 0; done < work; ) {
    const piece = rx.contiguous(work - done);
    const first = rx.slot(0);
    const end = first + piece * RX_DESC.WORDS;
    const touched = prefetch(m, first, end);
    driver.touched ^= touched;
    let stamp = q.stamps + rx.index(0);
    for (let desc = first; desc < end; desc += RX_DESC.WORDS) {
      const stampNs = f[stamp++];
      if (!claimFrame(m, desc, mark)) {
        countBadDesc(net, q.at);
        continue;
      }
      const skb = m[desc + RX_DESC.skb];
      m[skb + SKB.seq] = m[desc + RX_DESC.seq];
      f[(skb + SKB.tstampNs) >> 1] = stampNs;
      readFrame(net, skb, m[desc + RX_DESC.len], m[desc + RX_DESC.hash]);
      napiGroReceive(net, n, skb, features);
    }
    rx.release(piece);
    done += piece;
  }
  if (m[q.at + NIC_QUEUE.suspect] !== 0) recoverLost(net, q);
  refill(net, q);
  m[q.at + NIC_QUEUE.pollSizes + pollSize(work)]++;
  if (work < budget && napiCompleteDone(net, n, work)) timedUnmask(driver, q);
  rcuReadUnlock(net.cur);
  return work;
}

/** @returns which of the POLL_SIZES a poll that took `work` frames is of */
function pollSize(work: number): number {
  return Math.min(32 - Math.clz32(work), POLL_SIZES - 1);
}

/** @returns true if the NIC has all the buffers it may have: with nothing received, what a busy loop finds nearly always */
export function ringIsFull(m: Int32Array, q: NicQueue): boolean {
  return q.fillProducer.length() >= Atomics.load(m, q.dev + NET_DEVICE.rxPending);
}

/**
 * Touches the first line of each frame before any is worked on: the loads do not wait for each other, so their cache
 * misses overlap.
 */
function prefetch(m: Int32Array, first: number, end: number): number {
  let sum = 0;
  for (let desc = first; desc < end; desc += RX_DESC.WORDS) {
    const word = m[m[desc + RX_DESC.skb] + SKB.SIZE];
    sum ^= word;
  }
  return sum;
}

/** Fills in what the stack wants to know of a frame (Linux: eth_type_trans and the header checks of ip_rcv). */
export function readFrame(net: NetContext, skb: number, len: number, hash: number): void {
  const { m, b, keys } = net;
  const off = skbData(skb);
  let status = dissect(b, off, len, keys);
  if (len > SKB_DATA_BYTES && (status !== DISSECT_OK || keys.payloadOff - off > SKB_DATA_BYTES)) {
    // Headers that do not end in the first buffer (a chain of extension headers, say) are not looked at.
    keys.reset();
    status = DISSECT_TRUNCATED;
  }
  let flags = 0;
  if (status === DISSECT_OK && keys.ipVersion !== 0) {
    flags = keys.isFragment !== 0 ? SKB_F_IP | SKB_F_FRAGMENT : SKB_F_IP;
  }
  m[skb + SKB.len] = len;
  m[skb + SKB.hash] = hash;
  m[skb + SKB.headers] = ((keys.l4Off - off) << 16) | ((keys.l3Off - off) & 0xffff);
  // A frame whose headers cannot be read has none, and one of 64 KiB and more has more than the word can say.
  m[skb + SKB.payload] =
    keys.payloadOff === 0 ? 0 : (Math.min(keys.payloadLen, 0xffff) << 16) | (keys.payloadOff - off);
  m[skb + SKB.ports] = (keys.srcPort << 16) | keys.dstPort;
  m[skb + SKB.proto] = (flags << 24) | (keys.ipProto << 16) | (keys.ethType & 0xffff);
  m[skb + SKB.vlan] = keys.vlanTci;
}

/** Posts as many empty buffers as there is room for, and wakes the NIC if it waits for them. */
export function refill(net: NetContext, q: NicQueue): void {
  const { m } = net;
  const pending = Atomics.load(m, q.dev + NET_DEVICE.rxPending);
  let posted = post(net, q, pending);
  if (posted * 4 < pending) {
    // The pool is empty: who frees enough has the queue polled again. It may have been freed just now.
    const wanted = m[q.pool + PAGE_POOL.total] >>> 3;
    Atomics.store(m, q.at + NIC_QUEUE.starving, wanted); // D3
    if (ringLength(m, m[q.pool + PAGE_POOL.ring]) >= wanted) {
      Atomics.store(m, q.at + NIC_QUEUE.starving, 0);
      posted = post(net, q, pending);
    }
  }
  // A NIC that waits is woken for half a ring, not for a buffer; its own time-out covers what is less.
  if (posted * 2 >= pending && Atomics.load(m, q.at + NIC_QUEUE.nicWaiting) === 1) wakeNic(m, q.at); // D7
}

export function wakeNic(m: Int32Array, queueAt: number): void {
  if (Atomics.compareExchange(m, queueAt + NIC_QUEUE.nicWaiting, 1, 0) === 1) {
    Atomics.notify(m, queueAt + NIC_QUEUE.nicWaiting);
  }
}

/**
 * Posts what the pool has, so that buffers posted and descriptors not yet read together never exceed the ring, or the
 * part of it in use.
 * @param pending descriptors in use (ethtool -G)
 * @returns buffers in the fill ring afterwards
 */
function post(net: NetContext, q: NicQueue, pending: number): number {
  const { m } = net;
  const { fillProducer: fill, mark } = q;
  const pool = net.pool(q.pool);
  const room = fillRoom(m, q, pending);
  let n = 0;
  while (n < room) {
    const got = pool.take(room - n);
    if (got === 0) break;
    for (let i = 0; i < got; i++) {
      const skb = m[pool.taken + i];
      m[skb + SKB.next] = mark;
      m[fill.slot(n + i)] = skb;
    }
    n += got;
  }
  if (n > 0) fill.publish(n);
  return q.posted + n;
}

/**
 * After a thread gave buffers back to the pool of a queue: polls the queue again if it had run out and enough came
 * back (what drivers do with a software-triggered interrupt).
 */
function simNicBuffersFreed(cur: Current, q: NicQueue): void {
  const { m } = cur;
  const word = q.at + NIC_QUEUE.starving;
  const wanted = Atomics.load(m, word); // D4
  if (wanted === 0 || ringLength(m, m[q.pool + PAGE_POOL.ring]) < wanted) return;
  if (Atomics.compareExchange(m, word, wanted, 0) === wanted) raiseIrq(cur, q.irq);
}

/** Buffers came back to a pool: the receive queue it feeds, if there still is one, may wait for them. Under RCU. */
export function buffersFreed(driver: SimNicDriver, net: NetContext, pool: number): void {
  const { m, cur } = net;
  const queue = Atomics.load(m, pool + PAGE_POOL.queue);
  if (queue !== 0) simNicBuffersFreed(cur, driver.queue(queue));
}
