// SPDX-License-Identifier: GPL-2.0-only
/**
 * The simulated NIC's driver with an AF_XDP socket at a queue, without copies (Linux: the *_xsk.c of drivers, xsk_rcv_zc):
 * the NIC receives into frames of the socket's UMEM, and the poll hands them over. Who owns what is said in
 * net/xdp/xsk.ts and sim_nic.ts; everything here belongs to the owner of SCHED, but for xskWakeup.
 *
 * What the frames are for is decided by `steerPort`, in place of an XDP program: the socket's go into its rx ring, the
 * others are copied into buffers of the queue's page pool and go up the stack.
 */
import { cpuRelax } from '../../kernel/cpu_relax.js';
import type { Current } from '../../kernel/current.js';
import { ENETDOWN, ENXIO } from '../../kernel/errno.js';
import { irqMask } from '../../kernel/irq.js';
import { rcuReadLock, rcuReadUnlock } from '../../kernel/rcu.js';
import { BUSY_POLL_BUDGET, NAPI_F_PREFER_BUSY_POLL, napiBusyLoop } from '../../net/core/busy_poll.js';
import { dissect } from '../../net/core/flow_dissector.js';
import { napiGroReceive } from '../../net/core/gro.js';
import { DISSECT_OK } from '../../net/core/headers/flow_keys.js';
import { IPPROTO_UDP } from '../../net/core/headers/protocols.js';
import { NAPI, type Napi } from '../../net/core/napi.js';
import { napiCompleteDone, napiScheduleOn, napiSchedulePrep } from '../../net/core/napi_schedule.js';
import { type NetContext, TX_BATCH } from '../../net/core/net_context.js';
import { NET_DEVICE } from '../../net/core/net_device.js';
import { countDrops } from '../../net/core/skb_free.js';
import { SKB, SKB_DATA_BYTES, skbBuffersFor, skbData } from '../../net/core/skbuff.js';
import {
  DROP_DEV_READY,
  DROP_NOMEM,
  DROP_PKT_TOO_BIG,
  DROP_XSK_RX_FULL,
} from '../../net/core/softnet_data.js';
import {
  XDP_DESC,
  XDP_SOCK,
  XDP_WAKEUP_RX,
  XDP_WAKEUP_TX,
  type XdpSock,
  xdpSockView,
  xskShutdown,
  xskWake,
} from '../../net/xdp/xsk.js';
import { type XskRings, xskWaitReadable } from '../../net/xdp/xsk_user.js';
import { NIC_QUEUE, type NicQueue, RX_DESC } from './sim_nic.js';
import { claimFrame, countBadDesc, fillRoom, lostBuffers, unreadDescs } from './sim_nic_claim.js';
import { readFrame, ringIsFull, type SimNicDriver, wakeNic } from './sim_nic_driver.js';
import { timedUnmask } from './sim_nic_timed.js';
import { nicTransmitBatch } from './sim_nic_tx.js';

/** @returns this thread's view of the xdp_sock at `at` */
export function xdpSock(driver: SimNicDriver, at: number): XdpSock {
  let x = driver.xsks.get(at);
  if (x === undefined || x.id !== driver.net.m[at + XDP_SOCK.id]) {
    x = xdpSockView(driver.net.m, at);
    driver.xsks.set(at, x);
  }
  return x;
}

/**
 * Poll function of a queue that has a socket: receives up to `budget` frames, sends, posts, completes if it is done.
 * @param busy its owner polls again in any case: nobody need be asked to wake it
 */
export function xskPoll(
  driver: SimNicDriver,
  net: NetContext,
  n: Napi,
  q: NicQueue,
  budget: number,
  busy: boolean,
): number {
  const { m } = net;
  const x = xdpSock(driver, m[q.at + NIC_QUEUE.xsk]);
  if (busy) {
    x.promise(XDP_WAKEUP_RX | XDP_WAKEUP_TX);
    if (xskPollsInVain(m, q, x)) {
      m[n.at + NAPI.emptyPolls]++;
      return 0;
    }
  }
  // What has come goes up before anything else is looked at.
  x.rx.beginAgain();
  const work = receive(net, n, q, x, budget);
  if (m[q.at + NIC_QUEUE.suspect] !== 0) {
    const lost = lostBuffers(m, q, x.umem, x.frames);
    for (let i = 0; i < lost.length; i++) x.putSpare(lost[i]);
  }
  if (work > 0) xskWake(m, x.at, net.cur);
  x.beginOthers();
  const pending = Atomics.load(m, q.dev + NET_DEVICE.rxPending);
  // A small UMEM never fills the ring: half of what is to receive into is enough, too.
  const enough = Math.min(pending, Math.max(1, (x.frames - x.txFrames + 1) >> 1));
  let posted = xskRefill(net, q, x, pending);
  let again = work === budget;
  if (transmit(net, q, x) === TX_BATCH) again = true;
  if (again || busy) {
    x.promise(XDP_WAKEUP_TX);
  } else if (x.askFor(XDP_WAKEUP_TX) && transmit(net, q, x) > 0) {
    x.promise(XDP_WAKEUP_TX);
    again = true;
  }
  // Few are posted, and the application has given no more: it is to say when it does.
  if (!busy && posted * 4 < enough && x.askFor(XDP_WAKEUP_RX)) posted = xskRefill(net, q, x, pending);
  if (posted * 4 >= enough) x.promise(XDP_WAKEUP_RX);
  if (posted * 2 >= enough && Atomics.load(m, q.at + NIC_QUEUE.nicWaiting) === 1) wakeNic(m, q.at); // D7
  if (again) {
    // Whoever sees a whole budget counts it as packets.
    m[n.at + NAPI.work] += work - budget;
    return budget;
  }
  if (napiCompleteDone(net, n, work)) timedUnmask(driver, q);
  return work;
}

