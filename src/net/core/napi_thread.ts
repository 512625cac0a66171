// SPDX-License-Identifier: GPL-2.0-only
/**
 * The thread behind a NAPI instance: a napi_thread_node stands between the two, so that a thread can outlive its
 * instance and serve the next one of the same queue index (seed 000; docs/kthread-persistence.md).
 *
 * What becomes of a thread when its instance is deleted is a boot parameter, `napi_kthread_persist`:
 *   off    it is stopped, as Linux does without the seed; the next instance gets a new one when it is added
 *   v1     it is parked in the napi_config, and taken from there by the next add: the seed as posted, defects included
 *   fixed  it is parked in the napi_config; threads are looked for when an instance is enabled, in this order: its
 *          own, the parked one, one that an older instance of the same index still holds (then the new one waits for
 *          it, in softirq mode), and only then a new one
 *
 * States of a node: serving (an instance's threadNode) ⇄ parked (a config's threadNode) → stopped, freed.
 *
 * Owners: all words belong to the holder of the device mutex; `task` is constant; `napi` is read by the thread, which
 * runs only while it is set.
 *
 * Invariants
 *   - A node is in one place: serving one instance, or parked in one config. v1 breaks this: a node whose config slot is
 *     overwritten is in no place, and its thread leaks.
 *   - fixed: a queue index has at most one node, serving or parked.
 *   - `napi` is 0 only while the thread is parked.
 *   - A node is freed a grace period after it was unpublished: a scheduler may hold the pointer.
 *
 * Ordering
 *   P1 delete: threadNode = 0, the thread parked, then napi = 0                    pairs with  P3
 *   P2 adopt: napi = the new instance, threadNode = the node, then kthreadUnpark   pairs with  P3
 *   P3 thread: leaves kthreadParkme, then load of napi (napi_poll.ts)              pairs with  P1, P2
 *   N5 start: store of `threadNode`, then or of THREADED        pairs with  N6 (napi_schedule.ts)
 */
import { ENOMEM } from '../../kernel/errno.js';
import { kthreadPark, kthreadRun, kthreadStop, kthreadUnpark } from '../../kernel/kthread.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { line, struct, word } from '../../mm/struct.js';
import { KTHREAD_NAPI_POLL, TASK_KIND_NAPI } from './ids.js';
import {
  NAPI,
  NAPIF_STATE_NPSVC,
  NAPIF_STATE_THREADED,
  NAPIF_STATE_THREADED_BUSY_POLL,
  type Napi,
} from './napi.js';
import type { NetContext } from './net_context.js';
import {
  NAPI_CONFIG,
  NET_DEVICE,
  NETDEV_NAPI_THREADED_BUSY_POLL,
  NETDEV_NAPI_THREADED_DISABLED,
  netdevName,
} from './net_device.js';
import { NAPI_KTHREAD_PERSIST_FIXED, NAPI_KTHREAD_PERSIST_OFF, NET } from './softnet_data.js';

export const NAPI_THREAD_NODE = struct(
  'napi_thread_node',
  line('holder of the device mutex', {
    task: word('task_struct of the thread; constant'),
    napi: word('napi_struct it serves, 0 while it is parked'),
  }),
);

/** @returns the bits that stand for a mode (NETDEV_NAPI_THREADED_*), none without a thread */
export function napiThreadedState(mode: number, threadNode: number): number {
  if (mode === NETDEV_NAPI_THREADED_DISABLED || threadNode === 0) return 0;
  return mode === NETDEV_NAPI_THREADED_BUSY_POLL
    ? NAPIF_STATE_THREADED | NAPIF_STATE_THREADED_BUSY_POLL
    : NAPIF_STATE_THREADED;
}

function persist(net: NetContext): number {
  return net.m[net.at + NET.napiKthreadPersist];
}

/** @returns the name of an instance's thread: `napi/DEV-0` as long as it has no id, as in Linux */
export function napiThreadName(m: Int32Array, dev: number, id: number): string {
  return `napi/${netdevName(m, dev)}-${id}`;
}

/**
 * Makes and starts a thread for the instance (Linux: napi_kthread_create; seed 000: napi_thread_node_create).
 * @returns 0 or -ENOMEM
 */
export function napiThreadNodeCreate(net: NetContext, n: Napi): number {
  const { m, at } = n;
  const node = kmalloc(m, NAPI_THREAD_NODE.SIZE);
  if (node === 0) return -ENOMEM;
  m[node + NAPI_THREAD_NODE.napi] = at;
  const name = napiThreadName(m, m[at + NAPI.dev], m[at + NAPI.napiId]);
  const task = kthreadRun(net.cur, KTHREAD_NAPI_POLL, node, m[at + NAPI.cpu], TASK_KIND_NAPI, name);
  if (task < 0) {
    kfree(m, node, NAPI_THREAD_NODE.SIZE);
    return task;
  }
  m[node + NAPI_THREAD_NODE.task] = task;
  Atomics.store(m, at + NAPI.threadNode, node); // N5
  return 0;
}

