// SPDX-License-Identifier: GPL-2.0-only
/**
 * Binding an AF_XDP socket to a queue of a simulated NIC, and releasing it (Linux: ndo_bpf with XDP_SETUP_XSK_POOL,
 * xsk_bind, xsk_unbind_dev). Device mutex held; the link may be up or down, and under traffic.
 *
 * The queue changes what it receives into, so for a moment nobody but the caller may be at its rings:
 *   1. the NIC keeps off (`away`, acknowledged: D9, D10 of sim_nic.ts); frames that come wait, or are missed
 *   2. what is in the receive ring is polled; what is there all the same when the instance is disabled (it had no buffers to
 *      go on with, or the link is down) is dropped and counted
 *   3. interrupt and instance are disabled: both ends of both rings, and those of the socket's, are the caller's
 *   4. buffers posted go back to whom they belong, those of the other kind are posted
 *   5. instance and interrupt are enabled, the NIC comes back, and a poll looks at what was missed meanwhile
 */
import { EBUSY, EINVAL, EOPNOTSUPP } from '../../kernel/errno.js';
import { irqDisable, irqEnable, irqUnmask, raiseIrq } from '../../kernel/irq.js';
import { synchronizeRcu } from '../../kernel/rcu.js';
import { ringLength } from '../../mm/ring.js';
import { napiDisable, napiEnable } from '../../net/core/napi_control.js';
import { NET_DEVICE } from '../../net/core/net_device.js';
import { DROP_DEV_READY } from '../../net/core/softnet_data.js';
import { XDP_SOCK, xskShutdown } from '../../net/xdp/xsk.js';
import { NIC_QUEUE, nicQueueAt, SIM_NIC } from './sim_nic.js';
import { refill, type SimNicDriver } from './sim_nic_driver.js';
import { drain, purge, tellNic, unpost } from './sim_nic_main.js';
import { xdpSock, xskReclaim, xskRefill } from './sim_nic_xsk.js';

/**
 * Binds a socket to a queue of a device that is in the list.
 * @returns 0; -EINVAL: there is no such queue in use; -EBUSY: it has a socket; -EOPNOTSUPP: the driver has no NAPI
 */
export function xskBind(driver: SimNicDriver, dev: number, index: number, xs: number): number {
  const { net } = driver;
  const { m } = net;
  const nic = m[dev + NET_DEVICE.priv];
  if (m[nic + SIM_NIC.netifRx] !== 0) return -EOPNOTSUPP;
  if (index >= m[dev + NET_DEVICE.queues]) return -EINVAL;
  const at = nicQueueAt(m, nic, index);
  if (m[at + NIC_QUEUE.xsk] !== 0) return -EBUSY;
  const napiAt = takeOver(driver, nic, at);
  purge(driver, at);
  unpost(driver, at);
  Atomics.store(m, at + NIC_QUEUE.starving, 0);
  m[at + NIC_QUEUE.xsk] = xs;
  m[xs + XDP_SOCK.dev] = dev;
  Atomics.store(m, xs + XDP_SOCK.queue, at);
  const x = xdpSock(driver, xs);
  x.begin();
  xskRefill(net, driver.queue(at), x, m[dev + NET_DEVICE.rxPending]);
  handBack(driver, nic, at, napiAt);
  return 0;
}

/**
 * Closes a socket and takes it off its queue, if it is at one. When this returns no other thread is at its memory but
 * those that use it as applications.
 */
export function xskUnbind(driver: SimNicDriver, xs: number): void {
  const { net } = driver;
  const { m } = net;
  const at = m[xs + XDP_SOCK.queue];
  if (at === 0) {
    xskShutdown(m, xs);
    return;
  }
  const nic = m[m[xs + XDP_SOCK.dev] + NET_DEVICE.priv];
  const napiAt = takeOver(driver, nic, at);
  xskReclaim(driver, at, DROP_DEV_READY);
  xdpSock(driver, xs).forget();
  m[at + NIC_QUEUE.xsk] = 0;
  m[xs + XDP_SOCK.dev] = 0;
  Atomics.store(m, xs + XDP_SOCK.queue, 0); // V1
  refill(net, driver.queue(at));
  // Whoever sees that it is closed has got everything that came.
  xskShutdown(m, xs);
  handBack(driver, nic, at, napiAt);
  synchronizeRcu(net.cur);
}

/** Steps 1 to 3. @returns the queue's instance, 0: the link is down */
function takeOver(driver: SimNicDriver, nic: number, at: number): number {
  const { net } = driver;
  const { m, cur } = net;
  Atomics.store(m, at + NIC_QUEUE.away, 1);
  tellNic(net, nic); // D9
  const napiAt = Atomics.load(m, at + NIC_QUEUE.napi);
  if (napiAt === 0) return 0;
  if (ringLength(m, m[at + NIC_QUEUE.rxRing]) > 0) drain(driver, at);
  const { irq } = driver.queue(at);
  irqDisable(cur, irq);
  napiDisable(net, net.napi(napiAt));
  Atomics.store(m, at + NIC_QUEUE.napi, 0);
  irqEnable(cur, irq);
  return napiAt;
}

/** Step 5. */
function handBack(driver: SimNicDriver, nic: number, at: number, napiAt: number): void {
  const { net } = driver;
  const { m, cur } = net;
  Atomics.store(m, at + NIC_QUEUE.away, 0);
  tellNic(net, nic); // D9
  if (napiAt === 0) return;
  napiEnable(net, net.napi(napiAt));
  Atomics.store(m, at + NIC_QUEUE.napi, napiAt);
  const { irq } = driver.queue(at);
  irqUnmask(cur, irq);
  raiseIrq(cur, irq);
}
