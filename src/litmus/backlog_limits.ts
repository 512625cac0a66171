// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of what is too much for a backlog: more than can be staged, a full queue, flow limit. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { ENOMEM } from '../kernel/errno.js';
import { TASK, TASK_INTERRUPTIBLE } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { kmalloc } from '../mm/slab.js';
import { flushBacklogs, stageBacklog } from '../net/core/backlog_queue.js';
import { flowLimitOn, SD_FLOW_LIMIT, setFlowLimit, skbFlowLimit } from '../net/core/flow_limit.js';
import type { NetContext } from '../net/core/net_context.js';
import { pagePoolInside } from '../net/core/page_pool.js';
import { SKB } from '../net/core/skbuff.js';
import { DROP_CPU_BACKLOG, DROP_FLOW_LIMIT, NET, SOFTNET_DATA } from '../net/core/softnet_data.js';
import {
  type BacklogSetup,
  backlogMemory,
  backlogNet,
  backlogSetup,
  cpu1,
  frameOf,
  mustHaveReceived,
  sendFromPoll,
  sendUnderRcu,
} from './backlog_world.js';
import { listTasks } from './net_world.js';

/** CPU 1 sleeps: what is queued for it stays. Dropped frames go back to their pool at once. */
function setup(arena: Arena, label: Label, max: number): BacklogSetup {
  const { m } = arena;
  const s = backlogSetup(arena, label);
  const net = m[KERNEL_AT + KERNEL.net];
  m[net + NET.skbDeferMax] = 0;
  m[net + NET.netdevMaxBacklog] = max;
  m[s.cpu1 + TASK.state] = TASK_INTERRUPTIBLE;
  return s;
}

/** Queues frames for CPU 1, all at once. */
function sendAll(net: NetContext, s: BacklogSetup, ...seqs: readonly number[]): void {
  for (let i = 0; i < seqs.length; i++) stageBacklog(net, 1, frameOf(s, seqs[i]), 0);
  flushBacklogs(net);
}

function mustHaveDropped(net: NetContext, s: BacklogSetup, reason: number, count: number): void {
  const { m } = net;
  const n = m[net.at + NET.drops + reason];
  must(n === count, `${n} frames of ${count} were dropped for reason ${reason}`);
  const sum = m[net.at + NET.drops + DROP_CPU_BACKLOG] + m[net.at + NET.drops + DROP_FLOW_LIMIT];
  must(m[s.sd1 + SOFTNET_DATA.dropped] === sum, 'the CPU has not counted what was dropped');
  must(pagePoolInside(m, s.pool) === sum, 'the buffer of a frame that was dropped did not come back');
}

export const stageFull: Litmus = litmus({
  name: 'backlog-stage-full',
  memory: backlogMemory,
  setup: (arena, label) => backlogSetup(arena, label),
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      sendAll(net, s, 1, 2, 3);
      sendFromPoll(net, [1, frameOf(s, 4)]);
    },
    cpu1,
  },
  daemons: ['cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 4),
  forbids: 'a frame that is lost, or overtaken, because as many as can be are staged',
  why: 'what is staged is queued before more is',
});

export const queueFull: Litmus = litmus({
  name: 'backlog-full',
  memory: backlogMemory,
  setup: (arena, label) => setup(arena, label, 1),
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.irqA, 0);
      sendAll(net, s, 1, 2);
      mustHaveDropped(net, s, DROP_CPU_BACKLOG, 0);
      sendAll(net, s, 3);
      mustHaveDropped(net, s, DROP_CPU_BACKLOG, 1);
      must(m[s.sd1 + SOFTNET_DATA.inputQlen] === 2, 'the queue has another length');
      must(m[s.sd1 + SOFTNET_DATA.inputTail] === frameOf(s, 2), 'the queue ends with what was dropped');
    },
  },
  forbids: 'a queue without a bound, or a frame dropped while there is room',
  why: 'a frame is dropped once there are more than netdev_max_backlog (as in Linux: one more than it says)',
});

