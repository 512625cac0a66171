// SPDX-License-Identifier: GPL-2.0-only
/** One run of `softnet reconfig`: a machine under traffic whose channels and link change again and again. */
import { spawnSync } from 'node:child_process';
import { NIC_QUEUE, nicQueueAt } from '../../drivers/net/sim_nic.js';
import { SoftnetError } from '../../errors.js';
import { boot } from '../../index.js';
import { LogHistogram } from '../../kernel/histogram.js';
import { TASK } from '../../kernel/task.js';
import type { App, BootOptions, Machine } from '../../machine.js';
import { TASK_KIND_NAPI } from '../../net/core/ids.js';
import { NAPI } from '../../net/core/napi.js';
import { NAPI_THREAD_NODE } from '../../net/core/napi_thread.js';
import { NET_DEVICE } from '../../net/core/net_device.js';
import type { NetDevice, NetDeviceOptions, WireResult } from '../../net_device.js';
import type { ControlOp } from '../../threads/control_ops.js';
import { readSchedAttributes } from '../../threads/os_sched.js';
import type { SinkArgs, SinkResult } from '../../threads/sink.js';

export type Persist = NonNullable<BootOptions['napiKthreadPersist']>;
export type Personality = Required<Pick<NetDeviceOptions, 'config' | 'reconfig'>>;

/** What a run is made of. */
export interface RunOptions {
  readonly persist: Persist;
  readonly personality: Personality;
  readonly cycles: number;
  readonly queues: number;
  readonly cpus: number;
  /** Packets per second, or as fast as they are taken. */
  readonly traffic: 'asap' | number;
  readonly seed: number;
}

/** A run's report: the JSON document's `runs[]`. */
export interface RunReport {
  readonly persist: Persist;
  readonly personality: string;
  /** Cycles that were run: fewer than asked for if the threads ran out, or the user had enough. */
  readonly cycles: number;
  readonly cycle_us: { readonly p50: number; readonly p99: number };
  /** NAPI threads made while the cycles ran. */
  readonly threads_created: number;
  /** NAPI threads left when threading is off and no instance has one. */
  readonly threads_leaked: number;
  /** Behind each operation each channel in use was served by the thread that its queue index had at first. */
  readonly pids_stable: boolean;
  /** The affinity set on one thread was that of its queue's thread behind each operation; null where the host cannot set it. */
  readonly affinity_kept: boolean | null;
  /** Frames neither delivered nor dropped because the link was down. */
  readonly lost: number;
}

const MIB = 1 << 20;
const FLOWS = 64;
const POOL_SIZE = 4096;
/** Threads that a run may have beyond what it needs: what leaks ends there. */
const SPARE_THREADS = 64;

/** @returns a personality as the options of a device name it */
export function personalityText(p: Personality): string {
  return `config=${p.config},reconfig=${p.reconfig}`;
}

/**
 * The operations of a cycle: another number of channels and back, or link down and up. The same for the same seed.
 */
export function cycleOps(dev: number, queues: number, seed: number, i: number): ControlOp[] {
  if (i % 2 === 1 || queues === 1)
    return [
      { name: 'netdev-down', dev },
      { name: 'netdev-up', dev },
    ];
  // A whole number that nobody can tell from the one before.
  let x = Math.imul(seed ^ Math.imul(i + 1, 0x9e3779b1), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 15), 0xc2b2ae35);
  const combined = 1 + (((x ^ (x >>> 16)) >>> 0) % (queues - 1));
  return [
    { name: 'netdev-channels', dev, combined },
    { name: 'netdev-channels', dev, combined: queues },
  ];
}

/** A machine with a threaded device under traffic, to be reconfigured cycle by cycle. */
export class ReconfigRig {
  readonly machine: Machine;
  readonly eth0: NetDevice;
  private readonly o: RunOptions;
  private readonly app: App<SinkResult>;
  private readonly firstSerials: number[];
  private readonly madeBefore: number;
  private readonly times = new LogHistogram();
  private cycles = 0;
  private stable = true;
  private kept = true;
  private pinned: string | null = null;
  private feeding: Promise<WireResult> | null = null;
  private sent = 0;

  private constructor(o: RunOptions, machine: Machine, eth0: NetDevice, app: App<SinkResult>) {
    this.o = o;
    this.machine = machine;
    this.eth0 = eth0;
    this.app = app;
    this.firstSerials = this.serials();
    this.madeBefore = machine.threadsOfKind(TASK_KIND_NAPI).made;
  }

  static async start(o: RunOptions): Promise<ReconfigRig> {
    const machine = await boot({
      cpus: o.cpus,
      memoryBytes: Math.min(1024, 64 + 16 * o.queues) * MIB,
      maxThreads: 2 * o.cpus + 4 * o.queues + 8 + SPARE_THREADS,
      // A new thread finds a warm worker, also while those that end are on their way back.
      warmThreads: 3 * o.queues + 4,
      napiKthreadPersist: o.persist,
    });
    try {
      const { queues } = o;
      const eth0 = await machine.addDevice({
        name: 'eth0',
        queues,
        threaded: true,
        poolSize: POOL_SIZE,
        ...o.personality,
      });
      const capacity = 2 ** Math.ceil(Math.log2(queues * POOL_SIZE));
      const args: SinkArgs = { latency: false, order: false };
      const app = await machine.runApp<SinkResult>(new URL('../../threads/sink.js', import.meta.url), {
        name: 'sink',
        sockets: [await machine.openUdp({ port: 0, capacity })],
        args,
      });
      return new ReconfigRig(o, machine, eth0, app);
    } catch (error) {
      await machine.shutdown().catch(() => {});
      throw error;
    }
  }

