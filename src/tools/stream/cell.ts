// SPDX-License-Identifier: GPL-2.0-only
/** One cell of `softnet stream`: a setting under a load for a while; what its tasks got, and where the rest went. */
import { setTimeout as delay } from 'node:timers/promises';
import { datagramFrames } from '../../index.js';
import type { Machine } from '../../machine.js';
import { readMoment } from '../../threads/rr_moment.js';
import { STREAM_SHOWN } from '../../threads/stream_tasks.js';
import { type Cost, costBetween, type ThreadCost, total } from '../rr/cost.js';
import type { FrontDrops } from './front.js';
import { availablePart, readIdleNs } from './host.js';
import type { Row } from './plan.js';
import type { Stand, Tasks } from './stand.js';

/** Shares of the virtual CPU's core; null where the host does not tell. */
export interface CpuShare {
  /** Softirqs: in the thread of the virtual CPU, and ksoftirqd. */
  readonly softirq: number;
  /** The threads of NAPI instances. */
  readonly threads: number;
  /** The receiving tasks. */
  readonly receivers: number;
  /** Not of that core: all threads of the hypervisor, in cores. */
  readonly hypervisor: number;
}

/** Frames dropped, by place. */
export interface Drops extends FrontDrops {
  /** There was no buffer in the guest's NIC. */
  readonly nic_ring: number;
  /** The socket's queue was full. */
  readonly socket: number;
  /** Fragments of datagrams that were given up, or for which there was no memory. */
  readonly reassembly: number;
  readonly other: number;
}

/** What one thread did. */
export interface ThreadReport {
  readonly name: string;
  readonly cpu_ms: number | null;
  /** Time for which it could have run but waited for a core. */
  readonly run_delay_ms: number | null;
  readonly voluntary_switches: number | null;
  readonly forced_switches: number | null;
}

/** A cell's figures, as the JSON document has them. */
export interface CellReport {
  readonly kpps: number;
  readonly offered_kpps: number;
  /** Frames of what was offered in the time that was measured. */
  readonly offered_frames: number;
  readonly cpu_share: CpuShare | null;
  readonly drops: Drops;
  /** Jain's index of the flows' goodputs; null if no flow got anything. */
  readonly jain: number | null;
  readonly duration_s: number;
  /** Part of the time for which its core, or with a hypervisor its cores, ran this, or could have; null: the host does not tell. */
  readonly core_available: number | null;
  readonly steal_ms: number | null;
  readonly threads: readonly ThreadReport[];
}

/** How long things take. */
export interface Timing {
  /** What is measured. */
  readonly measureMs: number;
  /** At a load that can be borne, so that code is compiled and sockets are known; then at the load itself. */
  readonly warmMs: number;
  readonly settleMs: number;
}

/** A load that can be borne, in parts of the one to come. */
const WARM_PART = 0.05;

/** How things stand at a moment. */
interface Look {
  readonly atNs: number;
  readonly delivered: readonly number[];
  readonly softirqNs: number;
  readonly drops: Drops;
  readonly moment: ReturnType<typeof readMoment>;
  readonly idleNs: number | null;
}

/**
 * Offers `kpps` datagrams of a row to a setting, and measures.
 * @param signal ends it early: what there was is reported
 */
