// SPDX-License-Identifier: GPL-2.0-only
/** The figures of a cell, from its trials: the undisturbed ones, or all of them where there is no other. */
import { ladderOf, type Rung } from '../ladder.js';
import { type Cost, type ThreadCost, total } from './cost.js';
import { asXskRrPrints, type Percentiles, percentile, percentilesOf, pooled } from './percentiles.js';
import type { Cell } from './plan.js';

/** What one trial gave. */
export interface Trial {
  readonly cell: Cell;
  /** In the order of arrival: latencies from the intended arrival, and these times, ns. */
  readonly latencies: Float64Array;
  readonly stamps: Float64Array;
  /** Slots of the schedule in which no packet came: there was no buffer, or the client was not ready to send. */
  readonly missed: number;
  /** From the first packet's time to the last one's. */
  readonly spanNs: number;
  /** null for the bare hand-over. */
  readonly cost: Cost | null;
  readonly socketCalls: number;
  /** Polls that found nothing; null where nobody polls, or where that is not counted. */
  readonly emptyPolls: number | null;
  /** Times of single polls by powers of two, ns; null where none were taken. */
  readonly log2: Int32Array | null;
  /** Why it is not to be trusted. */
  readonly disturbed: string | null;
  /** What must not be, one line each. */
  readonly failures: readonly string[];
}

/** A cell's figures, as the JSON document has them. */
export interface CellSummary extends Percentiles {
  readonly max_ns: number | null;
  readonly ladder: readonly Rung[];
  readonly packets: number;
  readonly cpu_us_per_packet: number | null;
  readonly cores: number | null;
  readonly utilisation: number;
  readonly syscall_ns: number;
  readonly socket_calls: number;
  readonly empty_polls: number | null;
  readonly wakeups: number | null;
  readonly missed: number;
  readonly run_delay_us: number | null;
  readonly forced_switches: number | null;
  readonly steal_us: number | null;
  readonly disturbed_trials: number;
  readonly trials: number;
  /** Why trials were disturbed, one line each. */
  readonly disturbed_by: readonly string[];
  /** The figures are of disturbed trials: there is no other. */
  readonly marked: boolean;
  readonly as_xsk_rr_prints: Percentiles;
  readonly poll_ns_log2: readonly number[] | null;
  readonly threads: readonly ThreadSummary[];
}

/** What one thread did in the trials that are used, all together. */
export interface ThreadSummary {
  readonly name: string;
  readonly cpu_us: number | null;
  readonly run_delay_us: number | null;
  readonly wakeups: number | null;
  readonly forced_switches: number | null;
}

/** The trials whose figures count. */
export function usedTrials(trials: readonly Trial[]): readonly Trial[] {
  const quiet = trials.filter((t) => t.disturbed === null);
  return quiet.length > 0 ? quiet : trials;
}

/**
 * Sums a cell up. Counters are those of all packets of the trials that are used.
 * @param trials of one cell, one at least
 * @param utilisation of its row
 * @param samples of the trials that are used, in rising order
 */
export function summaryOf(
  trials: readonly Trial[],
  utilisation: number,
  samples: Float64Array = samplesOf(trials),
): CellSummary {
  const used = usedTrials(trials);
  const sum = (of: (t: Trial) => number): number => used.reduce((a, t) => a + of(t), 0);
  /** null if one of them does not tell. */
  const whole = (of: (t: Trial) => number | null): number | null => sumOrNull(used.map(of));
  const { syscallNs } = trials[0].cell;
  const cpuNs = whole((t) => t.cost && total(t.cost.threads, (x) => x.cpuNs));
  const wallNs = sum((t) => t.cost?.wallNs ?? 0);
  const cores = cpuNs === null || wallNs === 0 ? null : cpuNs / wallNs;
  const packets = samples.length;
  const cpuUs = cores === null || packets === 0 ? null : (cores * sum((t) => t.spanNs)) / packets / 1e3;
  return {
    ...percentilesOf(samples),
    max_ns: packets === 0 ? null : Math.round(samples[packets - 1]),
    ladder: ladderOf(packets, (p) => percentile(samples, p)),
    packets,
    cpu_us_per_packet: cpuUs,
    cores,
    utilisation,
    syscall_ns: syscallNs,
    socket_calls: sum((t) => t.socketCalls),
    empty_polls: whole((t) => t.emptyPolls),
    wakeups: whole((t) => t.cost && total(t.cost.threads, (x) => x.wakeups)),
    missed: sum((t) => t.missed),
    run_delay_us: micros(whole((t) => t.cost && total(t.cost.threads, (x) => x.runDelayNs))),
    forced_switches: whole((t) => t.cost && total(t.cost.threads, (x) => x.forcedSwitches)),
    steal_us: micros(whole((t) => t.cost?.stealNs ?? null)),
    disturbed_trials: trials.filter((t) => t.disturbed !== null).length,
    trials: trials.length,
    disturbed_by: trials.flatMap((t) => (t.disturbed === null ? [] : [t.disturbed])),
    marked: used.some((t) => t.disturbed !== null),
    as_xsk_rr_prints: asXskRrPrints(samples),
    poll_ns_log2: log2Of(used),
    threads: threadsOf(used),
  };
}

/** @returns the latencies of the trials that are used, in rising order */
export function samplesOf(trials: readonly Trial[]): Float64Array {
  return pooled(usedTrials(trials).map((t) => t.latencies));
}

/** Threads by name, as the first trial has them. */
function threadsOf(trials: readonly Trial[]): ThreadSummary[] {
  const all = new Map<string, ThreadCost[]>();
  for (const { cost } of trials) {
    for (const t of cost?.threads ?? []) {
      const of = all.get(t.name);
      if (of === undefined) all.set(t.name, [t]);
      else of.push(t);
    }
  }
  return [...all].map(([name, of]) => ({
    name,
    cpu_us: micros(sumOrNull(of.map((t) => t.cpuNs))),
    run_delay_us: micros(sumOrNull(of.map((t) => t.runDelayNs))),
    wakeups: sumOrNull(of.map((t) => t.wakeups)),
    forced_switches: sumOrNull(of.map((t) => t.forcedSwitches)),
  }));
}

/** null if one of them is. */
function sumOrNull(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>((a, v) => (a === null || v === null ? null : a + v), 0);
}

function micros(ns: number | null): number | null {
  return ns === null ? null : ns / 1e3;
}

function log2Of(trials: readonly Trial[]): number[] | null {
  let all: number[] | null = null;
  for (const { log2 } of trials) {
    if (log2 === null) continue;
    all ??= new Array<number>(log2.length).fill(0);
    for (let i = 0; i < log2.length; i++) all[i] += log2[i];
  }
  return all;
}
