// SPDX-License-Identifier: GPL-2.0-only
/**
 * The simulated NIC, the sending side: frames leave by what it is plugged into.
 *
 * States of a NIC: unplugged (what it sends is counted and gone); cabled, `peer` set at both ends (Linux: two linked
 * netdevsim devices); fed by a timed wire that is an echo (sim_nic_timed.ts): what leaves comes back. A cable has no thread of its own: who transmits does the hardware's work at the other end, from
 * the receive hash to the interrupt. The wire is as fast as they are, and what finds no posted buffer is missed.
 * Interrupt moderation needs a clock at the NIC, so a cable has none: an interrupt a batch.
 *
 * Owners
 *   peer          holder of rtnl and of both device mutexes (sim_nic_cable.ts); read in an RCU read section
 *   the NIC thread's part of a queue (ends of the rings, stamps, counters) of a cabled NIC   holder of its wireLock
 *   seq, rxDropped of a cabled NIC, and every NIC's tx counters   any thread that transmits, atomic add, once a batch
 * A cabled NIC has no NIC thread: feeding it and connecting one that is fed are refused (NetDevice, Machine).
 *
 * Invariants: frames of one transmitter and one queue arrive in the order they were sent, their numbers ascend. Under a
 * wireLock nothing else is locked, and no handler runs. Once a change of the receiver's settings has returned, no frame
 * is put where the old ones said; once the cable is out, nobody is at the rings for it.
 *
 * Ordering (and D1, D5 of sim_nic.ts, whose device is the transmitter here)
 *   C1 control: rxActive, linkUp, away, then each wireLock taken once          pairs with  C2
 *   C2 transmitter: wireLock taken, then load of rxActive, linkUp, away  pairs with  C1
 *   C3 disconnect: store of peer, then a grace period                    pairs with  C4
 *   C4 transmitter: in a read section, load of peer                      pairs with  C3
 */
import { raiseIrq } from '../../kernel/irq.js';
import { spinLock, spinUnlock } from '../../kernel/locking/spinlock.js';
import { dissect, FlowKeys } from '../../net/core/flow_dissector.js';
import { type NetContext, TX_BATCH } from '../../net/core/net_context.js';
import { NET_DEVICE } from '../../net/core/net_device.js';
import { countDrops } from '../../net/core/skb_free.js';
import { SKB_DATA_BYTES } from '../../net/core/skbuff.js';
import { DROP_DEV_READY, DROP_PKT_TOO_BIG, DROP_RX_MISSED } from '../../net/core/softnet_data.js';
import { copyFrame } from './copy_frame.js';
import { ethtoolRxfhIndirDefault, RSS_INDIRECTION_SIZE } from './rss_indirection.js';
import { NIC_QUEUE, nicQueueAt, RX_DESC, SIM_NIC } from './sim_nic.js';
import type { SimNicDriver } from './sim_nic_driver.js';
import { timedEcho } from './sim_nic_timed.js';

/** In place of a queue: the frame is through. */
const DONE = -1;

/** What a thread transmits with. */
export class NicTx {
  readonly keys = new FlowKeys();
  /** For each frame of the batch: its receive hash, and the queue at the other end that it goes to. */
  readonly hash = new Int32Array(TX_BATCH);
  readonly queue = new Int32Array(TX_BATCH);
  stampNs = 0;
}

/**
 * A frame of `len` bytes at byte `off` of the arena leaves by a NIC. In an RCU read section, bottom halves disabled; the
 * bytes are the caller's again when it returns.
 * @param queueAt the nic_queue it leaves by
 * @returns true if it left, whatever became of it then; false if it was dropped, and counted
 */
export function nicTransmit(
  net: NetContext,
  dev: number,
  queueAt: number,
  off: number,
  len: number,
): boolean {
  net.txOff[0] = off;
  net.txLen[0] = len;
  return nicTransmitBatch(net, dev, queueAt, 1) === 1;
}