/** @returns true if nothing has come, nothing is to be sent, and nothing can be posted, or need be */
function xskPollsInVain(m: Int32Array, q: NicQueue, x: XdpSock): boolean {
  if (!q.rxConsumer.empty() || !x.tx.empty() || m[q.at + NIC_QUEUE.suspect] !== 0) return false;
  return ringIsFull(m, q) || (x.fill.empty() && !x.hasSpare());
}

/** Takes frames from the NIC. @returns how many */
function receive(net: NetContext, n: Napi, q: NicQueue, x: XdpSock, budget: number): number {
  const { m, f } = net;
  const { rxConsumer: nic, mark } = q;
  const { rx, steerPort } = x;
  nic.begin();
  const work = unreadDescs(m, q, budget); // D2
  if (work === 0) return 0;
  const room = rx.reserve(work);
  let given = 0;
  for (let i = 0; i < work; i++) {
    const desc = nic.slot(i);
    if (!claimFrame(m, desc, mark)) {
      countBadDesc(net, q.at);
      continue;
    }
    const skb = m[desc + RX_DESC.skb];
    const len = m[desc + RX_DESC.len];
    if (steerPort !== 0 && !isFor(net, skb, len, steerPort)) {
      pass(net, n, q, x, i);
    } else if (len > SKB_DATA_BYTES || given === room) {
      discard(net, x, skb, len);
    } else {
      f[(skb + SKB.tstampNs) >> 1] = f[q.stamps + nic.index(i)];
      const slot = rx.slot(given++);
      m[slot + XDP_DESC.len] = len;
      m[slot + XDP_DESC.options] = 0;
      m[slot + XDP_DESC.seq] = m[desc + RX_DESC.seq];
      m[slot + XDP_DESC.addr] = x.hand(skb);
    }
  }
  if (given > 0) {
    m[x.at + XDP_SOCK.rxFrames] += given;
    rx.publish(given); // Y1
  }
  nic.release(work);
  return work;
}

/** What an XDP program would decide: is it a datagram for that port? */
function isFor(net: NetContext, skb: number, len: number, port: number): boolean {
  const { b, keys } = net;
  const off = skbData(skb);
  if (dissect(b, off, len, keys) !== DISSECT_OK) return false;
  return (
    keys.ipProto === IPPROTO_UDP &&
    keys.isFragment === 0 &&
    keys.dstPort === port &&
    keys.payloadOff - off <= SKB_DATA_BYTES
  );
}

/** A frame that the socket cannot take: counted, its buffers kept. */
function discard(net: NetContext, x: XdpSock, skb: number, len: number): void {
  const { m } = net;
  const tooBig = len > SKB_DATA_BYTES;
  m[x.at + (tooBig ? XDP_SOCK.rxDropped : XDP_SOCK.rxRingFull)]++;
  countDrops(net, tooBig ? DROP_PKT_TOO_BIG : DROP_XSK_RX_FULL, 1);
  keep(m, x, skb, len);
}

/** The buffers of a frame of `len` bytes are the driver's to post again. */
export function keep(m: Int32Array, x: XdpSock, skb: number, len: number): void {
  let at = skb;
  for (let i = skbBuffersFor(len); i > 1; i--) {
    const next = m[at + SKB.frags];
    m[at + SKB.frags] = 0;
    x.putSpare(at);
    at = next;
  }
  x.putSpare(at);
}

