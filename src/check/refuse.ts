// SPDX-License-Identifier: GPL-2.0-only
/** Errors of the checker: what cannot be checked soundly, and wrong use. Each is one line. */

/** Code that the method cannot check soundly; the message says where, what, and what to do. */
export class RefusedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RefusedError';
  }
}

/** Wrong use of the checker: a test that does not exist, a stale replay string, an edit that does not match. */
export class CheckUsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CheckUsageError';
  }
}
