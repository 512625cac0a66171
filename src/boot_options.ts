// SPDX-License-Identifier: GPL-2.0-only
/** How a machine is booted: its options, checked, with the defaults filled in. */
import { checkChoice, checkInt } from './errors.js';
import {
  BUSY_POLL_STOP_COUNTED,
  BUSY_POLL_STOP_LINUX,
  NAPI_KTHREAD_PERSIST_FIXED,
  NAPI_KTHREAD_PERSIST_OFF,
  NAPI_KTHREAD_PERSIST_V1,
  NETDEV_BUDGET,
  NETDEV_BUDGET_USECS,
  THREAD_BACKLOG_NAPI_NO_BYPASS,
  THREAD_BACKLOG_NAPI_OFF,
  THREAD_BACKLOG_NAPI_ON,
} from './net/core/softnet_data.js';
import { DEFAULT_MAX_THREADS } from './threads/kthreadd.js';

/** How a machine is booted. */
export interface BootOptions {
  /** Simulated CPUs; 2. */
  readonly cpus?: number;
  /** Bytes of shared memory; 256 MiB. It is taken from the system only as far as it is used. */
  readonly memoryBytes?: number;
  /** Most threads the machine may have at once; 64, or four a core. */
  readonly maxThreads?: number;
  /** Control operations carried out at a time, each by a thread; 1. */
  readonly controlWorkers?: number;
  /** Threads kept warm beside those that the CPUs take; 4. */
  readonly warmThreads?: number;
  /** Packets of one softirq round; 300 (sysctl net.core.netdev_budget). */
  readonly netdevBudget?: number;
  /** Microseconds of one softirq round; 2000 (sysctl net.core.netdev_budget_usecs). */
  readonly netdevBudgetUsecs?: number;
  /** What becomes of a NAPI thread when its instance is deleted (boot parameter napi_kthread_persist); 'fixed'. */
  readonly napiKthreadPersist?: keyof typeof PERSIST;
  /** Threads for backlogs from boot on (boot parameter thread_backlog_napi); 'off'. 'no-bypass': also for the own CPU. */
  readonly threadBacklogNapi?: keyof typeof THREAD_BACKLOG;
  /**
   * What a socket that stops busy polling does with the deferral of interrupts (boot parameter busy_poll_stop); 'linux': it
   * begins anew, so one that polls without a gap never has interrupts again. 'counted': only when packets were found.
   */
  readonly busyPollStop?: keyof typeof BUSY_POLL_STOP;
  /** What each call of a socket costs on top of its work, nanoseconds: a system call's boundary; 0. */
  readonly syscallNs?: number;
  /**
   * Whether softirqs run at the end of an interrupt and of a system call while ksoftirqd is at work: 'inline' (Linux before
   * 2016 and since 2023), or 'leave' them to it (in between); 'inline'.
   */
  readonly softirqAtExit?: keyof typeof SOFTIRQ_AT_EXIT;
  /** Fragments of UDP datagrams over IPv4 are put together before they reach a socket; else they go up as they are. */
  readonly ipDefrag?: boolean;
  /** Words behind each object in shared memory that are looked at when it is freed: finds writes outside of structs; 0. */
  readonly guardWords?: number;
  /** Fault injection: this request for a kernel thread is refused, counted from 1. */
  readonly failKthread?: number;
  /** Fault injection: clocks can be made to jump (Machine.jumpClocks); every look at them takes a little longer. */
  readonly clockFaults?: boolean;
  /** Most MiB of JavaScript heap that a thread may have: one that wants more dies, and the machine says so (unless it wants 16 more in one piece); Node's own limit. */
  readonly workerHeapMib?: number;
}

