// SPDX-License-Identifier: GPL-2.0-only
/** What a run costs: what its threads did between two moments of the client (threads/rr_moment.ts). */
import type { Moment } from '../../threads/rr_moment.js';

/** What one thread did between two moments; null where the host does not tell. */
export interface ThreadCost {
  readonly name: string;
  readonly cpuNs: number | null;
  /** Time for which it could have run but waited for a core. */
  readonly runDelayNs: number | null;
  /** Times it slept and was woken. */
  readonly wakeups: number | null;
  /** Times it was taken off its core. */
  readonly forcedSwitches: number | null;
}

/** What all of them did. */
export interface Cost {
  readonly wallNs: number;
  readonly threads: readonly ThreadCost[];
  /** What the hypervisor took from all cores of the host. */
  readonly stealNs: number | null;
}

/** @param names of the threads by their kernel ids */
export function costBetween(before: Moment, after: Moment, names: ReadonlyMap<number, string>): Cost {
  const threads: ThreadCost[] = [];
  for (const now of after.threads) {
    const was = before.threads.find((t) => t.tid === now.tid);
    if (was === undefined) continue;
    threads.push({
      name: names.get(now.tid) ?? String(now.tid),
      cpuNs: difference(now.cpuNs, was.cpuNs),
      runDelayNs: difference(now.runDelayNs, was.runDelayNs),
      wakeups: difference(now.voluntary, was.voluntary),
      forcedSwitches: difference(now.forced, was.forced),
    });
  }
  return { wallNs: after.atNs - before.atNs, threads, stealNs: difference(after.stealNs, before.stealNs) };
}

/** @returns the sum of a figure over threads, null if the host does not tell it of one of them */
export function total(threads: readonly ThreadCost[], of: (t: ThreadCost) => number | null): number | null {
  let sum = 0;
  for (const t of threads) {
    const v = of(t);
    if (v === null) return null;
    sum += v;
  }
  return sum;
}

function difference(now: number | null, was: number | null): number | null {
  return now === null || was === null ? null : now - was;
}
