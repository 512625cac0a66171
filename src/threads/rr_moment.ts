// SPDX-License-Identifier: GPL-2.0-only
/**
 * Where the threads of a run stand at one moment, as the host counts it. Read by the client between two packets: a thread
 * that was woken for it would disturb what is measured.
 */
import { readFileSync } from 'node:fs';
import { readSchedStat, readSwitches } from './os_thread.js';

/** Ticks a second of /proc/stat (USER_HZ, the same on every Linux). */
const TICKS_PER_S = 100;

/** One thread; null where the host does not tell. */
export interface ThreadMoment {
  readonly tid: number;
  readonly cpuNs: number | null;
  readonly runDelayNs: number | null;
  /** Times it went to sleep, and times it was taken off its core. */
  readonly voluntary: number | null;
  readonly forced: number | null;
}

export interface Moment {
  /** CLOCK_MONOTONIC. */
  readonly atNs: number;
  readonly threads: readonly ThreadMoment[];
  /** Time that the hypervisor took from the host's cores since its boot. */
  readonly stealNs: number | null;
}

/** Looks at some threads of this process. */
export function readMoment(atNs: number, tids: readonly number[]): Moment {
  const threads = tids.map((tid) => {
    const times = readSchedStat(tid);
    const switches = readSwitches(tid);
    return {
      tid,
      cpuNs: times?.cpuNs ?? null,
      runDelayNs: times?.runDelayNs ?? null,
      voluntary: switches?.voluntary ?? null,
      forced: switches?.forced ?? null,
    };
  });
  return { atNs, threads, stealNs: readStealNs() };
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
