// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of backlogs: queueing against processing, splicing and giving up, and each way to have one run. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { kthread } from '../kernel/kthread.js';
import { TASK } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { perCpuPtr } from '../mm/percpu.js';
import { backlogSetThreaded } from '../net/core/backlog_threads.js';
import { NAPI, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
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
  cpu0,
  cpu1,
  frameOf,
  mustHaveReceived,
  received,
  runTimeThread,
  sendFromIrq,
  sendFromPoll,
} from './backlog_world.js';
import { takeRequest } from './world.js';

export const backlogLocal: Litmus = litmus({
  name: 'backlog-local',
  memory: backlogMemory,
  setup: (arena, label) => backlogSetup(arena, label, BY_INTERRUPT),
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      for (let i = 1; i <= 3; i++) sendFromIrq(net, 0, frameOf(s, i));
    },
    cpu0,
  },
  daemons: ['cpu0'],
  final: ({ m }, s) => mustHaveReceived(m, s, 3),
  forbids: 'a frame left in the input queue with the CPU asleep, or out of order',
  why: 'the backlog is given up under the lock of the input queue, with both queues empty (R1, R2)',
});

export const backlogInterrupt: Litmus = litmus({
  name: 'backlog-interrupt',
  memory: backlogMemory,
  setup: (arena, label) => backlogSetup(arena, label, BY_INTERRUPT),
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      sendFromIrq(net, 1, frameOf(s, 1));
      sendFromIrq(net, 1, frameOf(s, 2));
    },
    cpu0,
    cpu1,
  },
  daemons: ['cpu0', 'cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 2),
  forbids: 'a backlog left on the list of those to interrupt, or interrupted twice',
  why: 'an interrupt that queues raises the softirq that sends; the list belongs to the irqLock',
});

export const backlogPollLoop: Litmus = litmus({
  name: 'backlog-poll-loop',
  memory: backlogMemory,
  setup: (arena, label) => backlogSetup(arena, label, BY_INTERRUPT),
  threads: {
    irqA: (arena, s) => sendFromPoll(backlogNet(arena, s, s.irqA, 0), [1, frameOf(s, 1)], [1, frameOf(s, 2)]),
    irqB: (arena, s) => sendFromPoll(backlogNet(arena, s, s.irqB, 0), [1, frameOf(s, 3)]),
    cpu1,
  },
  daemons: ['cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 3, 0, 2),
  forbids: 'a remote backlog that waits for an interrupt which nobody sends, or that is interrupted twice',
  why: 'a poll loop looks at the list before it ends; SCHED puts a backlog on one list, once',
});

export const backlogTwoRemote: Litmus = litmus({
  name: 'backlog-two-remote',
  memory: backlogMemory,
  setup(arena, label) {
    const { m } = arena;
    const s = backlogSetup(arena, label, BY_INTERRUPT, 3);
    const sd2 = perCpuPtr(m[m[KERNEL_AT + KERNEL.net] + NET.softnetData], SOFTNET_DATA, 2);
    return { ...s, sd2 };
  },
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      sendFromPoll(net, [2, frameOf(s, 3)], [1, frameOf(s, 1)]);
    },
    irqB(arena, s) {
      const net = backlogNet(arena, s, s.irqB, 0);
      sendFromIrq(net, 1, frameOf(s, 2));
    },
    cpu1,
  },
  daemons: ['cpu1'],
  final({ m }, s) {
    const left = m[s.sd0 + SOFTNET_DATA.rpsIpiList];
    must(left === 0 || left === s.sd1, 'a CPU is left on the list of those to interrupt');
    must(left !== 0 || received(m, s).length === 2, 'a frame waits for an interrupt that nobody sends');
    const entry = s.sd2 + SOFTNET_DATA.backlog + NAPI.pollList;
    must(m[s.sd2 + SOFTNET_DATA.pollList] === entry, 'a backlog is not on the list of its CPU');
  },
  forbids:
    'a backlog that is taken off the list of those to interrupt unseen, or leads astray who goes along it',
  why: 'the list is taken as a whole under the irqLock; the next is read before the interrupt is sent (R4)',
});

export const backlogTwoSenders: Litmus = litmus({
  name: 'backlog-two-senders',
  memory: backlogMemory,
  setup: (arena, label) => backlogSetup(arena, label, BY_INTERRUPT, 3),
  threads: {
    irqA: (arena, s) => sendFromPoll(backlogNet(arena, s, s.irqA, 0), [1, frameOf(s, 1)]),
    irqB: (arena, s) => sendFromPoll(backlogNet(arena, s, s.irqB, 2), [1, frameOf(s, 2)]),
    cpu1,
  },
  daemons: ['cpu1'],
  final: ({ m }, s) => mustHaveReceived(m, s, 2, 0, 0),
  forbids: 'a backlog that one CPU interrupts while the call of another is still on its way',
  why: 'the call’s word is free before the function runs, which may lead to the next call (G1, G2)',
});

