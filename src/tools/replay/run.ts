// SPDX-License-Identifier: GPL-2.0-only
/** One run of `softnet replay`: a machine, a capture, a mode; what came of it. */
import { boot } from '../../index.js';
import { LogHistogram } from '../../kernel/histogram.js';
import type { Machine, ThreadStats } from '../../machine.js';
import { TASK_KIND_CPU, TASK_KIND_KSOFTIRQD, TASK_KIND_NAPI } from '../../net/core/ids.js';
import type { NetDevice, WireResult } from '../../net_device.js';
import type { Pace } from '../../threads/feeds.js';
import type { SinkArgs, SinkResult } from '../../threads/sink.js';
import { ladderOf, type Rung } from '../ladder.js';
import { settled } from '../settled.js';
import { type Timeline, TimelineSampler } from '../timeline.js';

export type Mode = 'softirq' | 'threaded';

/** What a run is made of. */
export interface RunOptions {
  readonly file: string;
  readonly mode: Mode;
  readonly queues: number;
  readonly cpus: number;
  readonly pace: Pace;
  readonly loops: number;
  readonly whenFull: 'wait' | 'drop';
}

/** A run's report: the JSON document's `runs[]`. Units are in the names. */
export interface RunReport {
  readonly mode: Mode;
  readonly queues: number;
  readonly packets: {
    readonly read: number;
    readonly delivered: number;
    readonly dropped: { readonly [reason: string]: number };
  };
  readonly bytes: number;
  readonly duration_s: number;
  readonly pps: number;
  readonly polls: number;
  readonly packets_per_poll: number;
  /** Polls that took 0, 1, 2 to 3, 4 to 7, … frames; the last number is of those with 64 and more. */
  readonly packets_per_poll_log2: readonly number[];
  readonly wakeups: number;
  readonly latency_ns: {
    readonly p5: number;
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
    readonly max: number;
  };
  readonly latency_ladder: readonly Rung[];
  /** When each thread ran; null where /proc is not available. */
  readonly timeline: Timeline | null;
  readonly threads: readonly {
    readonly name: string;
    /** null where /proc is not available. */
    readonly tid: number | null;
    readonly cpu_s: number | null;
    readonly run_delay_s: number | null;
  }[];
  readonly interrupts: number;
  readonly gro_merged: number;
  readonly time_squeeze: number;
  readonly ksoftirqd_handovers: number;
  readonly flows: number;
  readonly reordered: number;
  readonly interrupted: boolean;
  readonly warnings: readonly string[];
  /** What did not add up, one line each; empty: everything is accounted for. */
  readonly failures: readonly string[];
}

/** Buffers and queue slots, so that waiting never turns into dropping at the socket. */
const POOL_SIZE = 4096;
const MANY_QUEUES = 8;
const POOL_SIZE_MANY = 2048;
const MIB = 1 << 20;
const PROGRESS_MS = 200;

/** Called now and then with the frames read so far. */
export type ProgressFn = (frames: number) => void;

/**
 * Plays the capture once more through a machine of its own.
 * @param signal ends the run early: what there was is reported
 * @throws CaptureError for bad input, SoftnetError if the host cannot give the threads or the memory
 */
export async function replayRun(
  o: RunOptions,
  progress: ProgressFn,
  signal: AbortSignal,
): Promise<RunReport> {
  const poolSize = o.queues > MANY_QUEUES ? POOL_SIZE_MANY : POOL_SIZE;
  const machine = await boot({
    cpus: o.cpus,
    memoryBytes: Math.min(1024, 48 + o.queues * (poolSize / 1024) * 6) * MIB,
    maxThreads: 2 * o.cpus + o.queues + 8,
  });
  let report: RunReport;
  try {
    report = await runOn(machine, o, poolSize, progress, signal);
  } catch (error) {
    // The first error is the one to tell.
    await machine.shutdown().catch(() => {});
    throw error;
  }
  return report;
}

