// SPDX-License-Identifier: GPL-2.0-only
/**
 * What control surfaces do to a network device (Linux: net/core/dev.c, dev_api.c, net-sysfs.c). Process context; the
 * caller holds the device mutex unless a function says otherwise.
 *
 * Owners: the words are the device mutex's (net_device.ts); what a driver does lies behind NetDevOps.
 */
import { EEXIST, EINVAL, EOPNOTSUPP } from '../../kernel/errno.js';
import { releaseMutex, sleepOnMutex } from '../../kernel/sched.js';
import { TASK, TASK_COMM_WORDS } from '../../kernel/task.js';
import { writeName } from '../../mm/arena.js';
import { NAPI } from './napi.js';
import { NAPI_THREAD_NODE, napiThreadName, napiThreadStopParked } from './napi_thread.js';
import { netifSetThreaded } from './napi_threaded.js';
import type { NetContext } from './net_context.js';
import {
  devGetByName,
  IFF_UP,
  IFNAME_WORDS,
  NAPI_CONFIG,
  NET_DEVICE,
  NETDEV_NAPI_THREADED_ENABLED,
  napiConfigAt,
} from './net_device.js';
import { NAPI_KTHREAD_PERSIST_FIXED, NET } from './softnet_data.js';

/** What a driver can do (Linux: struct net_device_ops, struct ethtool_ops). Device mutex held. */
export interface NetDevOps {
  /** Link up. @returns 0 or a negative errno; after an error nothing is left up */
  open(net: NetContext, dev: number): number;
  /** Link down. */
  stop(net: NetContext, dev: number): void;
  /** Another number of channels, from 1 to maxQueues. @returns 0 or a negative errno */
  setChannels(net: NetContext, dev: number, combined: number): number;
  /** Another number of descriptors a receive ring, from 1 to rxMax. @returns 0 or a negative errno */
  setRing(net: NetContext, dev: number, rx: number): number;
  /**
   * Sends the first `n` frames of `txOff`, `txLen` (Linux: ndo_start_xmit, ndo_xdp_xmit). Not under the device mutex: in
   * an RCU read section, bottom halves disabled; the bytes are the caller's again when it returns.
   * @param queueAt the driver's own struct of the queue they leave by
   * @returns how many left
   */
  xmit(net: NetContext, dev: number, queueAt: number, n: number): number;
  /** The device goes away: it is down and in no list, and nothing of it is under way. Frees what the driver has. rtnl held. */
  uninit(net: NetContext, dev: number): void;
}

function ops(net: NetContext, dev: number): NetDevOps {
  return net.netDevOps[net.m[dev + NET_DEVICE.driver]];
}

/** Link up (Linux: dev_open). @returns 0, also if it is up, or a negative errno */
export function devOpen(net: NetContext, dev: number): number {
  const { m } = net;
  if ((m[dev + NET_DEVICE.flags] & IFF_UP) !== 0) return 0;
  const err = ops(net, dev).open(net, dev);
  if (err !== 0) return err;
  m[dev + NET_DEVICE.flags] |= IFF_UP;
  m[dev + NET_DEVICE.carrier] = 1;
  return 0;
}

/** Link down (Linux: dev_close). */
export function devClose(net: NetContext, dev: number): void {
  const { m } = net;
  if ((m[dev + NET_DEVICE.flags] & IFF_UP) === 0) return;
  m[dev + NET_DEVICE.carrier] = 0;
  ops(net, dev).stop(net, dev);
  m[dev + NET_DEVICE.flags] &= ~IFF_UP;
}

/** ethtool -L: another number of channels. @returns 0, -EINVAL for 0 or above the maximum, or the driver's error */
export function netdevSetChannels(net: NetContext, dev: number, combined: number): number {
  const { m } = net;
  if (combined < 1 || combined > m[dev + NET_DEVICE.maxQueues]) return -EINVAL;
  if (combined === m[dev + NET_DEVICE.queues]) return 0;
  return ops(net, dev).setChannels(net, dev, combined);
}

/** ethtool -G: another number of descriptors. @returns 0, -EINVAL for 0 or above the maximum, or the driver's error */
export function netdevSetRing(net: NetContext, dev: number, rx: number): number {
  const { m } = net;
  if (rx < 1 || rx > m[dev + NET_DEVICE.rxMax]) return -EINVAL;
  if (rx === m[dev + NET_DEVICE.rxPending]) return 0;
  return ops(net, dev).setRing(net, dev, rx);
}

/**
 * A write to the device's `threaded` file (Linux: modify_napi_threaded). Linux refuses it while there are no
 * instances; `fixed` does not if there are configs to write to, so that parked threads can be stopped and a device can
 * be prepared before its first instance.
 * @returns 0, -EOPNOTSUPP without instances (looked at first) or for a value above 1, or -ENOMEM
 */