/**
 * The first `n` frames of net.txOff, net.txLen leave by a NIC: one publication and one interrupt for each queue that they
 * go to. Otherwise as nicTransmit.
 * @param n from 0 to TX_BATCH
 * @returns how many left
 */
export function nicTransmitBatch(net: NetContext, dev: number, queueAt: number, n: number): number {
  return net.netDevOps[net.m[dev + NET_DEVICE.driver]].xmit(net, dev, queueAt, n);
}

/** NetDevOps.xmit of the simulated NIC. */
export function simNicXmit(driver: SimNicDriver, dev: number, queueAt: number, n: number): number {
  const { net } = driver;
  const { m } = net;
  const nic = m[dev + NET_DEVICE.priv];
  if (n <= 0) return 0;
  if (Atomics.load(m, nic + SIM_NIC.linkUp) === 0) {
    dropUnsent(net, nic, n, DROP_DEV_READY);
    return 0;
  }
  driver.tx ??= new NicTx();
  const left = leave(net, driver.tx, nic, n);
  const peer = Atomics.load(m, nic + SIM_NIC.peer); // C4
  if (peer !== 0 && left > 0) carry(driver, driver.tx, m[peer + NET_DEVICE.priv], n);
  if (peer === 0 && left > 0) timedEcho(driver, queueAt, left);
  return left;
}

/** Counts what leaves, and drops what no buffer holds. @returns how many leave */
function leave(net: NetContext, tx: NicTx, nic: number, n: number): number {
  const { m, txLen } = net;
  let left = 0;
  let bytes = 0;
  for (let i = 0; i < n; i++) {
    const fits = txLen[i] <= SKB_DATA_BYTES;
    tx.queue[i] = fits ? 0 : DONE;
    if (!fits) continue;
    left++;
    bytes += txLen[i];
  }
  if (left < n) dropUnsent(net, nic, n - left, DROP_PKT_TOO_BIG);
  if (left === 0) return 0;
  Atomics.add(m, nic + SIM_NIC.txPackets, left);
  const rest = Atomics.add(m, nic + SIM_NIC.txRestBytes, bytes) + bytes;
  if (rest >= 1024 && Atomics.compareExchange(m, nic + SIM_NIC.txRestBytes, rest, rest & 1023) === rest) {
    Atomics.add(m, nic + SIM_NIC.txKib, rest >>> 10);
  }
  return left;
}

function dropUnsent(net: NetContext, nic: number, n: number, reason: number): void {
  Atomics.add(net.m, nic + SIM_NIC.txDropped, n);
  countDrops(net, reason, n);
}

/** Brings the frames of a batch that are not DONE to the NIC at the other end. */
function carry(driver: SimNicDriver, tx: NicTx, nic: number, n: number): void {
  const { net } = driver;
  const { m } = net;
  hashAll(driver, tx, n);
  tx.stampNs = net.cur.platform.nowNs();
  for (let first = 0; ; ) {
    while (first < n && tx.queue[first] === DONE) first++;
    if (first === n) return;
    const active = Math.max(1, Atomics.load(m, nic + SIM_NIC.rxActive));
    for (let i = first; i < n; i++) if (tx.queue[i] !== DONE) tx.queue[i] = queueOf(tx.hash[i], active);
    // If the other end was changed meanwhile, they are steered again.
    deliver(driver, tx, nic, active, first, n);
  }
}

/** The queue that a fresh indirection table names. */
function queueOf(hash: number, active: number): number {
  return ethtoolRxfhIndirDefault(hash & (RSS_INDIRECTION_SIZE - 1), active);
}

function hashAll(driver: SimNicDriver, tx: NicTx, n: number): void {
  const { txOff, txLen, b } = driver.net;
  for (let i = 0; i < n; i++) {
    if (tx.queue[i] === DONE) continue;
    if (i > 0 && txOff[i] === txOff[i - 1] && txLen[i] === txLen[i - 1]) {
      tx.hash[i] = tx.hash[i - 1];
      continue;
    }
    dissect(b, txOff[i], txLen[i], tx.keys);
    tx.hash[i] = driver.receiveHash(b, tx.keys);
  }
}

