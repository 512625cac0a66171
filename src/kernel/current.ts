// SPDX-License-Identifier: GPL-2.0-only
/**
 * `current`: what a thread knows about itself. Every kernel function that sleeps, takes a per-CPU lock or reads
 * the clock gets it as its first argument.
 */
import { perCpuPtr } from '../mm/percpu.js';
import { ROOT_AT } from '../mm/slab.js';
import { line, struct, word, words } from '../mm/struct.js';
import { CPU, Cpu } from './cpu.js';
import type { Platform } from './platform.js';
import { Task } from './task.js';
import type { Tracer } from './trace.js';

/** Roots of everything the kernel proper shares. */
export const KERNEL = struct(
  'kernel',
  line('main thread, before any other starts', {
    nrCpus: word('simulated CPUs'),
    cpus: word('per-CPU areas (struct cpu), CPU 0 first'),
    softirqInline: word(
      '1: softirqs run at the end of an interrupt and of a system call though ksoftirqd is at work',
    ),
    clockJumps: word('a double for each worker: how far its clock has jumped, ns; 0: clocks are as they are'),
  }),
  line('any thread, compare-and-swap; kthreadd takes all by exchange', {
    createList: word('tasks that wait to be created'),
  }),
  line('any thread, fetch-and-add', {
    createDoorbell: word('rung once a request; kthreadd sleeps on it'),
  }),
  line('lock holders', { taskLock: word('spin lock of the task list') }),
  line('taskLock', { taskFirst: word('first task of the list'), nrTasks: word('tasks in the list') }),
  line('lock holders', { rcuLock: word('mutex: one grace period at a time'), rcuOwner: word('its owner') }),
  line('synchronizeRcu, under rcuLock', { rcuGp: word('number of the newest grace period, never 0') }),
  line('synchronizeRcu, under rcuLock', { rcuWaiting: word('1 while somebody waits for readers') }),
  line('readers, fetch-and-add', { rcuWake: word('rung when a reader passes while somebody waits') }),
  line('any thread, fetch-and-add', {
    nextObjectId: word('serial number of the next object that threads keep views of'),
  }),
  line('lock holders', { cpuHotplug: words(2, 'mutex: one CPU comes or goes at a time') }),
  line('the layer above, at boot', { net: word('root of the network layer (struct net)') }),
  line('main thread; read plainly, by tracers', {
    tracing: word('1 while threads record their tracepoints'),
  }),
);

/** Where the kernel's roots lie. */
export const KERNEL_AT = ROOT_AT;

export type SoftirqAction = (cur: Current) => void;
/** @returns nothing; runs in the CPU's thread, outside the timer lock */
export type HrtimerFn = (cur: Current, data: number) => void;
/** Runs in the thread that raised the interrupt, on behalf of `cur.cpu`. */
export type IrqHandler = (cur: Current, devId: number) => void;

export class Current {
  readonly m: Int32Array;
  readonly platform: Platform;
  readonly task: Task;
  /** All CPUs' areas. */
  readonly cpus: readonly Cpu[];
  /** The CPU this thread counts as running on; an interrupt handler runs on behalf of another. */
  cpu: Cpu;
  /** The CPU it belongs to: it counts as running there as long as that is online. */
  home: Cpu;
  /** It is that CPU's own and never counts as running on another (the CPU's thread, ksoftirqd, backlog_napi). */
  pinned = false;
  /** Process context that runs pending softirqs when its bottom halves are enabled again. */
  runsSoftirqs = false;
  /** Depth of local_bh_disable. */
  bhCount = 0;
  /** The CPU whose bhLock is held while bhCount > 0. */
  bhCpu: Cpu;
  /** Depth of RCU read sections; kernel threads start with one that only sleeping interrupts. */
  rcuNesting = 0;
  /** Times this thread gave way to others that waited for its CPU's bottom halves. */
  yields = 0;
  /** Times this thread went to sleep (word `nvcsw` of its task). */
  nvcsw = 0;
  /** Who listens to its tracepoints; null: nobody. */
  tracer: Tracer | null = null;
  /** Handlers by number: softirqs, timer functions, interrupt handlers. Filled when the thread is set up. */
  readonly softirqVec: SoftirqAction[] = [];
  readonly hrtimerFns: HrtimerFn[] = [];
  readonly irqHandlers: IrqHandler[] = [];

  constructor(m: Int32Array, platform: Platform, taskAt: number, cpus: readonly Cpu[], cpuId: number) {
    this.m = m;
    this.platform = platform;
    this.task = new Task(m, taskAt);
    this.cpus = cpus;
    this.cpu = cpus[cpuId];
    this.home = this.cpu;
    this.bhCpu = this.cpu;
  }
}

/**
 * A serial number for an object whose memory may be freed and used again while threads keep views of it: a view is
 * stale when its number is not the object's.
 */
export function newObjectId(m: Int32Array): number {
  return Atomics.add(m, KERNEL_AT + KERNEL.nextObjectId, 1) + 1;
}

/** Makes the views of all CPUs. Once a thread. */
export function cpuViews(m: Int32Array): Cpu[] {
  const views: Cpu[] = [];
  const nrCpus = m[KERNEL_AT + KERNEL.nrCpus];
  const base = m[KERNEL_AT + KERNEL.cpus];
  for (let i = 0; i < nrCpus; i++) views.push(new Cpu(m, perCpuPtr(base, CPU, i), i));
  return views;
}
