// SPDX-License-Identifier: GPL-2.0-only
/** What a run costs and what disturbs it: the times of the machine's threads, and what the hypervisor took. */
import { readFileSync } from 'node:fs';
import type { Machine } from '../machine.js';
import { readSwitches } from '../threads/os_thread.js';

/** Ticks a second of /proc/stat (USER_HZ, the same on every Linux). */
const TICKS_PER_S = 100;

/** Where things stand at one moment; null where the host does not tell. */
export interface Moment {
  readonly atNs: number;
  readonly threads: ReadonlyMap<number, ThreadMoment>;
  /** Time that the hypervisor took from the host's cores since its boot. */
  readonly stealNs: number | null;
}

interface ThreadMoment {
  readonly name: string;
  readonly cpuNs: number | null;
  readonly runDelayNs: number | null;
  readonly wakeups: number;
  readonly forcedSwitches: number | null;
}

/** What one thread did between two moments. */
export interface ThreadCost {
  readonly name: string;
  readonly cpuNs: number | null;
  /** Time for which it could have run but waited for a core. */
  readonly runDelayNs: number | null;
  /** Times it slept and was woken. */
  readonly wakeups: number;
  /** Times it was taken off its core. */
  readonly forcedSwitches: number | null;
}

/** What all of them did. */
export interface Cost {
  readonly wallNs: number;
  readonly threads: readonly ThreadCost[];
  readonly stealNs: number | null;
}

/** Looks at every thread of a machine; those that carry out control operations excepted. */
export function momentOf(machine: Machine): Moment {
  const threads = new Map<number, ThreadMoment>();
  for (const t of machine.threads()) {
    if (!t.running) continue;
    threads.set(t.serial, {
      name: t.name,
      cpuNs: t.cpuNs,
      runDelayNs: t.runDelayNs,
      wakeups: t.wakeups,
      forcedSwitches: readSwitches(t.tid)?.forced ?? null,
    });
  }
  return { atNs: monotonicNs(), threads, stealNs: readStealNs() };
}

/** @returns what happened between two moments, for the threads that were there at both */
export function costBetween(before: Moment, after: Moment): Cost {
  const threads: ThreadCost[] = [];
  for (const [serial, now] of after.threads) {
    const was = before.threads.get(serial);
    if (was === undefined) continue;
    threads.push({
      name: now.name,
      cpuNs: difference(now.cpuNs, was.cpuNs),
      runDelayNs: difference(now.runDelayNs, was.runDelayNs),
      wakeups: now.wakeups - was.wakeups,
      forcedSwitches: difference(now.forcedSwitches, was.forcedSwitches),
    });
  }
  return {
    wallNs: after.atNs - before.atNs,
    threads,
    stealNs: difference(after.stealNs, before.stealNs),
  };
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

/** CLOCK_MONOTONIC, the clock of the machine's stamps. */
export function monotonicNs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e9 + nanos;
}

/** The eighth figure of the first line of /proc/stat. */
function readStealNs(): number | null {
  try {
    const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0];
    const ticks = Number(line.split(/\s+/)[8]);
    return Number.isFinite(ticks) ? (ticks / TICKS_PER_S) * 1e9 : null;
  } catch {
    return null;
  }
}