/** Stops a node's thread and frees both. Nobody can find the node any more, but a scheduler may still hold it. */
export function napiThreadNodeStop(net: NetContext, node: number): void {
  const { m } = net;
  kthreadStop(net.cur, m[node + NAPI_THREAD_NODE.task]); // with a grace period
  kfree(m, node, NAPI_THREAD_NODE.SIZE);
}

/** Gives the thread parked in the instance's config to the instance. */
function adopt(n: Napi, config: number): void {
  const { m, at } = n;
  const node = m[config + NAPI_CONFIG.threadNode];
  m[config + NAPI_CONFIG.threadNode] = 0;
  Atomics.store(m, node + NAPI_THREAD_NODE.napi, at); // P2
  Atomics.store(m, at + NAPI.threadNode, node); // N5
  kthreadUnpark(m, m[node + NAPI_THREAD_NODE.task]); // P2
}

/**
 * An instance of a threaded device or config is added. Threads of `fixed` wait until it is enabled, when it has an id.
 * @returns 0 or -ENOMEM
 */
export function napiThreadAdd(net: NetContext, n: Napi): number {
  if (persist(net) === NAPI_KTHREAD_PERSIST_FIXED) return 0;
  const config = net.m[n.at + NAPI.config];
  if (config !== 0 && net.m[config + NAPI_CONFIG.threadNode] !== 0) {
    adopt(n, config);
    return 0;
  }
  return napiThreadNodeCreate(net, n);
}

/**
 * Gets a thread for an instance that is to be threaded and has none.
 * @returns 0 or -ENOMEM; with 0 the instance may still be without one: it gets it when an older instance of the same
 *   queue index is deleted (fixed)
 */
export function napiThreadAttach(net: NetContext, n: Napi): number {
  const { m, at } = n;
  const config = m[at + NAPI.config];
  if (persist(net) === NAPI_KTHREAD_PERSIST_FIXED && config !== 0) {
    if (m[config + NAPI_CONFIG.threadNode] !== 0) {
      adopt(n, config);
      return 0;
    }
    if (siblingWithNode(m, at) !== 0) return 0;
  }
  return napiThreadNodeCreate(net, n);
}

/** Another listed instance of the same queue index that has a thread. Device mutex held. */
function siblingWithNode(m: Int32Array, at: number): number {
  const config = m[at + NAPI.config];
  let other = m[m[at + NAPI.dev] + NET_DEVICE.napiFirst];
  while (other !== 0) {
    if (other !== at && m[other + NAPI.config] === config && m[other + NAPI.threadNode] !== 0) return other;
    other = m[other + NAPI.devNext];
  }
  return 0;
}

/** @returns true if a thread of that queue index is parked when its instance goes */
function keepsThread(net: NetContext, config: number): boolean {
  if (persist(net) !== NAPI_KTHREAD_PERSIST_FIXED) return persist(net) !== NAPI_KTHREAD_PERSIST_OFF;
  // Threading may have been turned off on the newer of two instances: then nobody would look for a parked thread.
  return net.m[config + NAPI_CONFIG.threaded] !== NETDEV_NAPI_THREADED_DISABLED;
}

/** A disabled instance is deleted: its thread, which owns nothing, is parked for the next one, or stopped. */
export function napiThreadDel(net: NetContext, n: Napi): void {
  const { m, at } = n;
  const config = m[at + NAPI.config];
  const node = Atomics.exchange(m, at + NAPI.threadNode, 0);
  if (node === 0) return;
  if (config === 0 || !keepsThread(net, config)) {
    napiThreadNodeStop(net, node);
    return;
  }
  kthreadPark(net.cur, m[node + NAPI_THREAD_NODE.task]); // P1
  m[config + NAPI_CONFIG.threadNode] = node;
  Atomics.store(m, node + NAPI_THREAD_NODE.napi, 0); // P1
  if (persist(net) === NAPI_KTHREAD_PERSIST_FIXED) handOver(net, m[at + NAPI.dev], config);
}

/** Gives a thread just parked to an instance of the same queue index that serves already and waits for it. */
function handOver(net: NetContext, dev: number, config: number): void {
  const { m } = net;
  for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext]) {
    if (m[at + NAPI.config] !== config) continue;
    if ((Atomics.load(m, at + NAPI.state) & NAPIF_STATE_NPSVC) !== 0) continue;
    const n = net.napi(at);
    adopt(n, config);
    Atomics.or(m, n.state, napiThreadedState(m[config + NAPI_CONFIG.threaded], m[at + NAPI.threadNode])); // N5
    return;
  }
}

/** Stops the threads parked in the device's configs: threading is turned off, or the device goes away. */
export function napiThreadStopParked(net: NetContext, dev: number): void {
  const { m } = net;
  const configs = m[dev + NET_DEVICE.napiConfigs];
  if (configs === 0) return;
  for (let i = 0; i < m[dev + NET_DEVICE.maxQueues]; i++) {
    const slot = configs + i * NAPI_CONFIG.SIZE + NAPI_CONFIG.threadNode;
    const node = m[slot];
    if (node === 0) continue;
    m[slot] = 0;
    napiThreadNodeStop(net, node);
  }
}
