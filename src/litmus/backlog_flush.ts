// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of devices that go while their frames are in backlogs, of order, and of what steers: RPS, RFS, flow limit. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { localBhDisable, localBhEnable } from '../kernel/bh.js';
import { cpuDown } from '../kernel/cpu_hotplug.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import { TASK, TASK_INTERRUPTIBLE } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { kmalloc } from '../mm/slab.js';
import { flushBacklog } from '../net/core/backlog.js';
import { flushBacklogs, netRpsAction } from '../net/core/backlog_queue.js';
import { devCpuDeadStep } from '../net/core/cpu_dead.js';
import { setFlowLimit } from '../net/core/flow_limit.js';
import { NAPIF_STATE_THREADED } from '../net/core/napi.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import type { NetContext } from '../net/core/net_context.js';
import { allocNetdev, rxQueueAt } from '../net/core/net_device.js';
import { PAGE_POOL, pagePoolInside, skbDev } from '../net/core/page_pool.js';
import { drained, rpsRecordSockFlow, rpsSteer } from '../net/core/rps.js';
import { rpsCpusSet, setRpsSockFlowEntries } from '../net/core/rps_config.js';
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
import { DROP_CPU_BACKLOG, DROP_DEV_READY, NET, SOFTNET_DATA } from '../net/core/softnet_data.js';
import {
  type BacklogSetup,
  BY_INTERRUPT,
  BY_THREAD_RUN_TIME,
  backlogMemory,
  backlogNet,
  backlogSetup,
  cpu1,
  FRAMES,
  frameOf,
  mustBeIdle,
  mustBeLeftToCpu,
  mustHaveReceived,
  received,
  runTimeThread,
  sendFromIrq,
  sendUnderRcu,
} from './backlog_world.js';
import { listTasks } from './net_world.js';
import { addWord } from './world.js';

/** Two devices: frames 1 and 2 are of one that goes, 3 and 4 of another. */
const GOES = 5;
const STAYS = 6;

interface FlushSetup extends BacklogSetup {
  /** 1 once the device is no more: plain. */
  readonly gone: number;
  readonly place: number;
}

function flushSetup(arena: Arena, label: Label, mode: number): FlushSetup {
  const { m } = arena;
  const s = backlogSetup(arena, label, mode);
  m[m[KERNEL_AT + KERNEL.net] + NET.skbDeferMax] = 0;
  m[s.pool + PAGE_POOL.dev] = GOES;
  const other = kmalloc(m, PAGE_POOL.SIZE);
  label(m, other, PAGE_POOL, 'other pool');
  m[other + PAGE_POOL.dev] = STAYS;
  for (const seq of [3, 4]) m[frameOf(s, seq) + SKB.pool] = other;
  const place = kmalloc(m, RPS_PLACE.WORDS);
  label(m, place, ['place.cpu', 'place.lastQtail', 'place.staged']);
  m[place + RPS_PLACE.cpu] = 2;
  return { ...s, gone: addWord(m, label, 'gone'), place };
}

/** A context whose protocols must not get frames of a device that is no more. */
function watching(arena: Arena, s: FlushSetup, task: number, cpu: number): NetContext {
  const net = backlogNet(arena, s, task, cpu);
  net.sockLookups.unshift((c, skb) => {
    if (skbDev(c.m, skb) === GOES) must(c.m[s.gone] === 0, 'a frame of a device that is no more');
    return null;
  });
  return net;
}

function flushRun(mode: number): Litmus {
  const threaded = mode === BY_THREAD_RUN_TIME;
  return litmus({
    name: `backlog-flush-${threaded ? 'thread' : 'softirq'}`,
    memory: backlogMemory,
    setup: (arena, label) => flushSetup(arena, label, mode),
    threads: {
      control(arena, s) {
        const net = backlogNet(arena, s, s.control, 1);
        sendFromIrq(net, 1, frameOf(s, 1));
        sendFromIrq(net, 1, frameOf(s, 3));
        sendFromIrq(net, 1, frameOf(s, 2));
        flushBacklog(net, GOES);
        arena.m[s.gone] = 1;
        sendFromIrq(net, 1, frameOf(s, 4));
      },
      backlog(arena, s) {
        const net = watching(arena, s, threaded ? s.thread : s.cpu1, 1);
        rcuReadLock(net.cur);
        if (threaded) napiThreadedPoll(net, arena.m[s.thread + TASK.data]);
        else cpuIdleLoop(net.cur);
      },
    },
    daemons: ['backlog'],
    final({ m }, s) {
      const seqs = received(m, s);
      const dropped = m[m[KERNEL_AT + KERNEL.net] + NET.drops + DROP_DEV_READY];
      must(seqs.length + dropped === FRAMES, `${seqs.length} frames were received, ${dropped} dropped`);
      must(pagePoolInside(m, s.pool) === dropped, 'a buffer of a dropped frame did not come back');
      must(seqs.indexOf(3) < seqs.indexOf(4) && seqs.includes(3), `frames ${seqs.join(', ')} are left`);
      mustBeIdle(m, s, threaded ? NAPIF_STATE_THREADED : 0);
    },
    forbids: 'a frame that reaches the protocols when its device is no more, or a flush that never ends',
    why: 'who flushes waits until the process queue was found empty once (X1, X2)',
  });
}

export const backlogFlush: readonly Litmus[] = Object.freeze([
  flushRun(BY_THREAD_RUN_TIME),
  flushRun(BY_INTERRUPT),
]);

