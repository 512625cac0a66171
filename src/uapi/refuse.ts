// SPDX-License-Identifier: GPL-2.0-only
/** Refusing a request: errno, its text as the C library has it, and what netlink adds. */
import {
  EACCES,
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOTDIR,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
  ERANGE,
} from '../kernel/errno.js';
import type { Extack, UapiReply } from './request.js';

const TEXTS: { readonly [errno: number]: string } = {
  [EPERM]: 'Operation not permitted',
  [ENOENT]: 'No such file or directory',
  [ENOMEM]: 'Cannot allocate memory',
  [EACCES]: 'Permission denied',
  [EBUSY]: 'Device or resource busy',
  [EEXIST]: 'File exists',
  [ENODEV]: 'No such device',
  [ENOTDIR]: 'Not a directory',
  [EISDIR]: 'Is a directory',
  [EINVAL]: 'Invalid argument',
  [ERANGE]: 'Numerical result out of range',
  [EOVERFLOW]: 'Value too large for defined data type',
  [EOPNOTSUPP]: 'Operation not supported',
};

/** @returns what strerror(3) says of a (positive or negated) error number */
export function strerror(err: number): string {
  const n = Math.abs(err);
  return TEXTS[n] ?? `Unknown error ${n}`;
}

/** A request is refused. Thrown in process context only, where nothing is held but by a `finally`. */
export class Refusal extends Error {
  readonly err: number;
  readonly extack: Extack | null;

  /** @param err negative errno */
  constructor(err: number, message: string = strerror(err), extack: Extack | null = null) {
    super(message);
    this.err = err;
    this.extack = extack;
  }
}

/** Throws unless `err` is 0. */
export function check(err: number, message?: string): void {
  if (err < 0) throw new Refusal(err, message);
}

/** @returns the reply to a request that was carried out */
export function done(value: unknown): UapiReply {
  return { err: 0, message: '', extack: null, value };
}

/** @returns the reply to one that was refused */
export function refused(r: Refusal): UapiReply {
  return { err: r.err, message: r.message, extack: r.extack, value: null };
}
