// SPDX-License-Identifier: GPL-2.0-only
/**
 * Ids of NAPI instances, the table that finds an instance by its id, and the order of a device's instances (Linux:
 * napi_hash_add, napi_by_id, netif_napi_dev_list_add in net/core/dev.c).
 *
 * States of an instance: not hashed ⇄ hashed (from enable to disable).
 *
 * Owners: the table and the links belong to the holder of napiHashLock; readers walk them in an RCU read section. The
 * device's list belongs to the holder of the device mutex.
 *
 * Invariants
 *   - Only an enabled instance can be found.
 *   - An unlinked instance keeps its link until a grace period has passed: a reader that stands on it goes on. Enabled
 *     again before that it may have moved to another bucket: the reader sees by its id that it is astray, and begins
 *     again.
 *   - A device's list is in descending order of id, so that a dump can go on behind the last id it showed.
 *
 * Ordering
 *   I1 add: link of the instance, then store of the bucket's head   pairs with  I2
 *   I2 reader: load of the head, then id and link                   pairs with  I1
 *   I3 delete: store of the predecessor's link, then a grace period before it is freed (netifNapiDel)  pairs with  I2
 *   I4 add: store of the id, then store of the link; reader: load of the link, then of the id
 */
import { spinLock, spinUnlock } from '../../kernel/locking/spinlock.js';
import { rcuReadLock, rcuReadUnlock } from '../../kernel/rcu.js';
import { releaseMutex, sleepOnMutex } from '../../kernel/sched.js';
import { NAPI, type Napi } from './napi.js';
import type { NetContext } from './net_context.js';
import { devHold, devPut, NAPI_CONFIG, NET_DEVICE } from './net_device.js';
import { MIN_NAPI_ID, NAPI_HASH_SIZE, NET } from './softnet_data.js';

/** Order of an instance that has no id yet: above all others. */
const NO_ID = 0x7fffffff;

/**
 * Finds an enabled instance by its id (Linux: napi_by_id). Caller is in an RCU read section.
 * @returns its napi_struct, or 0
 */
export function napiById(net: NetContext, id: number): number {
  const { m } = net;
  const head = bucket(net, id);
  let at = Atomics.load(m, head); // I2
  while (at !== 0 && Atomics.load(m, at + NAPI.napiId) !== id) {
    const next = Atomics.load(m, at + NAPI.hashNext);
    // Disabled and enabled under us, without a config, it has another id: its link may lead into another bucket.
    const moved = ((Atomics.load(m, at + NAPI.napiId) ^ id) & (NAPI_HASH_SIZE - 1)) !== 0; // I4
    at = moved ? Atomics.load(m, head) : next;
  }
  return at;
}

/**
 * Finds an enabled instance by its id and locks its device (Linux: netdev_napi_by_id_lock). Process context.
 * @returns its napi_struct, with a reference to the device and its mutex held (netdevUnlockPut); or 0, with neither
 */
export function netdevNapiByIdLock(net: NetContext, id: number): number {
  const { m, cur } = net;
  rcuReadLock(cur);
  const seen = napiById(net, id);
  const dev = seen === 0 ? 0 : m[seen + NAPI.dev];
  if (dev !== 0) devHold(m, dev);
  rcuReadUnlock(cur);
  if (dev === 0) return 0;
  sleepOnMutex(cur, dev + NET_DEVICE.lock);
  // It may have gone, and come back elsewhere, while the lock was waited for.
  rcuReadLock(cur);
  const at = napiById(net, id);
  const found = at !== 0 && m[at + NAPI.dev] === dev;
  rcuReadUnlock(cur);
  if (found) return at;
  netdevUnlockPut(net, dev);
  return 0;
}

/** Unlocks a device and gives the reference to it back. */
export function netdevUnlockPut(net: NetContext, dev: number): void {
  releaseMutex(net.cur, dev + NET_DEVICE.lock);
  devPut(net.m, dev);
}

function bucket(net: NetContext, id: number): number {
  return net.at + NET.napiHash + (id & (NAPI_HASH_SIZE - 1));
}

/**
 * Makes the instance findable (Linux: napi_hash_add, napi_hash_add_with_id).
 * @param id the id it had before, 0: give it the next free one
 * @returns its id
 */
export function napiHashAdd(net: NetContext, n: Napi, id: number): number {
  const { m } = net;
  const lock = net.at + NET.napiHashLock;
  spinLock(m, lock);
  const given = id === 0 ? nextId(net) : id;
  const head = bucket(net, given);
  Atomics.store(m, n.at + NAPI.napiId, given);
  Atomics.store(m, n.at + NAPI.hashNext, Atomics.load(m, head));
  m[n.at + NAPI.hashed] = 1;
  Atomics.store(m, head, n.at); // I1
  spinUnlock(m, lock);
  return given;
}

function nextId(net: NetContext): number {
  const { m } = net;
  const last = net.at + NET.lastNapiId;
  // Small numbers mean CPUs; a number that wrapped may still be in use.
  do {
    m[last] = Math.max(m[last] + 1, MIN_NAPI_ID);
  } while (napiById(net, m[last]) !== 0);
  return m[last];
}

/** Hides the instance from look-ups that begin now (Linux: napi_hash_del). */
export function napiHashDel(net: NetContext, n: Napi): void {
  const { m } = net;
  const lock = net.at + NET.napiHashLock;
  spinLock(m, lock);
  if (m[n.at + NAPI.hashed] !== 0) {
    let link = bucket(net, m[n.at + NAPI.napiId]);
    while (Atomics.load(m, link) !== n.at) link = Atomics.load(m, link) + NAPI.hashNext;
    Atomics.store(m, link, Atomics.load(m, n.at + NAPI.hashNext)); // I3
    m[n.at + NAPI.hashed] = 0;
  }
  spinUnlock(m, lock);
}

/** Puts an instance where its id belongs (Linux: netif_napi_dev_list_add). Device mutex held. */
export function netifNapiDevListAdd(net: NetContext, dev: number, n: Napi): void {
  const { m } = net;
  const config = m[n.at + NAPI.config];
  const id = (config === 0 ? 0 : m[config + NAPI_CONFIG.napiId]) || NO_ID;
  let link = dev + NET_DEVICE.napiFirst;
  while (m[link] !== 0 && listId(m, m[link]) > id) link = m[link] + NAPI.devNext;
  m[n.at + NAPI.devNext] = m[link];
  m[link] = n.at;
}

/** The id by which a listed instance is ordered: its own, else the one it will get. */
function listId(m: Int32Array, at: number): number {
  const config = m[at + NAPI.config];
  return m[at + NAPI.napiId] || (config === 0 ? 0 : m[config + NAPI_CONFIG.napiId]) || NO_ID;
}

/** Takes an instance out of its device's list. Device mutex held. */
export function netifNapiDevListDel(m: Int32Array, dev: number, n: Napi): void {
  let link = dev + NET_DEVICE.napiFirst;
  while (m[link] !== n.at) link = m[link] + NAPI.devNext;
  m[link] = m[n.at + NAPI.devNext];
}
