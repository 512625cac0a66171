// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of look-up and lock, of the table of ids beyond one device, and of the order of a device's list: napi_id.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { MUTEX_OWNER } from '../kernel/locking/mutex.js';
import { synchronizeRcu } from '../kernel/rcu.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import type { Arena } from '../mm/arena.js';
import { NAPI } from '../net/core/napi.js';
import { napiDisable, napiEnable, netifNapiAdd, netifNapiDel } from '../net/core/napi_control.js';
import { napiById, netdevNapiByIdLock, netdevUnlockPut } from '../net/core/napi_id.js';
import { type NetContext, netContext } from '../net/core/net_context.js';
import { allocNetdev, freeNetdev, NAPI_CONFIG, NET_DEVICE, napiConfigAt } from '../net/core/net_device.js';
import { MIN_NAPI_ID, NAPI_HASH_SIZE, NET } from '../net/core/softnet_data.js';
import { listTasks, type NetSetup, netFor, netMemory, netSetup } from './net_world.js';
import { currentOf } from './world.js';

/** The next id in the bucket of the first. */
const SAME_BUCKET = MIN_NAPI_ID + NAPI_HASH_SIZE;

function listed(arena: Arena, label: Label): NetSetup {
  const s = netSetup(arena, label, false, 4);
  listTasks(arena.m, [s.control, s.irqA]);
  return s;
}

/** A second device; its instance of index 0 will have that id. */
function secondDevice({ m }: Arena, label: Label, id: number): number {
  const dev = allocNetdev(m, 'eth1', 0, 1);
  label(m, dev, NET_DEVICE, 'dev2');
  m[napiConfigAt(m, dev, 0) + NAPI_CONFIG.napiId] = id;
  return dev;
}

function add(net: NetContext, dev: number, index: number): number {
  const at = netifNapiAdd(net, dev, 0, 0, 4, index, 0);
  must(napiEnable(net, net.napi(at)) === 0, 'enable was refused');
  return at;
}

function del(net: NetContext, at: number): void {
  must(napiDisable(net, net.napi(at)) === 0, 'disable was refused');
  must(netifNapiDel(net, net.napi(at)) === 0, 'delete was refused');
}

export const napiGetLock: Litmus = litmus({
  name: 'napi-get-lock',
  memory: netMemory,
  setup: listed,
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      const holdersOfNull = m[NET_DEVICE.refcnt];
      must(netdevNapiByIdLock(net, MIN_NAPI_ID + 1) === 0, 'an id that nobody has was found');
      must(m[NET_DEVICE.refcnt] === holdersOfNull, 'a device that is not there is held');
      must(netdevNapiByIdLock(net, MIN_NAPI_ID) === s.napi, 'an enabled instance was not found');
      must(m[s.dev + NET_DEVICE.refcnt] === 1, 'its device is not held');
      must(m[s.dev + NET_DEVICE.lock + MUTEX_OWNER] === s.control, 'its device is not locked');
      netdevUnlockPut(net, s.dev);
      must(m[s.dev + NET_DEVICE.refcnt] === 0, 'its device is still held');
    },
  },
  forbids: 'an instance that is not found, or a look-up that holds what is not there',
  why: 'what is found is locked and held; nothing found, nothing touched',
});

export const napiGetDeviceFreed: Litmus = litmus({
  name: 'napi-get-device-freed',
  memory: netMemory,
  setup: listed,
  threads: {
    irqA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      if (netdevNapiByIdLock(net, MIN_NAPI_ID) !== 0) netdevUnlockPut(net, s.dev);
    },
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      sleepOnMutex(net.cur, s.dev + NET_DEVICE.lock);
      del(net, s.napi);
      releaseMutex(net.cur, s.dev + NET_DEVICE.lock);
      synchronizeRcu(net.cur);
      for (;;) if (Atomics.load(m, s.dev + NET_DEVICE.refcnt) === 0) break;
      freeNetdev(m, s.dev);
      must(allocNetdev(m, 'eth1', 0, 2) === s.dev, 'its memory is not used again');
    },
  },
  forbids: 'a device that is freed while a look-up still waits for its mutex or holds it',
  why: 'the mutex is released first, and then the reference is given back',
});

export const napiGetBesideDelete: Litmus = litmus({
  name: 'napi-get-beside-delete',
  memory: netMemory,
  setup(arena, label) {
    const s = listed(arena, label);
    const dev2 = secondDevice(arena, label, SAME_BUCKET);
    const before = add(netContext(currentOf(arena.m, s.control), arena), dev2, 0);
    label(arena.m, before, NAPI, 'before');
    return { ...s, dev2, before };
  },
  threads: {
    irqA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      must(netdevNapiByIdLock(net, MIN_NAPI_ID) === s.napi, 'an instance that stays was not found');
      netdevUnlockPut(net, s.dev);
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      del(net, s.before);
      add(net, s.dev2, 0); // its memory is used again
    },
  },
  forbids: 'a look-up under the lock that reads a freed instance of another device',
  why: 'the mutex keeps the instances of one device; those of the others are kept by the read section',
});

