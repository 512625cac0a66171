// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of finding instances: by id while they come and go, and in the order of a dump that goes on. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import type { Arena } from '../mm/arena.js';
import { NAPI } from '../net/core/napi.js';
import { napiDisable, napiEnable, netifNapiAdd, netifNapiDel } from '../net/core/napi_control.js';
import { napiById, netdevNapiByIdLock, netdevUnlockPut } from '../net/core/napi_id.js';
import { type NetContext, netContext } from '../net/core/net_context.js';
import { allocNetdev, NAPI_CONFIG, NET_DEVICE, napiConfigAt } from '../net/core/net_device.js';
import { MIN_NAPI_ID, NAPI_HASH_SIZE } from '../net/core/softnet_data.js';
import { listTasks, type NetSetup, netFor, netMemory, netSetup } from './net_world.js';
import { addWord, currentOf } from './world.js';

function listed(arena: Arena, label: Label): NetSetup {
  const s = netSetup(arena, label, false, 4);
  listTasks(arena.m, [s.control, s.irqA]);
  return s;
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

export const napiGetDelete: Litmus = litmus({
  name: 'napi-get-delete',
  memory: netMemory,
  setup: listed,
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.irqA);
      const at = netdevNapiByIdLock(net, MIN_NAPI_ID);
      if (at === 0) return;
      must(m[s.dev + NET_DEVICE.napiFirst] === at, 'an instance was found that is gone');
      must(m[at + NAPI.napiId] === MIN_NAPI_ID, 'another instance was found');
      netdevUnlockPut(net, s.dev);
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      sleepOnMutex(net.cur, s.dev + NET_DEVICE.lock);
      del(net, s.napi);
      releaseMutex(net.cur, s.dev + NET_DEVICE.lock);
      // Its memory is used again.
      sleepOnMutex(net.cur, s.dev + NET_DEVICE.lock);
      add(net, s.dev, 0);
      releaseMutex(net.cur, s.dev + NET_DEVICE.lock);
    },
  },
  final({ m }, s) {
    must(m[s.dev + NET_DEVICE.refcnt] === 0, 'the device is still held');
  },
  forbids: 'a look-up that reads an instance which was freed',
  why: 'it is a read section, and an instance is freed a grace period after it was unlinked (I3)',
});

export const napiHashBehind: Litmus = litmus({
  name: 'napi-hash-behind',
  memory: netMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = listed(arena, label);
    // One bucket for both: the second stands before the first.
    m[napiConfigAt(m, s.dev, 1) + NAPI_CONFIG.napiId] = MIN_NAPI_ID + NAPI_HASH_SIZE;
    const before = add(netContext(currentOf(m, s.control), arena), s.dev, 1);
    label(m, before, NAPI, 'before');
    return { ...s, before };
  },
  threads: {
    irqA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      rcuReadLock(net.cur);
      must(napiById(net, MIN_NAPI_ID) === s.napi, 'an instance that stays was not found');
      rcuReadUnlock(net.cur);
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      del(net, s.before);
      const again = add(net, s.dev, 1);
      must(napiById(net, MIN_NAPI_ID + NAPI_HASH_SIZE) === again, 'an enabled instance is not found');
    },
  },
  forbids: 'an instance that cannot be found while another one of its bucket comes or goes',
  why: 'linked before it is published (I1, I2); unlinked, it keeps its link until a grace period has passed (I3)',
});

export const napiHashAgain: Litmus = litmus({
  name: 'napi-hash-again',
  memory: netMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = listed(arena, label);
    m[napiConfigAt(m, s.dev, 1) + NAPI_CONFIG.napiId] = MIN_NAPI_ID + NAPI_HASH_SIZE;
    const before = add(netContext(currentOf(m, s.control), arena), s.dev, 1);
    label(m, before, NAPI, 'before');
    // Without a config it has another id, and another bucket, at each enable.
    m[before + NAPI.config] = 0;
    return { ...s, before };
  },
  threads: {
    irqA(arena, s) {
      const net = netFor(arena, s, s.irqA);
      rcuReadLock(net.cur);
      must(napiById(net, MIN_NAPI_ID) === s.napi, 'an instance that stays was not found');
      rcuReadUnlock(net.cur);
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.before);
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(napiEnable(net, n) === 0, 'enable was refused');
      must(arena.m[s.before + NAPI.napiId] === MIN_NAPI_ID + 1, 'it did not get another id');
      // Another one comes into the bucket while the reader begins again.
      add(net, s.dev, 1);
    },
  },
  forbids: 'a look-up led astray by an instance that moves to another bucket under it',
  why: 'a reader that finds itself in another bucket begins again',
});

export const napiDumpOrder: Litmus = litmus({
  name: 'napi-dump-order',
  memory: netMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = listed(arena, label);
    const net = netContext(currentOf(m, s.control), arena);
    const dev = allocNetdev(m, 'eth1', 0, 3);
    const goes = add(net, dev, 0);
    add(net, dev, 1);
    add(net, dev, 2);
    return { ...s, dev, goes, seen: addWord(m, label, 'seen') };
  },
  threads: {
    /** A dump of one instance a message: it goes on behind the last id it showed. */
    irqA(arena, s) {
      const { m } = arena;
      const net = netFor(arena, s, s.irqA);
      let last = 0x7fffffff;
      for (;;) {
        sleepOnMutex(net.cur, s.dev + NET_DEVICE.lock);
        let at = m[s.dev + NET_DEVICE.napiFirst];
        while (at !== 0 && (m[at + NAPI.napiId] === 0 || m[at + NAPI.napiId] >= last))
          at = m[at + NAPI.devNext];
        const id = at === 0 ? 0 : m[at + NAPI.napiId];
        releaseMutex(net.cur, s.dev + NET_DEVICE.lock);
        if (id === 0) return;
        // Those that stay: 1, 10.
        if (id > MIN_NAPI_ID + 1) m[s.seen] += id === MIN_NAPI_ID + 2 ? 1 : 10;
        last = id;
      }
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      sleepOnMutex(net.cur, s.dev + NET_DEVICE.lock);
      del(net, s.goes);
      releaseMutex(net.cur, s.dev + NET_DEVICE.lock);
      sleepOnMutex(net.cur, s.dev + NET_DEVICE.lock);
      add(net, s.dev, 0);
      releaseMutex(net.cur, s.dev + NET_DEVICE.lock);
    },
  },
  final({ m }, s) {
    must(m[s.seen] === 11, `of two instances that stay ${m[s.seen]} were shown (each counts 1 or 10)`);
  },
  forbids: 'a dump that skips or repeats an instance which was there all the time',
  why: 'an instance is put back where its id belongs',
});
