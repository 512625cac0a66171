// SPDX-License-Identifier: GPL-2.0-only
/**
 * What the threads of `softnet rr` share beside the machine: a few words to steer a run by, and the samples.
 *
 * A run is one schedule of packets, by their numbers: the first ones are for the compilers of all threads, then the client
 * notes where everything stands (rr_moment.ts), catches up, and measures every packet from `first` to `last`. Nobody but
 * the threads that are measured does anything meanwhile. Samples are plain doubles of the client, read when it has
 * returned.
 */

/** Phases, in `phase`. */
export const RR_WARMUP = 0;
export const RR_MEASURE = 1;
export const RR_END = 2;

/** Words of `control`; words that different threads write lie 128 bytes apart. */
export const RR = Object.freeze({
  /** The client: RR_*. */
  phase: 0,
  /** The command: 1: no more packets come; end when the ring is empty. */
  stop: 32,
  /** The command: 1: everything is set up. */
  go: 33,
  /** The bare hand-over: how many words were handed over. */
  seq: 64,
});
const CONTROL_WORDS = 96;
/** Most threads whose times are noted. */
const MOST_TIDS = 63;

/** Buffers that a client shares with the command; `phase` also with a poller. */
export interface RrShared {
  readonly control: SharedArrayBuffer;
  /** Latencies in the order of their arrival, ns, and when each packet was due, CLOCK_MONOTONIC ns. */
  readonly latencies: SharedArrayBuffer;
  readonly stamps: SharedArrayBuffer;
  /** Threads whose times are noted, those that matter most first: how many, then their kernel ids. Written before `go`. */
  readonly tids: SharedArrayBuffer;
}

/** @returns buffers for a run that measures at most `packets` */
export function rrShared(packets: number): RrShared {
  return {
    control: new SharedArrayBuffer(CONTROL_WORDS * 4),
    latencies: new SharedArrayBuffer(packets * 8),
    stamps: new SharedArrayBuffer(packets * 8),
    tids: new SharedArrayBuffer((1 + MOST_TIDS) * 4),
  };
}

/** Says whose times are noted, and lets those begin that wait for it. */
export function rrGo({ control, tids }: RrShared, which: readonly number[]): void {
  const words = new Int32Array(tids);
  const some = which.slice(0, MOST_TIDS);
  words.set(some, 1);
  words[0] = some.length;
  Atomics.store(new Int32Array(control), RR.go, 1);
}

/** @returns the threads whose times are noted; valid behind `go` */
export function rrTids({ tids }: RrShared): number[] {
  const words = new Int32Array(tids);
  return Array.from(words.subarray(1, 1 + words[0]));
}

/** Which packets of a schedule are for what, by number. */
export interface RrSchedule {
  /** Where the client notes how things stand; so many packets before the first measured one that it can catch up. */
  readonly moment: number;
  /** The first one measured, and the last. */
  readonly first: number;
  readonly last: number;
}

/** Buckets of a histogram by powers of two. */
const LOG2_BUCKETS = 40;
/** One call of so many is measured: two readings of the clock are a good part of a call. */
export const TIMED_CALLS = 16;

/** Socket calls while the run was measured. */
export class CallTimes {
  calls = 0;
  /** Times of some of them by powers of two, ns. */
  readonly log2 = new Int32Array(LOG2_BUCKETS);

  /** Counts the time of one call, ns. */
  record(ns: number): void {
    const bucket = ns < 2 ? 0 : 31 - Math.clz32(ns);
    this.log2[bucket < LOG2_BUCKETS ? bucket : LOG2_BUCKETS - 1]++;
  }

  /** Forgets everything. */
  reset(): void {
    this.calls = 0;
    this.log2.fill(0);
  }
}
