// SPDX-License-Identifier: GPL-2.0-only
//
// Absolute time-outs of the public locks: milliseconds on the clock of Date.now(), as POSIX has them on
// CLOCK_REALTIME. A caller that waits in a loop for its condition can pass the same timestamp each time.

import { InvalidError } from './errors.js';

/**
 * Checks a timestamp before anything is changed. Infinity is allowed and means for ever.
 * @throws InvalidError if it is no number: Atomics.wait would take NaN for "for ever"
 */
export function checkTimestamp(timestamp: number): void {
  if (typeof timestamp !== 'number' || Number.isNaN(timestamp)) {
    throw new InvalidError(`timestamp ${timestamp} is no time; pass milliseconds, such as Date.now() + 100`);
  }
}

/** Milliseconds from now until `timestamp`; 0 or less when it has passed. */
export function msUntil(timestamp: number): number {
  return timestamp - Date.now();
}
