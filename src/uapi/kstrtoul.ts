// SPDX-License-Identifier: GPL-2.0-only
/** Numbers as the kernel reads them from text (Linux: kstrtoul with base 0; proc_dointvec; kstrtobool). */
import { EINVAL, ERANGE } from '../kernel/errno.js';
import { Refusal } from './refuse.js';

const ULONG_MAX = 2n ** 64n - 1n;

/**
 * Reads an unsigned long: decimal, 0x hexadecimal, or octal behind a 0; a plus sign and one newline at the end are
 * accepted, a minus sign and spaces are not.
 * @throws Refusal -EINVAL, or -ERANGE above 2^64 - 1
 */
export function kstrtoul(text: string): bigint {
  const s = text.replace(/^\+/, '').replace(/\n$/, '');
  const digits = /^0[xX]([0-9a-fA-F]+)$|^(0[0-7]*)$|^([1-9][0-9]*)$/.exec(s);
  if (digits === null) throw new Refusal(-EINVAL);
  const [, hex, octal, decimal] = digits;
  const value = BigInt(hex !== undefined ? `0x${hex}` : octal !== undefined ? `0o0${octal}` : decimal);
  if (value > ULONG_MAX) throw new Refusal(-ERANGE);
  return value;
}

/**
 * Reads one int as sysctl does: spaces around it are accepted.
 * @throws Refusal -EINVAL for anything else, also for a number out of range
 */
export function dointvec(text: string, min: number, max: number): number {
  const digits = /^[ \t\n]*(-?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))[ \t\n]*$/.exec(text);
  if (digits === null) throw new Refusal(-EINVAL);
  const [, minus, hex, octal, decimal] = digits;
  const size =
    hex !== undefined ? Number(`0x${hex}`) : octal !== undefined ? Number(`0o0${octal}`) : Number(decimal);
  const value = minus === '' ? size : -size;
  if (!(value >= min && value <= max)) throw new Refusal(-EINVAL);
  return value | 0;
}

/**
 * Reads yes or no. The first letter tells, or the second behind an o; what follows does not count.
 * @throws Refusal -EINVAL
 */
export function kstrtobool(text: string): boolean {
  if (/^(?:[eyt1]|on)/i.test(text)) return true;
  if (/^(?:[dnf0]|of)/i.test(text)) return false;
  throw new Refusal(-EINVAL);
}
