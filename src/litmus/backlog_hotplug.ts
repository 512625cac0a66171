// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of what a CPU leaves to others when it goes: poll list, interrupts, backlog; and of its return. */
import { type Label, type Litmus, litmus } from '../check/index.js';
import { localBhDisable } from '../kernel/bh.js';
import { CPU } from '../kernel/cpu.js';
import { cpuDown, cpuUp } from '../kernel/cpu_hotplug.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { rcuReadLock } from '../kernel/rcu.js';
import { cpuIdleLoop, localBhEnableSoftirq } from '../kernel/softirq.js';
import type { Arena } from '../mm/arena.js';
import { perCpuPtr } from '../mm/percpu.js';
import { backlogThreadStep } from '../net/core/backlog_threads.js';
import { devCpuDeadStep } from '../net/core/cpu_dead.js';
import { NAPI, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import type { NetContext } from '../net/core/net_context.js';
import { NET, SOFTNET_DATA } from '../net/core/softnet_data.js';
import {
  type BacklogSetup,
  BY_INTERRUPT,
  BY_THREAD_BOOT_TIME,
  backlogMemory,
  backlogNet,
  backlogSetup,
  bootTimeThread,
  cpu0,
  cpu1,
  frameOf,
  listAll,
  mustHaveReceived,
  sendFromIrq,
  sendFromPoll,
  sendUnderRcu,
} from './backlog_world.js';
import { addWord, clockAt } from './world.js';

function setup(arena: Arena, label: Label, mode = BY_INTERRUPT): BacklogSetup {
  const s = backlogSetup(arena, label, mode);
  listAll(arena.m, s);
  return s;
}

function cpu1At(m: Int32Array): number {
  return perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, 1);
}

function down(net: NetContext): void {
  cpuDown(net.cur, net.cur.cpus[1], [backlogThreadStep(net), devCpuDeadStep(net)]);
}

function up(net: NetContext): void {
  cpuUp(net.cur, net.cur.cpus[1], [backlogThreadStep(net), devCpuDeadStep(net)]);
}

/** CPU 1 goes. */
function takeDown(arena: Arena, s: BacklogSetup): void {
  down(backlogNet(arena, s, s.control, 0));
}

/** CPU 0's own thread, which sends a frame to CPU 1 first. */
function cpu0Sends(arena: Arena, s: BacklogSetup): void {
  const net = backlogNet(arena, s, s.cpu0, 0);
  rcuReadLock(net.cur);
  sendFromPoll(net, 1, frameOf(s, 1));
  cpuIdleLoop(net.cur);
}

