// SPDX-License-Identifier: GPL-2.0-only
/** The thread that calls recvfrom without end, so that another one need not (xsk_rr -t). */
import type { AppContext } from './app_context.js';
import { CallTimes, RR, RR_END, RR_MEASURE, RR_WARMUP, type RrShared, TIMED_CALLS } from './rr_shared.js';

export interface PollerArgs {
  readonly shared: RrShared;
}

export interface PollerResult {
  readonly calls: number;
  /** Times of some calls by powers of two, ns. */
  readonly log2: Int32Array;
}

/** Polls until the client is done. Counts what it did while the client measured. */
export default function poller(app: AppContext): PollerResult {
  const control = new Int32Array((app.args as PollerArgs).shared.control);
  const xsk = app.xskPollers[0];
  const times = new CallTimes();
  let phase = RR_WARMUP;
  for (;;) {
    for (let i = 1; i < TIMED_CALLS; i++) xsk.recvfrom();
    const startNs = app.nowNs();
    xsk.recvfrom();
    times.record(app.nowNs() - startNs);
    times.calls += TIMED_CALLS;
    const now = Atomics.load(control, RR.phase);
    if (now === RR_END || xsk.closed) break;
    if (now === RR_MEASURE && phase === RR_WARMUP) times.reset();
    phase = now;
  }
  return { calls: times.calls, log2: times.log2 };
}
