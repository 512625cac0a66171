// SPDX-License-Identifier: GPL-2.0-only
/**
 * A faulty device, injected from process context: it reports on its rings what is not so. While the NIC keeps off them
 * (`away` of sim_nic.ts, behind a grace period: a poll that plays a timed wire's hardware has gone) this thread is the
 * hardware; the driver polls on, and must believe nothing of it (sim_nic_claim.ts).
 */
import { NIC_QUEUE, type NicQueue, nicQueueAt, RX_DESC, SIM_NIC } from '../drivers/net/sim_nic.js';
import { tellNic } from '../drivers/net/sim_nic_main.js';
import { ENOENT } from '../kernel/errno.js';
import { raiseIrq } from '../kernel/irq.js';
import { synchronizeRcu } from '../kernel/rcu.js';
import { RING } from '../mm/ring.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import { SKB, SKB_DATA_BYTES, skbData } from '../net/core/skbuff.js';
import type { ThreadContext } from './context.js';
import type { ControlOp } from './control_ops.js';

/** Lengths that no frame of one buffer has. */
const LENGTHS = [-SKB_DATA_BYTES, -1, -0x80000000, 0x7fffffff, SKB_DATA_BYTES + 1, 70_000];
/** How far an index jumps: beyond any ring. One that is wrong and within the ring nobody could tell from a right one. */
const JUMPS = [1 << 20, -(1 << 20), -0x80000000, 0x7fffffff];
/** Bytes of a frame that is whole, and nobody's: all of them 0. */
const BLANK_BYTES = 60;
/** Looks at whether the driver has seen a wrong index, and their distance, us. */
const LOOKS = 200;
const LOOK_US = 50;

/**
 * Reports wrong things on a queue. Device mutex held.
 * @returns 0, or -ENOENT for a queue that is not served
 */
export function ringFault(
  ctx: ThreadContext,
  dev: number,
  op: Extract<ControlOp, { name: 'ring-fault' }>,
): number {
  const { cur, net, driver } = ctx;
  const { m } = cur;
  const nic = m[dev + NET_DEVICE.priv];
  if (op.index >= m[nic + SIM_NIC.nrQueues]) return -ENOENT;
  const at = nicQueueAt(m, nic, op.index);
  // What nobody polls is looked at by nobody.
  if (m[at + NIC_QUEUE.napi] === 0 && m[at + NIC_QUEUE.service] === 0) return -ENOENT;
  const q = driver.queue(at);
  Atomics.store(m, at + NIC_QUEUE.away, 1);
  tellNic(net, nic); // D9
  synchronizeRcu(cur);
  if (op.what === 'rx-index') glitch(ctx, q, m[at + NIC_QUEUE.rxRing] + RING.prod, op.count);
  else if (op.what === 'fill-index') glitch(ctx, q, m[at + NIC_QUEUE.fillRing] + RING.cons, op.count);
  else if (op.what === 'twice') reportTwice(ctx, q, op.count);
  else report(m, q, op.what, op.count);
  Atomics.store(m, at + NIC_QUEUE.away, 0);
  tellNic(net, nic); // D9
  raiseIrq(cur, q.irq);
  return 0;
}

/**
 * Reports buffers twice, a pair at a time and only when the driver has taken the one before: one poll sees both. In a later
 * poll the buffer may have been posted again, and nobody could tell.
 */
function reportTwice(ctx: ThreadContext, q: NicQueue, count: number): void {
  const { cur } = ctx;
  for (let i = 0; i < count; i += 2) {
    for (let k = 0; k < LOOKS && !q.rxConsumer.empty(); k++) cur.platform.usleep(LOOK_US);
    if (!q.rxConsumer.empty() || report(cur.m, q, 'twice', 2) === 0) return;
    raiseIrq(cur, q.irq);
  }
}

/**
 * Uses up to `count` posted buffers up and reports as many descriptors, each of them wrong, or every other one.
 * @returns how many
 */
function report(m: Int32Array, q: NicQueue, what: 'length' | 'id' | 'twice', count: number): number {
  const { fillConsumer: fill, rxProducer: rx } = q;
  fill.begin();
  rx.begin();
  const n = fill.available(count);
  for (let i = 0; i < n; i++) {
    const skb = m[fill.slot(i)];
    const desc = rx.slot(i);
    m.fill(0, skbData(skb) >> 2, (skbData(skb) + BLANK_BYTES + 4) >> 2);
    m[desc + RX_DESC.skb] = skb;
    m[desc + RX_DESC.len] = BLANK_BYTES;
    m[desc + RX_DESC.hash] = 0;
    m[desc + RX_DESC.seq] = 0;
    if (what === 'length') m[desc + RX_DESC.len] = LENGTHS[i % LENGTHS.length];
    else if (what === 'id') m[desc + RX_DESC.skb] = wrongId(m, skb, i);
    else if (i % 2 === 1) m[desc + RX_DESC.skb] = m[rx.slot(i - 1) + RX_DESC.skb];
  }
  if (n === 0) return 0;
  m[q.at + NIC_QUEUE.madeUp] += n;
  rx.publish(n); // D1, D5
  fill.release(n);
  return n;
}

/** @returns no buffer, or none that this device has got */
function wrongId(m: Int32Array, skb: number, i: number): number {
  const wrong = [0, -1, m.length + 5, 0x7fffffff, -0x80000000, skb + 1, skb + SKB.SIZE, m[skb + SKB.pool]];
  return wrong[i % wrong.length];
}

/** A ring's index is wrong for a moment: until the driver has looked `count` times, or does not look at all. */
function glitch(ctx: ThreadContext, q: NicQueue, word: number, count: number): void {
  const { cur } = ctx;
  const { m } = cur;
  const right = Atomics.load(m, word);
  for (let i = 0; i < count; i++) {
    const seen = m[q.at + NIC_QUEUE.badIndices];
    Atomics.store(m, word, (right + JUMPS[i % JUMPS.length]) | 0);
    raiseIrq(cur, q.irq);
    for (let k = 0; k < LOOKS && Atomics.load(m, q.at + NIC_QUEUE.badIndices) === seen; k++) {
      cur.platform.usleep(LOOK_US);
    }
  }
  Atomics.store(m, word, right);
}