export const napiGetElsewhere: Litmus = litmus({
  name: 'napi-get-elsewhere',
  memory: netMemory,
  setup(arena, label) {
    // Ids went round: the second device gives an id again as soon as the first has given it up.
    return { ...listed(arena, label), dev2: secondDevice(arena, label, MIN_NAPI_ID) };
  },
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.irqA);
      const at = netdevNapiByIdLock(net, MIN_NAPI_ID);
      if (at === 0) return;
      const dev = m[at + NAPI.dev];
      must(
        Atomics.load(m, dev + NET_DEVICE.lock + MUTEX_OWNER) === s.irqA,
        'the instance is found, and its device not locked',
      );
      netdevUnlockPut(net, dev);
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      sleepOnMutex(net.cur, s.dev + NET_DEVICE.lock);
      del(net, s.napi);
      releaseMutex(net.cur, s.dev + NET_DEVICE.lock);
      sleepOnMutex(net.cur, s.dev2 + NET_DEVICE.lock);
      add(net, s.dev2, 0);
      releaseMutex(net.cur, s.dev2 + NET_DEVICE.lock);
    },
  },
  final({ m }, s) {
    must(m[s.dev + NET_DEVICE.refcnt] + m[s.dev2 + NET_DEVICE.refcnt] === 0, 'a device is still held');
  },
  forbids: 'an instance that is found while the mutex of another device is held',
  why: 'under the lock it is looked up again, and must belong to the device that is locked',
});

export const napiHashTwoDevices: Litmus = litmus({
  name: 'napi-hash-two-devices',
  memory: netMemory,
  setup(arena, label) {
    const s = listed(arena, label);
    const dev2 = secondDevice(arena, label, SAME_BUCKET);
    const second = add(netContext(currentOf(arena.m, s.control), arena), dev2, 0);
    label(arena.m, second, NAPI, 'napi2');
    return { ...s, second };
  },
  threads: {
    controlA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      must(napiDisable(net, net.napi(s.napi)) === 0, 'disable was refused');
      must(napiEnable(net, net.napi(s.napi)) === 0, 'enable was refused');
    },
    controlB(arena, s) {
      const net = netFor(arena, s, s.control);
      must(napiDisable(net, net.napi(s.second)) === 0, 'disable was refused');
      must(napiEnable(net, net.napi(s.second)) === 0, 'enable was refused');
    },
  },
  final(arena, s) {
    const net = netContext(currentOf(arena.m, s.control), arena);
    must(napiById(net, MIN_NAPI_ID) === s.napi, 'the first device lost its instance');
    must(napiById(net, SAME_BUCKET) === s.second, 'the second device lost its instance');
  },
  forbids: 'an instance that is lost from its bucket when those of two devices come and go at once',
  why: 'the table belongs to napiHashLock: each device has a mutex of its own',
});

export const napiHashTable: Litmus = litmus({
  name: 'napi-hash-table',
  memory: netMemory,
  setup: listed,
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      // Ids went round: the next one is still in use.
      m[net.at + NET.lastNapiId] = 0;
      const other = add(net, allocNetdev(m, 'eth1', 0, 1), 0);
      must(m[other + NAPI.napiId] === MIN_NAPI_ID + 1, 'an id is given that is in use');
      m[napiConfigAt(m, s.dev, 1) + NAPI_CONFIG.napiId] = SAME_BUCKET;
      const before = add(net, s.dev, 1);
      must(napiById(net, MIN_NAPI_ID) === s.napi, 'an instance behind another of its bucket is not found');
      must(napiDisable(net, net.napi(s.napi)) === 0, 'disable was refused');
      must(napiById(net, MIN_NAPI_ID) === 0, 'a disabled instance is found');
      must(napiById(net, SAME_BUCKET) === before, 'the one before it went with it');
      // The highest id there is.
      m[napiConfigAt(m, s.dev, 0) + NAPI_CONFIG.napiId] = 0x7fffffff;
      must(napiEnable(net, net.napi(s.napi)) === 0, 'enable was refused');
      must(napiById(net, 0x7fffffff) === s.napi, 'an instance with a high id is not found');
    },
  },
  forbids: 'an id that two instances have, or one that leads out of the table',
  why: 'ids in use are passed over; the bucket is the low bits of the id',
});

/** The ids that the instances of a device have, or will have, in the order of its list. */
function idsOf(m: Int32Array, dev: number): string {
  let ids = '';
  for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext])
    ids += ` ${m[m[at + NAPI.config] + NAPI_CONFIG.napiId] - MIN_NAPI_ID}`;
  return ids;
}

export const napiListOrder: Litmus = litmus({
  name: 'napi-list-order',
  memory: netMemory,
  setup(arena, label) {
    const s = listed(arena, label);
    return { ...s, dev: allocNetdev(arena.m, 'eth1', 0, 3) };
  },
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.control);
      for (const at of [add(net, s.dev, 0), add(net, s.dev, 1), add(net, s.dev, 2)]) del(net, at);
      // Added again, and not enabled yet: they have no ids, but will get these.
      netifNapiAdd(net, s.dev, 0, 0, 4, 1, 0);
      netifNapiAdd(net, s.dev, 0, 0, 4, 0, 0);
      must(idsOf(m, s.dev) === ' 2 1', `ids in the order${idsOf(m, s.dev)}`);
      netifNapiAdd(net, s.dev, 0, 0, 4, 2, 0);
      must(idsOf(m, s.dev) === ' 3 2 1', `ids in the order${idsOf(m, s.dev)}`);
    },
  },
  forbids: 'a list that is out of order once its instances are enabled',
  why: 'an instance without an id stands where the id that its config keeps belongs',
});
