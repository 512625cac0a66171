// SPDX-License-Identifier: GPL-2.0-only
/** Opening and closing sockets, in process context. */
import { ENOMEM } from '../kernel/errno.js';
import { synchronizeRcu } from '../kernel/rcu.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import { countDrops } from '../net/core/skb_free.js';
import { SKB, skbFrames } from '../net/core/skbuff.js';
import {
  AF_PACKET,
  SOCK,
  sockCreate,
  sockDestroy,
  sockReaderView,
  sockShutdown,
} from '../net/core/sock_queue.js';
import { DROP_SOCKET_CLOSE, NET } from '../net/core/softnet_data.js';
import { udpBind, udpUnbind } from '../net/ipv4/udp.js';
import { packetBind, packetUnbind } from '../net/packet/af_packet.js';
import type { ThreadContext } from './context.js';
import type { ControlOp, ControlResult } from './control_ops.js';

/** Makes and binds a socket. The value is its word index. */
export function openSock(ctx: ThreadContext, op: Extract<ControlOp, { name: 'sock-open' }>): ControlResult {
  const { net, cur } = ctx;
  const { m } = cur;
  const sock = sockCreate(m, op.family, op.port, op.capacity, op.rcvbuf);
  if (sock === 0) return { err: -ENOMEM, value: null };
  m[sock + SOCK.llUsec] = Atomics.load(m, net.at + NET.busyRead);
  sleepOnMutex(cur, net.at + NET.rtnl);
  const err = op.family === AF_PACKET ? packetBind(net, sock, op.dev) : udpBind(net, sock, op.port);
  releaseMutex(cur, net.at + NET.rtnl);
  if (err !== 0) {
    sockDestroy(m, sock);
    return { err, value: null };
  }
  return { err: 0, value: sock };
}

/**
 * Frees a socket that is shut down and has no reader (Linux: sk_free). Frames left in its queue go back to their pools
 * and are counted as dropped.
 */
export function freeSock(ctx: ThreadContext, sock: number): number {
  const { net, cur } = ctx;
  const { m } = cur;
  const { consumer } = sockReaderView(m, sock);
  consumer.begin();
  const one = new Int32Array(1);
  const left = consumer.available(m[sock + SOCK.capacity]);
  let frames = 0;
  for (let i = 0; i < left; i++) {
    frames += skbFrames(m, m[consumer.slot(i)]);
    for (let skb = m[consumer.slot(i)]; skb !== 0; ) {
      const next = m[skb + SKB.frags];
      m[skb + SKB.frags] = 0;
      one[0] = skb;
      const pool = m[skb + SKB.pool];
      net.recycle(pool, one, 0, 1);
      skb = next;
    }
  }
  if (left > 0) countDrops(net, DROP_SOCKET_CLOSE, frames);
  synchronizeRcu(cur);
  sockDestroy(m, sock);
  return 0;
}

/**
 * Unbinds a socket and tells its reader that nothing more will come. Frames queued before can still be read; the
 * memory stays until `sock-free`.
 */
export function shutdownSock(ctx: ThreadContext, sock: number, dev: number): number {
  const { net, cur } = ctx;
  const { m } = cur;
  sleepOnMutex(cur, net.at + NET.rtnl);
  if (m[sock + SOCK.family] === AF_PACKET) packetUnbind(net, sock, dev);
  else udpUnbind(net, sock, m[sock + SOCK.port]);
  releaseMutex(cur, net.at + NET.rtnl);
  synchronizeRcu(cur);
  sockShutdown(m, sock);
  return 0;
}