/** XDP_PASS: the `i`-th frame of the ring goes up the stack, as a copy in buffers of the queue's page pool. */
function pass(net: NetContext, n: Napi, q: NicQueue, x: XdpSock, i: number): void {
  const { m, b, f } = net;
  const desc = q.rxConsumer.slot(i);
  const from = m[desc + RX_DESC.skb];
  const len = m[desc + RX_DESC.len];
  const pool = net.pool(q.pool);
  net.ownPool = q.pool;
  let head = 0;
  let last = 0;
  let src = from;
  for (let left = len; left > 0; left -= SKB_DATA_BYTES) {
    if (pool.take(1) === 0) {
      giveBack(net, q, head);
      head = 0;
      break;
    }
    const skb = m[pool.taken];
    const off = skbData(src);
    b.copyWithin(skbData(skb), off, off + Math.min(left, SKB_DATA_BYTES));
    src = m[src + SKB.frags];
    if (head === 0) head = skb;
    else m[last + SKB.frags] = skb;
    last = skb;
  }
  keep(m, x, from, len);
  if (head === 0) {
    countDrops(net, DROP_NOMEM, 1);
    return;
  }
  m[x.at + XDP_SOCK.rxPassed]++;
  m[head + SKB.seq] = m[desc + RX_DESC.seq];
  f[(head + SKB.tstampNs) >> 1] = f[q.stamps + q.rxConsumer.index(i)];
  readFrame(net, head, len, m[desc + RX_DESC.hash]);
  napiGroReceive(net, n, head, Atomics.load(m, q.dev + NET_DEVICE.features));
}

/** The buffers of a copy that could not be made whole. */
function giveBack(net: NetContext, q: NicQueue, head: number): void {
  const { m } = net;
  const pool = net.pool(q.pool);
  for (let skb = head; skb !== 0; ) {
    const next = m[skb + SKB.frags];
    m[skb + SKB.frags] = 0;
    pool.recycleDirect(skb);
    skb = next;
  }
}

/**
 * Posts frames, so that those posted and the descriptors not yet read together never exceed the part of the ring in use.
 * @returns frames in the NIC's fill ring afterwards
 */
export function xskRefill(net: NetContext, q: NicQueue, x: XdpSock, pending: number): number {
  const { m } = net;
  const { fillProducer: post, mark } = q;
  const room = fillRoom(m, q, pending);
  let n = 0;
  while (n < room) {
    const skb = x.takeSpare();
    if (skb === 0) break;
    m[skb + SKB.next] = mark;
    m[post.slot(n++)] = skb;
  }
  let taken = 0;
  let bad = 0;
  while (n < room) {
    const there = x.fill.available(room - n + taken) - taken;
    if (there <= 0) break;
    for (let i = 0; i < there; i++) {
      const skb = x.claim(m[x.fill.slot(taken++)]);
      if (skb === 0) {
        bad++;
        continue;
      }
      m[skb + SKB.next] = mark;
      m[post.slot(n++)] = skb;
    }
  }
  if (taken > 0) x.fill.release(taken);
  if (bad > 0) m[x.at + XDP_SOCK.rxInvalidDescs] += bad;
  if (n < room) m[x.at + XDP_SOCK.rxFillRingEmptyDescs]++;
  if (n > 0) post.publish(n);
  return q.posted + n;
}

/** Sends what the tx ring has, as far as there is room for completions. @returns descriptors taken, TX_BATCH at most */
function transmit(net: NetContext, q: NicQueue, x: XdpSock): number {
  const { m, txOff, txLen } = net;
  const { tx, comp } = x;
  const n = tx.available(comp.reserve(TX_BATCH));
  if (n === 0) {
    m[x.at + XDP_SOCK.txRingEmptyDescs]++;
    return 0;
  }
  const base = x.umem << 2;
  let good = 0;
  for (let i = 0; i < n; i++) {
    const slot = tx.slot(i);
    const addr = m[slot + XDP_DESC.addr];
    const len = m[slot + XDP_DESC.len];
    if (m[slot + XDP_DESC.options] !== 0 || !x.sendable(addr, len)) continue;
    txOff[good] = base + addr;
    txLen[good] = len;
    m[comp.slot(good++)] = addr;
  }
  if (good < n) m[x.at + XDP_SOCK.txInvalidDescs] += n - good;
  if (good > 0) {
    const sent = nicTransmitBatch(net, q.dev, q.at, good);
    m[x.at + XDP_SOCK.txSent] += sent;
  }
  tx.release(n);
  if (good > 0) comp.publish(good);
  return n;
}

/**
 * Has the instance of a socket's queue polled (Linux: ndo_xsk_wakeup). From any thread.
 * @returns 0; -ENXIO if the socket is at no queue any more; -ENETDOWN while the link is down
 */
