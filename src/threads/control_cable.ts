// SPDX-License-Identifier: GPL-2.0-only
/** Plugging cables between simulated NICs in and out, in process context. */
import { cableConnect, cableDisconnect } from '../drivers/net/sim_nic_cable.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import { NET } from '../net/core/softnet_data.js';
import type { ThreadContext } from './context.js';

/**
 * Joins two NICs by a cable, or takes the one between them out. Only under rtnl does anybody hold two device mutexes.
 * @returns 0 or a negative errno
 */
export function plugCable(ctx: ThreadContext, dev: number, peer: number, plugIn: boolean): number {
  const { net, cur } = ctx;
  sleepOnMutex(cur, net.at + NET.rtnl);
  sleepOnMutex(cur, dev + NET_DEVICE.lock);
  sleepOnMutex(cur, peer + NET_DEVICE.lock);
  const err = plugIn ? cableConnect(net, dev, peer) : cableDisconnect(net, dev);
  releaseMutex(cur, peer + NET_DEVICE.lock);
  releaseMutex(cur, dev + NET_DEVICE.lock);
  releaseMutex(cur, net.at + NET.rtnl);
  return err;
}