export const offlineSchedule: Litmus = litmus({
  name: 'cpu-down-schedule',
  memory: backlogMemory,
  setup,
  threads: {
    irqA: (arena, s) => sendUnderRcu(backlogNet(arena, s, s.irqA, 1), 1, frameOf(s, 1)),
    control: takeDown,
    cpu0,
    cpu1,
  },
  daemons: ['cpu0', 'cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 1),
  forbids: 'an instance left on the poll list of a CPU that is offline',
  why: 'who adds one looks at online under the irqLock; the list is moved behind that (L1, L2)',
});

export const offlineInterrupt: Litmus = litmus({
  name: 'cpu-down-interrupt',
  memory: backlogMemory,
  setup,
  threads: { cpu0: cpu0Sends, control: takeDown, cpu1 },
  daemons: ['cpu0', 'cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 1),
  forbids: 'a frame left in the backlog of a CPU that is offline',
  why: 'the interrupt goes to one that is online, and the backlog is served there',
});

export const offlineSender: Litmus = litmus({
  name: 'cpu-down-sender',
  memory: backlogMemory,
  setup,
  threads: {
    irqA: (arena, s) => sendUnderRcu(backlogNet(arena, s, s.irqA, 1), 0, frameOf(s, 1)),
    control: takeDown,
    cpu0,
    cpu1,
  },
  daemons: ['cpu0', 'cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 1),
  forbids: 'a backlog left on the list of those that an offline CPU is to interrupt',
  why: 'who adds one looks at online under the irqLock; what is there then is sent (R4, R5)',
});

export const offlineThread: Litmus = litmus({
  name: 'cpu-down-thread',
  memory: backlogMemory,
  setup: (arena, label) => setup(arena, label, BY_THREAD_BOOT_TIME),
  threads: { cpu0: cpu0Sends, control: takeDown, cpu1, thread: bootTimeThread },
  daemons: ['cpu0', 'cpu1', 'thread'],
  final: ({ m }, s) => mustHaveReceived(m, s, 1, NAPIF_STATE_THREADED),
  forbids: 'a backlog scheduled for a thread that is parked as long as its CPU is offline',
  why: 'who schedules looks at online within a read section; SCHED_THREADED is looked for behind it (R6, R7)',
});

export const downUpThread: Litmus = litmus({
  name: 'cpu-down-up-thread',
  memory: backlogMemory,
  setup: (arena, label) => setup(arena, label, BY_THREAD_BOOT_TIME),
  threads: {
    cpu0: cpu0Sends,
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      down(net);
      up(net);
    },
    cpu1,
    thread: bootTimeThread,
  },
  daemons: ['cpu0', 'cpu1', 'thread'],
  final: ({ m }, s) => mustHaveReceived(m, s, 1, NAPIF_STATE_THREADED),
  forbids: 'a backlog that nobody runs once its CPU is back',
  why: 'the thread is unparked behind online, and looks at SCHED_THREADED before it sleeps',
});

export const upSchedule: Litmus = litmus({
  name: 'cpu-up-schedule',
  memory: backlogMemory,
  setup(arena, label) {
    const s = setup(arena, label);
    arena.m[cpu1At(arena.m) + CPU.online] = 0;
    return s;
  },
  threads: {
    irqA: (arena, s) => sendUnderRcu(backlogNet(arena, s, s.irqA, 1), 1, frameOf(s, 1)),
    control: (arena, s) => up(backlogNet(arena, s, s.control, 0)),
    cpu0,
    cpu1,
  },
  daemons: ['cpu0', 'cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 1),
  forbids: 'an instance on the poll list of a CPU that comes up and sleeps',
  why: 'the CPU is woken once it is online',
});

export const upSqueezed: Litmus = litmus({
  name: 'cpu-down-up-squeezed',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = setup(arena, label);
    const net = m[KERNEL_AT + KERNEL.net];
    // Each poll takes a frame, each round one poll: the second frame is left to the next round.
    m[net + NET.netdevBudget] = 1;
    m[net + NET.devWeight] = 1;
    m[s.sd1 + SOFTNET_DATA.backlog + NAPI.weight] = 1;
    const irq = backlogNet(arena, s, s.irqA, 1);
    sendFromIrq(irq, 1, frameOf(s, 1));
    sendFromIrq(irq, 1, frameOf(s, 2));
    return { ...s, clock: addWord(m, label, 'clock') };
  },
  threads: {
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      Atomics.store(arena.m, s.clock, 10_000);
      down(net);
      up(net);
      rcuReadLock(net.cur);
      net.cur.cpu = net.cur.cpus[1];
      sendFromIrq(net, 1, frameOf(s, 3));
    },
    cpu0,
    cpu1(arena, s) {
      const net = backlogNet(arena, s, s.cpu1, 1, clockAt(arena.m, s.clock));
      rcuReadLock(net.cur);
      cpuIdleLoop(net.cur);
    },
  },
  daemons: ['cpu0', 'cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 3),
  forbids: 'a CPU that comes back believing that it looks at its poll list',
  why: 'what was pending when it went is pending when it comes, and it looks once',
});

export const upSoftirq: Litmus = litmus({
  name: 'cpu-up-process',
  memory: backlogMemory,
  setup(arena, label) {
    const s = setup(arena, label);
    arena.m[cpu1At(arena.m) + CPU.online] = 0;
    return s;
  },
  threads: {
    irqA(arena, s) {
      // A thread of CPU 1, which is elsewhere until that comes back.
      const net = backlogNet(arena, s, s.irqA, 1);
      const { cur } = net;
      cur.runsSoftirqs = true;
      rcuReadLock(cur);
      localBhDisable(cur);
      sendFromIrq(net, cur.cpu.id, frameOf(s, 1));
      localBhEnableSoftirq(cur);
    },
    control: (arena, s) => up(backlogNet(arena, s, s.control, 0)),
    cpu0,
    cpu1,
  },
  daemons: ['cpu0', 'cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 1),
  forbids: 'a softirq raised on one CPU by a thread that then looks at another’s',
  why: 'the thread runs those of the CPU whose bottom halves it had disabled, or wakes that CPU',
});
