// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of what a CPU leaves to others when it goes: poll list, interrupts, backlog; and of its return. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { localBhDisable } from '../kernel/bh.js';
import { complete } from '../kernel/completion.js';
import { CPU } from '../kernel/cpu.js';
import { cpuDown, cpuUp } from '../kernel/cpu_hotplug.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { cpuIdleLoop, localBhEnableSoftirq } from '../kernel/softirq.js';
import { TASK, TASK_INTERRUPTIBLE } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { backlogThreadStep } from '../net/core/backlog_threads.js';
import { devCpuDeadStep } from '../net/core/cpu_dead.js';
import { NAPI, NAPIF_STATE_SCHED, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import type { NetContext } from '../net/core/net_context.js';
import { napiPollListAdd } from '../net/core/poll_list.js';
import { NET, SOFTNET_DATA } from '../net/core/softnet_data.js';
import {
  type BacklogSetup,
  BY_INTERRUPT,
  BY_THREAD_BOOT_TIME,
  BY_THREAD_RUN_TIME,
  backlogMemory,
  backlogNet,
  backlogSetup,
  bootTimeThread,
  cpu1,
  cpuArea,
  frameOf,
  idle,
  mustBeLeftToCpu,
  mustHaveReceived,
  received,
  runTimeThread,
  sendFromIrq,
  sendFromPoll,
  sendUnderRcu,
} from './backlog_world.js';
import { listTasks } from './net_world.js';
import { addWord, clockAt } from './world.js';

/** CPU 0 sleeps: it is enough to see what is left to it. */
function setup(arena: Arena, label: Label, mode = BY_INTERRUPT): BacklogSetup {
  const s = backlogSetup(arena, label, mode);
  const { m } = arena;
  m[s.cpu0 + TASK.state] = TASK_INTERRUPTIBLE;
  listTasks(m, mode === BY_INTERRUPT ? [s.cpu1, s.irqA] : [s.irqA, s.thread]);
  return s;
}

function down(net: NetContext): void {
  cpuDown(net.cur, net.cur.cpus[1], [backlogThreadStep(net), devCpuDeadStep(net)]);
}

function up(net: NetContext): void {
  cpuUp(net.cur, net.cur.cpus[1], [backlogThreadStep(net), devCpuDeadStep(net)]);
}

/** The threads of backlogs are what matters: CPU 1's own has said beforehand that it rests. */
function setupThreads(arena: Arena, label: Label): BacklogSetup {
  const { m } = arena;
  const s = setup(arena, label, BY_THREAD_BOOT_TIME);
  m[s.cpu1 + TASK.state] = TASK_INTERRUPTIBLE;
  complete(m, cpuArea(m, 1) + CPU.idleDead);
  return s;
}

/** CPU 1 goes. */
function takeDown(arena: Arena, s: BacklogSetup): void {
  down(backlogNet(arena, s, s.control, 0));
}

/** From a poll loop on CPU 0, for CPU 1. */
function sendToCpu1(arena: Arena, s: BacklogSetup): void {
  const net = backlogNet(arena, s, s.irqA, 0);
  rcuReadLock(net.cur);
  sendFromPoll(net, [1, frameOf(s, 1)]);
  rcuReadUnlock(net.cur);
}

export const offlineSchedule: Litmus = litmus({
  name: 'cpu-down-schedule',
  memory: backlogMemory,
  setup,
  threads: {
    irqA: (arena, s) => sendFromIrq(backlogNet(arena, s, s.irqA, 1), 1, frameOf(s, 1)),
    control: takeDown,
    cpu1,
  },
  daemons: ['cpu1'],
  final: ({ m }, s) => mustBeLeftToCpu(m, s, s.sd1, 1),
  forbids: 'an instance left on the poll list of a CPU that is offline',
  why: 'who adds one looks at online under the irqLock; the list is moved behind that (L1, L2)',
});

export const offlineInterrupt: Litmus = litmus({
  name: 'cpu-down-interrupt',
  memory: backlogMemory,
  setup,
  threads: { irqA: sendToCpu1, control: takeDown, cpu1 },
  daemons: ['cpu1'],
  final: ({ m }, s) => mustBeLeftToCpu(m, s, s.sd1, 1),
  forbids: 'a frame left in the backlog of a CPU that is offline',
  why: 'the interrupt goes to one that is online, and the backlog is served there',
});

export const offlineSender: Litmus = litmus({
  name: 'cpu-down-sender',
  memory: backlogMemory,
  setup,
  threads: {
    irqA: (arena, s) => sendFromIrq(backlogNet(arena, s, s.irqA, 1), 0, frameOf(s, 1)),
    control: takeDown,
    cpu1,
  },
  daemons: ['cpu1'],
  final: ({ m }, s) => mustBeLeftToCpu(m, s, s.sd0, 1),
  forbids: 'a backlog left on the list of those that an offline CPU is to interrupt',
  why: 'who adds one looks at online under the irqLock; what is there then is sent (R4, R5)',
});

export const offlineThread: Litmus = litmus({
  name: 'cpu-down-thread',
  memory: backlogMemory,
  setup: setupThreads,
  threads: { irqA: sendToCpu1, control: takeDown, thread: bootTimeThread },
  daemons: ['thread'],
  final: ({ m }, s) => mustBeLeftToCpu(m, s, s.sd1, 1, NAPIF_STATE_THREADED),
  forbids: 'a backlog scheduled for a thread that is parked as long as its CPU is offline',
  why: 'who schedules looks at online within a read section; SCHED_THREADED is looked for behind it (R6, R7)',
});

export const offlineThreadBusy: Litmus = litmus({
  name: 'cpu-down-thread-busy',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = setupThreads(arena, label);
    // A frame a poll: the thread may be asked to park with the process queue half done.
    m[m[KERNEL_AT + KERNEL.net] + NET.devWeight] = 1;
    m[s.sd1 + SOFTNET_DATA.backlog + NAPI.weight] = 1;
    const irq = backlogNet(arena, s, s.irqA, 0);
    for (const seq of [1, 2]) sendFromIrq(irq, 1, frameOf(s, seq));
    return s;
  },
  threads: {
    control: takeDown,
    thread: bootTimeThread,
    cpu0(arena, s) {
      idle(backlogNet(arena, s, s.cpu0, 0));
    },
  },
  daemons: ['thread', 'cpu0'],
  final: ({ m }, s) => mustHaveReceived(m, s, 2, NAPIF_STATE_THREADED),
  forbids: 'a backlog that a thread and another CPU’s softirq run at once, or that nobody goes on with',
  why: 'the thread parks between two polls, and a softirq goes on with its process queue',
});