  /** Lets the traffic flow until `stopTraffic`. */
  startTraffic(): void {
    const count = Number.MAX_SAFE_INTEGER;
    this.feeding = this.eth0.generate({ count, flows: FLOWS, pace: this.o.traffic, whenFull: 'wait' });
    // Whoever stops the traffic hears of its failure.
    this.feeding.catch(() => {});
  }

  async stopTraffic(): Promise<void> {
    if (this.feeding === null) return;
    await this.eth0.stopWire();
    this.sent += (await this.feeding).frames;
    this.feeding = null;
  }

  /** Sets the affinity of the first queue's thread, where the host allows it. */
  pin(): void {
    const tid = this.tidOf(0);
    const cpus = expand(readSchedAttributes(tid)?.cpus ?? '');
    if (cpus.length < 2) return;
    const cpu = String(cpus[cpus.length - 1]);
    const run = spawnSync('taskset', ['-pc', cpu, String(tid)], { stdio: 'ignore' });
    if (run.status === 0 && readSchedAttributes(tid)?.cpus === cpu) this.pinned = cpu;
  }

  /**
   * Runs the next cycle and looks at what it left.
   * @returns its time in nanoseconds, taken where the operations are carried out; null: the threads ran out
   */
  async cycle(): Promise<number | null> {
    const { machine, eth0, o } = this;
    let ns = 0;
    for (const op of cycleOps(eth0.at, o.queues, o.seed, this.cycles)) {
      try {
        ns += (await machine.control({ name: 'timed', op }, 'changing channels and link of eth0')) as number;
      } catch (error) {
        if (error instanceof SoftnetError && error.code === 'ENOMEM') return null;
        throw error;
      }
      if (op.name !== 'netdev-down' && !this.look()) return null;
    }
    this.cycles++;
    this.times.record(ns);
    return ns;
  }

  /** Compares the threads of the channels in use with those at first. @returns false if one has none */
  private look(): boolean {
    const now = this.serials();
    if (now.includes(0)) return false;
    if (now.some((serial, i) => serial !== this.firstSerials[i])) this.stable = false;
    if (this.pinned !== null && readSchedAttributes(this.tidOf(0))?.cpus !== this.pinned) this.kept = false;
    return true;
  }

  /** Ends the traffic, turns threading off, counts what is left, and shuts the machine down. */
  async finish(): Promise<RunReport> {
    const { machine, eth0, o } = this;
    await this.stopTraffic();
    await eth0.up();
    await eth0.drained();
    const { made } = machine.threadsOfKind(TASK_KIND_NAPI);
    await eth0.setThreaded(false);
    const { alive } = machine.threadsOfKind(TASK_KIND_NAPI);
    await machine.shutdown();
    const { frames } = await this.app.result;
    const drops = machine.drops();
    // The wire waits for buffers: it misses frames only once it is told to end, the rest of a batch.
    const excused = (drops.dev_ready ?? 0) + (drops.rx_missed ?? 0);
    const us = (p: number) => Math.round(this.times.percentile(p) / 100) / 10;
    return {
      persist: o.persist,
      personality: personalityText(o.personality),
      cycles: this.cycles,
      cycle_us: { p50: us(50), p99: us(99) },
      threads_created: made - this.madeBefore,
      threads_leaked: alive,
      pids_stable: this.stable,
      affinity_kept: this.pinned === null ? null : this.kept,
      lost: this.sent - frames - excused,
    };
  }

  /** Gives the machine up, whatever state it is in. */
  async abandon(): Promise<void> {
    await this.machine.shutdown().catch(() => {});
  }

  /** task_struct of the thread that serves a queue, or 0. No control operation is under way. */
  private taskOf(index: number): number {
    const { m } = this.machine.arena;
    const napi = m[nicQueueAt(m, m[this.eth0.at + NET_DEVICE.priv], index) + NIC_QUEUE.napi];
    const node = napi === 0 ? 0 : m[napi + NAPI.threadNode];
    return node === 0 ? 0 : m[node + NAPI_THREAD_NODE.task];
  }

  private tidOf(index: number): number {
    const task = this.taskOf(index);
    return task === 0 ? 0 : this.machine.arena.m[task + TASK.tid];
  }

  /** Numbers of the threads that serve the channels in use, 0 without one. */
  private serials(): number[] {
    return Array.from({ length: this.eth0.queues }, (_, i) => {
      const task = this.taskOf(i);
      return task === 0 ? 0 : this.machine.serialOf(task);
    });
  }
}

/** A list of CPUs as the kernel writes it, one by one. */
function expand(list: string): number[] {
  if (list === '') return [];
  return list.split(',').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/**
 * Runs all cycles on a machine of its own.
 * @param signal ends the run early: what there was is reported
 * @throws SoftnetError if the host cannot give the threads or the memory
 */
export async function reconfigRun(
  o: RunOptions,
  progress: (cycles: number) => void,
  signal: AbortSignal,
): Promise<RunReport> {
  const rig = await ReconfigRig.start(o);
  try {
    rig.pin();
    rig.startTraffic();
    for (let i = 0; i < o.cycles && !signal.aborted; i++) {
      if ((await rig.cycle()) === null) break;
      progress(i + 1);
    }
    return await rig.finish();
  } catch (error) {
    // The first error is the one to tell.
    await rig.abandon();
    throw error;
  }
}
