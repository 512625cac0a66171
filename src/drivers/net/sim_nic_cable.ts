// SPDX-License-Identifier: GPL-2.0-only
/**
 * Cables between two simulated NICs of a machine: plugging in and out (Linux: link_device and unlink_device of
 * netdevsim). Process context; the caller holds rtnl and the device mutexes of both ends. Who owns what, and what a
 * transmitter may rely on, is said in sim_nic_tx.ts.
 */
import { EBUSY, EINVAL, ENOENT } from '../../kernel/errno.js';
import { synchronizeRcu } from '../../kernel/rcu.js';
import type { NetContext } from '../../net/core/net_context.js';
import { NET_DEVICE } from '../../net/core/net_device.js';
import { SIM_NIC } from './sim_nic.js';

/** @returns the device at the other end of a NIC's cable, or 0. rtnl held, or in a read section. */
export function cablePeer(m: Int32Array, dev: number): number {
  return Atomics.load(m, m[dev + NET_DEVICE.priv] + SIM_NIC.peer);
}

/**
 * Joins two NICs by a cable: what one sends the other receives.
 * @returns 0; -EINVAL for a NIC and itself; -EBUSY if one of them has a cable, or is fed by a thread
 */
export function cableConnect(net: NetContext, devA: number, devB: number): number {
  const { m } = net;
  if (devA === devB) return -EINVAL;
  const a = m[devA + NET_DEVICE.priv];
  const b = m[devB + NET_DEVICE.priv];
  if (taken(m, a) || taken(m, b)) return -EBUSY;
  Atomics.store(m, a + SIM_NIC.peer, devB);
  Atomics.store(m, b + SIM_NIC.peer, devA);
  return 0;
}

function taken(m: Int32Array, nic: number): boolean {
  return Atomics.load(m, nic + SIM_NIC.peer) !== 0 || Atomics.load(m, nic + SIM_NIC.running) !== 0;
}

/**
 * Takes the cable of a NIC out. When it returns, nobody is at the rings of either end for its sake.
 * @returns 0, or -ENOENT without a cable
 */
export function cableDisconnect(net: NetContext, dev: number): number {
  const { m } = net;
  const peer = cablePeer(m, dev);
  if (peer === 0) return -ENOENT;
  Atomics.store(m, m[dev + NET_DEVICE.priv] + SIM_NIC.peer, 0); // C3
  Atomics.store(m, m[peer + NET_DEVICE.priv] + SIM_NIC.peer, 0);
  synchronizeRcu(net.cur);
  return 0;
}
