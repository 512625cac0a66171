// SPDX-License-Identifier: GPL-2.0-only
/**
 * Packet sockets (Linux: net/packet/af_packet.c): the consumer of every frame of a device that no other socket takes.
 *
 * Owners: the device's word is written under rtnl and read under RCU.
 */
import { EADDRINUSE } from '../../kernel/errno.js';
import type { NetContext } from '../core/net_context.js';
import { NET_DEVICE } from '../core/net_device.js';
import { skbDev } from '../core/page_pool.js';
import type { SockQueue } from '../core/sock_queue.js';

/** Binds a packet socket to a device, one a device. Caller holds rtnl. @returns 0 or -EADDRINUSE */
export function packetBind(net: NetContext, sock: number, dev: number): number {
  const was = Atomics.compareExchange(net.m, dev + NET_DEVICE.packetSock, 0, sock);
  return was === 0 ? 0 : -EADDRINUSE;
}

/** Unbinds it. Caller holds rtnl, and waits for a grace period before it frees the socket. */
export function packetUnbind(net: NetContext, sock: number, dev: number): void {
  Atomics.compareExchange(net.m, dev + NET_DEVICE.packetSock, sock, 0);
}

/** @returns the packet socket of the device a frame came from, if there is one */
export function packetLookup(net: NetContext, skb: number): SockQueue | null {
  const { m } = net;
  const sock = Atomics.load(m, skbDev(m, skb) + NET_DEVICE.packetSock);
  return sock === 0 ? null : net.sock(sock);
}
