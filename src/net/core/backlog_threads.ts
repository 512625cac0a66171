// SPDX-License-Identifier: GPL-2.0-only
/**
 * Threads for backlogs: two designs that exclude each other.
 *
 * Run time (seed 002): `net.core.backlog_threaded`, at any time. Threads `napi/backlog-N`, bound to no CPU: the scheduler
 * moves them. They stay when it is switched off, asleep, for the next time.
 * Boot time (seed 001): boot parameter `thread_backlog_napi`. Threads `backlog_napi/N` of the per-CPU kind (smpboot.ts),
 * parked while their CPU is offline. What is for the CPU that queues it is left to its softirq.
 *
 * States of a backlog: run by interrupts; run by its thread (THREADED). A toggle takes effect at the next schedule: who
 * owns the backlog now goes on.
 *
 * Owners: backlogTask, backlogNode: the holder of sysctlMutex (run time) or of the CPU hotplug mutex (boot time). THREADED
 * of a backlog: the same, by atomic or/and: SCHED_THREADED beside it is set without a lock.
 *
 * Invariants
 *   - THREADED is set only while there is a thread.
 *   - A thread polls only when SCHED_THREADED is set: SCHED alone may be the softirq's (seed 001's bypass).
 *
 * Ordering
 *   R8 toggle: store of backlogTask, then or of THREADED      pairs with  R9 (backlog_queue.ts)
 *   M1, M2 of smpboot.ts, with R3 of backlog_queue.ts as the waker
 */
import type { Cpu } from '../../kernel/cpu.js';
import type { CpuhpStep } from '../../kernel/cpu_hotplug.js';
import { EBUSY, ENOMEM } from '../../kernel/errno.js';
import { kthreadRun, kthreadStop } from '../../kernel/kthread.js';
import {
  type SmpHotplugThread,
  smpbootCreateThread,
  smpbootDestroyThread,
  smpbootParkThread,
  smpbootUnparkThread,
} from '../../kernel/smpboot.js';
import { initListHead } from '../../mm/list.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { KTHREAD_BACKLOG_NAPI, KTHREAD_BACKLOG_POLL, POLL_BACKLOG, TASK_KIND_BACKLOG } from './ids.js';
import { NAPI, NAPIF_STATE_SCHED_THREADED, NAPIF_STATE_THREADED } from './napi.js';
import { napiThreadedPollLoop } from './napi_poll.js';
import { NAPI_THREAD_NODE } from './napi_thread.js';
import type { NetContext } from './net_context.js';
import { DEV_WEIGHT, NET, SOFTNET_DATA, type SoftnetData, THREAD_BACKLOG_NAPI_OFF } from './softnet_data.js';

/** Prepares a CPU's backlog; before any thread starts. */
export function backlogInit(m: Int32Array, sd: number, cpu: number): void {
  const n = sd + SOFTNET_DATA.backlog;
  initListHead(m, n + NAPI.pollList);
  m[n + NAPI.pollFn] = POLL_BACKLOG;
  m[n + NAPI.weight] = DEV_WEIGHT;
  m[n + NAPI.index] = cpu;
  m[n + NAPI.cpu] = cpu;
}

/**
 * Has backlogs run by threads from now on, or no longer (seed 002: backlog_set_threaded). Caller holds sysctlMutex.
 * @returns 0; -EBUSY if there are boot-time threads; -ENOMEM if a thread could not be had: then it is off
 */
export function backlogSetThreaded(net: NetContext, threaded: boolean): number {
  const { m } = net;
  const was = m[net.at + NET.backlogThreaded] !== 0;
  if (was === threaded) return 0;
  if (m[net.at + NET.threadBacklogNapi] !== THREAD_BACKLOG_NAPI_OFF) return -EBUSY;
  let err = 0;
  for (let i = 0; threaded && err === 0 && i < net.softnet.length; i++)
    err = runTimeThread(net, net.softnet[i]);
  const on = threaded && err === 0;
  Atomics.store(m, net.at + NET.backlogThreaded, on ? 1 : 0);
  for (let i = 0; i < net.softnet.length; i++) {
    const state = net.softnet[i].backlog + NAPI.state;
    if (on)
      Atomics.or(m, state, NAPIF_STATE_THREADED); // R8
    else Atomics.and(m, state, ~NAPIF_STATE_THREADED);
  }
  return err;
}

