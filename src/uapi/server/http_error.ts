// SPDX-License-Identifier: GPL-2.0-only
/** Errors as the server answers them: an HTTP status, and one line of JSON. */
import { EACCES, EBUSY, EEXIST, ENODEV, ENOENT, ENOMEM, EPERM, errnoName } from '../../kernel/errno.js';
import type { UapiReply } from '../request.js';

/** A request is not carried out, for reasons of its form or of the server. */
export class HttpError extends Error {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };

  constructor(status: number, message: string, headers: { readonly [name: string]: string } = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

const STATUS: { readonly [errno: number]: number } = {
  [ENOENT]: 404,
  [ENODEV]: 404,
  [EPERM]: 403,
  [EACCES]: 403,
  [EBUSY]: 409,
  [EEXIST]: 409,
  [ENOMEM]: 507,
};

/** @returns the HTTP status of a negative errno */
export function statusOf(err: number): number {
  return STATUS[-err] ?? 400;
}

/** @returns the body of an answer to a request that was refused */
export function refusalBody(r: UapiReply): string {
  const { err, message, extack } = r;
  const error = { errno: err, code: errnoName(err), message, ...(extack === null ? {} : { extack }) };
  return `${JSON.stringify({ error })}\n`;
}

/** @returns the body of an answer to a request that was no request */
export function errorBody(message: string): string {
  return `${JSON.stringify({ error: { message } })}\n`;
}