const PERSIST = Object.freeze({
  off: NAPI_KTHREAD_PERSIST_OFF,
  v1: NAPI_KTHREAD_PERSIST_V1,
  fixed: NAPI_KTHREAD_PERSIST_FIXED,
});
const THREAD_BACKLOG = Object.freeze({
  off: THREAD_BACKLOG_NAPI_OFF,
  on: THREAD_BACKLOG_NAPI_ON,
  'no-bypass': THREAD_BACKLOG_NAPI_NO_BYPASS,
});
const SOFTIRQ_AT_EXIT = Object.freeze({ leave: 0, inline: 1 });
const SOFTIRQ_AT_EXIT_NAMES = Object.keys(SOFTIRQ_AT_EXIT) as (keyof typeof SOFTIRQ_AT_EXIT)[];
const BUSY_POLL_STOP = Object.freeze({ linux: BUSY_POLL_STOP_LINUX, counted: BUSY_POLL_STOP_COUNTED });
const BUSY_POLL_STOP_NAMES = Object.keys(BUSY_POLL_STOP) as (keyof typeof BUSY_POLL_STOP)[];
const THREAD_BACKLOG_NAMES = Object.keys(THREAD_BACKLOG) as (keyof typeof THREAD_BACKLOG)[];
const PERSIST_NAMES = Object.keys(PERSIST) as (keyof typeof PERSIST)[];
const MIB = 1 << 20;

/** What the options come to. */
export interface BootParams {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly maxThreads: number;
  readonly warmThreads: number;
  readonly controlWorkers: number;
  readonly failKthread: number;
  readonly syscallNs: number;
  readonly guardWords: number;
  readonly netdevBudget: number;
  readonly netdevBudgetUsecs: number;
  readonly napiKthreadPersist: number;
  readonly threadBacklogNapi: number;
  readonly busyPollStop: number;
  readonly softirqInline: number;
  readonly ipDefrag: boolean;
  readonly clockFaults: boolean;
  /** 0: Node's own limit. */
  readonly workerHeapMib: number;
}

/** Checks the options. @throws OptionError for one that is out of range */
export function bootParams(o: BootOptions): BootParams {
  return {
    cpus: checkInt('cpus', o.cpus, 2, 1, 64),
    memoryBytes: checkInt('memoryBytes', o.memoryBytes, 256 * MIB, 4 * MIB, 1024 * MIB),
    maxThreads: checkInt('maxThreads', o.maxThreads, DEFAULT_MAX_THREADS, 1, 4096),
    warmThreads: checkInt('warmThreads', o.warmThreads, 4, 0, 4096),
    controlWorkers: checkInt('controlWorkers', o.controlWorkers, 1, 1, 64),
    failKthread: checkInt('failKthread', o.failKthread, 0, 0, 1 << 30),
    syscallNs: checkInt('syscallNs', o.syscallNs, 0, 0, 1_000_000),
    guardWords: checkInt('guardWords', o.guardWords, 0, 0, 1024),
    netdevBudget: checkInt('netdevBudget', o.netdevBudget, NETDEV_BUDGET, 1, 1 << 30),
    netdevBudgetUsecs: checkInt('netdevBudgetUsecs', o.netdevBudgetUsecs, NETDEV_BUDGET_USECS, 1, 1 << 30),
    napiKthreadPersist:
      PERSIST[checkChoice('napiKthreadPersist', o.napiKthreadPersist, PERSIST_NAMES, 'fixed')],
    threadBacklogNapi:
      THREAD_BACKLOG[checkChoice('threadBacklogNapi', o.threadBacklogNapi, THREAD_BACKLOG_NAMES, 'off')],
    softirqInline:
      SOFTIRQ_AT_EXIT[checkChoice('softirqAtExit', o.softirqAtExit, SOFTIRQ_AT_EXIT_NAMES, 'inline')],
    busyPollStop: BUSY_POLL_STOP[checkChoice('busyPollStop', o.busyPollStop, BUSY_POLL_STOP_NAMES, 'linux')],
    ipDefrag: o.ipDefrag === true,
    clockFaults: o.clockFaults === true,
    workerHeapMib:
      o.workerHeapMib === undefined ? 0 : checkInt('workerHeapMib', o.workerHeapMib, 0, 16, 1 << 16),
  };
}

/** @returns threads that a machine has from its boot to its end: the CPUs', their ksoftirqd and backlog threads, control */
export function threadsOfBoot(p: BootParams): number {
  const perCpu = p.threadBacklogNapi === THREAD_BACKLOG_NAPI_OFF ? 2 : 3;
  return perCpu * p.cpus + p.controlWorkers;
}
