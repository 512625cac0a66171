// SPDX-License-Identifier: GPL-2.0-only
/** TEMPORARY: stands in for net/core/dev.ts until that lands. */
import { SimNicDriver, simNicOpen, simNicStop } from '../drivers/net/sim_nic_driver.js';
import { EINVAL, EOPNOTSUPP } from '../kernel/errno.js';
import { writeName } from '../mm/arena.js';
import { NAPI } from '../net/core/napi.js';
import { netifSetThreaded } from '../net/core/napi_control.js';
import type { NetContext } from '../net/core/net_context.js';
import { devGetByName, IFF_UP, IFNAME_WORDS, NAPI_CONFIG, NET_DEVICE } from '../net/core/net_device.js';
import { MAX_NETDEVS, NET } from '../net/core/softnet_data.js';
export function devOpen(net: NetContext, dev: number): number {
  const { m } = net;
  if ((m[dev + NET_DEVICE.flags] & IFF_UP) !== 0) return 0;
  const err = simNicOpen(new SimNicDriver(net), dev);
  if (err === 0) m[dev + NET_DEVICE.flags] |= IFF_UP;
  return err;
}
export function devClose(net: NetContext, dev: number): void {
  const { m } = net;
  if ((m[dev + NET_DEVICE.flags] & IFF_UP) === 0) return;
  simNicStop(new SimNicDriver(net), dev);
  m[dev + NET_DEVICE.flags] &= ~IFF_UP;
}
export function netdevSetChannels(net: NetContext, dev: number, combined: number): number {
  const { m } = net;
  if (combined < 1 || combined > m[dev + NET_DEVICE.maxQueues]) return -EINVAL;
  const up = (m[dev + NET_DEVICE.flags] & IFF_UP) !== 0;
  if (up) devClose(net, dev);
  m[dev + NET_DEVICE.queues] = combined;
  return up ? devOpen(net, dev) : 0;
}
export function netdevSetRing(_net: NetContext, _dev: number, _rx: number): number {
  return -EINVAL;
}
export function netdevThreadedStore(net: NetContext, dev: number, threaded: number): number {
  if (net.m[dev + NET_DEVICE.napiFirst] === 0) return -EOPNOTSUPP;
  if (threaded > 1) return -EOPNOTSUPP;
  return netifSetThreaded(net, dev, threaded);
}
function all(net: NetContext, dev: number, napi: number, config: number, base: number, v: number): number {
  const { m } = net;
  m[dev + base] = v;
  for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext]) m[at + napi] = v;
  for (let i = 0; i < m[dev + NET_DEVICE.maxQueues]; i++)
    m[m[dev + NET_DEVICE.napiConfigs] + i * NAPI_CONFIG.SIZE + config] = v;
  return 0;
}
export function netdevSetDeferHardIrqs(net: NetContext, dev: number, n: number): number {
  return all(net, dev, NAPI.deferHardIrqs, NAPI_CONFIG.deferHardIrqs, NET_DEVICE.deferHardIrqs, n);
}
export function netdevSetGroFlushTimeout(net: NetContext, dev: number, ns: number): number {
  return all(
    net,
    dev,
    NAPI.groFlushTimeoutNs,
    NAPI_CONFIG.groFlushTimeoutNs,
    NET_DEVICE.groFlushTimeoutNs,
    ns,
  );
}
export function devChangeName(net: NetContext, dev: number, name: string): number {
  if (devGetByName(net, name) !== 0) return -17;
  writeName(net.m, dev + NET_DEVICE.name, IFNAME_WORDS, name);
  return 0;
}
export function napiById(net: NetContext, id: number): number {
  const { m } = net;
  for (let i = 0; i < MAX_NETDEVS; i++) {
    const dev = m[net.at + NET.netdevs + i];
    if (dev === 0) continue;
    for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext])
      if (m[at + NAPI.napiId] === id) return at;
  }
  return 0;
}
