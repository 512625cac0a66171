// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of what steers frames to backlogs: RPS, RFS. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { localBhDisable, localBhEnable } from '../kernel/bh.js';
import { cpuDown } from '../kernel/cpu_hotplug.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import { TASK, TASK_INTERRUPTIBLE } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { kmalloc } from '../mm/slab.js';
import { flushBacklogs, netRpsAction } from '../net/core/backlog_queue.js';
import { devCpuDeadStep } from '../net/core/cpu_dead.js';
import type { NetContext } from '../net/core/net_context.js';
import { allocNetdev, rxQueueAt } from '../net/core/net_device.js';
import { rpsRecordSockFlow, rpsSteer } from '../net/core/rps.js';
import { rpsCpusSet, rpsFlowCntSet, setRpsSockFlowEntries } from '../net/core/rps_config.js';
import {
  NETDEV_RX_QUEUE,
  RPS_DEV_FLOW_TABLE,
  RPS_MAP,
  RPS_NO_CPU,
  RPS_PLACE,
  RPS_SOCK_FLOW_TABLE,
} from '../net/core/rps_map.js';
import { flushSockets, receiveSkb } from '../net/core/rx.js';
import { SKB } from '../net/core/skbuff.js';
import { NET } from '../net/core/softnet_data.js';
import {
  type BacklogSetup,
  backlogMemory,
  backlogNet,
  backlogSetup,
  cpu1,
  FRAMES,
  frameOf,
  mustBeFree,
  mustBeLeftToCpu,
  mustHaveReceived,
  sendFromIrq,
} from './backlog_world.js';
import { listTasks } from './net_world.js';

/** Hash of every frame, with CPU numbers of one bit. */
export const HASH = 16;

export interface SteerSetup extends BacklogSetup {
  readonly dev: number;
  readonly rxQueue: number;
  readonly table: number;
  /** Where the flow's, or the queue's, latest frame went. */
  readonly place: number;
}

/** A receive queue that steers to CPU 1: by its map or, `flows`, because the flow was last read there. */
export function steerSetup(arena: Arena, label: Label, flows: boolean): SteerSetup {
  const { m } = arena;
  const s = backlogSetup(arena, label);
  const net = m[KERNEL_AT + KERNEL.net];
  const dev = allocNetdev(m, 'eth0', 0, 1);
  const rxQueue = rxQueueAt(m, dev, 0);
  label(m, rxQueue, NETDEV_RX_QUEUE, 'rx_queue');
  const table = kmalloc(m, RPS_SOCK_FLOW_TABLE.SIZE + 1);
  label(m, table + RPS_SOCK_FLOW_TABLE.SIZE, 'sock_flow');
  m[net + NET.rpsNeeded] = 1;
  let place = m[rxQueue + NETDEV_RX_QUEUE.places] + RPS_PLACE.WORDS;
  if (flows) {
    m[table + RPS_SOCK_FLOW_TABLE.SIZE] = HASH | 1;
    m[net + NET.rpsSockFlowTable] = table;
    const flow = kmalloc(m, RPS_DEV_FLOW_TABLE.SIZE + RPS_PLACE.WORDS);
    label(m, flow + RPS_DEV_FLOW_TABLE.SIZE, ['flow.cpu', 'flow.lastQtail', 'flow.staged']);
    m[rxQueue + NETDEV_RX_QUEUE.rpsFlowTable] = flow;
    place = flow + RPS_DEV_FLOW_TABLE.SIZE;
  } else {
    const map = kmalloc(m, RPS_MAP.SIZE + 1);
    label(m, map, RPS_MAP, 'rps_map');
    m[map + RPS_MAP.len] = 1;
    m[map + RPS_MAP.SIZE] = 1;
    m[rxQueue + NETDEV_RX_QUEUE.rpsMap] = map;
  }
  for (let seq = 1; seq <= FRAMES; seq++) m[frameOf(s, seq) + SKB.hash] = HASH;
  return { ...s, dev, rxQueue, table, place };
}

/** What a poll on CPU 0 does with a frame: to a backlog, or to the socket. */
function steer(net: NetContext, s: SteerSetup, seq: number): void {
  const { cur } = net;
  localBhDisable(cur);
  net.sendsIpis = true;
  if (!rpsSteer(net, s.rxQueue, frameOf(s, seq), 0, RPS_NO_CPU)) receiveSkb(net, frameOf(s, seq));
  flushSockets(net);
  flushBacklogs(net);
  net.sendsIpis = false;
  netRpsAction(net, cur.cpu);
  localBhEnable(cur);
}

function polls(count: number): (arena: Arena, s: SteerSetup) => void {
  return (arena, s) => {
    const net = backlogNet(arena, s, s.cpu0, 0);
    rcuReadLock(net.cur);
    for (let seq = 1; seq <= count; seq++) steer(net, s, seq);
    cpuIdleLoop(net.cur);
  };
}

/** Three frames of a flow are steered, and somewhere between them it is told where a flow is read. */
function moved(name: string, hash: number, forbids: string, why: string): Litmus {
  return litmus({
    name,
    memory: backlogMemory,
    setup: (arena, label) => steerSetup(arena, label, true),
    threads: {
      cpu0: polls(3),
      reader(arena, s) {
        const net = backlogNet(arena, s, s.irqA, 0);
        rpsRecordSockFlow(net, s.table, hash, 0);
      },
      cpu1,
    },
    daemons: ['cpu0', 'cpu1'],
    final({ m }, s) {
      mustHaveReceived(m, s, 3);
      mustBeFree(m, s, s.place);
    },
    forbids,
    why,
  });
}