export const backlogThread: Litmus = litmus({
  name: 'backlog-thread',
  memory: backlogMemory,
  setup: (arena, label) => backlogSetup(arena, label, BY_THREAD_RUN_TIME),
  threads: {
    irqA(arena, s) {
      const net = backlogNet(arena, s, s.irqA, 0);
      sendFromIrq(net, 1, frameOf(s, 1));
      sendFromIrq(net, 1, frameOf(s, 2));
    },
    irqB: (arena, s) => sendFromIrq(backlogNet(arena, s, s.irqB, 1), 1, frameOf(s, 3)),
    thread: runTimeThread,
  },
  daemons: ['thread'],
  final: ({ m }, s) => mustHaveReceived(m, s, 3, NAPIF_STATE_THREADED, 2),
  forbids: 'a frame left in the queue with the thread asleep, or a backlog that is not threaded any more',
  why: 'SCHED_THREADED is set before the thread is woken; to give up clears it and SCHED alone (R3, R2)',
});

export const backlogBypass: Litmus = litmus({
  name: 'backlog-bypass',
  memory: backlogMemory,
  setup: (arena, label) => backlogSetup(arena, label, BY_THREAD_BOOT_TIME),
  threads: {
    irqA: (arena, s) => sendFromIrq(backlogNet(arena, s, s.irqA, 0), 1, frameOf(s, 1)),
    irqB: (arena, s) => sendFromIrq(backlogNet(arena, s, s.irqB, 1), 1, frameOf(s, 2)),
    cpu1,
    thread: bootTimeThread,
  },
  daemons: ['cpu1', 'thread'],
  final: ({ m }, s) => mustHaveReceived(m, s, 2, NAPIF_STATE_THREADED, 1),
  forbids: 'a backlog that the softirq and the thread poll at once, or neither',
  why: 'what is for the own CPU is the softirq’s; the thread runs for SCHED_THREADED, not for SCHED',
});

interface ToggleSetup extends BacklogSetup {
  readonly net: number;
}

/** Both backlogs have their threads; that of CPU 0 is never scheduled. */
function toggleSetup(arena: Arena, label: Label, on: boolean): ToggleSetup {
  const { m } = arena;
  const s = backlogSetup(arena, label, BY_THREAD_RUN_TIME);
  const net = m[KERNEL_AT + KERNEL.net];
  m[s.sd0 + SOFTNET_DATA.backlogTask] = s.irqB;
  m[net + NET.backlogThreaded] = on ? 1 : 0;
  if (!on) m[s.sd1 + SOFTNET_DATA.backlog + NAPI.state] = 0;
  return { ...s, net };
}

function toggle(to: boolean): Litmus {
  return litmus({
    name: `backlog-toggle-${to ? 'on' : 'off'}`,
    memory: backlogMemory,
    setup: (arena, label) => toggleSetup(arena, label, !to),
    threads: {
      irqA: (arena, s) =>
        sendFromPoll(backlogNet(arena, s, s.irqA, 0), [1, frameOf(s, 1)], [1, frameOf(s, 2)]),
      control: (arena, s) => void backlogSetThreaded(backlogNet(arena, s, s.control, 0), to),
      cpu1,
      thread: runTimeThread,
    },
    daemons: ['cpu1', 'thread'],
    final({ m }, s) {
      const state = to ? NAPIF_STATE_THREADED : 0;
      mustHaveReceived(m, s, 2, state, 2, state);
    },
    forbids: 'a frame that waits for a thread which nobody woke, or a toggle that does not last',
    why: 'THREADED is set and cleared by itself, beside bits that others set meanwhile (R8, R9)',
  });
}

export const backlogToggle: readonly Litmus[] = Object.freeze([toggle(true), toggle(false)]);

export const backlogToggleNew: Litmus = litmus({
  name: 'backlog-toggle-new',
  memory: backlogMemory,
  setup(arena, label) {
    const s = toggleSetup(arena, label, false);
    arena.m[s.sd1 + SOFTNET_DATA.backlogTask] = 0;
    return s;
  },
  threads: {
    irqA: (arena, s) => sendFromPoll(backlogNet(arena, s, s.irqA, 0), [1, frameOf(s, 1)]),
    control(arena, s) {
      const err = backlogSetThreaded(backlogNet(arena, s, s.control, 0), true);
      must(err === 0, 'no thread could be had');
    },
    kthreadd(arena, s) {
      const t = takeRequest(arena.m);
      const net = backlogNet(arena, s, t, 1);
      kthread(net.cur, () => napiThreadedPoll(net, arena.m[t + TASK.data]));
    },
    cpu1,
  },
  daemons: ['cpu1', 'kthreadd'],
  final: ({ m }, s) => mustHaveReceived(m, s, 1, NAPIF_STATE_THREADED, 1, NAPIF_STATE_THREADED),
  forbids: 'a frame left to a thread that is not there yet',
  why: 'the thread is published before the backlog is called threaded (R8, R9)',
});
