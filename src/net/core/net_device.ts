// SPDX-License-Identifier: GPL-2.0-only
/**
 * net_device and napi_config (Linux: include/linux/netdevice.h), and the list of devices.
 *
 * Owners: the creator's line is constant once the device is in the list; the rest belongs to the holder of the
 * device's mutex. `features` is read by polls without it: a change takes effect at the next poll.
 */
import { KERNEL, KERNEL_AT } from '../../kernel/current.js';
import { ENOMEM } from '../../kernel/errno.js';
import { readName, writeName } from '../../mm/arena.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { line, struct, word, words } from '../../mm/struct.js';
import type { NetContext } from './net_context.js';
import { NETDEV_RX_QUEUE, RPS_PLACE } from './rps_map.js';
import { MAX_NETDEVS, NET } from './softnet_data.js';

export const IFF_UP = 1;
/** Words of a device name: 16 bytes, the last one NUL (Linux: IFNAMSIZ). */
export const IFNAME_WORDS = 4;

/** How a driver changes its channels: deletes all and adds all; only the difference; adds the new before it deletes the old. */
export const RECONFIG_REBUILD = 0;
export const RECONFIG_DELTA = 1;
export const RECONFIG_SAFE_SWITCH = 2;

/** Values of `threaded` (Linux: enum netdev_napi_threaded). */
export const NETDEV_NAPI_THREADED_DISABLED = 0;
export const NETDEV_NAPI_THREADED_ENABLED = 1;
/** Its thread polls without end: per instance only (seed 003). */
export const NETDEV_NAPI_THREADED_BUSY_POLL = 2;

export const NET_DEVICE = struct(
  'net_device',
  line('creator, before it is in the list', {
    ifindex: word('number shown to the user'),
    driver: word('which driver (an entry of netDevOps)'),
    priv: word('the driver’s own struct'),
    maxQueues: word('queues it can have'),
    rxQueues: word('netdev_rx_queue of each queue index'),
    napiConfigs: word('napi_config of each queue index; 0: the driver keeps none'),
    reconfig: word('RECONFIG_*: how the driver changes its channels'),
    rxMax: word('most descriptors of a receive ring'),
  }),
  line('lock holders', { lock: words(2, 'the device mutex') }),
  line('any control thread, atomic add', {
    refcnt: word('threads that hold a pointer to it beyond an RCU section'),
  }),
  line('rtnl and the device mutex', { name: words(IFNAME_WORDS, 'name') }),
  line('holder of the device mutex', {
    flags: word('IFF_UP'),
    threaded: word('device-level NAPI mode: instances added later start with it'),
    napiFirst: word('NAPI instance with the highest id'),
    queues: word('channels in use'),
    rxPending: word('descriptors of each receive ring in use'),
    carrier: word('1 while the link has a carrier'),
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
    irqSuspendTimeoutNs: word('value to restore, ns'),
    napiId: word('id the instance gets again, 0: none given yet'),
    threadNode: word('napi_thread_node whose thread is parked here, 0: none (seed 000)'),
  }),
);

/**
 * Makes a device that is in no list yet.
 * @param persistent give it a napi_config for each queue index (Linux: netif_napi_add_config); without, instances
 *   start afresh each time they are added
 * @returns its word index, or -ENOMEM
 */
export function allocNetdev(
  m: Int32Array,
  name: string,
  driver: number,
  maxQueues: number,
  persistent: boolean = true,
): number {
  const nrCpus = m[KERNEL_AT + KERNEL.nrCpus];
  const placesWords = nrCpus * RPS_PLACE.WORDS;
  const dev = kmalloc(m, NET_DEVICE.SIZE);
  const configs = persistent ? kmalloc(m, NAPI_CONFIG.SIZE * maxQueues) : 0;
  const rxQueues = kmalloc(m, NETDEV_RX_QUEUE.SIZE * maxQueues);
  const places = kmalloc(m, placesWords * maxQueues);
  if (dev === 0 || (persistent && configs === 0) || rxQueues === 0 || places === 0) {
    kfree(m, places, placesWords * maxQueues);
    kfree(m, rxQueues, NETDEV_RX_QUEUE.SIZE * maxQueues);
    kfree(m, configs, NAPI_CONFIG.SIZE * maxQueues);
    kfree(m, dev, NET_DEVICE.SIZE);
    return -ENOMEM;
  }
  writeName(m, dev + NET_DEVICE.name, IFNAME_WORDS, name);
  m[dev + NET_DEVICE.driver] = driver;
  m[dev + NET_DEVICE.maxQueues] = maxQueues;
  m[dev + NET_DEVICE.napiConfigs] = configs;
  m[dev + NET_DEVICE.rxQueues] = rxQueues;
  for (let i = 0; i < maxQueues; i++)
    m[rxQueues + i * NETDEV_RX_QUEUE.SIZE + NETDEV_RX_QUEUE.places] = places + i * placesWords;
  return dev;
}

/** Frees a device that is in no list, has no instances and no steering, and whose parked threads were stopped (netdevNapiExit). */
export function freeNetdev(m: Int32Array, dev: number): void {
  const maxQueues = m[dev + NET_DEVICE.maxQueues];
  const rxQueues = m[dev + NET_DEVICE.rxQueues];
  const placesWords = m[KERNEL_AT + KERNEL.nrCpus] * RPS_PLACE.WORDS;
  kfree(m, m[rxQueues + NETDEV_RX_QUEUE.places], placesWords * maxQueues);
  kfree(m, rxQueues, NETDEV_RX_QUEUE.SIZE * maxQueues);
  kfree(m, m[dev + NET_DEVICE.napiConfigs], NAPI_CONFIG.SIZE * maxQueues);
  kfree(m, dev, NET_DEVICE.SIZE);
}

/** @returns the netdev_rx_queue of a queue index */
export function rxQueueAt(m: Int32Array, dev: number, index: number): number {
  return m[dev + NET_DEVICE.rxQueues] + index * NETDEV_RX_QUEUE.SIZE;
}

/** @returns the napi_config of a queue index, or 0 if the device keeps none */
export function napiConfigAt(m: Int32Array, dev: number, index: number): number {
  const configs = m[dev + NET_DEVICE.napiConfigs];
  return configs === 0 ? 0 : configs + index * NAPI_CONFIG.SIZE;
}

/** Keeps a device from being freed until devPut. Caller is in an RCU read section or holds it already. */
export function devHold(m: Int32Array, dev: number): void {
  Atomics.add(m, dev + NET_DEVICE.refcnt, 1);
}

/** Gives a device back. */
export function devPut(m: Int32Array, dev: number): void {
  Atomics.sub(m, dev + NET_DEVICE.refcnt, 1);
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

/** @returns the device of that ifindex, or 0. Caller holds rtnl, or is in an RCU read section. */
export function devGetByIndex(net: NetContext, ifindex: number): number {
  const { m, at } = net;
  for (let i = 0; i < MAX_NETDEVS; i++) {
    const dev = Atomics.load(m, at + NET.netdevs + i);
    if (dev !== 0 && m[dev + NET_DEVICE.ifindex] === ifindex) return dev;
  }
  return 0;
}

/** @returns the device of that name, or 0. Caller holds rtnl, or is in an RCU read section. */
export function devGetByName(net: NetContext, name: string): number {
  const { m, at } = net;
  for (let i = 0; i < MAX_NETDEVS; i++) {
    const dev = Atomics.load(m, at + NET.netdevs + i);
    if (dev !== 0 && netdevName(m, dev) === name) return dev;
  }
  return 0;
}