/** Two hashes that fall into the two buckets; frames of the one make up most of the history. */
const BUSY = 2;
const OTHER = 1;

/** Four frames are remembered (edits.ts): three of one flow are too many. */
const ASKED: readonly (readonly [hash: number, tooMany: boolean])[] = Object.freeze([
  [BUSY, false],
  [BUSY, false],
  [BUSY, true],
  [OTHER, false],
  [OTHER, false],
  [BUSY, false],
  [BUSY, false],
  [BUSY, true],
]);

function send(net: NetContext, s: BacklogSetup, seq: number, hash: number): void {
  net.m[frameOf(s, seq) + SKB.hash] = hash;
  sendAll(net, s, seq);
}

export const flowLimitDrops: Litmus = litmus({
  name: 'flow-limit-drops',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = setup(arena, label, 2);
    m[m[KERNEL_AT + KERNEL.net] + NET.flowLimitTableLen] = 2;
    return s;
  },
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.irqA, 0);
      must(!skbFlowLimit(net, BUSY) && !flowLimitOn(net, 0), 'it limits before it is switched on');
      m[net.at + NET.flowLimitTableLen] = 1 << 24;
      must(setFlowLimit(net, 0, true) === -ENOMEM && !flowLimitOn(net, 0), 'a table without memory');
      m[net.at + NET.flowLimitTableLen] = 2;
      must(setFlowLimit(net, 0, true) === 0 && flowLimitOn(net, 0), 'no table could be had');
      const table = Atomics.load(m, s.sd0 + SOFTNET_DATA.flowLimit);
      for (let i = 0; i < ASKED.length; i++) {
        const [hash, tooMany] = ASKED[i];
        must(skbFlowLimit(net, hash) === tooMany, `frame ${i} of the history is judged wrongly`);
      }
      must(setFlowLimit(net, 0, true) === 0, 'it is on, and cannot be switched on');
      must(Atomics.load(m, s.sd0 + SOFTNET_DATA.flowLimit) === table, 'a table is made though there is one');
      must(m[table + SD_FLOW_LIMIT.count] === 2, 'what was too much is counted wrongly');
      const buckets = table + SD_FLOW_LIMIT.SIZE;
      must(m[buckets] === 1 && m[buckets + 1] === 3, 'the buckets do not say what the history holds');
      send(net, s, 1, BUSY);
      must(m[buckets + 1] === 3, 'a frame is counted though the queue is not half full');
      mustHaveDropped(net, s, DROP_FLOW_LIMIT, 0);
      send(net, s, 2, BUSY);
      mustHaveDropped(net, s, DROP_FLOW_LIMIT, 1);
      send(net, s, 3, OTHER);
      mustHaveDropped(net, s, DROP_FLOW_LIMIT, 1);
      must(setFlowLimit(net, 0, false) === 0 && !flowLimitOn(net, 0), 'it cannot be switched off');
      must(setFlowLimit(net, 0, false) === 0, 'it is off, and cannot be switched off');
      must(kmalloc(m, SD_FLOW_LIMIT.SIZE + 2) === table, 'the table is not freed');
    },
  },
  forbids: 'a flow that is dropped although it is no more than half of the latest frames, or one that is not',
  why: 'the history says how many of the latest frames fell into a bucket',
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

export const flowLimitSwitchedOn: Litmus = litmus({
  name: 'flow-limit-on',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = backlogSetup(arena, label);
    m[m[KERNEL_AT + KERNEL.net] + NET.flowLimitTableLen] = 2;
    return s;
  },
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      must(!skbFlowLimit(net, BUSY), 'one frame is too many');
    },
    control: (arena, s) => void setFlowLimit(backlogNet(arena, s, s.control, 0), 0, true),
    reader: (arena, s) => void flowLimitOn(backlogNet(arena, s, s.irqB, 0), 0),
  },
  forbids: 'a table of flow limit that is used before it is complete',
  why: 'it is published when it is',
});
