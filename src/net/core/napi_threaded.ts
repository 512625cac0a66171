// SPDX-License-Identifier: GPL-2.0-only
/**
 * Switching instances and devices between softirq, threaded and, instance by instance, busy polling mode, under traffic
 * (Linux: napi_set_threaded, netif_set_threaded, napi_stop_kthread in net/core/dev.c). Device mutex held throughout.
 *
 * Invariants
 *   - THREADED is set only while `threadNode` is; it is cleared only while the instance is idle, owned by its thread, or
 *     disabled.
 *   - THREADED_BUSY_POLL goes with THREADED at the latest: a thread that is to stop leaves its busy loop (seed 003).
 *   - A thread is stopped only when THREADED and SCHED_THREADED are clear: it owns nothing.
 *   - `threadNode` is unpublished before node and task_struct are freed, with a grace period in between.
 *
 * Ordering
 *   N5 start: store of `threadNode`, then or of THREADED          pairs with  N6 (napi_schedule.ts)
 */
import {
  NAPI,
  NAPIF_STATE_NPSVC,
  NAPIF_STATE_SCHED,
  NAPIF_STATE_SCHED_THREADED,
  NAPIF_STATE_THREADED,
  NAPIF_STATE_THREADED_BUSY_POLL,
  type Napi,
} from './napi.js';
import {
  napiThreadAttach,
  napiThreadedState,
  napiThreadNodeStop,
  napiThreadStopParked,
} from './napi_thread.js';
import type { NetContext } from './net_context.js';
import {
  NAPI_CONFIG,
  NET_DEVICE,
  NETDEV_NAPI_THREADED_BUSY_POLL,
  NETDEV_NAPI_THREADED_DISABLED,
  NETDEV_NAPI_THREADED_ENABLED,
  napiConfigAt,
} from './net_device.js';

/** Sleep between two looks at a state word that nobody signals (Linux: msleep(20)). */
const POLL_STATE_US = 50;

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
  const node = Atomics.exchange(m, at + NAPI.threadNode, 0);
  if (node !== 0) napiThreadNodeStop(net, node);
}

/** @returns an instance's mode, NETDEV_NAPI_THREADED_* (Linux: napi_get_threaded) */
export function napiGetThreaded(m: Int32Array, at: number): number {
  const state = Atomics.load(m, at + NAPI.state);
  if ((state & NAPIF_STATE_THREADED_BUSY_POLL) !== 0) return NETDEV_NAPI_THREADED_BUSY_POLL;
  return (state & NAPIF_STATE_THREADED) !== 0 ? NETDEV_NAPI_THREADED_ENABLED : NETDEV_NAPI_THREADED_DISABLED;
}

/**
 * Switches one instance to a mode, NETDEV_NAPI_THREADED_* (Linux: napi_set_threaded). The switch takes effect at the
 * next schedule, or turn of the busy loop: frames are neither lost nor overtaken.
 * @returns 0 or -ENOMEM
 */
export function napiSetThreaded(net: NetContext, n: Napi, threaded: number): number {
  const { m, at, state } = n;
  if (threaded !== NETDEV_NAPI_THREADED_DISABLED && m[at + NAPI.threadNode] === 0) {
    const err = napiThreadAttach(net, n);
    if (err !== 0) return err;
  }
  const config = m[at + NAPI.config];
  if (config !== 0) m[config + NAPI_CONFIG.threaded] = threaded;
  if (threaded === NETDEV_NAPI_THREADED_DISABLED) {
    if (m[at + NAPI.threadNode] !== 0) napiStopKthread(net, n);
  } else if (m[at + NAPI.threadNode] !== 0) {
    const bits = napiThreadedState(threaded, m[at + NAPI.threadNode]);
    if ((bits & NAPIF_STATE_THREADED_BUSY_POLL) === 0) Atomics.and(m, state, ~NAPIF_STATE_THREADED_BUSY_POLL);
    Atomics.or(m, state, bits); // N5
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
      if (m[at + NAPI.threadNode] === 0) err = napiThreadAttach(net, net.napi(at));
    }
    if (err !== 0) mode = NETDEV_NAPI_THREADED_DISABLED;
  }
  m[dev + NET_DEVICE.threaded] = mode;
  for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext]) {
    napiSetThreaded(net, net.napi(at), mode);
  }
  // The configs of all queue indices, whether an instance has them now or not; and the threads parked in them.
  if (m[dev + NET_DEVICE.napiConfigs] === 0) return err;
  for (let i = 0; i < m[dev + NET_DEVICE.maxQueues]; i++)
    m[napiConfigAt(m, dev, i) + NAPI_CONFIG.threaded] = mode;
  if (mode === NETDEV_NAPI_THREADED_DISABLED) napiThreadStopParked(net, dev);
  return err;
}
