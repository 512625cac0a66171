// SPDX-License-Identifier: GPL-2.0-only
/** One run of `softnet backlog`: a machine, a way of running backlogs, a case, a load; what came of it. */
import { boot } from '../../index.js';
import type { BootOptions, Machine, ThreadStats } from '../../machine.js';
import type { Socket } from '../../socket.js';
import type { SinkArgs, SinkResult } from '../../threads/sink.js';
import { settled } from '../settled.js';
import { openTraffic, PORT } from './traffic.js';

export type Case = 'nic' | 'loopback' | 'few';
export type Mode = 'ipi' | 'threaded' | 'smpboot' | 'smpboot-no-bypass';

/** What a run is made of. */
export interface RunOptions {
  readonly case: Case;
  readonly mode: Mode;
  readonly flows: number;
  /** Bytes of a frame without its checksum. */
  readonly size: number;
  readonly cpus: number;
  /** Buffers of the NIC, and datagrams that a sender may have on their way; powers of two. */
  readonly buffers: number;
  readonly window: number;
  /** How much is sent: frames, or for how long. */
  readonly load: { readonly count: number } | { readonly seconds: number };
}

/** A run's report: the JSON document's `runs[]`, without the trial. */
export interface RunReport {
  readonly case: Case;
  readonly mode: Mode;
  readonly flows: number;
  readonly size: number;
  /** Frames that the socket's reader got, a second: from the first one sent until the last one read. */
  readonly pps: number;
  /** CPU time of all threads; null where /proc is not available. */
  readonly cpu_s: number | null;
  readonly drops: number;
  readonly time_squeeze: number;
  /** Interrupts by which CPUs told others of their backlogs. */
  readonly received_rps: number;
  /** /proc/net/softnet_stat at the end, a line for each CPU; what ran beforehand to warm up is in it. */
  readonly softnet_stat: readonly string[];
  /** Frames sent, and those that were read. */
  readonly offered: number;
  readonly delivered: number;
  readonly drops_by_reason: { readonly [reason: string]: number };
  readonly reordered: number;
  readonly duration_s: number;
  readonly threads: readonly { readonly name: string; readonly cpu_s: number | null }[];
  readonly interrupted: boolean;
  /** What must not be, one line each. */
  readonly failures: readonly string[];
}

const BOOT: { readonly [mode in Mode]: NonNullable<BootOptions['threadBacklogNapi']> } = {
  ipi: 'off',
  threaded: 'off',
  smpboot: 'on',
  'smpboot-no-bypass': 'no-bypass',
};
const MIB = 1 << 20;
const NS_PER_S = 1e9;
/** The code of every thread is compiled before what counts: for so long at most, and half the load. */
const WARMUP_NS = 0.15 * NS_PER_S;
const SINK = new URL('../../threads/sink.js', import.meta.url);

/**
 * Boots a machine, sends, and accounts for every frame.
 * @param signal ends the run early: what there was is reported
 * @throws SoftnetError if the host cannot give the threads or the memory
 */
export async function backlogRun(o: RunOptions, signal: AbortSignal): Promise<RunReport> {
  const machine = await boot({
    cpus: o.cpus,
    memoryBytes: (48 + 4 * o.cpus + Math.ceil((o.buffers + o.window) / 256)) * MIB,
    maxThreads: 3 * o.cpus + 16,
    warmThreads: o.cpus + 4,
    threadBacklogNapi: BOOT[o.mode],
  });
  try {
    return await runOn(machine, o, signal);
  } catch (error) {
    // The first error is the one to tell.
    await machine.shutdown().catch(() => {});
    throw error;
  }
}

/** Counters of a machine at rest. */
interface Counters {
  readonly delivered: number;
  readonly drops: { readonly [reason: string]: number };
  readonly timeSqueeze: number;
  readonly receivedRps: number;
  readonly threads: readonly ThreadStats[];
}

