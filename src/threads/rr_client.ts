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

/** Receives until the last packet of the schedule, or until it is told that no more come. */
export default function client(app: AppContext): ClientResult {
  const { shared, schedule, wait, delayNs } = app.args as ClientArgs;
  const control = new Int32Array(shared.control);
  const latencies = new Float64Array(shared.latencies);
  const stamps = new Float64Array(shared.stamps);
  const xsk = app.xsks[0];
  const times = new CallTimes();
  let before: Moment | null = null;
  let received = 0;
  let n = 0;
  let looks = 0;
  let ending = false;
  let lastSeq = -1;
  for (;;) {
    if (xsk.rxPeek(1) === 0) {
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
      // Empty once more behind the stop word: that was all.
      if (ending) break;
      looks++;
      if (wait === 'sleep' || looks % STOP_LOOKS === 0) {
        ending = Atomics.load(control, RR.stop) !== 0 || xsk.closed;
      }
      continue;
    }
    const nowNs = app.nowNs();
    const seq = xsk.rxSeq(0);
    received++;
    lastSeq = seq;
    if (before === null) {
      if (seq >= schedule.moment) {
        before = readMoment(nowNs, rrTids(shared));
        Atomics.store(control, RR.phase, RR_MEASURE);
        times.reset();
      }
    } else if (seq >= schedule.first) {
      if (n < latencies.length) {
        const dueNs = xsk.rxTstampNs(0);
        stamps[n] = dueNs;
        latencies[n] = nowNs - dueNs;
      }
      n++;
    }
    const untilNs = nowNs + delayNs;
    while (app.nowNs() < untilNs) cpuRelax();
    xsk.rxRelease();
    if (seq >= schedule.last) break;
  }
  const after = readMoment(app.nowNs(), rrTids(shared));
  Atomics.store(control, RR.phase, RR_END);
  const log2 = wait === 'recvfrom' ? times.log2 : null;
  return { received, measured: n, lastSeq, calls: times.calls, log2, before, after };
}