export function xskWakeup(driver: SimNicDriver, cur: Current, at: number): number {
  const { m } = cur;
  rcuReadLock(cur);
  const queueAt = Atomics.load(m, at + XDP_SOCK.queue); // V2
  const napiAt = queueAt === 0 ? 0 : Atomics.load(m, queueAt + NIC_QUEUE.napi);
  if (napiAt !== 0) {
    const n = driver.net.napi(napiAt);
    // Not by the interrupt: deferral may keep that masked until a timer ends.
    if (napiSchedulePrep(n)) {
      irqMask(driver.queue(queueAt).irq);
      napiScheduleOn(driver.net, cur.cpus[m[n.at + NAPI.cpu]], n);
    }
  }
  rcuReadUnlock(cur);
  if (queueAt === 0) return -ENXIO;
  return napiAt === 0 ? -ENETDOWN : 0;
}

/**
 * What poll() does (Linux: xsk_poll): asks the driver to look at rings that it does not look at by itself, whether or not
 * something can be read; then waits until there are frames to read or the socket is closed. In the application's thread.
 * @param looks how often it looks before it sleeps
 * @param timeoutUs most it sleeps; -1: no limit; 0: not at all
 */
export function xskWait(
  driver: SimNicDriver,
  at: number,
  rings: XskRings,
  looks: number,
  timeoutUs: number,
): void {
  const { cur } = driver.net;
  const need = rings.needWakeup(); // W2
  if ((need & XDP_WAKEUP_RX) !== 0 || ((need & XDP_WAKEUP_TX) !== 0 && rings.txPending()))
    xskWakeup(driver, cur, at);
  for (let look = 0; look < looks; look++) {
    if (rings.isReadable()) return;
    cpuRelax();
  }
  xskWaitReadable(cur, rings, timeoutUs);
}

/**
 * What recvfrom() and sendto() do (Linux: xsk_recvmsg, xsk_sendmsg): one poll of the queue's instance, if SO_BUSY_POLL is set;
 * then, unless that is preferred, a wake-up where the driver wants one. From any thread; never blocks.
 * @param ring XDP_WAKEUP_RX or XDP_WAKEUP_TX
 * @returns as xskWakeup, also where neither is to be done
 */
export function xskCall(driver: SimNicDriver, at: number, ring: number): number {
  const { net } = driver;
  const { m, cur } = net;
  rcuReadLock(cur);
  const queueAt = Atomics.load(m, at + XDP_SOCK.queue); // V2
  const napiAt = queueAt === 0 ? 0 : Atomics.load(m, queueAt + NIC_QUEUE.napi);
  const id = napiAt === 0 ? 0 : Atomics.load(m, napiAt + NAPI.napiId);
  rcuReadUnlock(cur);
  if (queueAt === 0) return -ENXIO;
  if (napiAt === 0) return -ENETDOWN;
  if (Atomics.load(m, at + XDP_SOCK.llUsec) !== 0) {
    const prefer = Atomics.load(m, at + XDP_SOCK.preferBusyPoll) !== 0;
    const budget = Atomics.load(m, at + XDP_SOCK.busyPollBudget) || BUSY_POLL_BUDGET;
    napiBusyLoop(net, id, null, prefer ? NAPI_F_PREFER_BUSY_POLL : 0, budget);
    if (prefer) return 0; // Linux: xsk_no_wakeup
  }
  if ((Atomics.load(m, at + XDP_SOCK.needWakeup) & ring) === 0) return 0; // W2
  return xskWakeup(driver, cur, at);
}

/**
 * Takes the frames that the NIC has back: posted, or received and not read. It keeps off the rings, and nobody polls.
 * @param reason what frames received count as
 */
export function xskReclaim(driver: SimNicDriver, at: number, reason: number): void {
  const { net } = driver;
  const q = driver.queue(at);
  const { fillConsumer: fill, rxConsumer: rx, ringSize } = q;
  rx.begin();
  const unread = rx.available(ringSize);
  if (unread > 0) {
    rx.release(unread);
    countDrops(net, reason, unread);
  }
  fill.begin();
  const posted = fill.available(ringSize);
  if (posted > 0) fill.release(posted);
  net.m[at + NIC_QUEUE.suspect] = 0;
}

/** The device goes away, and with it the binding of its queue's socket: nothing more comes. Nobody polls. */
export function xskLost(driver: SimNicDriver, at: number): void {
  const { m } = driver.net;
  const xs = m[at + NIC_QUEUE.xsk];
  xskReclaim(driver, at, DROP_DEV_READY);
  xdpSock(driver, xs).forget();
  m[at + NIC_QUEUE.xsk] = 0;
  m[xs + XDP_SOCK.dev] = 0;
  Atomics.store(m, xs + XDP_SOCK.queue, 0); // V1
  xskShutdown(m, xs);
}