async function runOn(machine: Machine, o: RunOptions, signal: AbortSignal): Promise<RunReport> {
  if (o.mode === 'threaded') await machine.setBacklogThreaded(true);
  const socket = await machine.openUdp({ port: PORT, capacity: Math.max(1024, o.buffers, o.window) });
  const args: SinkArgs = { latency: false, order: true };
  const app = await machine.runApp<SinkResult>(SINK, {
    name: 'sink',
    sockets: [socket],
    cpu: 1 % o.cpus,
    args,
  });
  const traffic = await openTraffic(machine, o);
  const stop = (): void => traffic.stop();
  signal.addEventListener('abort', stop);
  const ns = 'seconds' in o.load ? o.load.seconds * NS_PER_S : Number.MAX_SAFE_INTEGER;
  const count = 'count' in o.load ? o.load.count : Number.MAX_SAFE_INTEGER;
  const send = async (frames: number, atMostNs: number) =>
    signal.aborted ? { frames: 0, startNs: 0, endNs: 0 } : traffic.send(frames, atMostNs);
  const warmup = await send(Math.ceil(count / 2), Math.min(ns / 2, WARMUP_NS));
  await settled(machine, [socket], warmup.frames);
  const before = countersOf(machine, socket);
  const sent = await send(count, ns);
  await settled(machine, [socket], warmup.frames + sent.frames);
  const after = countersOf(machine, socket);
  signal.removeEventListener('abort', stop);
  const stat = await machine.uapi({ kind: 'read', path: '/proc/net/softnet_stat' });
  await traffic.end();
  await socket.close();
  const sink = await app.result;
  await machine.shutdown();

  const dropsByReason = difference(after.drops, before.drops);
  const drops = sum(Object.values(dropsByReason));
  const delivered = (after.delivered - before.delivered + 2 ** 32) % 2 ** 32;
  const durationS = Math.max(sink.lastNs - sent.startNs, sent.endNs - sent.startNs, 0) / NS_PER_S;
  const threads = threadTimes(after.threads, before.threads);
  const cpu = threads.map((t) => t.cpu_s);
  const all = sum(Object.values(machine.drops()));
  return {
    case: o.case,
    mode: o.mode,
    flows: o.flows,
    size: o.size,
    pps: durationS > 0 ? delivered / durationS : 0,
    cpu_s: cpu.includes(null) ? null : sum(cpu as number[]),
    drops,
    time_squeeze: after.timeSqueeze - before.timeSqueeze,
    received_rps: after.receivedRps - before.receivedRps,
    softnet_stat: String(stat.value).trimEnd().split('\n'),
    offered: sent.frames,
    delivered,
    drops_by_reason: dropsByReason,
    reordered: sink.reordered,
    duration_s: durationS,
    threads,
    interrupted: signal.aborted,
    failures: failuresOf(warmup.frames + sent.frames, sink, all),
  };
}

function countersOf(machine: Machine, socket: Socket): Counters {
  const stat = machine.softnetStat();
  return {
    delivered: socket.delivered,
    drops: machine.drops(),
    timeSqueeze: sum(stat.map((s) => s.timeSqueeze)),
    receivedRps: sum(stat.map((s) => s.receivedRps)),
    threads: machine.threads(),
  };
}

function failuresOf(frames: number, sink: SinkResult, drops: number): string[] {
  const failures: string[] = [];
  const missing = frames - sink.frames - drops;
  if (missing !== 0) {
    failures.push(
      `${frames} frames sent, but ${sink.frames} read and ${drops} dropped: ${missing} are not accounted for`,
    );
  }
  if (sink.reordered > 0) failures.push(`${sink.reordered} frames came before an earlier one of their flow`);
  return failures;
}

/** What each thread used between two looks; those that are new count from their start. */
function threadTimes(
  now: readonly ThreadStats[],
  before: readonly ThreadStats[],
): { name: string; cpu_s: number | null }[] {
  const was = new Map(before.map((t) => [t.serial, t.cpuNs]));
  return now
    .filter((t) => t.running || was.get(t.serial) !== t.cpuNs)
    .map((t) => {
      const base = was.has(t.serial) ? (was.get(t.serial) ?? null) : 0;
      const known = t.cpuNs !== null && base !== null;
      return { name: t.name, cpu_s: known ? ((t.cpuNs ?? 0) - base) / NS_PER_S : null };
    });
}

function difference(
  now: { readonly [reason: string]: number },
  before: { readonly [reason: string]: number },
): { [reason: string]: number } {
  const out: { [reason: string]: number } = {};
  for (const [reason, n] of Object.entries(now)) {
    const d = n - (before[reason] ?? 0);
    if (d !== 0) out[reason] = d;
  }
  return out;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
