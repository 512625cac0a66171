// SPDX-License-Identifier: GPL-2.0-only
/** When a search gives up: its verdict is then "incomplete", never "holds". */
export interface Limits {
  readonly maxStates: number;
  readonly maxSeconds: number;
}

/** Thrown out of a search whose time is over. */
export class TimeIsUp extends Error {}

/** What `cutBy` says of a search that the user stopped. */
export const INTERRUPTED = 'Ctrl-C';

export const DEFAULT_LIMITS: Limits = Object.freeze({ maxStates: 20_000_000, maxSeconds: 60 });