export const offlineRunTime: Litmus = litmus({
  name: 'cpu-down-run-time-thread',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = setup(arena, label, BY_THREAD_RUN_TIME);
    m[s.cpu1 + TASK.state] = TASK_INTERRUPTIBLE;
    complete(m, cpuArea(m, 1) + CPU.idleDead);
    return s;
  },
  threads: { irqA: sendToCpu1, control: takeDown, thread: runTimeThread },
  daemons: ['thread'],
  final: ({ m }, s) => mustHaveReceived(m, s, 1, NAPIF_STATE_THREADED),
  forbids: 'a backlog that is taken from a thread which goes on although the CPU has gone',
  why: 'run-time threads are bound to no CPU: they are left alone',
});

export const downUpThread: Litmus = litmus({
  name: 'cpu-down-up-thread',
  memory: backlogMemory,
  setup: setupThreads,
  threads: {
    irqA: sendToCpu1,
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      down(net);
      up(net);
    },
    thread: bootTimeThread,
  },
  daemons: ['thread'],
  final: ({ m }, s) => mustBeLeftToCpu(m, s, s.sd1, 1, NAPIF_STATE_THREADED, [0, 1]),
  forbids: 'a backlog that nobody runs once its CPU is back',
  why: 'the thread is unparked behind online, and looks at SCHED_THREADED before it sleeps',
});

export const upSchedule: Litmus = litmus({
  name: 'cpu-up-schedule',
  memory: backlogMemory,
  setup(arena, label) {
    const s = setup(arena, label);
    arena.m[cpuArea(arena.m, 1) + CPU.online] = 0;
    return s;
  },
  threads: {
    irqA: (arena, s) => sendUnderRcu(backlogNet(arena, s, s.irqA, 1), 1, frameOf(s, 1)),
    control: (arena, s) => up(backlogNet(arena, s, s.control, 0)),
    cpu1,
  },
  daemons: ['cpu1'],
  final: ({ m }, s) => mustBeLeftToCpu(m, s, s.sd1, 1),
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
    m[s.sd0 + SOFTNET_DATA.backlog + NAPI.weight] = 1;
    // CPU 1 serves the backlog of CPU 0, which was offline: that goes back, and its own comes here.
    const irq = backlogNet(arena, s, s.irqA, 1);
    m[s.sd0 + SOFTNET_DATA.backlog + NAPI.state] = NAPIF_STATE_SCHED;
    sendFromIrq(irq, 0, frameOf(s, 2));
    sendFromIrq(irq, 0, frameOf(s, 3));
    napiPollListAdd(irq, irq.cur.cpus[1], irq.napi(s.sd0 + SOFTNET_DATA.backlog));
    return { ...s, clock: addWord(m, label, 'clock') };
  },
  threads: {
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      Atomics.store(arena.m, s.clock, 10_000);
      down(net);
      up(net);
      net.cur.cpu = net.cur.cpus[1];
      sendFromIrq(net, 1, frameOf(s, 1));
    },
    cpu1(arena, s) {
      const net = backlogNet(arena, s, s.cpu1, 1, clockAt(arena.m, s.clock));
      rcuReadLock(net.cur);
      cpuIdleLoop(net.cur);
    },
  },
  daemons: ['cpu1'],
  final({ m }, s) {
    must(received(m, s).includes(1), 'a frame waits on the poll list of a CPU that sleeps');
  },
  forbids: 'a CPU that comes back believing that it looks at its poll list',
  why: 'what was pending when it went is pending when it comes, and it looks once',
});

export const upSoftirq: Litmus = litmus({
  name: 'cpu-up-process',
  memory: backlogMemory,
  setup(arena, label) {
    const s = setup(arena, label);
    arena.m[cpuArea(arena.m, 1) + CPU.online] = 0;
    return s;
  },
  threads: {
    irqA(arena, s) {
      // A thread of CPU 1, which is elsewhere until that comes back.
      const net = backlogNet(arena, s, s.irqA, 1);
      const { cur } = net;
      cur.runsSoftirqs = true;
      localBhDisable(cur);
      sendFromIrq(net, cur.cpu.id, frameOf(s, 1));
      localBhEnableSoftirq(cur);
    },
    control: (arena, s) => up(backlogNet(arena, s, s.control, 0)),
    cpu1,
  },
  daemons: ['cpu1'],
  final({ m }, s) {
    if (received(m, s).length === 0) mustBeLeftToCpu(m, s, s.sd0, 1);
  },
  forbids: 'a softirq raised on one CPU by a thread that then looks at another’s',
  why: 'the thread runs those of the CPU whose bottom halves it had disabled, or wakes that CPU',
});
