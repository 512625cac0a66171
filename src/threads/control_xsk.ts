// SPDX-License-Identifier: GPL-2.0-only
/** Opening and closing AF_XDP sockets, in process context. */
import { xskBind, xskUnbind } from '../drivers/net/sim_nic_xsk_bind.js';
import { ENOMEM, EOPNOTSUPP } from '../kernel/errno.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import { ringLength } from '../mm/ring.js';
import { DRIVER_SIM_NIC } from '../net/core/ids.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import { countDrops } from '../net/core/skb_free.js';
import { DROP_SOCKET_CLOSE } from '../net/core/softnet_data.js';
import { setXskBusyPoll, XDP_SOCK, xskCreate, xskDestroy, xskShutdown } from '../net/xdp/xsk.js';
import type { ThreadContext } from './context.js';
import type { ControlOp, ControlResult } from './control_ops.js';

/** Makes a socket and binds it to a queue. The value is its word index. */
export function openXsk(ctx: ThreadContext, op: Extract<ControlOp, { name: 'xsk-open' }>): ControlResult {
  const { cur, driver } = ctx;
  const { m } = cur;
  const { dev, params } = op;
  if (m[dev + NET_DEVICE.driver] !== DRIVER_SIM_NIC) return { err: -EOPNOTSUPP, value: null };
  const xs = xskCreate(m, params);
  if (xs === 0) return { err: -ENOMEM, value: null };
  setXskBusyPoll(m, xs, params);
  sleepOnMutex(cur, dev + NET_DEVICE.lock);
  const err = xskBind(driver, dev, op.queue, xs);
  releaseMutex(cur, dev + NET_DEVICE.lock);
  if (err !== 0) {
    xskDestroy(m, xs);
    return { err, value: null };
  }
  return { err: 0, value: xs };
}

/** Closes a socket and releases its queue. The memory stays until `xsk-free`: applications may be at it. @returns 0 */
export function shutdownXsk(ctx: ThreadContext, xs: number): number {
  const { cur, driver } = ctx;
  const { m } = cur;
  // A device is deleted by an operation that runs alone: this one is there, or has let go of the socket.
  const dev = m[xs + XDP_SOCK.dev];
  if (dev === 0) {
    xskShutdown(m, xs);
    return 0;
  }
  sleepOnMutex(cur, dev + NET_DEVICE.lock);
  xskUnbind(driver, xs);
  releaseMutex(cur, dev + NET_DEVICE.lock);
  return 0;
}

/** Frees a closed socket that no thread uses. Frames that nobody read are counted as dropped. @returns 0 */
export function freeXsk(ctx: ThreadContext, xs: number): number {
  const { m } = ctx.cur;
  const left = ringLength(m, m[xs + XDP_SOCK.rxRing]);
  if (left > 0) countDrops(ctx.net, DROP_SOCKET_CLOSE, left);
  xskDestroy(m, xs);
  return 0;
}
