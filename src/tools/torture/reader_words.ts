// SPDX-License-Identifier: GPL-2.0-only
/** What a torture run and its application threads tell each other: words of a buffer that both have. */

/** Words of an application's buffer. */
export const APP_WORD = Object.freeze({
  /** The run raises it while everything rests: what was remembered of flows is forgotten. */
  epoch: 0,
  /** Set by the run: the application is to end. */
  stop: 1,
  /** Set by the run: the application collects its garbage, for long; it stores 0 again. */
  collect: 2,
  /** Frames read, or sent. */
  frames: 4,
  /** Frames that came before an earlier one of their flow. */
  reordered: 5,
  /** Frames that came twice. */
  duplicated: 6,
  /** Frames whose buffer changed while the application had it, or that were not what had been sent. */
  changed: 7,
  /** Of the first of those three: destination port, its number, the number before it. */
  port: 8,
  seq: 9,
  before: 10,
  WORDS: 16,
});

/**
 * Destination ports of a run: from here on, in steps. The two lowest bits say how its frames come: through one queue
 * whose steering nobody changes, so in order; by a timed wire, so with their number in the payload.
 */
export const FIRST_PORT = 20_000;
export const PORT_STEADY = 1;
export const PORT_TIMED = 2;
export const PORT_STEP = 4;
/** Then they begin anew. */
export const LAST_PORT = 59_999;

/** How an application reads. */
export type ReadMode = 'recv' | 'try' | 'epoll';

/** What a reader is given. */
export interface ReaderArgs {
  readonly words: SharedArrayBuffer;
  readonly mode: ReadMode;
  readonly max: number;
  readonly epoll: { busyPollUs: number; busyPollBudget: number; preferBusyPoll: boolean };
}

/** What a sender is given. */
export interface SenderArgs {
  readonly words: SharedArrayBuffer;
  readonly port: number;
  readonly flows: number;
  readonly batch: number;
  readonly bytes: number;
  /** Milliseconds between two batches; 0: none. */
  readonly pauseMs: number;
}

/** What an application that dies is given. */
export interface DyingArgs {
  /** A double: when it was last alive, on the clock of the host, ms. */
  readonly diedMs: SharedArrayBuffer;
}

/** What an application of an AF_XDP socket is given. */
export interface XskArgs {
  readonly words: SharedArrayBuffer;
  readonly max: number;
  readonly timeoutMs: number;
  /** Sends a frame of its own for so many that it reads; 0: none. */
  readonly sendEvery: number;
}
