// SPDX-License-Identifier: GPL-2.0-only
/**
 * The loopback device (Linux: drivers/net/loopback.c): what is sent is received, by netif_rx. It has no NAPI instance of
 * its own: the backlog of the sender's CPU takes its frames, within the call that sends them.
 *
 * Owners: the counters: any sender, atomic add, once a batch.
 */
import { EOPNOTSUPP } from '../../kernel/errno.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { line, struct, word } from '../../mm/struct.js';
import type { NetDevOps } from '../../net/core/dev.js';
import type { NetContext } from '../../net/core/net_context.js';
import { IFF_UP, NET_DEVICE, rxQueueAt } from '../../net/core/net_device.js';
import { netifRx } from '../../net/core/netif_rx.js';
import { dropSkb } from '../../net/core/skb_free.js';
import { DROP_DEV_READY } from '../../net/core/softnet_data.js';

export const LOOPBACK = struct(
  'loopback',
  line('senders, atomic add', {
    packets: word('frames sent, and so received (wraps)'),
    kib: word('1024s of their bytes (wraps)'),
    restBytes: word('and the bytes that make no 1024 yet'),
    dropped: word('frames sent while the link was down (wraps)'),
  }),
);

/** Makes its counters. @returns their word index, or 0 (ENOMEM) */
export function loopbackCreate(m: Int32Array): number {
  return kmalloc(m, LOOPBACK.SIZE);
}

/** The driver's operations: it has one channel and no rings. */
export const LOOPBACK_OPS: NetDevOps = {
  open: () => 0,
  stop: () => {},
  setChannels: () => -EOPNOTSUPP,
  setRing: () => -EOPNOTSUPP,
  xmit: () => 0, // its senders give it whole buffers: loopbackXmit
  uninit: (net, dev) => kfree(net.m, net.m[dev + NET_DEVICE.priv], LOOPBACK.SIZE),
};

/**
 * Sends a frame (Linux: loopback_xmit). Bottom halves disabled, in a read section of RCU, between netifRxBegin and
 * netifRxEnd.
 * @param place struct rps_place of the sender
 * @param flows its flow table: senders share the one receive queue
 * @returns true if it was sent; false if the link is down and it was dropped
 */
export function loopbackXmit(
  net: NetContext,
  dev: number,
  skb: number,
  place: number,
  flows: number,
): boolean {
  const { m } = net;
  if ((Atomics.load(m, dev + NET_DEVICE.flags) & IFF_UP) === 0) {
    dropSkb(net, skb, DROP_DEV_READY);
    return false;
  }
  netifRx(net, rxQueueAt(m, dev, 0), skb, place, flows);
  return true;
}

/** Counts a batch of `frames`, of `bytes` together, of which `dropped` were not sent. */
export function loopbackCount(
  net: NetContext,
  dev: number,
  frames: number,
  bytes: number,
  dropped: number,
): void {
  const { m } = net;
  const priv = m[dev + NET_DEVICE.priv];
  Atomics.add(m, priv + LOOPBACK.packets, frames);
  const rest = Atomics.add(m, priv + LOOPBACK.restBytes, bytes) + bytes;
  if (rest >= 1024 && Atomics.compareExchange(m, priv + LOOPBACK.restBytes, rest, rest & 1023) === rest) {
    Atomics.add(m, priv + LOOPBACK.kib, rest >>> 10);
  }
  if (dropped > 0) Atomics.add(m, priv + LOOPBACK.dropped, dropped);
}
