// SPDX-License-Identifier: GPL-2.0-only
/**
 * Adding, deleting, enabling and disabling NAPI instances, and giving them a thread (Linux: net/core/dev.c).
 *
 * States of an instance: none → added (listed, SCHED|NPSVC: owned by nobody who polls) ⇄ enabled; THREADED with a
 * thread or without. All transitions are made by the holder of the device mutex, in process context.
 *
 * Invariants
 *   - THREADED is set only while `thread` is; it is cleared only while the instance is idle, owned by its thread, or
 *     disabled.
 *   - A thread is stopped only when THREADED and SCHED_THREADED are clear: it owns nothing.
 *   - `thread` is unpublished before its task_struct is freed, with a grace period in between (kthreadStop).
 *
 * Ordering
 *   N5 start: store of `thread`, then or of THREADED              pairs with  N6 (napi_schedule.ts)
 *   N9 disable: or of DISABLE, then CAS from neither SCHED nor NPSVC to both   pairs with  N1, N2
 *   N10 enable: one CAS clears SCHED and NPSVC and sets THREADED  pairs with  N1
 */
import { EBUSY, EINVAL, ENOMEM } from '../../kernel/errno.js';
import { hrtimerCancel, hrtimerSetup } from '../../kernel/hrtimer.js';
import { kthreadRun, kthreadStop } from '../../kernel/kthread.js';
import { synchronizeRcu } from '../../kernel/rcu.js';
import { initListHead } from '../../mm/list.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { groCleanup } from './gro.js';
import { HRTIMER_NAPI_WATCHDOG, KTHREAD_NAPI_POLL, TASK_KIND_NAPI } from './ids.js';
import {
  NAPI,
  NAPI_POLL_WEIGHT,
  NAPIF_STATE_DISABLE,
  NAPIF_STATE_LISTED,
  NAPIF_STATE_NPSVC,
  NAPIF_STATE_PREFER_BUSY_POLL,
  NAPIF_STATE_SCHED,
  NAPIF_STATE_SCHED_THREADED,
  NAPIF_STATE_THREADED,
  NAPIF_STATE_THREADED_BUSY_POLL,
  type Napi,
} from './napi.js';
import type { NetContext } from './net_context.js';
import { NAPI_CONFIG, NET_DEVICE, NETDEV_NAPI_THREADED_DISABLED, netdevName } from './net_device.js';
import { NET } from './softnet_data.js';

/** Sleep between two looks at a state word that nobody signals (Linux: usleep_range(20, 200), msleep(20)). */
const POLL_STATE_US = 50;

/**
 * Adds an instance to the device: listed and disabled (Linux: netif_napi_add_config). If the device is threaded the
 * thread is made now; if that fails the device stops being threaded.
 * @param index queue index: values are kept for it in the device's napi_config
 * @param cpu simulated CPU its thread counts as running on: where its interrupt goes, so that both use one softnet_data
 * @returns the napi_struct's word index, -ENOMEM, or -EINVAL for a weight out of range
 */
export function netifNapiAdd(
  net: NetContext,
  dev: number,
  pollFn: number,
  priv: number,
  weight: number,
  index: number,
  cpu: number = index % net.cur.cpus.length,
): number {
  const { m } = net;
  if (weight < 1 || weight > NAPI_POLL_WEIGHT) return -EINVAL;
  const at = kmalloc(m, NAPI.SIZE);
  if (at === 0) return -ENOMEM;
  const config = m[dev + NET_DEVICE.napiConfigs] + index * NAPI_CONFIG.SIZE;
  initListHead(m, at + NAPI.pollList);
  hrtimerSetup(m, at + NAPI.timer, HRTIMER_NAPI_WATCHDOG, at);
  m[at + NAPI.dev] = dev;
  m[at + NAPI.pollFn] = pollFn;
  m[at + NAPI.priv] = priv;
  m[at + NAPI.weight] = weight;
  m[at + NAPI.index] = index;
  m[at + NAPI.config] = config;
  m[at + NAPI.cpu] = cpu;
  m[at + NAPI.deferHardIrqs] = m[dev + NET_DEVICE.deferHardIrqs];
  m[at + NAPI.groFlushTimeoutNs] = m[dev + NET_DEVICE.groFlushTimeoutNs];
  m[at + NAPI.devNext] = m[dev + NET_DEVICE.napiFirst];
  m[dev + NET_DEVICE.napiFirst] = at;
  Atomics.store(m, at + NAPI.state, NAPIF_STATE_LISTED | NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC);
  const n = net.napi(at);
  if (threadedConfig(m, dev, config) !== NETDEV_NAPI_THREADED_DISABLED && napiKthreadCreate(net, n) !== 0) {
    m[dev + NET_DEVICE.threaded] = NETDEV_NAPI_THREADED_DISABLED;
  }
  return at;
}

