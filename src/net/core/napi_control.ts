// SPDX-License-Identifier: GPL-2.0-only
/**
 * Adding, deleting, enabling and disabling NAPI instances (Linux: net/core/dev.c). Their mode: napi_threaded.ts; their
 * thread: napi_thread.ts.
 *
 * States of an instance: none → added (listed, SCHED|NPSVC: owned by nobody who polls) ⇄ enabled → added → none. All
 * transitions are made by the holder of the device mutex, in process context.
 *
 * Invariants
 *   - What a napi_config keeps (values, mode, id, thread) is the same after delete and add at the same queue index.
 *   - An instance is freed a grace period after it was taken from everywhere it can be found.
 *
 * Ordering
 *   N9 disable: or of DISABLE, then CAS from neither SCHED nor NPSVC to both   pairs with  N1, N2
 *   N10 enable: one CAS clears SCHED and NPSVC and sets THREADED, THREADED_BUSY_POLL  pairs with  N1
 */
import { EBUSY, EINVAL, ENOMEM } from '../../kernel/errno.js';
import { hrtimerCancel, hrtimerSetup } from '../../kernel/hrtimer.js';
import { synchronizeRcu } from '../../kernel/rcu.js';
import { TP_NAPI_STATE, trace } from '../../kernel/trace.js';
import { initListHead } from '../../mm/list.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { groCleanup } from './gro.js';
import { HRTIMER_NAPI_WATCHDOG } from './ids.js';
import {
  NAPI,
  NAPI_POLL_WEIGHT,
  NAPIF_STATE_DISABLE,
  NAPIF_STATE_LISTED,
  NAPIF_STATE_NPSVC,
  NAPIF_STATE_PREFER_BUSY_POLL,
  NAPIF_STATE_SCHED,
  NAPIF_STATE_THREADED,
  NAPIF_STATE_THREADED_BUSY_POLL,
  type Napi,
} from './napi.js';
import { napiHashAdd, napiHashDel, netifNapiDevListAdd, netifNapiDevListDel } from './napi_id.js';
import { napiThreadAdd, napiThreadAttach, napiThreadDel, napiThreadedState } from './napi_thread.js';
import { napiSetThreaded } from './napi_threaded.js';
import type { NetContext } from './net_context.js';
import {
  NAPI_CONFIG,
  NET_DEVICE,
  NETDEV_NAPI_THREADED_DISABLED,
  napiConfigAt,
  rxQueueAt,
} from './net_device.js';

/** Sleep between two looks at a state word that nobody signals (Linux: usleep_range(20, 200)). */
const POLL_STATE_US = 50;

/**
 * Adds an instance to the device: listed and disabled (Linux: netif_napi_add_config).
 * @param index queue index: values are kept for it in the device's napi_config, if it has them
 * @param cpu simulated CPU its thread counts as running on: where its interrupt goes, so that both use one softnet_data
 * @returns the napi_struct's word index, -ENOMEM, or -EINVAL for a weight or an index out of range
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
  if (index < 0 || index >= m[dev + NET_DEVICE.maxQueues]) return -EINVAL;
  const at = kmalloc(m, NAPI.SIZE);
  if (at === 0) return -ENOMEM;
  initListHead(m, at + NAPI.pollList);
  hrtimerSetup(m, at + NAPI.timer, HRTIMER_NAPI_WATCHDOG, at);
  m[at + NAPI.dev] = dev;
  m[at + NAPI.pollFn] = pollFn;
  m[at + NAPI.priv] = priv;
  m[at + NAPI.weight] = weight;
  m[at + NAPI.index] = index;
  m[at + NAPI.config] = napiConfigAt(m, dev, index);
  m[at + NAPI.cpu] = cpu;
  m[at + NAPI.rxQueue] = rxQueueAt(m, dev, index);
  m[at + NAPI.deferHardIrqs] = m[dev + NET_DEVICE.deferHardIrqs];
  m[at + NAPI.groFlushTimeoutNs] = m[dev + NET_DEVICE.groFlushTimeoutNs];
  Atomics.store(m, at + NAPI.state, NAPIF_STATE_LISTED | NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC);
  const n = net.napi(at);
  netifNapiDevListAdd(net, dev, n);
  if (threadedConfig(m, n) !== NETDEV_NAPI_THREADED_DISABLED && napiThreadAdd(net, n) !== 0) {
    m[dev + NET_DEVICE.threaded] = NETDEV_NAPI_THREADED_DISABLED;
  }
  return at;
}

/** What mode an instance is to have: what its config keeps, else the device's (Linux: napi_get_threaded_config). */
function threadedConfig(m: Int32Array, n: Napi): number {
  const config = m[n.at + NAPI.config];
  return config === 0 ? m[m[n.at + NAPI.dev] + NET_DEVICE.threaded] : m[config + NAPI_CONFIG.threaded];
}

