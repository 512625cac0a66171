// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of frames that are freed where they were allocated: defer_free.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { CPU } from '../kernel/cpu.js';
import { cpuDown } from '../kernel/cpu_hotplug.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import { TASK, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { devCpuDeadStep } from '../net/core/cpu_dead.js';
import { skbAttemptDeferFree, skbDeferFreeFlush, skbDeferKick } from '../net/core/defer_free.js';
import { PAGE_POOL, pagePoolCreate, pagePoolInside, pagePoolView } from '../net/core/page_pool.js';
import { SKB } from '../net/core/skbuff.js';
import { NET, SOFTNET_DATA } from '../net/core/softnet_data.js';
import {
  type BacklogSetup,
  backlogMemory,
  backlogNet,
  backlogSetup,
  cpu1,
  cpuArea,
  FRAMES,
  frameOf,
} from './backlog_world.js';
import { listTasks } from './net_world.js';

/** CPU 1 serves the pool. */
function setup(arena: Arena, label: Label, max: number): BacklogSetup {
  const { m } = arena;
  const s = backlogSetup(arena, label);
  m[m[KERNEL_AT + KERNEL.net] + NET.skbDeferMax] = max;
  m[s.pool + PAGE_POOL.cpu] = 1;
  m[s.cpu0 + TASK.state] = TASK_INTERRUPTIBLE;
  return s;
}

/** A poll loop that frees frames which are not its own. */
function frees(task: 'irqA' | 'irqB', ...seqs: number[]): (arena: Arena, s: BacklogSetup) => void {
  return (arena, s) => {
    const net = backlogNet(arena, s, s[task], 0);
    for (let i = 0; i < seqs.length; i++) skbAttemptDeferFree(net, frameOf(s, seqs[i]));
    if (net.deferredTo.length > 0) skbDeferKick(net);
  };
}

function mustBeFreed(m: Int32Array, s: BacklogSetup, count: number): void {
  const inside = pagePoolInside(m, s.pool);
  must(inside === count, `${inside} buffers of ${count} are back in their pool`);
  must(m[s.sd1 + SOFTNET_DATA.deferIpiScheduled] === 0, 'an interrupt is on its way for ever');
}

export const deferFree: Litmus = litmus({
  name: 'defer-free',
  memory: backlogMemory,
  setup: (arena, label) => setup(arena, label, 8),
  threads: { irqA: frees('irqA', 1, 2), irqB: frees('irqB', 3), cpu1 },
  daemons: ['cpu1'],
  final: ({ m }, s) => mustBeFreed(m, s, 3),
  forbids: 'a buffer that is left to a CPU which is not told, or is freed twice',
  why: 'the list is complete before the interrupt is decided on, which raises the softirq that takes it (F1, F2)',
});

export const deferFreeBusy: Litmus = litmus({
  name: 'defer-free-busy',
  memory: backlogMemory,
  setup(arena, label) {
    const s = setup(arena, label, 2);
    arena.m[cpuArea(arena.m, 1) + CPU.softirqPending] = 1 << NET_RX_SOFTIRQ;
    return s;
  },
  threads: { irqA: frees('irqA', 1), irqB: frees('irqB', 2), cpu1 },
  daemons: ['cpu1'],
  final: ({ m }, s) => mustBeFreed(m, s, 2),
  forbids: 'a second call sent while the first is on its way, because the CPU has emptied the list meanwhile',
  why: 'a word of its own says that one is on its way; the count does not',
});

function mustBeTold(m: Int32Array, s: BacklogSetup, told: boolean): void {
  const raised = (m[cpuArea(m, 1) + CPU.softirqPending] & (1 << NET_RX_SOFTIRQ)) !== 0;
  must(raised === told, told ? 'the CPU is not told' : 'the CPU is told too early');
  must(m[s.sd1 + SOFTNET_DATA.deferIpiScheduled] === 0, 'an interrupt is on its way for ever');
}