export function netdevThreadedStore(net: NetContext, dev: number, threaded: number): number {
  const { m } = net;
  const configsDo =
    m[net.at + NET.napiKthreadPersist] === NAPI_KTHREAD_PERSIST_FIXED &&
    m[dev + NET_DEVICE.napiConfigs] !== 0;
  if (m[dev + NET_DEVICE.napiFirst] === 0 && !configsDo) return -EOPNOTSUPP;
  if (threaded > NETDEV_NAPI_THREADED_ENABLED) return -EOPNOTSUPP;
  return netifSetThreaded(net, dev, threaded);
}

/** Empty polls to stay masked for, of all instances and of those that come later. @returns 0 or -EINVAL */
export function netdevSetDeferHardIrqs(net: NetContext, dev: number, n: number): number {
  const { m } = net;
  if (n < 0) return -EINVAL;
  m[dev + NET_DEVICE.deferHardIrqs] = n;
  for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext])
    m[at + NAPI.deferHardIrqs] = n;
  if (m[dev + NET_DEVICE.napiConfigs] === 0) return 0;
  for (let i = 0; i < m[dev + NET_DEVICE.maxQueues]; i++)
    m[napiConfigAt(m, dev, i) + NAPI_CONFIG.deferHardIrqs] = n;
  return 0;
}

/** The watchdog's time-out, ns, of all instances and of those that come later. @returns 0 or -EINVAL */
export function netdevSetGroFlushTimeout(net: NetContext, dev: number, ns: number): number {
  const { m } = net;
  if (ns < 0) return -EINVAL;
  m[dev + NET_DEVICE.groFlushTimeoutNs] = ns;
  for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext])
    m[at + NAPI.groFlushTimeoutNs] = ns;
  if (m[dev + NET_DEVICE.napiConfigs] === 0) return 0;
  for (let i = 0; i < m[dev + NET_DEVICE.maxQueues]; i++) {
    m[napiConfigAt(m, dev, i) + NAPI_CONFIG.groFlushTimeoutNs] = ns;
  }
  return 0;
}

/**
 * Renames a device, up or down (Linux: dev_change_name). Takes rtnl and the device mutex itself. Threads keep the name
 * they were made with, as in Linux; with `fixed` they are renamed, the parked ones too.
 * @returns 0, -EINVAL for a name that is none, or -EEXIST
 */
export function devChangeName(net: NetContext, dev: number, name: string): number {
  const { m, cur } = net;
  if (!/^[^\s/:]{1,15}$/.test(name) || name === '.' || name === '..') return -EINVAL;
  sleepOnMutex(cur, net.at + NET.rtnl);
  const taken = devGetByName(net, name);
  if (taken !== 0 && taken !== dev) {
    releaseMutex(cur, net.at + NET.rtnl);
    return -EEXIST;
  }
  sleepOnMutex(cur, dev + NET_DEVICE.lock);
  writeName(m, dev + NET_DEVICE.name, IFNAME_WORDS, name);
  if (m[net.at + NET.napiKthreadPersist] === NAPI_KTHREAD_PERSIST_FIXED) renameThreads(net, dev);
  releaseMutex(cur, dev + NET_DEVICE.lock);
  releaseMutex(cur, net.at + NET.rtnl);
  return 0;
}

function renameThreads(net: NetContext, dev: number): void {
  const { m } = net;
  for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext]) {
    if (m[at + NAPI.threadNode] !== 0) renameThread(net, dev, m[at + NAPI.threadNode], m[at + NAPI.napiId]);
  }
  if (m[dev + NET_DEVICE.napiConfigs] === 0) return;
  for (let i = 0; i < m[dev + NET_DEVICE.maxQueues]; i++) {
    const config = napiConfigAt(m, dev, i);
    const node = m[config + NAPI_CONFIG.threadNode];
    if (node !== 0) renameThread(net, dev, node, m[config + NAPI_CONFIG.napiId]);
  }
}

function renameThread(net: NetContext, dev: number, node: number, id: number): void {
  const { m } = net;
  const task = m[node + NAPI_THREAD_NODE.task];
  const name = napiThreadName(m, dev, id);
  writeName(m, task + TASK.comm, TASK_COMM_WORDS, name);
  net.cur.platform.setComm(m[task + TASK.tid], name);
}

/** The device goes away, its instances are deleted: the threads they left are stopped (Linux: netdev_napi_exit). */
export function netdevNapiExit(net: NetContext, dev: number): void {
  napiThreadStopParked(net, dev);
}