/**
 * Takes a disabled instance off its device's list; its thread is parked or stopped (Linux: __netif_napi_del). The
 * driver must have unpublished its own pointers to it. To be freed by netifNapiFree after a grace period.
 * @returns 0, or -EBUSY if it is enabled
 */
export function netifNapiUnlist(net: NetContext, n: Napi): number {
  const { m, at, state } = n;
  if ((Atomics.load(m, state) & NAPIF_STATE_NPSVC) === 0) return -EBUSY;
  Atomics.and(m, state, ~NAPIF_STATE_LISTED);
  netifNapiDevListDel(m, m[at + NAPI.dev], n);
  napiThreadDel(net, n);
  groCleanup(net, n);
  return 0;
}

/** Frees an instance that netifNapiUnlist took off the list, after a grace period. */
export function netifNapiFree(net: NetContext, n: Napi): void {
  // A poll that completed just before the disable may have started the watchdog after the disable cancelled it.
  hrtimerCancel(net.cur, n.at + NAPI.timer);
  kfree(n.m, n.at, NAPI.SIZE);
}

/**
 * Deletes a disabled instance (Linux: netif_napi_del).
 * @returns 0, or -EBUSY if it is enabled
 */
export function netifNapiDel(net: NetContext, n: Napi): number {
  const err = netifNapiUnlist(net, n);
  if (err !== 0) return err;
  synchronizeRcu(net.cur);
  netifNapiFree(net, n);
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
    if (was === val) {
      trace(net.cur, TP_NAPI_STATE, at, val, next);
      break;
    }
    val = was;
  }
  hrtimerCancel(net.cur, at + NAPI.timer);
  saveConfig(m, at);
  napiHashDel(net, n);
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
  const config = m[at + NAPI.config];
  if (config === 0) enableFresh(net, n);
  else restoreConfig(net, n, config);
  const mode = napiThreadedState(threadedConfig(m, n), m[at + NAPI.threadNode]);
  let val = Atomics.load(m, state);
  for (;;) {
    const next = (val & ~(NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC)) | mode;
    const was = Atomics.compareExchange(m, state, val, next); // N10
    if (was === val) {
      trace(net.cur, TP_NAPI_STATE, at, val, next);
      return 0;
    }
    val = was;
  }
}

function saveConfig(m: Int32Array, at: number): void {
  const config = m[at + NAPI.config];
  if (config === 0) return;
  m[config + NAPI_CONFIG.deferHardIrqs] = m[at + NAPI.deferHardIrqs];
  m[config + NAPI_CONFIG.groFlushTimeoutNs] = m[at + NAPI.groFlushTimeoutNs];
  m[config + NAPI_CONFIG.irqSuspendTimeoutNs] = m[at + NAPI.irqSuspendTimeoutNs];
}

/** Linux: napi_restore_config. A thread that cannot be had leaves the instance, and what comes later, in softirq mode. */
function restoreConfig(net: NetContext, n: Napi, config: number): void {
  const { m, at } = n;
  m[at + NAPI.deferHardIrqs] = m[config + NAPI_CONFIG.deferHardIrqs];
  m[at + NAPI.groFlushTimeoutNs] = m[config + NAPI_CONFIG.groFlushTimeoutNs];
  // Read by sockets that found the instance before it was disabled.
  Atomics.store(m, at + NAPI.irqSuspendTimeoutNs, m[config + NAPI_CONFIG.irqSuspendTimeoutNs]);
  m[config + NAPI_CONFIG.napiId] = napiHashAdd(net, n, m[config + NAPI_CONFIG.napiId]);
  if (napiSetThreaded(net, n, m[config + NAPI_CONFIG.threaded]) === 0) return;
  m[config + NAPI_CONFIG.threaded] = NETDEV_NAPI_THREADED_DISABLED;
  m[m[at + NAPI.dev] + NET_DEVICE.threaded] = NETDEV_NAPI_THREADED_DISABLED;
}

/** An instance without a config: a new id, the device's mode. */
function enableFresh(net: NetContext, n: Napi): void {
  const { m, at } = n;
  const dev = m[at + NAPI.dev];
  napiHashAdd(net, n, 0);
  if (m[dev + NET_DEVICE.threaded] === NETDEV_NAPI_THREADED_DISABLED || m[at + NAPI.threadNode] !== 0) return;
  if (napiThreadAttach(net, n) !== 0) m[dev + NET_DEVICE.threaded] = NETDEV_NAPI_THREADED_DISABLED;
}
