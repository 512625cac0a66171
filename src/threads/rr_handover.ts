// SPDX-License-Identifier: GPL-2.0-only
/**
 * The bare hand-over between two cores, measured as packets are: a producer spins on the clock until the intended time
 * and stores a word; the consumer spins on the word and reads the clock. What no way of receiving can be faster than.
 */
import { cpuRelax } from '../kernel/cpu_relax.js';
import type { AppContext } from './app_context.js';
import { type Moment, readMoment } from './rr_moment.js';
import { RR, type RrSchedule, type RrShared, rrTids } from './rr_shared.js';

export interface HandoverArgs {
  readonly shared: RrShared;
  readonly schedule: RrSchedule;
  readonly periodNs: number;
}

export interface HandoverResult {
  readonly measured: number;
  readonly before: Moment | null;
  readonly after: Moment;
}

/** Looks at the word between two looks at the stop word. */
const STOP_LOOKS = 1024;

/** Stores a word each period, until the last one or until it is told to end. */
export function producer(app: AppContext): void {
  const { shared, schedule, periodNs } = app.args as HandoverArgs;
  const control = new Int32Array(shared.control);
  const stamps = new Float64Array(shared.stamps);
  while (Atomics.load(control, RR.go) === 0) cpuRelax();
  const startNs = app.nowNs() + periodNs;
  for (let i = 0; i <= schedule.last; i++) {
    const dueNs = startNs + i * periodNs;
    while (app.nowNs() < dueNs) cpuRelax();
    if (i >= schedule.first) stamps[i - schedule.first] = dueNs;
    Atomics.store(control, RR.seq, i + 1);
    if (Atomics.load(control, RR.stop) !== 0) break;
  }
}

/** Spins on the word. One that was overwritten before it was seen counts with the one that was. */
export function consumer(app: AppContext): HandoverResult {
  const { shared, schedule } = app.args as HandoverArgs;
  const control = new Int32Array(shared.control);
  const stamps = new Float64Array(shared.stamps);
  const latencies = new Float64Array(shared.latencies);
  let before: Moment | null = null;
  let seen = 0;
  let n = 0;
  for (let looks = 1; seen <= schedule.last; looks++) {
    const seq = Atomics.load(control, RR.seq);
    if (seq === seen) {
      cpuRelax();
      if (looks % STOP_LOOKS === 0 && Atomics.load(control, RR.stop) !== 0) break;
      continue;
    }
    const nowNs = app.nowNs();
    for (; seen < seq; seen++) {
      if (seen < schedule.first) continue;
      latencies[n] = nowNs - stamps[n];
      n++;
    }
    if (before === null && seen > schedule.moment) before = readMoment(nowNs, rrTids(shared));
  }
  return { measured: n, before, after: readMoment(app.nowNs(), rrTids(shared)) };
}