/** Puts the frames that go where frame `first` goes into that queue, unless another number of them is `active` now. */
function deliver(
  driver: SimNicDriver,
  tx: NicTx,
  nic: number,
  active: number,
  first: number,
  n: number,
): void {
  const { net } = driver;
  const { m } = net;
  const index = tx.queue[first];
  const at = nicQueueAt(m, nic, index);
  let put = 0;
  spinLock(m, at + NIC_QUEUE.wireLock); // C2
  if (Atomics.load(m, nic + SIM_NIC.linkUp) === 0) {
    const lost = finish(tx, index, first, n);
    Atomics.add(m, nic + SIM_NIC.rxDropped, lost);
    countDrops(net, DROP_DEV_READY, lost);
  } else if (Math.max(1, Atomics.load(m, nic + SIM_NIC.rxActive)) === active) {
    put = receive(driver, tx, nic, at, first, n);
  }
  spinUnlock(m, at + NIC_QUEUE.wireLock);
  if (put > 0) raiseIrq(net.cur, driver.queue(at).irq); // D1
}

/** Marks the frames that go to queue `index` as DONE. @returns how many they are */
function finish(tx: NicTx, index: number, first: number, n: number): number {
  let count = 0;
  for (let i = first; i < n; i++) {
    if (tx.queue[i] !== index) continue;
    tx.queue[i] = DONE;
    count++;
  }
  return count;
}

/** Writes frames into posted buffers of a queue and reports them. wireLock held. @returns how many */
function receive(driver: SimNicDriver, tx: NicTx, nic: number, at: number, first: number, n: number): number {
  const { net } = driver;
  const { m, b, f, txOff, txLen } = net;
  const { fillConsumer: fill, rxProducer: rx, stamps } = driver.queue(at);
  const index = tx.queue[first];
  let want = 0;
  for (let i = first; i < n; i++) if (tx.queue[i] === index) want++;
  const seq = Atomics.add(m, nic + SIM_NIC.seq, want);
  fill.begin();
  rx.begin();
  const room = Atomics.load(m, at + NIC_QUEUE.away) !== 0 ? 0 : fill.available(want); // C2
  let put = 0;
  let bytes = 0;
  for (let i = first; put < room; i++) {
    if (tx.queue[i] !== index) continue;
    const skb = m[fill.slot(put)];
    copyFrame(m, b, skb, txOff[i], txLen[i]);
    f[stamps + rx.index(put)] = tx.stampNs;
    const desc = rx.slot(put);
    m[desc + RX_DESC.skb] = skb;
    m[desc + RX_DESC.len] = txLen[i];
    m[desc + RX_DESC.hash] = tx.hash[i];
    m[desc + RX_DESC.seq] = (seq + put) | 0;
    bytes += txLen[i];
    put++;
  }
  finish(tx, index, first, n);
  if (put < want) {
    m[at + NIC_QUEUE.rxMissed] += want - put;
    countDrops(net, DROP_RX_MISSED, want - put);
  }
  if (put === 0) return 0;
  m[at + NIC_QUEUE.rxFramesTotal] += put;
  f[(at + NIC_QUEUE.rxBytes) >> 1] += bytes;
  m[at + NIC_QUEUE.interrupts]++;
  rx.publish(put); // D1, D5
  fill.release(put);
  return put;
}

/**
 * Returns when nobody brings frames to this NIC by the settings of before. Device mutex held, the new ones are stored.
 */
export function waitForTransmitters(m: Int32Array, nic: number): void {
  for (let i = 0; i < m[nic + SIM_NIC.nrQueues]; i++) {
    const lock = nicQueueAt(m, nic, i) + NIC_QUEUE.wireLock;
    spinLock(m, lock);
    spinUnlock(m, lock);
  }
}
