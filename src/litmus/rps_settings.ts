// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of setting steering up: net/core/rps_config.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { EINVAL, ENOMEM } from '../kernel/errno.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { kmalloc } from '../mm/slab.js';
import { NAPI, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import type { NetContext } from '../net/core/net_context.js';
import { allocNetdev, rxQueueAt } from '../net/core/net_device.js';
import { rpsRecordSockFlow } from '../net/core/rps.js';
import {
  RPS_MAX_ENTRIES,
  rpsCpusOf,
  rpsCpusSet,
  rpsExit,
  rpsFlowCntOf,
  rpsFlowCntSet,
  rpsSockFlowEntries,
  setBacklogThreaded,
  setRpsSockFlowEntries,
} from '../net/core/rps_config.js';
import {
  NETDEV_RX_QUEUE,
  RPS_DEV_FLOW_TABLE,
  RPS_MAP,
  RPS_NO_CPU,
  RPS_PLACE,
  RPS_SOCK_FLOW_TABLE,
} from '../net/core/rps_map.js';
import { NET, SOFTNET_DATA } from '../net/core/softnet_data.js';
import { BY_THREAD_RUN_TIME, backlogMemory, backlogNet, backlogSetup } from './backlog_world.js';
import { listTasks } from './net_world.js';
import { HASH, steerSetup } from './steering.js';

function needed(net: NetContext): number {
  return net.m[net.at + NET.rpsNeeded];
}

export const rpsQueueSettings: Litmus = litmus({
  name: 'rps-queue-settings',
  memory: backlogMemory,
  setup: (arena, label) => steerSetup(arena, label, false),
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.control, 0);
      const { dev } = s;
      const first = m[s.rxQueue + NETDEV_RX_QUEUE.rpsMap];
      for (const index of [-1, 1]) {
        must(rpsCpusSet(net, dev, index, []) === -EINVAL, 'a queue that is none gets a map');
        must(rpsFlowCntSet(net, dev, index, 0) === -EINVAL, 'a queue that is none gets a table');
      }
      must(`${rpsCpusOf(net, dev, 0)}` === '1', 'the map is shown wrongly');
      must(rpsCpusSet(net, dev, 0, [1, 0]) === 0, 'no map could be had');
      must(`${rpsCpusOf(net, dev, 0)}` === '1,0' && needed(net) === 1, 'the map is not the one that was set');
      must(kmalloc(m, RPS_MAP.SIZE + 1) === first, 'the map of before is not freed');
      must(rpsFlowCntOf(net, dev, 0) === 0, 'there is a table');
      must(rpsFlowCntSet(net, dev, 0, RPS_MAX_ENTRIES + 1) === -EINVAL, 'a table of any size');
      must(rpsFlowCntSet(net, dev, 0, RPS_MAX_ENTRIES) === -ENOMEM, 'a table without memory');
      must(rpsFlowCntSet(net, dev, 0, 3) === 0, 'no table could be had');
      must(rpsFlowCntOf(net, dev, 0) === 4 && needed(net) === 2, 'the table is not the one that was set');
      const table = m[s.rxQueue + NETDEV_RX_QUEUE.rpsFlowTable];
      must(rpsFlowCntSet(net, dev, 0, 0) === 0 && needed(net) === 1, 'the table is still there');
      const words = RPS_DEV_FLOW_TABLE.SIZE + 4 * RPS_PLACE.WORDS;
      must(kmalloc(m, words) === table, 'the table is not freed');
      must(rpsFlowCntSet(net, dev, 0, 1) === 0 && needed(net) === 2, 'no second table could be had');
      rpsExit(net, dev);
      must(needed(net) === 0, 'a device that goes leaves steering behind');
      must(rpsCpusOf(net, dev, 0).length === 0 && rpsFlowCntOf(net, dev, 0) === 0, 'a queue still steers');
    },
  },
  forbids: 'a setting that is not what was set, is not counted, or stays behind',
  why: 'what a queue steers by is exchanged as a whole, counted, and freed',
});

export const rfsSettings: Litmus = litmus({
  name: 'rfs-settings',
  memory: backlogMemory,
  setup: (arena, label) => backlogSetup(arena, label),
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.control, 0);
      const slot = net.at + NET.rpsSockFlowTable;
      must(setRpsSockFlowEntries(net, RPS_MAX_ENTRIES + 1) === -EINVAL, 'a table of any size');
      must(setRpsSockFlowEntries(net, RPS_MAX_ENTRIES) === -ENOMEM, 'a table without memory');
      must(rpsSockFlowEntries(net) === 0 && needed(net) === 0, 'there is a table');
      must(setRpsSockFlowEntries(net, 3) === 0 && rpsSockFlowEntries(net) === 4, 'no table of that size');
      must(needed(net) === 1, 'the table is not counted');
      const table = m[slot];
      const entry = table + RPS_SOCK_FLOW_TABLE.SIZE;
      must(m[entry] === RPS_NO_CPU && m[entry + 3] === RPS_NO_CPU, 'a new table names a CPU');
      rpsRecordSockFlow(net, table, HASH, 1);
      must(setRpsSockFlowEntries(net, 4) === 0, 'the same size is refused');
      must(m[slot] === table && m[entry] === RPS_NO_CPU, 'the same size does not empty the table');
      must(setRpsSockFlowEntries(net, 0) === 0 && rpsSockFlowEntries(net) === 0, 'the table is still there');
      must(needed(net) === 0, 'a table that is gone is counted');
      must(kmalloc(m, RPS_SOCK_FLOW_TABLE.SIZE + 4) === table, 'the table is not freed');
    },
  },
  forbids: 'a table that is not what was set, is not counted, or stays behind',
  why: 'it is exchanged as a whole, counted, and freed; the same size empties it',
});

