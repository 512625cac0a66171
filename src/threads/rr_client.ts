// SPDX-License-Identifier: GPL-2.0-only
/**
 * The client of `softnet rr`: takes a packet, notes how long ago it was to arrive, works on it for a while, goes on. An
 * ordinary user of AppContext and of an AF_XDP socket.
 */
import { cpuRelax } from '../kernel/cpu_relax.js';
import type { AppContext } from './app_context.js';
import { type Moment, readMoment } from './rr_moment.js';
import {
  CallTimes,
  RR,
  RR_END,
  RR_MEASURE,
  type RrSchedule,
  type RrShared,
  rrTids,
  TIMED_CALLS,
} from './rr_shared.js';

/** What the client does where there is no packet: polls by a socket call, looks at the ring again, sleeps. */
export type RrWait = 'recvfrom' | 'spin' | 'sleep';

export interface ClientArgs {
  readonly shared: RrShared;
  readonly schedule: RrSchedule;
  readonly wait: RrWait;
  /** What it does with a packet: spins. */
  readonly delayNs: number;
}

export interface ClientResult {
  /** All that came, those before the first measured one too. */
  readonly received: number;
  /** Samples. */
  readonly measured: number;
  /** Number of the last packet, -1: none. */
  readonly lastSeq: number;
  readonly calls: number;
  /** Times of calls by powers of two; null without calls. */
  readonly log2: Int32Array | null;
  readonly before: Moment | null;
  readonly after: Moment;
}

/** Looks at an empty ring between two looks at the stop word. */
const STOP_LOOKS = 64;
/** Longest sleep, ms: so late it may see the stop word. */
const SLEEP_MS = 20;
/** Packets of one call of `receive`: called often it is compiled early, and nothing in it is new when it is measured. */
const CALL_PACKETS = 64;

/** The receiving itself, the same code before and while it is measured. */
class Receiver {
  readonly times = new CallTimes();
  received = 0;
  lastSeq = -1;
  /** Packets since it was set to 0: where the next sample goes. */
  n = 0;
  private looks = 0;
  private ending = false;
  private readonly app: AppContext;
  private readonly wait: RrWait;
  private readonly delayNs: number;
  private readonly control: Int32Array;
  private readonly latencies: Float64Array;
  private readonly stamps: Float64Array;

  constructor(app: AppContext) {
    const { shared, wait, delayNs } = app.args as ClientArgs;
    this.app = app;
    this.wait = wait;
    this.delayNs = delayNs;
    this.control = new Int32Array(shared.control);
    this.latencies = new Float64Array(shared.latencies);
    this.stamps = new Float64Array(shared.stamps);
  }

  /** Receives up to packet `last`. @returns false: no more come */
  until(last: number): boolean {
    while (this.lastSeq < last) {
      if (!this.receive(Math.min(this.lastSeq + CALL_PACKETS, last))) return false;
    }
    return true;
  }

  private receive(last: number): boolean {
    const { app, delayNs, latencies, stamps } = this;
    const xsk = app.xsks[0];
    for (;;) {
      if (xsk.rxPeek(1) === 0) {
        // Empty once more behind the stop word: that was all.
        if (this.ending && xsk.rxPeek(1) === 0) return false;
        this.idle();
        continue;
      }
      const nowNs = app.nowNs();
      const seq = xsk.rxSeq(0);
      this.received++;
      this.lastSeq = seq;
      if (this.n < latencies.length) {
        const dueNs = xsk.rxTstampNs(0);
        stamps[this.n] = dueNs;
        latencies[this.n] = nowNs - dueNs;
      }
      this.n++;
      // The frame goes back first: that is part of the work, as everything is but the look at the next packet.
      xsk.rxRelease();
      const untilNs = nowNs + delayNs;
      while (app.nowNs() < untilNs) cpuRelax();
      if (seq >= last) return true;
    }
  }

  /** There is no packet. */
  private idle(): void {
    const { app, wait, times } = this;
    const xsk = app.xsks[0];
    if (wait === 'recvfrom') {
      if (++times.calls % TIMED_CALLS === 0) {
        const startNs = app.nowNs();
        xsk.recvfrom();
        times.record(app.nowNs() - startNs);
      } else xsk.recvfrom();
    } else if (wait === 'sleep') {
      times.calls++;
      xsk.poll(SLEEP_MS);
    } else cpuRelax();
    this.looks++;
    if (wait === 'sleep' || this.looks % STOP_LOOKS === 0) {
      this.ending = Atomics.load(this.control, RR.stop) !== 0 || xsk.closed;
    }
  }
}

/** Receives until the last packet of the schedule, or until it is told that no more come. */
export default function client(app: AppContext): ClientResult {
  const { shared, schedule, wait } = app.args as ClientArgs;
  const control = new Int32Array(shared.control);
  const r = new Receiver(app);
  let before: Moment | null = null;
  let measured = 0;
  if (r.until(schedule.moment)) {
    before = readMoment(app.nowNs(), rrTids(shared));
    Atomics.store(control, RR.phase, RR_MEASURE);
    r.times.reset();
    if (r.until(schedule.first - 1)) {
      r.n = 0;
      r.until(schedule.last);
      measured = r.n;
    }
  }
  const after = readMoment(app.nowNs(), rrTids(shared));
  Atomics.store(control, RR.phase, RR_END);
  const log2 = wait === 'recvfrom' ? r.times.log2 : null;
  const { received, lastSeq, times } = r;
  return { received, measured, lastSeq, calls: times.calls, log2, before, after };
}
