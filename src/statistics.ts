// SPDX-License-Identifier: GPL-2.0-only
/** What a machine counts: threads, CPUs, drops. Read from the main thread, racy against those who count. */
import { CPU } from './kernel/cpu.js';
import { KERNEL, KERNEL_AT } from './kernel/current.js';
import { TASK, TASK_DEAD, taskComm } from './kernel/task.js';
import type { Arena } from './mm/arena.js';
import { perCpuPtr } from './mm/percpu.js';
import { TASK_KIND_NAPI } from './net/core/ids.js';
import { NAPI, NAPIF_STATE_SCHED } from './net/core/napi.js';
import { DROP_REASON_NAMES, NET, SOFTNET_DATA } from './net/core/softnet_data.js';
import { FQDIR } from './net/ipv4/inet_fragment.js';
import type { Kthreadd, ThreadRecord } from './threads/kthreadd.js';
import { readSchedStat } from './threads/os_thread.js';
import { type SoftnetStat, softnetStatOf } from './uapi/softnet_stat.js';

/** Times of one thread, as the operating system counts them. */
export interface ThreadStats {
  readonly name: string;
  /** Kernel thread id, 0 where /proc is not available. */
  readonly tid: number;
  /** CPU time in nanoseconds; null where it is not available. */
  readonly cpuNs: number | null;
  /** Time spent runnable but waiting for a CPU, ns; null where it is not available. */
  readonly runDelayNs: number | null;
  /** Times it went to sleep and was woken. */
  readonly wakeups: number;
  readonly kind: number;
  /** false once it has ended. */
  readonly running: boolean;
  /** Its number among all the machine ever had, from 1: a thread id is used again when its worker is. */
  readonly serial: number;
}

/** What the reassembly of fragments counts, as in /proc/net/snmp, and what it holds now. */
export interface ReassemblyStats {
  /** Fragments that came. */
  readonly reasmReqds: number;
  /** Datagrams put together. */
  readonly reasmOKs: number;
  /** Failures: datagrams given up, and fragments not taken for want of memory. */
  readonly reasmFails: number;
  /** Datagrams of these whose rest did not come in time. */
  readonly reasmTimeout: number;
  /** Datagrams of these whose fragments overlapped. */
  readonly reasmOverlaps: number;
  /** Datagrams that wait, and bytes held for them. */
  readonly queues: number;
  readonly memBytes: number;
}

/** What softnet_data counts for a CPU, and how often its softirqs were left to ksoftirqd. */
export type CpuStat = SoftnetStat & { readonly online: boolean; readonly ksoftirqd: number };

export class Statistics {
  private readonly arena: Arena;
  private readonly net: number;
  private readonly kthreadd: Kthreadd;

  /** `net` is the network layer's root. */
  constructor(arena: Arena, net: number, kthreadd: Kthreadd) {
    this.arena = arena;
    this.net = net;
    this.kthreadd = kthreadd;
  }

  /** Times of every thread there is or was, of those that ended the latest thousand. */
  threads(): ThreadStats[] {
    return this.kthreadd.threads.map((r) => this.thread(r));
  }

  private thread(r: ThreadRecord): ThreadStats {
    const { m, f } = this.arena;
    if (r.taskAt === 0) {
      return {
        name: r.name,
        tid: r.tid,
        cpuNs: r.cpuNs,
        runDelayNs: r.runDelayNs,
        wakeups: r.sleeps,
        kind: r.kind,
        running: false,
        serial: r.serial,
      };
    }
    // kthreadd holds a reference while it has the index. What the thread starts from is there once `started` is.
    const tid = Atomics.load(m, r.taskAt + TASK.started) === 0 ? 0 : m[r.taskAt + TASK.tid];
    const now = readSchedStat(tid);
    return {
      // A device that is renamed renames its threads.
      name: r.kind === TASK_KIND_NAPI ? taskComm(m, r.taskAt) : r.name,
      tid,
      cpuNs: now === null ? null : now.cpuNs - f[(r.taskAt + TASK.cpuBaseNs) >> 1],
      runDelayNs: now === null ? null : now.runDelayNs - f[(r.taskAt + TASK.delayBaseNs) >> 1],
      wakeups: m[r.taskAt + TASK.nvcsw],
      kind: r.kind,
      // It has ended as soon as whoever stops it goes on; its worker reports a little later.
      running: Atomics.load(m, r.taskAt + TASK.state) !== TASK_DEAD,
      serial: r.serial,
    };
  }

  /**
   * The threads of one kind that have not returned, and how many of them there ever were. Exact as soon as the operation
   * that stops a thread is done, which is before its worker is back in the pool.
   */
  threadsOfKind(kind: number): { readonly made: number; readonly alive: number } {
    const { m } = this.arena;
    const records = this.kthreadd.threads.filter((r) => r.kind === kind);
    const alive = records.filter(
      (r) => r.taskAt !== 0 && Atomics.load(m, r.taskAt + TASK.state) !== TASK_DEAD,
    );
    return { made: this.kthreadd.madeByKind[kind] ?? 0, alive: alive.length };
  }

  /** @returns the number (ThreadStats.serial) of the thread that runs with this task_struct, or 0 */
  serialOf(taskAt: number): number {
    return this.kthreadd.threads.find((r) => r.taskAt === taskAt)?.serial ?? 0;
  }

  /** What softnet_data counts for each CPU, those offline too, and how often its softirqs were left to ksoftirqd. */
  softnetStat(): CpuStat[] {
    const { m } = this.arena;
    return Array.from({ length: m[KERNEL_AT + KERNEL.nrCpus] }, (_, i) => {
      const cpu = perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, i);
      return {
        ...softnetStatOf(m, this.net, i),
        online: Atomics.load(m, cpu + CPU.online) !== 0,
        ksoftirqd: m[cpu + CPU.softirqHandovers] >>> 0,
      };
    });
  }

  /** @returns true if no CPU has frames in its backlog */
  backlogsIdle(): boolean {
    const { m } = this.arena;
    for (let i = 0; i < m[KERNEL_AT + KERNEL.nrCpus]; i++) {
      const sd = perCpuPtr(m[this.net + NET.softnetData], SOFTNET_DATA, i);
      const state = Atomics.load(m, sd + SOFTNET_DATA.backlog + NAPI.state);
      if ((state & NAPIF_STATE_SCHED) !== 0) return false;
    }
    return true;
  }

  /** What the reassembly of fragments counts; null: fragments are not put together. */
  reassembly(): ReassemblyStats | null {
    const { m } = this.arena;
    const at = m[this.net + NET.fqdir];
    if (at === 0) return null;
    const word = (offset: number): number => Atomics.load(m, at + offset) >>> 0;
    return {
      reasmReqds: word(FQDIR.reasmReqds),
      reasmOKs: word(FQDIR.reasmOKs),
      reasmFails: word(FQDIR.reasmFails),
      reasmTimeout: word(FQDIR.reasmTimeout),
      reasmOverlaps: word(FQDIR.reasmOverlaps),
      queues: word(FQDIR.nrQueues),
      memBytes: word(FQDIR.mem),
    };
  }

  /** Frames dropped so far, by reason; reasons without any are left out. */
  drops(): { [reason: string]: number } {
    const out: { [reason: string]: number } = {};
    DROP_REASON_NAMES.forEach((name, i) => {
      const n = Atomics.load(this.arena.m, this.net + NET.drops + i) >>> 0;
      if (n > 0) out[name] = n;
    });
    return out;
  }
}
