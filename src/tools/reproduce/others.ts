// SPDX-License-Identifier: GPL-2.0-only
/** How much of the host others had while a part ran: what was busy, less what this process and its children used. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** From here on figures that depend on time are not to be trusted. */
export const OTHERS_LIMIT = 0.15;

/** Sums since the host started, clock ticks. */
export interface CpuTimes {
  readonly all: number;
  readonly busy: number;
  readonly own: number;
}

/** @returns null where /proc does not tell, or tells of more cores than this process may use */
export function cpuTimes(): CpuTimes | null {
  try {
    return parseCpuTimes(
      readFileSync('/proc/stat', 'utf8'),
      readFileSync('/proc/self/stat', 'utf8'),
      availableParallelism(),
    );
  } catch {
    return null;
  }
}

/** @param stat, self `/proc/stat` and `/proc/self/stat` */
export function parseCpuTimes(stat: string, self: string, cores: number): CpuTimes | null {
  const lines = stat.split('\n');
  if (lines.filter((line) => /^cpu\d/.test(line)).length !== cores) return null;
  // user nice system idle iowait irq softirq steal; guests are in user already.
  const times = lines[0].trim().split(/\s+/).slice(1, 9).map(Number);
  const all = times.reduce((a, b) => a + b, 0);
  // Its name, in parentheses, may hold anything.
  const fields = self.slice(self.lastIndexOf(')') + 2).split(' ');
  const own = fields.slice(11, 15).reduce((a, b) => a + Number(b), 0);
  if (![all, own].every(Number.isFinite)) return null;
  return { all, busy: all - times[3] - times[4], own };
}

/** @returns the part of all CPU time between two moments that others had, 0 to 1; null if it is not known */
export function othersShare(before: CpuTimes | null, after: CpuTimes | null): number | null {
  if (before === null || after === null || after.all <= before.all) return null;
  const others = after.busy - before.busy - (after.own - before.own);
  return Math.round((Math.max(0, others) / (after.all - before.all)) * 1e3) / 1e3;
}
