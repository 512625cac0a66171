// SPDX-License-Identifier: GPL-2.0-only
/**
 * What the driver believes of what a device writes (Linux: virtqueue_get_buf checks ids against the buffers it has given).
 * A device may be faulty: lengths, buffers and ring indices that it reports are looked at before anything is done with
 * them. By the owner of SCHED, or who else has the driver's ends of the rings.
 *
 * Each buffer posted carries its queue's mark in its link word, which nobody uses until it is received; a descriptor is
 * believed if its buffer has the mark and its length fits. So a buffer is taken once for each time that it was posted, and
 * no other memory is written to. Who reports another buffer that it has been given, and not yet used, is believed.
 *
 * What becomes of the buffer behind a descriptor that is wrong: it has the mark, and is neither posted nor reported. As
 * soon as the receive ring is empty, all such are taken back (D5, D6 of sim_nic.ts: what the NIC has taken is reported).
 * A ring index further off than the ring is long is passed over: nothing is taken or posted until it is right again.
 */
import type { NetContext } from '../../net/core/net_context.js';
import { PAGE_POOL } from '../../net/core/page_pool.js';
import { countDrops } from '../../net/core/skb_free.js';
import { SKB, SKB_DATA_BYTES, SKB_STRIDE, skbBuffersFor } from '../../net/core/skbuff.js';
import { DROP_RX_BAD_DESC } from '../../net/core/softnet_data.js';
import { NIC_QUEUE, type NicQueue, RX_DESC } from './sim_nic.js';

/** Takes over the frame that a descriptor reports. @returns false: it reports none that the device may have received */
export function claimFrame(m: Int32Array, desc: number, mark: number): boolean {
  const skb = m[desc + RX_DESC.skb];
  if (m[skb + SKB.next] !== mark) return false;
  const len = m[desc + RX_DESC.len];
  // Captures have empty frames, so a device may receive one.
  if (len < 0 || len > SKB_DATA_BYTES || m[skb + SKB.frags] !== 0) return claimChain(m, skb, len, mark);
  m[skb + SKB.next] = 0;
  return true;
}

/** The same for a frame of several buffers: as many as its length takes. */
function claimChain(m: Int32Array, skb: number, len: number, mark: number): boolean {
  if (len <= SKB_DATA_BYTES) return false;
  const need = skbBuffersFor(len);
  let at = skb;
  for (let i = 0; i < need; i++) {
    if (m[at + SKB.next] !== mark) return false;
    at = m[at + SKB.frags];
  }
  // A chain that closes upon itself never ends.
  if (at !== 0) return false;
  for (at = skb; at !== 0; at = m[at + SKB.frags]) m[at + SKB.next] = 0;
  return true;
}

/** A descriptor is wrong: it is counted, as a frame that was dropped, and its buffer is looked for. */
export function countBadDesc(net: NetContext, at: number): void {
  net.m[at + NIC_QUEUE.badDescs]++;
  net.m[at + NIC_QUEUE.suspect] = 1;
  countDrops(net, DROP_RX_BAD_DESC, 1);
}

/**
 * Looks at both rings, as their producer and consumer: begins both.
 * @returns empty buffers that may be posted, perhaps less than none, or MIN_ROOM: an index is wrong, and was counted.
 *   `q.posted` is how many are
 */
export function fillRoom(m: Int32Array, q: NicQueue, pending: number): number {
  const { fillProducer: fill, rxConsumer: rx, ringSize } = q;
  fill.begin();
  const free = fill.reserve(ringSize + 1); // D6: first what the NIC took,
  rx.begin();
  const unread = rx.available(ringSize + 1); // then what it reported
  if (free >>> 0 > ringSize || unread >>> 0 > ringSize) {
    m[q.at + NIC_QUEUE.badIndices]++;
    q.posted = pending;
    return MIN_ROOM;
  }
  q.posted = ringSize - free;
  return pending - q.posted - unread;
}

const MIN_ROOM = -0x40000000;

/** @returns descriptors to be read, after `begin`; 0 if the ring's index is wrong, which is counted */
export function unreadDescs(m: Int32Array, q: NicQueue, budget: number): number {
  const { rxConsumer: rx, ringSize } = q;
  const there = rx.available(ringSize + 1); // D2
  if (there >>> 0 > ringSize) {
    m[q.at + NIC_QUEUE.badIndices]++;
    return 0;
  }
  return Math.min(there, budget);
}

/** Behind wrong descriptors: puts the buffers that the device has lost into the queue's pool, if that can be told now. */
export function recoverLost(net: NetContext, q: NicQueue): void {
  const { m } = net;
  const lost = lostBuffers(m, q, m[q.pool + PAGE_POOL.buffers], m[q.pool + PAGE_POOL.total]);
  const pool = net.pool(q.pool);
  for (let i = 0; i < lost.length; i++) pool.recycleDirect(lost[i]);
}

/**
 * Behind wrong descriptors: finds the buffers that carry the queue's mark and are neither posted nor reported.
 * @param base the first of the buffers that may be posted; the `total` of them are SKB_STRIDE apart
 * @returns them, fit to be posted again; none as long as there are descriptors to be read
 */
export function lostBuffers(m: Int32Array, q: NicQueue, base: number, total: number): number[] {
  const { fillConsumer: fill, rxConsumer: rx, ringSize, mark } = q;
  const lost: number[] = [];
  fill.begin(); // D6: first what the NIC took,
  const posted = fill.available(ringSize + 1);
  if (posted >>> 0 > ringSize || !rx.empty()) return lost; // then what it reported
  for (let i = 0; i < posted; i++) m[m[fill.slot(i)] + SKB.next] = 0;
  for (let i = 0; i < total; i++) {
    const skb = base + i * SKB_STRIDE;
    if (m[skb + SKB.next] !== mark) continue;
    m[skb + SKB.next] = 0;
    m[skb + SKB.frags] = 0;
    lost.push(skb);
  }
  for (let i = 0; i < posted; i++) m[m[fill.slot(i)] + SKB.next] = mark;
  m[q.at + NIC_QUEUE.suspect] = 0;
  return lost;
}