async function runOn(
  machine: Machine,
  o: RunOptions,
  poolSize: number,
  progress: ProgressFn,
  signal: AbortSignal,
): Promise<RunReport> {
  const threaded = o.mode === 'threaded';
  const device = await machine.addDevice({ name: 'eth0', queues: o.queues, threaded, poolSize });
  const capacity = 2 ** Math.ceil(Math.log2(o.queues * poolSize));
  const socketOptions = o.whenFull === 'wait' ? { capacity } : { capacity, rcvbuf: Math.min(capacity, 4096) };
  const sockets = [
    await machine.openUdp({ port: 0, ...socketOptions }),
    await machine.openPacket(device, socketOptions),
  ];
  const args: SinkArgs = { latency: true, order: true };
  const app = await machine.runApp<SinkResult>(new URL('../../threads/sink.js', import.meta.url), {
    name: 'sink',
    sockets,
    args,
  });
  const before = machine.threads();
  const timeline = new TimelineSampler(() => machine.threads());
  let wire: WireResult;
  let lines: Timeline | null;
  try {
    wire = await feed(device, o, progress, signal);
    await settled(machine, sockets, wire.frames);
  } finally {
    lines = timeline.stop();
  }
  const threads = sinceBaseline(machine.threads(), before);
  const napis = await device.napis();
  const softnet = machine.softnetStat();
  const queues = device.queueStats();
  const interrupts = sum(queues.map((q) => q.interrupts));
  const dropped = machine.drops();
  await machine.shutdown();
  const sink = await app.result;

  const latency = new LogHistogram(sink.counts, sink.maxNs);
  const polls = sum(napis.map((n) => n.polls));
  const durationS = Math.max(sink.lastNs - wire.startNs, wire.durationNs) / 1e9;
  return {
    mode: o.mode,
    queues: o.queues,
    packets: { read: wire.frames, delivered: sink.frames, dropped },
    bytes: sink.bytes,
    duration_s: durationS,
    pps: durationS > 0 ? sink.frames / durationS : 0,
    polls,
    packets_per_poll: polls > 0 ? sum(napis.map((n) => n.packets)) / polls : 0,
    packets_per_poll_log2: queues[0].pollSizes.map((_, k) => sum(queues.map((q) => q.pollSizes[k]))),
    wakeups: sum(threads.filter((t) => isReceiver(t.kind)).map((t) => t.wakeups)),
    latency_ns: {
      p5: Math.round(latency.percentile(5)),
      p50: Math.round(latency.percentile(50)),
      p95: Math.round(latency.percentile(95)),
      p99: Math.round(latency.percentile(99)),
      max: Math.round(latency.max),
    },
    latency_ladder: ladderOf(latency.total(), (p) => latency.percentile(p)),
    timeline: lines,
    threads: threads.map((t) => ({
      name: t.name,
      tid: t.tid === 0 ? null : t.tid,
      cpu_s: t.cpuNs === null ? null : t.cpuNs / 1e9,
      run_delay_s: t.runDelayNs === null ? null : t.runDelayNs / 1e9,
    })),
    interrupts,
    gro_merged: sum(napis.map((n) => n.groMerged)),
    time_squeeze: sum(softnet.map((s) => s.timeSqueeze)),
    ksoftirqd_handovers: sum(softnet.map((s) => s.ksoftirqd)),
    flows: sink.flows,
    reordered: sink.reordered,
    interrupted: wire.stopped,
    warnings: wire.warnings,
    failures: failuresOf(wire.frames, sink, dropped),
  };
}

async function feed(
  device: NetDevice,
  o: RunOptions,
  progress: ProgressFn,
  signal: AbortSignal,
): Promise<WireResult> {
  const stop = (): void => {
    void device.stopWire();
  };
  const timer = setInterval(() => progress(device.progress), PROGRESS_MS);
  const run = device.replay(o.file, { loops: o.loops, pace: o.pace, whenFull: o.whenFull });
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    return await run;
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', stop);
  }
}

function failuresOf(
  frames: number,
  sink: SinkResult,
  dropped: { readonly [reason: string]: number },
): string[] {
  const failures: string[] = [];
  const drops = sum(Object.values(dropped));
  if (sink.frames + drops !== frames) {
    failures.push(
      `${frames} frames read, but ${sink.frames} delivered and ${drops} dropped: ` +
        `${frames - sink.frames - drops} are not accounted for`,
    );
  }
  if (sink.reordered > 0) failures.push(`${sink.reordered} frames came before an earlier one of their flow`);
  return failures;
}

/** What each thread used since `before`; threads that are new count from their start. */
function sinceBaseline(now: readonly ThreadStats[], before: readonly ThreadStats[]): ThreadStats[] {
  return now.map((t, i) => {
    const was = before[i];
    if (was === undefined) return t;
    return {
      ...t,
      cpuNs: t.cpuNs === null || was.cpuNs === null ? null : t.cpuNs - was.cpuNs,
      runDelayNs: t.runDelayNs === null || was.runDelayNs === null ? null : t.runDelayNs - was.runDelayNs,
      wakeups: t.wakeups - was.wakeups,
    };
  });
}

function isReceiver(kind: number): boolean {
  return kind === TASK_KIND_CPU || kind === TASK_KIND_KSOFTIRQD || kind === TASK_KIND_NAPI;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
