// SPDX-License-Identifier: GPL-2.0-only
/**
 * Setting steering up (Linux: store_rps_map, store_rps_dev_flow_table_cnt in net-sysfs.c, rps_sock_flow_sysctl in
 * sysctl_net_core.c). Process context; what is taken away is freed after a grace period.
 *
 * Owners: maps and flow tables of a queue: the device mutex, which the caller holds. The socket flow table and
 * backlog_threaded: sysctlMutex, taken here. rpsNeeded: any control thread, atomic add.
 */
import { EINVAL, ENOMEM } from '../../kernel/errno.js';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '../../kernel/rcu.js';
import { releaseMutex, sleepOnMutex } from '../../kernel/sched.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { backlogSetThreaded } from './backlog_threads.js';
import type { NetContext } from './net_context.js';
import { NET_DEVICE, rxQueueAt } from './net_device.js';
import {
  NETDEV_RX_QUEUE,
  RPS_DEV_FLOW_TABLE,
  RPS_MAP,
  RPS_NO_CPU,
  RPS_PLACE,
  RPS_SOCK_FLOW_TABLE,
} from './rps_map.js';
import { NET } from './softnet_data.js';

/** Most entries of a flow table (Linux: 1 << 29, and what memory allows). */
export const RPS_MAX_ENTRIES = 1 << 24;

function tableWords(mask: number): number {
  return RPS_DEV_FLOW_TABLE.SIZE + (mask + 1) * RPS_PLACE.WORDS;
}

/** Exchanges what `slot` points to, counts it, and waits until nobody uses the old one. @returns the old one, or 0 */
function publish(net: NetContext, slot: number, now: number): number {
  const { m, at } = net;
  if (now !== 0) Atomics.add(m, at + NET.rpsNeeded, 1);
  const old = Atomics.exchange(m, slot, now);
  if (old === 0) return 0;
  synchronizeRcu(net.cur);
  Atomics.sub(m, at + NET.rpsNeeded, 1);
  return old;
}

/**
 * Steers what a receive queue gets to these CPUs, by hash; none: no steering by map.
 * @returns 0, -EINVAL for a queue that is none, or -ENOMEM
 */
export function rpsCpusSet(net: NetContext, dev: number, index: number, cpus: readonly number[]): number {
  const { m } = net;
  if (index < 0 || index >= m[dev + NET_DEVICE.maxQueues]) return -EINVAL;
  let map = 0;
  if (cpus.length > 0) {
    map = kmalloc(m, RPS_MAP.SIZE + cpus.length);
    if (map === 0) return -ENOMEM;
    m[map + RPS_MAP.len] = cpus.length;
    for (let i = 0; i < cpus.length; i++) m[map + RPS_MAP.SIZE + i] = cpus[i];
  }
  const old = publish(net, rxQueueAt(m, dev, index) + NETDEV_RX_QUEUE.rpsMap, map);
  if (old !== 0) kfree(m, old, RPS_MAP.SIZE + m[old + RPS_MAP.len]);
  return 0;
}

/** @returns the CPUs a queue's map names. Device mutex held. */
export function rpsCpusOf(net: NetContext, dev: number, index: number): number[] {
  const { m } = net;
  const map = Atomics.load(m, rxQueueAt(m, dev, index) + NETDEV_RX_QUEUE.rpsMap);
  const cpus: number[] = [];
  if (map !== 0) for (let i = 0; i < m[map + RPS_MAP.len]; i++) cpus.push(m[map + RPS_MAP.SIZE + i]);
  return cpus;
}

/**
 * Gives a queue a flow table of at least so many entries, or none. Rounded up to a power of two.
 * @returns 0, -EINVAL for a queue that is none or too many entries, or -ENOMEM
 */