export async function runCell(
  stand: Stand,
  row: Row,
  kpps: number,
  timing: Timing,
  signal: AbortSignal,
): Promise<CellReport> {
  const tasks = await stand.begin(row.size, row.flows);
  const frames = datagramFrames(row.size);
  const load = { ...row, kpps, frames };
  const warmKpps = kpps * WARM_PART;
  await stand.offer({
    ...load,
    kpps: warmKpps,
    count: Math.max(row.flows, Math.round(warmKpps * timing.warmMs)),
  });
  await stand.rest(tasks);
  const names = threadNames(stand);
  await stand.offer(load);
  await sleep(timing.settleMs, signal);
  const before = look(stand, tasks, [...names.keys()]);
  await sleep(timing.measureMs, signal);
  const after = look(stand, tasks, [...names.keys()]);
  await stand.rest(tasks);
  await tasks.end();
  return report(before, after, { row, kpps, frames, names, cores: stand.usedCores().length });
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

/** The threads of all machines of a setting that run, by their kernel ids. */
function threadNames(stand: Stand): ReadonlyMap<number, string> {
  const of = (machine: Machine, prefix: string): (readonly [number, string])[] =>
    machine
      .threads()
      .filter((t) => t.running && t.tid !== 0 && !t.name.startsWith('control/'))
      .map((t) => [t.tid, `${prefix}${t.name}`] as const);
  const { machine } = stand.front;
  return new Map([...of(stand.guest, ''), ...(machine === null ? [] : of(machine, HYPERVISOR))]);
}

/** What stands before the names of the hypervisor's threads. */
const HYPERVISOR = 'hypervisor ';

function look(stand: Stand, tasks: Tasks, tids: readonly number[]): Look {
  const delivered = tasks.sockets.map((s) => s.delivered);
  const atNs = Number(process.hrtime.bigint());
  return {
    atNs,
    delivered,
    softirqNs: tasks.shown[STREAM_SHOWN.softirqNs],
    drops: dropsOf(stand),
    moment: readMoment(atNs, tids),
    idleNs: idleOf(stand.usedCores()),
  };
}

function dropsOf(stand: Stand): Drops {
  const { rx_missed = 0, socket_rcvbuff = 0, ...rest } = stand.guest.drops();
  let reassembly = 0;
  let other = 0;
  for (const [reason, n] of Object.entries(rest)) {
    if (/reasm|frag/.test(reason)) reassembly += n;
    else other += n;
  }
  return { nic_ring: rx_missed, socket: socket_rcvbuff, reassembly, other, ...stand.front.drops() };
}

interface Cell {
  readonly row: Row;
  readonly kpps: number;
  readonly frames: number;
  readonly names: ReadonlyMap<number, string>;
  readonly cores: number;
}

function report(a: Look, b: Look, { row, kpps, frames, names, cores }: Cell): CellReport {
  const ns = b.atNs - a.atNs;
  const got = b.delivered.map((n, i) => n - a.delivered[i]);
  const all = got.reduce((x, y) => x + y, 0);
  const cost = costBetween(a.moment, b.moment, names);
  const drops = Object.fromEntries(
    Object.entries(b.drops).map(([place, n]) => [
      place,
      (n - a.drops[place as keyof Drops] + 2 ** 32) % 2 ** 32,
    ]),
  ) as unknown as Drops;
  return {
    kpps: (all / ns) * 1e6,
    offered_kpps: kpps,
    offered_frames: Math.round((kpps * ns * frames) / 1e6),
    cpu_share: shareOf(cost.threads, b.softirqNs - a.softirqNs, cost.wallNs),
    drops,
    jain: jainOf(got, row.flows),
    duration_s: ns / 1e9,
    core_available: availableOf(cost, cores, a.idleNs, b.idleNs),
    steal_ms: millis(cost.stealNs),
    threads: cost.threads.map((t) => ({
      name: t.name,
      cpu_ms: millis(t.cpuNs),
      run_delay_ms: millis(t.runDelayNs),
      voluntary_switches: t.wakeups,
      forced_switches: t.forcedSwitches,
    })),
  };
}

function idleOf(cores: readonly number[]): number | null {
  const idle = cores.map(readIdleNs);
  return idle.length === 0 || idle.includes(null) ? null : idle.reduce<number>((a, x) => a + (x ?? 0), 0);
}

/** @param cores on how many cores the setting's threads run: a hypervisor has some of its own */
function availableOf(cost: Cost, cores: number, before: number | null, after: number | null): number | null {
  const own = total(cost.threads, (t) => t.cpuNs);
  return own === null || before === null || after === null
    ? null
    : availablePart(own, after - before, cost.wallNs * cores);
}

/** Jain's fairness index: 1 if all got the same, 1/n if one got everything. */
export function jainOf(shares: readonly number[], n: number = shares.length): number | null {
  const sum = shares.reduce((a, x) => a + x, 0);
  const squares = shares.reduce((a, x) => a + x * x, 0);
  return squares === 0 ? null : (sum * sum) / (n * squares);
}

/**
 * Who had the core. Softirqs in the thread of the virtual CPU are known by the clock, so the times in which that thread waited
 * for the core are in theirs; they are taken off in the proportion in which it waited at all.
 */
function shareOf(threads: readonly ThreadCost[], softirqClockNs: number, wallNs: number): CpuShare | null {
  let softirq = 0;
  let napi = 0;
  let hypervisor = 0;
  let tasks = 0;
  for (const t of threads) {
    if (t.cpuNs === null) return null;
    if (t.name.startsWith(HYPERVISOR)) hypervisor += t.cpuNs;
    else if (t.name.startsWith('napi/')) napi += t.cpuNs;
    else if (t.name.startsWith('ksoftirqd/')) softirq += t.cpuNs;
    else if (t.name === 'app/tasks') {
      const ran = t.cpuNs / Math.max(1, t.cpuNs + (t.runDelayNs ?? 0));
      const inSoftirq = Math.min(t.cpuNs, softirqClockNs * ran);
      softirq += inSoftirq;
      tasks += t.cpuNs - inSoftirq;
    }
  }
  return {
    softirq: softirq / wallNs,
    threads: napi / wallNs,
    receivers: tasks / wallNs,
    hypervisor: hypervisor / wallNs,
  };
}

function millis(ns: number | null): number | null {
  return ns === null ? null : ns / 1e6;
}