/** Two controllers, of two devices. */
export const rpsTwoDevices: Litmus = litmus({
  name: 'rps-two-devices',
  memory: backlogMemory,
  setup(arena, label) {
    const s = steerSetup(arena, label, false);
    const other = allocNetdev(arena.m, 'eth1', 0, 1);
    return { ...s, other, otherQueue: rxQueueAt(arena.m, other, 0) };
  },
  threads: {
    controlA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      must(rpsCpusSet(net, s.dev, 0, []) === 0, 'the map could not be taken away');
    },
    controlB(arena, s) {
      const net = backlogNet(arena, s, s.irqB, 0);
      must(rpsCpusSet(net, s.other, 0, [0]) === 0, 'no map could be had');
      must(rpsCpusSet(net, s.other, 0, []) === 0, 'the map could not be taken away');
    },
  },
  final({ m }, s) {
    const left = m[s.rxQueue + NETDEV_RX_QUEUE.rpsMap] + m[s.otherQueue + NETDEV_RX_QUEUE.rpsMap];
    must(left === 0, 'a map is left');
    must(m[m[KERNEL_AT + KERNEL.net] + NET.rpsNeeded] === 0, 'maps are counted wrongly');
  },
  forbids: 'maps that are counted wrongly because two devices change at once',
  why: 'the count is no device’s own',
});

export const rfsEntriesGone: Litmus = litmus({
  name: 'rfs-entries-gone',
  memory: backlogMemory,
  setup(arena, label) {
    const s = steerSetup(arena, label, true);
    listTasks(arena.m, [s.irqA]);
    return s;
  },
  threads: {
    reader(arena, s) {
      const n = rpsSockFlowEntries(backlogNet(arena, s, s.irqA, 0));
      must(n === 0 || n === 1, `a table of ${n} entries`);
    },
    control(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.control, 0);
      must(setRpsSockFlowEntries(net, 0) === 0, 'the table could not be taken away');
      const at = kmalloc(m, RPS_SOCK_FLOW_TABLE.SIZE + 1);
      m[at + RPS_SOCK_FLOW_TABLE.mask] = 77; // somebody else's now
    },
  },
  forbids: 'a size that is read from a table which has been freed',
  why: 'who asks for it is in a read section, and a table is freed after a grace period',
});

export const sysctlTwo: Litmus = litmus({
  name: 'rps-two-sysctls',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = backlogSetup(arena, label, BY_THREAD_RUN_TIME);
    // Both backlogs have their threads.
    m[s.sd0 + SOFTNET_DATA.backlogTask] = s.irqB;
    m[s.sd1 + SOFTNET_DATA.backlog + NAPI.state] = 0;
    return s;
  },
  threads: {
    controlA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      must(setBacklogThreaded(net, true) === 0, 'no threads could be had');
      must(setRpsSockFlowEntries(net, 1) === 0, 'no table could be had');
    },
    controlB(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      must(setRpsSockFlowEntries(net, 2) === 0, 'no table could be had');
      must(setBacklogThreaded(net, false) === 0, 'threads could not be switched off');
    },
    // Who reads a sysctl asks nobody.
    reader({ m }) {
      const on = Atomics.load(m, m[KERNEL_AT + KERNEL.net] + NET.backlogThreaded);
      must(on === 0 || on === 1, 'a setting that was never made');
    },
  },
  final({ m }, s) {
    const on = m[s.sd0 + SOFTNET_DATA.backlog + NAPI.state];
    must(on === 0 || on === NAPIF_STATE_THREADED, 'a backlog that is half threaded');
    must(m[s.sd1 + SOFTNET_DATA.backlog + NAPI.state] === on, 'one backlog is threaded and the other is not');
  },
  forbids: 'settings of two controllers that mix',
  why: 'who sets one holds the mutex of sysctls from the look at what there is to the last word of it',
});

export const rfsTableEmptied: Litmus = litmus({
  name: 'rfs-table-emptied',
  memory: backlogMemory,
  setup(arena, label) {
    const s = steerSetup(arena, label, true);
    listTasks(arena.m, [s.irqA]);
    return s;
  },
  threads: {
    reader(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      rcuReadLock(net.cur);
      const table = Atomics.load(net.m, net.at + NET.rpsSockFlowTable);
      if (table !== 0) rpsRecordSockFlow(net, table, HASH, 0);
      rcuReadUnlock(net.cur);
    },
    controlA(arena, s) {
      // The size it has: the table is emptied.
      must(setRpsSockFlowEntries(backlogNet(arena, s, s.irqB, 0), 1) === 0, 'no table could be had');
    },
    controlB(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.control, 0);
      must(setRpsSockFlowEntries(net, 0) === 0, 'the table could not be taken away');
      // What was the table is somebody else's now.
      m[kmalloc(m, RPS_SOCK_FLOW_TABLE.SIZE + 1) + RPS_SOCK_FLOW_TABLE.SIZE] = 77;
    },
  },
  forbids: 'a table that is emptied after it was freed, or while a reader is half done with an entry',
  why: 'who empties it holds the mutex of sysctls; an entry is one word, read and written at once',
});