/** What mode an instance starts in: what its config kept, else the device's (Linux: napi_get_threaded_config). */
function threadedConfig(m: Int32Array, dev: number, config: number): number {
  return m[config + NAPI_CONFIG.saved] !== 0
    ? m[config + NAPI_CONFIG.threaded]
    : m[dev + NET_DEVICE.threaded];
}

/**
 * Deletes a disabled instance: stops its thread, takes it off the list, waits for a grace period, frees it (Linux:
 * netif_napi_del). The driver must have unpublished its own pointers to it.
 * @returns 0, or -EBUSY if it is enabled
 */
export function netifNapiDel(net: NetContext, n: Napi): number {
  const { m, at, state } = n;
  if ((Atomics.load(m, state) & NAPIF_STATE_NPSVC) === 0) return -EBUSY;
  Atomics.and(m, state, ~NAPIF_STATE_LISTED);
  const dev = m[at + NAPI.dev];
  let link = dev + NET_DEVICE.napiFirst;
  while (m[link] !== at) link = m[link] + NAPI.devNext;
  m[link] = m[at + NAPI.devNext];
  const thread = Atomics.exchange(m, at + NAPI.thread, 0);
  if (thread !== 0) kthreadStop(net.cur, thread);
  groCleanup(net, n);
  synchronizeRcu(net.cur);
  // A poll that completed just before the disable may have started the watchdog after the disable cancelled it.
  hrtimerCancel(net.cur, at + NAPI.timer);
  kfree(m, at, NAPI.SIZE);
  return 0;
}

/**
 * Takes the instance out of service: returns when nobody polls it and nobody will (Linux: napi_disable_locked).
 * @returns 0, or -EINVAL if it is disabled already (Linux would wait for ever)
 */
export function napiDisable(net: NetContext, n: Napi): number {
  const { m, at, state } = n;
  if ((Atomics.load(m, state) & NAPIF_STATE_NPSVC) !== 0) return -EINVAL;
  let val = Atomics.or(m, state, NAPIF_STATE_DISABLE) | NAPIF_STATE_DISABLE; // N9
  for (;;) {
    while ((val & (NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC)) !== 0) {
      net.cur.platform.usleep(POLL_STATE_US);
      val = Atomics.load(m, state);
    }
    const next =
      (val | NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC) &
      ~(NAPIF_STATE_THREADED | NAPIF_STATE_THREADED_BUSY_POLL | NAPIF_STATE_PREFER_BUSY_POLL);
    const was = Atomics.compareExchange(m, state, val, next); // N9
    if (was === val) break;
    val = was;
  }
  hrtimerCancel(net.cur, at + NAPI.timer);
  saveConfig(m, at);
  Atomics.and(m, state, ~NAPIF_STATE_DISABLE);
  return 0;
}

/**
 * Puts a disabled instance into service, with the values its config kept (Linux: napi_enable_locked).
 * @returns 0, or -EINVAL if it is enabled already
 */
export function napiEnable(net: NetContext, n: Napi): number {
  const { m, at, state } = n;
  if ((Atomics.load(m, state) & NAPIF_STATE_NPSVC) === 0) return -EINVAL;
  restoreConfig(net, n);
  const threaded =
    m[m[at + NAPI.config] + NAPI_CONFIG.threaded] !== NETDEV_NAPI_THREADED_DISABLED &&
    m[at + NAPI.thread] !== 0;
  let val = Atomics.load(m, state);
  for (;;) {
    let next = val & ~(NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC);
    if (threaded) next |= NAPIF_STATE_THREADED;
    const was = Atomics.compareExchange(m, state, val, next); // N10
    if (was === val) return 0;
    val = was;
  }
}

function saveConfig(m: Int32Array, at: number): void {
  const config = m[at + NAPI.config];
  m[config + NAPI_CONFIG.deferHardIrqs] = m[at + NAPI.deferHardIrqs];
  m[config + NAPI_CONFIG.groFlushTimeoutNs] = m[at + NAPI.groFlushTimeoutNs];
  m[config + NAPI_CONFIG.saved] = 1;
}

/** Linux: napi_restore_config. A thread that cannot be had leaves the instance in softirq mode. */
function restoreConfig(net: NetContext, n: Napi): void {
  const { m, at } = n;
  const config = m[at + NAPI.config];
  if (m[config + NAPI_CONFIG.saved] !== 0) {
    m[at + NAPI.deferHardIrqs] = m[config + NAPI_CONFIG.deferHardIrqs];
    m[at + NAPI.groFlushTimeoutNs] = m[config + NAPI_CONFIG.groFlushTimeoutNs];
  } else {
    m[config + NAPI_CONFIG.threaded] = m[m[at + NAPI.dev] + NET_DEVICE.threaded];
    m[config + NAPI_CONFIG.saved] = 1;
  }
  m[at + NAPI.napiId] = configNapiId(net, config);
  if (m[config + NAPI_CONFIG.threaded] !== NETDEV_NAPI_THREADED_DISABLED) {
    if (m[at + NAPI.thread] === 0 && napiKthreadCreate(net, n) !== 0) {
      m[config + NAPI_CONFIG.threaded] = NETDEV_NAPI_THREADED_DISABLED;
    }
  } else if (m[at + NAPI.thread] !== 0) {
    napiStopKthread(net, n);
  }
}

