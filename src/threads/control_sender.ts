// SPDX-License-Identifier: GPL-2.0-only
/** Opening and closing senders of UDP datagrams, in process context. */
import { ENOMEM } from '../kernel/errno.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import { DRIVER_LOOPBACK } from '../net/core/ids.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import { pagePoolReap } from '../net/core/page_pool_retire.js';
import { NET } from '../net/core/softnet_data.js';
import { udpSenderCreate, udpSenderFree } from '../net/ipv4/udp_send.js';
import type { ThreadContext } from './context.js';
import type { ControlOp, ControlResult } from './control_ops.js';

/** Makes a sender. The value is its word index. */
export function openSender(
  ctx: ThreadContext,
  op: Extract<ControlOp, { name: 'sender-open' }>,
): ControlResult {
  const { m } = ctx.cur;
  const byNic = m[op.dev + NET_DEVICE.driver] !== DRIVER_LOOPBACK;
  const at = udpSenderCreate(m, op.dev, byNic, op.cpu, op.buffers);
  return at === 0 ? { err: -ENOMEM, value: null } : { err: 0, value: at };
}

/** Frees a sender that is closed and has no thread, and what of retired pools has come back. */
export function freeSender(ctx: ThreadContext, at: number): number {
  const { net, cur } = ctx;
  sleepOnMutex(cur, net.at + NET.rtnl);
  udpSenderFree(net, at);
  pagePoolReap(net);
  releaseMutex(cur, net.at + NET.rtnl);
  return 0;
}
