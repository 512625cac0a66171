// SPDX-License-Identifier: GPL-2.0-only
/**
 * net_device and napi_config (Linux: include/linux/netdevice.h), and the list of devices.
 *
 * Owners: the creator's line is constant once the device is in the list; the rest belongs to the holder of the
 * device's mutex. `features` is read by polls without it: a change takes effect at the next poll.
 */
import { ENOMEM } from '../../kernel/errno.js';
import { readName, writeName } from '../../mm/arena.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { line, struct, word, words } from '../../mm/struct.js';
import type { NetContext } from './net_context.js';
import { MAX_NETDEVS, NET } from './softnet_data.js';

export const IFF_UP = 1;
/** Words of a device name: 16 bytes, the last one NUL (Linux: IFNAMSIZ). */
export const IFNAME_WORDS = 4;

/** Values of `threaded` (Linux: enum netdev_napi_threaded). */
export const NETDEV_NAPI_THREADED_DISABLED = 0;
export const NETDEV_NAPI_THREADED_ENABLED = 1;

export const NET_DEVICE = struct(
  'net_device',
  line('creator, before it is in the list', {
    ifindex: word('number shown to the user'),
    name: words(IFNAME_WORDS, 'name'),
    driver: word('which driver (an entry of netDevOps)'),
    priv: word('the driver’s own struct'),
    maxQueues: word('queues it can have'),
    napiConfigs: word('napi_config of each queue index'),
  }),
  line('lock holders', { lock: words(2, 'the device mutex') }),
  line('holder of the device mutex', {
    flags: word('IFF_UP'),
    threaded: word('device-level NAPI mode: instances added later start with it'),
    napiFirst: word('newest NAPI instance'),
    queues: word('queues in use'),
    deferHardIrqs: word('default of instances added later'),
    groFlushTimeoutNs: word('default of instances added later, ns'),
  }),
  line('any control thread, read by polls', {
    features: word('NETIF_F_*'),
    packetSock: word('packet socket bound to it, 0: none; written under rtnl, read under RCU'),
  }),
);

export const NAPI_CONFIG = struct(
  'napi_config',
  line('holder of the device mutex', {
    threaded: word('mode to restore'),
    deferHardIrqs: word('value to restore'),
    groFlushTimeoutNs: word('value to restore, ns'),
    napiId: word('id the instance gets again, 0: none given yet'),
    saved: word('1 once an instance stored its values here'),
  }),
);

/** Makes a device that is in no list yet. @returns its word index, or -ENOMEM */
export function allocNetdev(m: Int32Array, name: string, driver: number, maxQueues: number): number {
  const dev = kmalloc(m, NET_DEVICE.SIZE);
  const configs = kmalloc(m, NAPI_CONFIG.SIZE * maxQueues);
  if (dev === 0 || configs === 0) {
    kfree(m, configs, NAPI_CONFIG.SIZE * maxQueues);
    kfree(m, dev, NET_DEVICE.SIZE);
    return -ENOMEM;
  }
  writeName(m, dev + NET_DEVICE.name, IFNAME_WORDS, name);
  m[dev + NET_DEVICE.driver] = driver;
  m[dev + NET_DEVICE.maxQueues] = maxQueues;
  m[dev + NET_DEVICE.napiConfigs] = configs;
  return dev;
}

/** Frees a device that is in no list and has no instances. */
export function freeNetdev(m: Int32Array, dev: number): void {
  kfree(m, m[dev + NET_DEVICE.napiConfigs], NAPI_CONFIG.SIZE * m[dev + NET_DEVICE.maxQueues]);
  kfree(m, dev, NET_DEVICE.SIZE);
}

/** @returns the device's name. Cold path. */
export function netdevName(m: Int32Array, dev: number): string {
  return readName(m, dev + NET_DEVICE.name, IFNAME_WORDS);
}

/** Puts the device into the list and gives it its ifindex. Caller holds rtnl. @returns false if the list is full */
export function listNetdevice(net: NetContext, dev: number): boolean {
  const { m, at } = net;
  for (let i = 0; i < MAX_NETDEVS; i++) {
    if (m[at + NET.netdevs + i] !== 0) continue;
    m[dev + NET_DEVICE.ifindex] = ++m[at + NET.nextIfindex];
    Atomics.store(m, at + NET.netdevs + i, dev);
    return true;
  }
  return false;
}

/** Takes the device out of the list. Caller holds rtnl. */
export function unlistNetdevice(net: NetContext, dev: number): void {
  const { m, at } = net;
  for (let i = 0; i < MAX_NETDEVS; i++) {
    if (m[at + NET.netdevs + i] === dev) Atomics.store(m, at + NET.netdevs + i, 0);
  }
}

/** @returns the device of that name, or 0. Caller holds rtnl, or only looks. */
export function devGetByName(net: NetContext, name: string): number {
  const { m, at } = net;
  for (let i = 0; i < MAX_NETDEVS; i++) {
    const dev = Atomics.load(m, at + NET.netdevs + i);
    if (dev !== 0 && netdevName(m, dev) === name) return dev;
  }
  return 0;
}
