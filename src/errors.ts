// SPDX-License-Identifier: GPL-2.0-only
/** Errors of the library: one line that says what, where and what to do. */
import { errnoName } from './kernel/errno.js';

/** A control operation was refused; `errno` is Linux's (positive). */
export class SoftnetError extends Error {
  readonly errno: number;
  readonly code: string;

  constructor(what: string, err: number, remedy = '') {
    const code = errnoName(err);
    super(`${what}: ${code}${remedy === '' ? '' : `; ${remedy}`}`);
    this.name = 'SoftnetError';
    this.errno = Math.abs(err);
    this.code = code;
  }
}

/** An option out of its range. */
export class OptionError extends RangeError {
  constructor(option: string, value: unknown, wanted: string) {
    super(`${option}: ${String(value)} is not possible; give ${wanted}`);
    this.name = 'OptionError';
  }
}

/** Checks an integer option. @returns the value, or `fallback` where it is undefined */
export function checkInt(
  option: string,
  value: number | undefined,
  fallback: number,
  min: number,
  max: number,
): number {
  const v = value ?? fallback;
  if (!Number.isInteger(v) || v < min || v > max) {
    throw new OptionError(option, v, `a whole number from ${min} to ${max}`);
  }
  return v;
}

/** Checks an integer that must be given. @returns the value */
export function checkGivenInt(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new OptionError(name, value, `a whole number from ${min} to ${max}`);
  }
  return value;
}

/** Checks an option that is one of a few words. @returns the value, or `fallback` where it is undefined */
export function checkChoice<T extends string>(
  option: string,
  value: T | undefined,
  choices: readonly T[],
  fallback: T,
): T {
  const v = value ?? fallback;
  if (!choices.includes(v)) throw new OptionError(option, v, choices.join(', '));
  return v;
}

/** Checks an integer option that must be a power of two. */
export function checkPowerOfTwo(
  option: string,
  value: number | undefined,
  fallback: number,
  min: number,
  max: number,
): number {
  const v = checkInt(option, value, fallback, min, max);
  if ((v & (v - 1)) !== 0) throw new OptionError(option, v, `a power of two from ${min} to ${max}`);
  return v;
}
