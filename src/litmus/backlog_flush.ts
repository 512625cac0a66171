// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of devices that go while their frames are in backlogs, and of order among those that stay. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { CPU } from '../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { rcuReadLock } from '../kernel/rcu.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import { TASK } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { kmalloc } from '../mm/slab.js';
import { flushBacklog } from '../net/core/backlog.js';
import { NAPI, NAPIF_STATE_SCHED, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import type { NetContext } from '../net/core/net_context.js';
import { PAGE_POOL, pagePoolInside, skbDev } from '../net/core/page_pool.js';
import { drained } from '../net/core/rps.js';
import { RPS_PLACE } from '../net/core/rps_map.js';
import { SKB } from '../net/core/skbuff.js';
import { DROP_DEV_READY, NET, SOFTNET_DATA } from '../net/core/softnet_data.js';
import {
  type BacklogSetup,
  BY_INTERRUPT,
  BY_THREAD_RUN_TIME,
  backlogMemory,
  backlogNet,
  backlogSetup,
  cpuArea,
  FRAMES,
  frameOf,
  mustBeFree,
  mustBeIdle,
  received,
  runTimeThread,
  sendFromIrq,
} from './backlog_world.js';
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

function mustBeThrough(m: Int32Array, s: FlushSetup): void {
  must(
    m[s.sd1 + SOFTNET_DATA.inputQueueHead] === m[s.sd1 + SOFTNET_DATA.inputQueueTail],
    'a flow can never move again: not all frames that left the queue are counted',
  );
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
      mustBeThrough(m, s);
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

export const flushSender: Litmus = litmus({
  name: 'backlog-flush-sender',
  memory: backlogMemory,
  setup: (arena, label) => flushSetup(arena, label, BY_THREAD_RUN_TIME),
  threads: {
    irqA: (arena, s) => sendFromIrq(backlogNet(arena, s, s.irqA, 0), 1, frameOf(s, 3)),
    control: (arena, s) => flushBacklog(backlogNet(arena, s, s.control, 0), GOES),
    thread: runTimeThread,
  },
  daemons: ['thread'],
  final: ({ m }, s) => mustHaveReceivedOnly(m, s, 3),
  forbids: 'a flush that never ends, or takes frames of another device, because somebody queues meanwhile',
  why: 'whether anybody is at the queue is looked at under its lock',
});

function mustHaveReceivedOnly(m: Int32Array, s: FlushSetup, seq: number): void {
  must(`${received(m, s)}` === `${seq}`, `frames ${received(m, s)} are in the socket`);
  mustBeIdle(m, s, NAPIF_STATE_THREADED);
}

export const flushUnlinks: Litmus = litmus({
  name: 'backlog-flush-unlinks',
  memory: backlogMemory,
  setup: (arena, label) => flushSetup(arena, label, BY_INTERRUPT),
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.control, 0);
      m[net.at + NET.skbDeferMax] = 8;
      // Nobody runs the backlog: what is queued stays.
      const state = s.sd1 + SOFTNET_DATA.backlog + NAPI.state;
      m[state] = NAPIF_STATE_SCHED;
      for (const seq of [1, 3, 2, 4]) sendFromIrq(net, 1, frameOf(s, seq));
      m[state] = 0;
      flushBacklog(net, GOES);
      must(m[s.sd1 + SOFTNET_DATA.inputQlen] === 2, 'the queue has another length');
      must(m[s.sd1 + SOFTNET_DATA.inputHead] === frameOf(s, 3), 'the queue begins with another frame');
      must(m[frameOf(s, 3) + SKB.next] === frameOf(s, 4), 'the frames that stay are not in order');
      must(m[s.sd1 + SOFTNET_DATA.inputTail] === frameOf(s, 4), 'the queue ends with another frame');
      must(m[s.sd1 + SOFTNET_DATA.flushed] === 2, 'what left the queue is counted wrongly');
      must(m[s.sd0 + SOFTNET_DATA.deferCount] === 2, 'a dropped frame is not left to its CPU');
      must(
        m[cpuArea(m, 0) + CPU.softirqPending] !== 0,
        'the CPU that is to free the dropped frames is not told',
      );
      flushBacklog(net, GOES);
      must(m[s.sd1 + SOFTNET_DATA.flushed] === 2, 'a flush that finds nothing has done something');
    },
  },
  forbids: 'frames that are lost, kept or out of order because others are taken out from between them',
  why: 'the queue is gone through once, and each frame goes to one of two lists',
});

/** Frame 1 goes between frames 3 and 4, which stay; more may be queued behind it before the next look at the queue. */
export const flushMiddle: Litmus = litmus({
  name: 'backlog-flush-middle',
  memory: backlogMemory,
  setup: (arena, label) => flushSetup(arena, label, BY_THREAD_RUN_TIME),
  threads: {
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 1);
      sendFromIrq(net, 1, frameOf(s, 1));
      sendFromIrq(net, 1, frameOf(s, 3), s.place);
      flushBacklog(net, GOES);
      const before = drained(net, s.place);
      must(!before || received(arena.m, s).includes(3), 'a flow may move before its frame is in the socket');
      sendFromIrq(net, 1, frameOf(s, 4), s.place);
      const after = drained(net, s.place);
      must(
        !after || received(arena.m, s).includes(4),
        'a flow may move before its last frame is in the socket',
      );
    },
    thread: runTimeThread,
  },
  daemons: ['thread'],
  final({ m }, s) {
    mustBeThrough(m, s);
    mustBeFree(m, s, s.place);
    mustBeIdle(m, s, NAPIF_STATE_THREADED);
  },
  forbids:
    'a flow that moves before its latest frame is in the socket because others were taken out of the queue',
  why: 'what was taken out is counted once all that stood before it has left (V1)',
});

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
    mustBeThrough(m, s);
    mustBeIdle(m, s, NAPIF_STATE_THREADED);
  },
  forbids: 'a flow that moves to another CPU before its latest frame is in the socket, or never again',
  why: 'inputQueueHead passes a frame when that and all before it have left, those taken out of the middle too (V1)',
});