/**
 * Makes and starts the thread of an instance (Linux: napi_kthread_create). Its name has the id the instance will be
 * enabled with, also when it is not enabled yet; Linux calls such a thread napi/DEV-0.
 * @returns 0 or -ENOMEM
 */
export function napiKthreadCreate(net: NetContext, n: Napi): number {
  const { m, at } = n;
  const name = `napi/${netdevName(m, m[at + NAPI.dev])}-${configNapiId(net, m[at + NAPI.config])}`;
  const t = kthreadRun(net.cur, KTHREAD_NAPI_POLL, at, m[at + NAPI.cpu], TASK_KIND_NAPI, name);
  if (t < 0) return t;
  Atomics.store(m, at + NAPI.thread, t); // N5
  return 0;
}

/** The id of the instance at a queue index: given once, kept in its config (Linux: napi_hash_add_with_id). */
function configNapiId(net: NetContext, config: number): number {
  const { m } = net;
  if (m[config + NAPI_CONFIG.napiId] === 0) {
    m[config + NAPI_CONFIG.napiId] = Atomics.add(m, net.at + NET.nextNapiId, 1);
  }
  return m[config + NAPI_CONFIG.napiId];
}

/**
 * Takes the instance from its thread and stops the thread (Linux: napi_stop_kthread). An event that comes meanwhile
 * finds THREADED clear and goes to a poll list.
 */
export function napiStopKthread(net: NetContext, n: Napi): void {
  const { m, at, state } = n;
  let val = Atomics.load(m, state);
  for (;;) {
    // Idle, or owned by the thread itself, or disabled (then nobody polls: Linux 6.18 would wait here for ever).
    const may =
      (val & NAPIF_STATE_SCHED_THREADED) !== 0 ||
      (val & NAPIF_STATE_SCHED) === 0 ||
      (val & NAPIF_STATE_NPSVC) !== 0;
    if (!may) {
      net.cur.platform.usleep(POLL_STATE_US);
      val = Atomics.load(m, state);
      continue;
    }
    const next = val & ~(NAPIF_STATE_THREADED | NAPIF_STATE_THREADED_BUSY_POLL);
    const was = Atomics.compareExchange(m, state, val, next);
    if (was === val) break;
    val = was;
  }
  while ((Atomics.load(m, state) & NAPIF_STATE_SCHED_THREADED) !== 0) net.cur.platform.usleep(POLL_STATE_US);
  const thread = Atomics.exchange(m, at + NAPI.thread, 0);
  if (thread !== 0) kthreadStop(net.cur, thread);
}

/**
 * Switches one instance between softirq and threaded, under traffic (Linux: napi_set_threaded). The switch takes
 * effect at the next schedule: frames are neither lost nor overtaken.
 * @returns 0 or -ENOMEM
 */
export function napiSetThreaded(net: NetContext, n: Napi, threaded: number): number {
  const { m, at, state } = n;
  if (threaded !== NETDEV_NAPI_THREADED_DISABLED && m[at + NAPI.thread] === 0) {
    const err = napiKthreadCreate(net, n);
    if (err !== 0) return err;
  }
  m[m[at + NAPI.config] + NAPI_CONFIG.threaded] = threaded;
  m[m[at + NAPI.config] + NAPI_CONFIG.saved] = 1;
  if (threaded === NETDEV_NAPI_THREADED_DISABLED) {
    if (m[at + NAPI.thread] !== 0) napiStopKthread(net, n);
  } else {
    Atomics.or(m, state, NAPIF_STATE_THREADED); // N5
  }
  return 0;
}

/**
 * Switches all instances of a device, and what is kept for instances not there now (Linux: netif_set_threaded). If a
 * thread cannot be had the device goes to softirq mode as a whole.
 * @returns 0 or -ENOMEM
 */
export function netifSetThreaded(net: NetContext, dev: number, threaded: number): number {
  const { m } = net;
  let mode = threaded;
  let err = 0;
  if (mode !== NETDEV_NAPI_THREADED_DISABLED) {
    for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0 && err === 0; at = m[at + NAPI.devNext]) {
      if (m[at + NAPI.thread] === 0) err = napiKthreadCreate(net, net.napi(at));
    }
    if (err !== 0) mode = NETDEV_NAPI_THREADED_DISABLED;
  }
  m[dev + NET_DEVICE.threaded] = mode;
  for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext]) {
    napiSetThreaded(net, net.napi(at), mode);
  }
  for (let i = 0; i < m[dev + NET_DEVICE.maxQueues]; i++) {
    const config = m[dev + NET_DEVICE.napiConfigs] + i * NAPI_CONFIG.SIZE;
    m[config + NAPI_CONFIG.threaded] = mode;
  }
  return err;
}
