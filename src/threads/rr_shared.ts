// SPDX-License-Identifier: GPL-2.0-only
/**
 * What the threads of `softnet rr` and the command share beside the machine: words to steer a run by, counters, samples.
 *
 * A run: the client comes up in RR_WARMUP and receives what it is sent. When nothing is on its way any more the command
 * sets RR_MEASURE; the client forgets what it counted, says so in `clientAck`, and everything that comes from then on is
 * measured. RR_STOP ends client and poller. Samples are plain doubles of the client; `received` publishes them.
 */

export const RR_WARMUP = 0;
export const RR_MEASURE = 1;
export const RR_STOP = 2;

/** Words of `control`; words that different threads write lie 128 bytes apart. */
export const RR = Object.freeze({
  /** The command: RR_*. */
  phase: 0,
  /** The client: the phase it is in. */
  clientAck: 32,
  /** The client: packets of this phase it has got, stored whenever its ring is empty. */
  received: 33,
  /** The poller: the phase it is in. */
  pollerAck: 64,
});
const CONTROL_WORDS = 96;

/** Buckets of a histogram by powers of two. */
export const LOG2_BUCKETS = 40;

/** What client and poller get; every buffer is shared. */
export interface RrShared {
  readonly control: SharedArrayBuffer;
  /** Latencies in the order of their arrival, ns, and when each packet was due, CLOCK_MONOTONIC ns. */
  readonly latencies: SharedArrayBuffer;
  readonly stamps: SharedArrayBuffer;
}

/** @returns buffers for a run of at most `packets` */
export function rrShared(packets: number): RrShared {
  return {
    control: new SharedArrayBuffer(CONTROL_WORDS * 4),
    latencies: new SharedArrayBuffer(packets * 8),
    stamps: new SharedArrayBuffer(packets * 8),
  };
}

/** What a thread that polls by socket calls counted while the run was measured. */
export interface PollCounts {
  /** Calls of recvfrom. */
  readonly calls: number;
  /** Those that found nothing. */
  readonly empty: number;
  /** Time in one call by powers of two, ns: a sample of the calls. */
  readonly log2: Int32Array;
}

/** Counts calls, and takes the time of some. */
export class CallTimes implements PollCounts {
  calls = 0;
  empty = 0;
  readonly log2 = new Int32Array(LOG2_BUCKETS);

  /** Counts the time of one call, ns. */
  record(ns: number): void {
    const bucket = ns < 2 ? 0 : 31 - Math.clz32(ns);
    this.log2[bucket < LOG2_BUCKETS ? bucket : LOG2_BUCKETS - 1]++;
  }

  /** Forgets everything. */
  reset(): void {
    this.calls = 0;
    this.empty = 0;
    this.log2.fill(0);
  }
}