export const deferFreeSteps: Litmus = litmus({
  name: 'defer-free-steps',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = setup(arena, label, 0);
    // Frame 1 is longer than one buffer; frame 3 is of another pool, of the same CPU.
    m[frameOf(s, 1) + SKB.frags] = frameOf(s, 2);
    const other = pagePoolCreate(m, 1);
    label(m, other, PAGE_POOL, 'other pool');
    m[other + PAGE_POOL.cpu] = 1;
    const view = pagePoolView(m, other);
    view.take(1);
    return { ...s, other, third: m[view.taken] };
  },
  threads: {
    irqA(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.irqA, 0);
      const max = net.at + NET.skbDeferMax;
      skbAttemptDeferFree(net, frameOf(s, 3));
      must(pagePoolInside(m, s.pool) === 1, 'a frame is deferred although none is to be');
      m[max] = 8;
      skbAttemptDeferFree(net, s.third);
      skbAttemptDeferFree(net, frameOf(s, 4));
      must(m[s.sd1 + SOFTNET_DATA.deferCount] === 2, 'the CPU has not got the frames');
      must(net.deferredTo.length === 1, 'the CPU is not noted once');
      mustBeTold(m, s, false);
      skbDeferKick(net);
      must(net.deferredTo.length === 0, 'the CPU is still noted');
      mustBeTold(m, s, true);
      m[cpuArea(m, 1) + CPU.softirqPending] = 0;
      m[max] = 6;
      skbAttemptDeferFree(net, frameOf(s, 1));
      mustBeTold(m, s, true);
      must(net.deferredTo.length === 0, 'a CPU that was told is noted');
      must(pagePoolInside(m, s.pool) === 1, 'a frame is freed here although it is deferred');
      const sd = net.softnet[1];
      skbDeferFreeFlush(net, sd);
      must(
        m[sd.at + SOFTNET_DATA.deferList] === 0 && m[sd.at + SOFTNET_DATA.deferCount] === 0,
        'a list is left',
      );
      must(pagePoolInside(m, s.pool) === FRAMES, 'a buffer did not come back');
      must(pagePoolInside(m, s.other) === 1, 'a buffer of the other pool did not come back');
      must(m[frameOf(s, 1) + SKB.frags] === 0, 'a buffer in the pool still has others behind it');
      skbDeferFreeFlush(net, sd);
      must(pagePoolInside(m, s.pool) === FRAMES, 'a buffer came back twice');
      pagePoolView(m, s.pool).take(1);
      Atomics.store(m, cpuArea(m, 1) + CPU.online, 0);
      skbAttemptDeferFree(net, frameOf(s, 1));
      must(
        m[s.sd0 + SOFTNET_DATA.deferCount] === 1,
        'what is for a CPU that is offline does not go to another one',
      );
      must(m[s.sd1 + SOFTNET_DATA.deferLock] === 0, 'the lock of a CPU that is offline is kept');
    },
  },
  forbids: 'a buffer that does not come back, or a CPU that is told too early or not at all',
  why: 'at half of the limit the CPU is told at once, else when the poll loop ends; all buffers of a frame go together',
});

export const deferFreeTwo: Litmus = litmus({
  name: 'defer-free-two-senders',
  memory: backlogMemory,
  setup: (arena, label) => setup(arena, label, 2),
  threads: { irqA: frees('irqA', 1), irqB: frees('irqB', 2) },
  final({ m }, s) {
    must(m[s.sd1 + SOFTNET_DATA.deferCount] === 2, 'the CPU has not got both frames');
    mustBeTold(m, s, true);
  },
  forbids: 'two interrupts of two senders at once, or a frame that is lost between them',
  why: 'the list belongs to the lock; a word that is won says who sends (F1)',
});

export const deferFreeFlushed: Litmus = litmus({
  name: 'defer-free-flush',
  memory: backlogMemory,
  setup: (arena, label) => setup(arena, label, 8),
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      for (let seq = 1; seq <= 2; seq++) skbAttemptDeferFree(net, frameOf(s, seq));
    },
    softirq(arena, s) {
      const net = backlogNet(arena, s, s.cpu1, 1);
      skbDeferFreeFlush(net, net.softnet[1]);
    },
  },
  final({ m }, s) {
    const left = m[s.sd1 + SOFTNET_DATA.deferCount];
    must((left === 0) === (m[s.sd1 + SOFTNET_DATA.deferList] === 0), 'list and count do not go together');
    mustBeFreed(m, s, 2 - left);
  },
  forbids: 'a frame that is lost, or freed twice, because the list is taken while it grows',
  why: 'list and count are taken together under the lock; the look outside it is atomic',
});

export const deferFreeDown: Litmus = litmus({
  name: 'defer-free-cpu-down',
  memory: backlogMemory,
  setup(arena, label) {
    const s = setup(arena, label, 2);
    listTasks(arena.m, [s.irqA, s.cpu1]);
    return s;
  },
  threads: {
    irqA: frees('irqA', 1),
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      cpuDown(net.cur, net.cur.cpus[1], [devCpuDeadStep(net)]);
    },
    cpu1,
  },
  daemons: ['cpu1'],
  final({ m }, s) {
    const left = m[s.sd0 + SOFTNET_DATA.deferCount];
    mustBeFreed(m, s, 1 - left);
    if (left === 0) return;
    must(
      (m[cpuArea(m, 0) + CPU.softirqPending] & (1 << NET_RX_SOFTIRQ)) !== 0,
      'CPU 0 has no softirq to run',
    );
    must(m[s.cpu0 + TASK.state] === TASK_RUNNING, 'CPU 0 sleeps');
  },
  forbids: 'buffers left to a CPU that is offline',
  why: 'who leaves one looks at online under the lock of the list; the list is emptied behind that (F3, F4)',
});
