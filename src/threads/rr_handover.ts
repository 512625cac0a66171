// SPDX-License-Identifier: GPL-2.0-only
/**
 * The bare hand-over between two cores, measured as packets are: a producer spins on the clock until the intended time
 * and stores a word; the consumer spins on the word and reads the clock. What no way of receiving can be faster than.
 */
import { cpuRelax } from '../kernel/cpu_relax.js';
import type { AppContext } from './app_context.js';
import { RR, RR_STOP, type RrShared } from './rr_shared.js';

/** The word handed over: the number of the packet, from 1. A cache line of its own among the words of `control`. */
const SEQ = RR.pollerAck;

export interface HandoverArgs {
  readonly shared: RrShared;
  readonly periodNs: number;
  readonly count: number;
  /** Those at the start that are for the compiler. */
  readonly warmup: number;
}

/** Stores a word each period. @returns when the first one was due, CLOCK_MONOTONIC ns */
export function producer(app: AppContext): number {
  const { shared, periodNs, count } = app.args as HandoverArgs;
  const control = new Int32Array(shared.control);
  // The consumer has to be there.
  while (Atomics.load(control, RR.clientAck) === 0) cpuRelax();
  const startNs = app.nowNs() + 100_000;
  const stamps = new Float64Array(shared.stamps);
  for (let i = 0; i < count; i++) {
    const dueNs = startNs + i * periodNs;
    while (app.nowNs() < dueNs) cpuRelax();
    stamps[i] = dueNs;
    Atomics.store(control, SEQ, i + 1);
  }
  return startNs;
}

/** Spins on the word. A value that was overwritten before it was seen counts with the one that was. */
export function consumer(app: AppContext): number {
  const { shared, count, warmup } = app.args as HandoverArgs;
  const control = new Int32Array(shared.control);
  const stamps = new Float64Array(shared.stamps);
  const latencies = new Float64Array(shared.latencies);
  Atomics.store(control, RR.clientAck, 1);
  let seen = 0;
  let n = 0;
  while (seen < count) {
    const seq = Atomics.load(control, SEQ);
    if (seq === seen) {
      cpuRelax();
      if (Atomics.load(control, RR.phase) === RR_STOP) break;
      continue;
    }
    const nowNs = app.nowNs();
    for (; seen < seq; seen++) if (seen >= warmup) latencies[n++] = nowNs - stamps[seen];
  }
  return n;
}