export function rpsFlowCntSet(net: NetContext, dev: number, index: number, entries: number): number {
  const { m } = net;
  if (index < 0 || index >= m[dev + NET_DEVICE.maxQueues]) return -EINVAL;
  if (entries < 0 || entries > RPS_MAX_ENTRIES) return -EINVAL;
  let table = 0;
  if (entries > 0) {
    const mask = roundUpPow2(entries) - 1;
    table = kmalloc(m, tableWords(mask));
    if (table === 0) return -ENOMEM;
    m[table + RPS_DEV_FLOW_TABLE.mask] = mask;
  }
  const old = publish(net, rxQueueAt(m, dev, index) + NETDEV_RX_QUEUE.rpsFlowTable, table);
  if (old !== 0) kfree(m, old, tableWords(m[old + RPS_DEV_FLOW_TABLE.mask]));
  return 0;
}

/** @returns entries of a queue's flow table, 0 without one. Device mutex held. */
export function rpsFlowCntOf(net: NetContext, dev: number, index: number): number {
  const { m } = net;
  const table = Atomics.load(m, rxQueueAt(m, dev, index) + NETDEV_RX_QUEUE.rpsFlowTable);
  return table === 0 ? 0 : m[table + RPS_DEV_FLOW_TABLE.mask] + 1;
}

/** The device goes away: takes the steering of all its queues away. */
export function rpsExit(net: NetContext, dev: number): void {
  for (let i = 0; i < net.m[dev + NET_DEVICE.maxQueues]; i++) {
    rpsCpusSet(net, dev, i, []);
    rpsFlowCntSet(net, dev, i, 0);
  }
}

/**
 * Makes the table in which readers of sockets leave the CPU they run on; 0: none. Rounded up to a power of two.
 * @returns 0, -EINVAL for too many entries, or -ENOMEM
 */
export function setRpsSockFlowEntries(net: NetContext, entries: number): number {
  const { at, cur } = net;
  if (entries < 0 || entries > RPS_MAX_ENTRIES) return -EINVAL;
  sleepOnMutex(cur, at + NET.sysctlMutex);
  const err = setSockFlowTable(net, entries === 0 ? 0 : roundUpPow2(entries));
  releaseMutex(cur, at + NET.sysctlMutex);
  return err;
}

function setSockFlowTable(net: NetContext, size: number): number {
  const { m, at } = net;
  const had = rpsSockFlowEntries(net);
  if (size === had) {
    const same = Atomics.load(m, at + NET.rpsSockFlowTable);
    for (let i = 0; i < size; i++) Atomics.store(m, same + RPS_SOCK_FLOW_TABLE.SIZE + i, RPS_NO_CPU);
    return 0;
  }
  let table = 0;
  if (size > 0) {
    table = kmalloc(m, RPS_SOCK_FLOW_TABLE.SIZE + size);
    if (table === 0) return -ENOMEM;
    m[table + RPS_SOCK_FLOW_TABLE.mask] = size - 1;
    for (let i = 0; i < size; i++) m[table + RPS_SOCK_FLOW_TABLE.SIZE + i] = RPS_NO_CPU;
  }
  const old = publish(net, at + NET.rpsSockFlowTable, table);
  if (old !== 0) kfree(m, old, RPS_SOCK_FLOW_TABLE.SIZE + had);
  return 0;
}

/** @returns entries of the socket flow table, 0 without one */
export function rpsSockFlowEntries(net: NetContext): number {
  const { m, at } = net;
  rcuReadLock(net.cur);
  const table = Atomics.load(m, at + NET.rpsSockFlowTable);
  const entries = table === 0 ? 0 : m[table + RPS_SOCK_FLOW_TABLE.mask] + 1;
  rcuReadUnlock(net.cur);
  return entries;
}

/** backlogSetThreaded, with the mutex it wants. */
export function setBacklogThreaded(net: NetContext, threaded: boolean): number {
  const { at, cur } = net;
  sleepOnMutex(cur, at + NET.sysctlMutex);
  const err = backlogSetThreaded(net, threaded);
  releaseMutex(cur, at + NET.sysctlMutex);
  return err;
}

function roundUpPow2(n: number): number {
  return n <= 1 ? 1 : 2 ** (32 - Math.clz32(n - 1));
}
