// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of the threads of backlogs from their creation to their end: net/core/backlog_threads.ts. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { EBUSY, ENOMEM } from '../kernel/errno.js';
import { kthread, kthreaddFail } from '../kernel/kthread.js';
import { smpbootThreadFn } from '../kernel/smpboot.js';
import { TASK } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { kfree, kmalloc } from '../mm/slab.js';
import {
  backlogSetThreaded,
  backlogThreadCreate,
  backlogThreadStep,
  backlogThreadStop,
  backlogThreads,
} from '../net/core/backlog_threads.js';
import { NAPI, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { NAPI_THREAD_NODE } from '../net/core/napi_thread.js';
import {
  NET,
  SOFTNET_DATA,
  THREAD_BACKLOG_NAPI_OFF,
  THREAD_BACKLOG_NAPI_ON,
} from '../net/core/softnet_data.js';
import {
  type BacklogSetup,
  backlogMemory,
  backlogNet,
  backlogSetup,
  frameOf,
  received,
  sendFromIrq,
} from './backlog_world.js';
import { takeRequest } from './world.js';

/** CPU 0 has its run-time thread: only that of CPU 1 is made. */
function setup(arena: Arena, label: Label): BacklogSetup {
  const s = backlogSetup(arena, label);
  arena.m[s.sd0 + SOFTNET_DATA.backlogTask] = s.irqB;
  return s;
}

function stateOf(m: Int32Array, sd: number): number {
  return Atomics.load(m, sd + SOFTNET_DATA.backlog + NAPI.state);
}

export const backlogRefused: Litmus = litmus({
  name: 'backlog-toggle-refused',
  memory: backlogMemory,
  setup,
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.control, 0);
      // The first CPU's thread is the one that cannot be had.
      m[s.sd0 + SOFTNET_DATA.backlogTask] = 0;
      m[s.sd1 + SOFTNET_DATA.backlogTask] = s.irqB;
      const mode = net.at + NET.threadBacklogNapi;
      m[mode] = THREAD_BACKLOG_NAPI_ON;
      must(backlogSetThreaded(net, false) === 0, 'what is off cannot be switched off');
      must(backlogSetThreaded(net, true) === -EBUSY, 'two designs at once');
      m[mode] = THREAD_BACKLOG_NAPI_OFF;
      const node = kmalloc(m, NAPI_THREAD_NODE.SIZE);
      kfree(m, node, NAPI_THREAD_NODE.SIZE);
      must(backlogSetThreaded(net, true) === -ENOMEM, 'a thread that cannot be had is not missed');
      must(m[net.at + NET.backlogThreaded] === 0, 'it is called on');
      must(stateOf(m, s.sd0) === 0 && stateOf(m, s.sd1) === 0, 'a backlog is threaded');
      must(m[s.sd0 + SOFTNET_DATA.backlogTask] === 0, 'there is a thread');
      must(kmalloc(m, NAPI_THREAD_NODE.SIZE) === node, 'the node is not freed');
    },
    kthreadd: ({ m }) => kthreaddFail(m, takeRequest(m), ENOMEM),
  },
  forbids: 'backlogs that are threaded without threads, or a toggle that leaves something behind',
  why: 'it is off unless all threads are there',
});

export const backlogRunTimeLife: Litmus = litmus({
  name: 'backlog-run-time-life',
  memory: backlogMemory,
  setup,
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.control, 0);
      must(backlogSetThreaded(net, true) === 0, 'no thread could be had');
      must(backlogSetThreaded(net, true) === 0, 'what is on cannot be switched on');
      const task = Atomics.load(m, s.sd1 + SOFTNET_DATA.backlogTask);
      const node = m[s.sd1 + SOFTNET_DATA.backlogNode];
      must(m[node + NAPI_THREAD_NODE.task] === task, 'the node is not the thread’s');
      must(stateOf(m, s.sd0) === NAPIF_STATE_THREADED, 'the other backlog is not threaded');
      must(m[net.at + NET.backlogThreaded] === 1, 'it is called off');
      sendFromIrq(net, 1, frameOf(s, 1));
      must(backlogSetThreaded(net, false) === 0, 'it cannot be switched off');
      must(m[net.at + NET.backlogThreaded] === 0, 'it is called on');
      must(stateOf(m, s.sd0) === 0, 'the other backlog is still threaded');
      must(backlogSetThreaded(net, true) === 0, 'it cannot be switched on again');
      must(Atomics.load(m, s.sd1 + SOFTNET_DATA.backlogTask) === task, 'a second thread is made');
      backlogThreadStop(net, net.cur.cpus[1]);
      must(m[s.sd1 + SOFTNET_DATA.backlogTask] === 0, 'a thread that is gone is still published');
      must(m[s.sd1 + SOFTNET_DATA.backlogNode] === 0, 'a node that is gone is still published');
      must(kmalloc(m, NAPI_THREAD_NODE.SIZE) === node, 'the node is not freed');
    },
    kthreadd(arena, s) {
      const t = takeRequest(arena.m);
      const net = backlogNet(arena, s, t, 1);
      kthread(net.cur, () => napiThreadedPoll(net, arena.m[t + TASK.data]));
    },
  },
  final({ m }, s) {
    const seqs = received(m, s);
    const left = m[s.sd1 + SOFTNET_DATA.inputQlen] + m[s.sd1 + SOFTNET_DATA.processQlen];
    must(seqs.length + left === 1, 'the frame is lost');
    must(m[KERNEL_AT + KERNEL.nrTasks] === 0, 'the thread is not gone');
  },
  forbids: 'a thread that is made twice, does not end, or leaves something behind',
  why: 'it stays when threads are switched off, for the next time, and is stopped with the machine',
});