/** Frames 3 and 4 stay, frames 1 and 2 around them go. */
export const flushOrder: Litmus = litmus({
  name: 'backlog-flush-order',
  memory: backlogMemory,
  setup: (arena, label) => flushSetup(arena, label, BY_THREAD_RUN_TIME),
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 1);
      sendFromIrq(net, 1, frameOf(s, 3), s.place);
      sendFromIrq(net, 1, frameOf(s, 1));
      const before = drained(net, s.place);
      must(!before || received(arena.m, s).length > 0, 'a flow may move before its frame is in the socket');
      sendFromIrq(net, 1, frameOf(s, 4), s.place);
      const after = drained(net, s.place);
      must(
        !after || received(arena.m, s).includes(4),
        'a flow may move before its last frame is in the socket',
      );
    },
    control: (arena, s) => flushBacklog(backlogNet(arena, s, s.control, 0), GOES),
    thread: runTimeThread,
  },
  daemons: ['thread'],
  final({ m }, s) {
    const sd = s.sd1;
    must(
      m[sd + SOFTNET_DATA.inputQueueHead] === m[sd + SOFTNET_DATA.inputQueueTail],
      'a flow can never move again: not all frames that left the queue are counted',
    );
    mustBeIdle(m, s, NAPIF_STATE_THREADED);
  },
  forbids: 'a flow that moves to another CPU before its latest frame is in the socket, or never again',
  why: 'inputQueueHead passes a frame when that and all before it have left, those taken out of the middle too (V1)',
});

const HASH = 16;

interface SteerSetup extends BacklogSetup {
  readonly dev: number;
  readonly rxQueue: number;
  readonly table: number;
}

/** A receive queue that steers to CPU 1: by its map or, `flows`, because the flow was last read there. */
function steerSetup(arena: Arena, label: Label, flows: boolean): SteerSetup {
  const { m } = arena;
  const s = backlogSetup(arena, label);
  const net = m[KERNEL_AT + KERNEL.net];
  const dev = allocNetdev(m, 'eth0', 0, 1);
  const rxQueue = rxQueueAt(m, dev, 0);
  label(m, rxQueue, NETDEV_RX_QUEUE, 'rx_queue');
  const table = kmalloc(m, RPS_SOCK_FLOW_TABLE.SIZE + 1);
  label(m, table + RPS_SOCK_FLOW_TABLE.SIZE, 'sock_flow');
  m[net + NET.rpsNeeded] = 1;
  if (flows) {
    m[table + RPS_SOCK_FLOW_TABLE.SIZE] = HASH | 1;
    m[net + NET.rpsSockFlowTable] = table;
    const flow = kmalloc(m, RPS_DEV_FLOW_TABLE.SIZE + RPS_PLACE.WORDS);
    label(m, flow + RPS_DEV_FLOW_TABLE.SIZE, ['flow.cpu', 'flow.lastQtail', 'flow.staged']);
    m[rxQueue + NETDEV_RX_QUEUE.rpsFlowTable] = flow;
  } else {
    const map = kmalloc(m, RPS_MAP.SIZE + 1);
    label(m, map, RPS_MAP, 'rps_map');
    m[map + RPS_MAP.len] = 1;
    m[map + RPS_MAP.SIZE] = 1;
    m[rxQueue + NETDEV_RX_QUEUE.rpsMap] = map;
  }
  for (let seq = 1; seq <= FRAMES; seq++) m[frameOf(s, seq) + SKB.hash] = HASH;
  return { ...s, dev, rxQueue, table };
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

export const rfsMove: Litmus = litmus({
  name: 'rfs-move',
  memory: backlogMemory,
  setup: (arena, label) => steerSetup(arena, label, true),
  threads: {
    cpu0: polls(3),
    reader(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      rpsRecordSockFlow(net, s.table, HASH, 0);
    },
    cpu1,
  },
  daemons: ['cpu0', 'cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 3),
  forbids: 'frames of a flow out of order because its reader moved to another CPU',
  why: 'the flow moves once its latest frame has left the old queue for the socket (V1, V2)',
});

export const rfsLost: Litmus = litmus({
  name: 'rfs-other-flow',
  memory: backlogMemory,
  setup: (arena, label) => steerSetup(arena, label, true),
  threads: {
    cpu0: polls(3),
    reader(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      rpsRecordSockFlow(net, s.table, HASH * 2, 0);
    },
    cpu1,
  },
  daemons: ['cpu0', 'cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 3),
  forbids: 'frames out of order because the flow is steered nowhere from now on',
  why: 'to stay where it is taken in is a move, too (V2)',
});

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

export const flowLimit: Litmus = litmus({
  name: 'flow-limit',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = backlogSetup(arena, label);
    const net = m[KERNEL_AT + KERNEL.net];
    m[net + NET.skbDeferMax] = 0;
    m[net + NET.netdevMaxBacklog] = 0;
    m[net + NET.flowLimitTableLen] = 1;
    must(setFlowLimit(backlogNet(arena, s, s.control, 0), 0, true) === 0, 'no table could be had');
    m[s.cpu1 + TASK.state] = TASK_INTERRUPTIBLE;
    listTasks(m, [s.irqA, s.irqB]);
    return s;
  },
  threads: {
    irqA: (arena, s) => sendUnderRcu(backlogNet(arena, s, s.irqA, 0), 1, frameOf(s, 1)),
    irqB: (arena, s) => sendUnderRcu(backlogNet(arena, s, s.irqB, 0), 0, frameOf(s, 2)),
    control: (arena, s) => void setFlowLimit(backlogNet(arena, s, s.control, 0), 0, false),
  },
  final({ m }) {
    must(m[m[KERNEL_AT + KERNEL.net] + NET.drops + DROP_CPU_BACKLOG] === 0, 'a frame was dropped early');
  },
  forbids: 'a table of flow limit that is freed while a frame is counted in it, or that two count in at once',
  why: 'it belongs to the CPU’s irqLock, and is freed after a grace period',
});