/** Makes a CPU's run-time thread, unless it is there from before. @returns 0 or -ENOMEM */
function runTimeThread(net: NetContext, sd: SoftnetData): number {
  const { m } = net;
  if (Atomics.load(m, sd.at + SOFTNET_DATA.backlogTask) !== 0) return 0;
  const node = kmalloc(m, NAPI_THREAD_NODE.SIZE);
  if (node === 0) return -ENOMEM;
  m[node + NAPI_THREAD_NODE.napi] = sd.backlog;
  const name = `napi/backlog-${sd.cpu}`;
  const task = kthreadRun(net.cur, KTHREAD_BACKLOG_POLL, node, sd.cpu, TASK_KIND_BACKLOG, name);
  if (task < 0) {
    kfree(m, node, NAPI_THREAD_NODE.SIZE);
    return task;
  }
  m[node + NAPI_THREAD_NODE.task] = task;
  m[sd.at + SOFTNET_DATA.backlogNode] = node;
  Atomics.store(m, sd.at + SOFTNET_DATA.backlogTask, task); // R8
  return 0;
}

/** What a boot-time thread does. */
export function backlogThreads(net: NetContext): SmpHotplugThread {
  const sd = net.softnet[net.cur.cpu.id];
  const n = net.napi(sd.backlog);
  return {
    shouldRun: () => (Atomics.load(net.m, n.state) & NAPIF_STATE_SCHED_THREADED) !== 0, // M1
    threadFn: () => napiThreadedPollLoop(net, n, true),
    setup: () => {
      Atomics.or(net.m, n.state, NAPIF_STATE_THREADED); // R8
    },
  };
}

/** Makes the boot-time thread of a CPU, parked. @returns 0 or -ENOMEM */
export function backlogThreadCreate(net: NetContext, cpu: Cpu): number {
  const { m, at } = net;
  if (m[at + NET.threadBacklogNapi] === THREAD_BACKLOG_NAPI_OFF) return 0;
  const store = net.softnet[cpu.id].at + SOFTNET_DATA.backlogTask;
  return smpbootCreateThread(
    net.cur,
    store,
    KTHREAD_BACKLOG_NAPI,
    TASK_KIND_BACKLOG,
    cpu.id,
    `backlog_napi/${cpu.id}`,
  );
}

/** Parks and unparks the boot-time threads as their CPUs go and come. */
export function backlogThreadStep(net: NetContext): CpuhpStep {
  const bootTime = net.m[net.at + NET.threadBacklogNapi] !== THREAD_BACKLOG_NAPI_OFF;
  const store = (cpu: Cpu): number => net.softnet[cpu.id].at + SOFTNET_DATA.backlogTask;
  return {
    startup: (cur, cpu) => {
      if (bootTime) smpbootUnparkThread(cur, store(cpu));
    },
    teardown: (cur, cpu) => {
      if (bootTime) smpbootParkThread(cur, store(cpu));
    },
  };
}

/** The machine ends: stops the thread of a CPU's backlog. Nothing queues any more. */
export function backlogThreadStop(net: NetContext, cpu: Cpu): void {
  const { m, cur } = net;
  const { at } = net.softnet[cpu.id];
  const node = m[at + SOFTNET_DATA.backlogNode];
  if (node === 0) {
    smpbootDestroyThread(cur, at + SOFTNET_DATA.backlogTask);
    return;
  }
  kthreadStop(cur, Atomics.exchange(m, at + SOFTNET_DATA.backlogTask, 0));
  m[at + SOFTNET_DATA.backlogNode] = 0;
  kfree(m, node, NAPI_THREAD_NODE.SIZE);
}