export const rfsMoves: readonly Litmus[] = Object.freeze([
  moved(
    'rfs-move',
    HASH,
    'frames of a flow out of order because its reader moved to another CPU',
    'the flow moves once its latest frame has left the old queue for the socket (V1, V2)',
  ),
  moved(
    'rfs-other-flow',
    HASH * 2,
    'frames out of order because the flow is steered nowhere from now on',
    'to stay where it is taken in is a move, too (V2)',
  ),
]);

export const rpsOffline: Litmus = litmus({
  name: 'rps-cpu-down',
  memory: backlogMemory,
  setup(arena, label) {
    const s = steerSetup(arena, label, false);
    arena.m[s.cpu0 + TASK.state] = TASK_INTERRUPTIBLE;
    listTasks(arena.m, [s.irqA, s.cpu1]);
    return s;
  },
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      rcuReadLock(net.cur);
      steer(net, s, 1);
      steer(net, s, 2);
      rcuReadUnlock(net.cur);
    },
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      cpuDown(net.cur, net.cur.cpus[1], [devCpuDeadStep(net)]);
    },
    cpu1,
  },
  daemons: ['cpu1'],
  final: ({ m }, s) => mustBeLeftToCpu(m, s, s.sd1, 2),
  forbids: 'frames out of order because the CPU they are steered to goes',
  why: 'its backlog goes on being used until the latest frame there is through',
});

export const rpsMapChange: Litmus = litmus({
  name: 'rps-map-change',
  memory: backlogMemory,
  setup(arena, label) {
    const s = steerSetup(arena, label, false);
    listTasks(arena.m, [s.cpu0]);
    return s;
  },
  threads: {
    cpu0: polls(1),
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      must(rpsCpusSet(net, s.dev, 0, [0]) === 0, 'no map could be had');
    },
    cpu1,
  },
  daemons: ['cpu0', 'cpu1'],
  final({ m }, s) {
    mustHaveReceived(m, s, 1);
    must(m[m[KERNEL_AT + KERNEL.net] + NET.rpsNeeded] === 1, 'maps are counted wrongly');
  },
  forbids: 'a map that is freed under a poll, or looked at before it is filled in',
  why: 'it is published when it is complete, and freed after a grace period',
});

export const rfsMoveBusy: Litmus = litmus({
  name: 'rfs-move-busy',
  memory: backlogMemory,
  setup(arena, label) {
    const s = steerSetup(arena, label, true);
    sendFromIrq(backlogNet(arena, s, s.irqB, 1), 1, frameOf(s, 1));
    return s;
  },
  threads: {
    irqA: (arena, s) => steer(backlogNet(arena, s, s.irqA, 0), s, 2),
    cpu1,
  },
  daemons: ['cpu1'],
  final({ m }, s) {
    mustHaveReceived(m, s, 2);
    mustBeFree(m, s, s.place);
  },
  forbids: 'a flow that moves to a CPU which is at other frames, and takes these for its own',
  why: 'nothing of before counts at the new place; the head of a queue is stored while others read it (V1, V2)',
});

export const rpsTableChange: Litmus = litmus({
  name: 'rps-table-change',
  memory: backlogMemory,
  setup(arena, label) {
    const s = steerSetup(arena, label, true);
    arena.m[s.cpu1 + TASK.state] = TASK_INTERRUPTIBLE;
    listTasks(arena.m, [s.irqA]);
    return s;
  },
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      rcuReadLock(net.cur);
      rpsSteer(net, s.rxQueue, frameOf(s, 1), 0, RPS_NO_CPU);
      rcuReadUnlock(net.cur);
    },
    control(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.control, 0);
      must(rpsFlowCntSet(net, s.dev, 0, 2) === 0, 'no table could be had');
      // The one of before is somebody else's now.
      m[kmalloc(m, RPS_DEV_FLOW_TABLE.SIZE + RPS_PLACE.WORDS) + RPS_DEV_FLOW_TABLE.mask] = 77;
      must(setRpsSockFlowEntries(net, 0) === 0, 'the table could not be taken away');
      m[kmalloc(m, RPS_SOCK_FLOW_TABLE.SIZE + 1) + RPS_SOCK_FLOW_TABLE.mask] = 77;
    },
  },
  forbids: 'a flow table that is used before it is complete, or after it was freed',
  why: 'it is published when it is, taken away first, and freed after a grace period',
});

export const rfsTable: Litmus = litmus({
  name: 'rfs-table-gone',
  memory: backlogMemory,
  setup(arena, label) {
    const s = steerSetup(arena, label, true);
    listTasks(arena.m, [s.cpu0, s.irqA]);
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
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      must(setRpsSockFlowEntries(net, 0) === 0, 'the table could not be taken away');
    },
  },
  final({ m }) {
    must(m[m[KERNEL_AT + KERNEL.net] + NET.rpsSockFlowTable] === 0, 'the table is still there');
  },
  forbids: 'a table that is freed under a reader that leaves its CPU there',
  why: 'it is taken away first, and freed after a grace period',
});
