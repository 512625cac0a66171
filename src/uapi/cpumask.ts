// SPDX-License-Identifier: GPL-2.0-only
/** Sets of CPUs as text: hexadecimal masks and lists (Linux: bitmap_parse, %*pb and %*pbl). */
import { cpuOnline } from '../kernel/cpu.js';
import type { Current } from '../kernel/current.js';
import { EINVAL, EOVERFLOW } from '../kernel/errno.js';
import { Refusal } from './refuse.js';

/** Bits of a group: eight hexadecimal digits between commas. */
const GROUP_BITS = 32;
const GROUP_DIGITS = 8;

/** @returns the numbers of all CPUs, or of those online */
export function cpuNumbers(cur: Current, which: 'all' | 'online'): number[] {
  return cur.cpus.filter((cpu) => which === 'all' || cpuOnline(cpu)).map(({ id }) => id);
}

/** @returns the mask: a digit for four of the machine's CPUs, a comma for 32 */
export function cpumaskText(cpus: readonly number[], nrCpus: number): string {
  const groups: string[] = [];
  for (let from = 0; from < nrCpus; from += GROUP_BITS) {
    const bits = Math.min(GROUP_BITS, nrCpus - from);
    let value = 0;
    for (const cpu of cpus) if (cpu >= from && cpu < from + bits) value |= 1 << (cpu - from);
    groups.unshift((value >>> 0).toString(16).padStart(Math.ceil(bits / 4), '0'));
  }
  return groups.join(',');
}

/** @returns the list: `0-2,5`; '' for none. @param cpus ascending */
export function cpulistText(cpus: readonly number[]): string {
  const ranges: string[] = [];
  for (let i = 0; i < cpus.length; i++) {
    const first = cpus[i];
    while (i + 1 < cpus.length && cpus[i + 1] === cpus[i] + 1) i++;
    ranges.push(cpus[i] === first ? `${first}` : `${first}-${cpus[i]}`);
  }
  return ranges.join(',');
}

/**
 * Reads a mask: groups of up to eight hexadecimal digits between commas or spaces, the lowest last. What follows a line
 * end does not count, and no group at all is the empty mask.
 * @returns the CPUs, ascending
 * @throws Refusal -EINVAL for what is no hexadecimal digit, -EOVERFLOW for a longer group, for more groups than the CPUs
 *   take, and for the bit of a CPU that there is not
 */
export function parseCpumask(text: string, nrCpus: number): number[] {
  const groups = text
    .split('\n', 1)[0]
    .split(/[\s,]+/)
    .filter((group) => group !== '')
    .reverse();
  const cpus: number[] = [];
  groups.forEach((group, i) => {
    if (i * GROUP_BITS >= nrCpus) throw new Refusal(-EOVERFLOW);
    if (!/^[0-9a-fA-F]+$/.test(group)) throw new Refusal(-EINVAL);
    if (group.length > GROUP_DIGITS) throw new Refusal(-EOVERFLOW);
    const value = Number.parseInt(group, 16);
    for (let bit = 0; bit < GROUP_BITS; bit++) {
      if (((value >>> bit) & 1) === 0) continue;
      const cpu = i * GROUP_BITS + bit;
      if (cpu >= nrCpus) throw new Refusal(-EOVERFLOW);
      cpus.push(cpu);
    }
  });
  return cpus;
}
