// SPDX-License-Identifier: GPL-2.0-only
/** What the host left of the virtual CPU's core. */
import { readFileSync } from 'node:fs';

/** Ticks a second of /proc/stat (USER_HZ, the same on every Linux). */
const NS_PER_TICK = 1e9 / 100;
/** Below this a cell is disturbed: others had more of its core than runs of the same thing differ by. */
const LEAST_AVAILABLE = 0.9;

/** @returns for how long a core was idle since the host's boot, ns; null where that is not told */
export function readIdleNs(core: number): number | null {
  try {
    const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'latin1'))?.[1];
    if (line === undefined) return null;
    const [, , , idle, iowait] = line.split(' ').map(Number);
    return (idle + iowait) * NS_PER_TICK;
  } catch {
    return null;
  }
}

/** @returns the part of a time in which the core ran what was measured, or could have */
export function availablePart(ownNs: number, idleNs: number, wallNs: number): number {
  return wallNs <= 0 ? 1 : Math.min(1, (ownNs + idleNs) / wallNs);
}

/** A cell that may have been disturbed. */
interface Judged {
  readonly kpps: number;
  readonly core_available: number | null;
}

/** @returns true if others had too much of its core for it to count */
export function isDisturbed(cell: Judged): boolean {
  return cell.core_available !== null && cell.core_available < LEAST_AVAILABLE;
}

/** @returns the trial that counts: the middle one of those undisturbed; without any, the least disturbed */
export function pickTrial<T extends Judged>(trials: readonly T[]): T {
  const quiet = trials.filter((t) => !isDisturbed(t)).sort((a, b) => a.kpps - b.kpps);
  if (quiet.length > 0) return quiet[(quiet.length - 1) >> 1];
  return trials.reduce((a, t) => ((t.core_available ?? 0) > (a.core_available ?? 0) ? t : a));
}