export const backlogBootTimeLife: Litmus = litmus({
  name: 'backlog-boot-time-life',
  memory: backlogMemory,
  setup: (arena, label) => backlogSetup(arena, label),
  threads: {
    control(arena, s) {
      const { m } = arena;
      const net = backlogNet(arena, s, s.control, 0);
      const { cur } = net;
      const cpu = cur.cpus[1];
      const store = s.sd1 + SOFTNET_DATA.backlogTask;
      backlogThreadStop(net, cpu); // there is none yet
      must(backlogThreadCreate(net, cpu) === 0 && m[store] === 0, 'a thread that is not wanted is made');
      // The other design's threads do not come and go with their CPUs.
      m[store] = s.irqB;
      backlogThreadStep(net).teardown?.(cur, cpu);
      must(m[s.irqB + TASK.kthreadFlags] === 0, 'a run-time thread is parked');
      m[store] = 0;
      m[net.at + NET.threadBacklogNapi] = THREAD_BACKLOG_NAPI_ON;
      must(backlogThreadCreate(net, cpu) === 0, 'no thread could be had');
      const step = backlogThreadStep(net);
      must(stateOf(m, s.sd1) === 0, 'the backlog is threaded before its CPU comes up');
      step.startup?.(cur, cpu);
      step.teardown?.(cur, cpu);
      const was = stateOf(m, s.sd1);
      must(was === 0 || was === NAPIF_STATE_THREADED, 'the backlog is not what it should be');
      step.startup?.(cur, cpu);
      backlogThreadStop(net, cpu);
      must(m[store] === 0, 'a thread that is gone is still published');
    },
    kthreadd(arena, s) {
      const t = takeRequest(arena.m);
      const net = backlogNet(arena, s, t, 1);
      kthread(net.cur, (cur) => smpbootThreadFn(cur, backlogThreads(net), 1));
    },
  },
  final: ({ m }) => must(m[KERNEL_AT + KERNEL.nrTasks] === 0, 'the thread is not gone'),
  forbids: 'a thread that runs while its CPU is down, or is there although none is wanted',
  why: 'it is created parked, and parks and runs with its CPU',
});

export const backlogBootTimeStart: Litmus = litmus({
  name: 'backlog-boot-time-start',
  memory: backlogMemory,
  setup(arena, label) {
    const s = backlogSetup(arena, label);
    arena.m[arena.m[KERNEL_AT + KERNEL.net] + NET.threadBacklogNapi] = THREAD_BACKLOG_NAPI_ON;
    return s;
  },
  threads: {
    control(arena, s) {
      const net = backlogNet(arena, s, s.control, 0);
      must(backlogThreadCreate(net, net.cur.cpus[1]) === 0, 'no thread could be had');
      backlogThreadStep(net).startup?.(net.cur, net.cur.cpus[1]);
    },
    kthreadd(arena, s) {
      const t = takeRequest(arena.m);
      const net = backlogNet(arena, s, t, 1);
      kthread(net.cur, (cur) => smpbootThreadFn(cur, backlogThreads(net), 1));
    },
  },
  daemons: ['kthreadd'],
  final: ({ m }, s) => must(stateOf(m, s.sd1) === NAPIF_STATE_THREADED, 'the backlog is not threaded'),
  forbids: 'a thread that is there, and a backlog that does not know',
  why: 'the thread says so itself, before it first sleeps',
});
