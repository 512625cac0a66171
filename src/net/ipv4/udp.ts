// SPDX-License-Identifier: GPL-2.0-only
/**
 * UDP sockets (Linux: net/ipv4/udp.c): a table from destination port to socket, and one socket that may stand for
 * every other port.
 *
 * Owners: the table is written under rtnl and read under RCU; a socket is freed a grace period after it left the table.
 */
import { EADDRINUSE } from '../../kernel/errno.js';
import { IPPROTO_UDP } from '../core/headers/protocols.js';
import type { NetContext } from '../core/net_context.js';
import { SKB, SKB_F_IP, SKB_F_REASSEMBLED } from '../core/skbuff.js';
import type { SockQueue } from '../core/sock_queue.js';
import { NET } from '../core/softnet_data.js';

/**
 * Binds a socket to a port, or to every port without a socket of its own (0). Caller holds rtnl.
 * @returns 0 or -EADDRINUSE
 */
export function udpBind(net: NetContext, sock: number, port: number): number {
  const slot = portSlot(net, port);
  if (Atomics.compareExchange(net.m, slot, 0, sock) !== 0) return -EADDRINUSE;
  return 0;
}

/** Takes a socket out of the table. Caller holds rtnl, and waits for a grace period before it frees the socket. */
export function udpUnbind(net: NetContext, sock: number, port: number): void {
  Atomics.compareExchange(net.m, portSlot(net, port), sock, 0);
}

/** Finds the socket of a UDP datagram over IPv4 or IPv6 (Linux: __udp4_lib_lookup). Fragments have none. */
export function udpLookup(net: NetContext, skb: number): SockQueue | null {
  const { m, at } = net;
  const proto = m[skb + SKB.proto];
  // UDP in an IP packet that was read whole, or put together, and is no fragment.
  if (((proto >>> 16) & 0xff) !== IPPROTO_UDP || ((proto >>> 24) & ~SKB_F_REASSEMBLED) !== SKB_F_IP)
    return null;
  let sock = Atomics.load(m, m[at + NET.udpTable] + (m[skb + SKB.ports] & 0xffff));
  if (sock === 0) sock = Atomics.load(m, at + NET.udpAny);
  return sock === 0 ? null : net.sock(sock);
}

function portSlot(net: NetContext, port: number): number {
  return port === 0 ? net.at + NET.udpAny : net.m[net.at + NET.udpTable] + port;
}
