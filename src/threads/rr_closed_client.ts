// SPDX-License-Identifier: GPL-2.0-only
/**
 * The client of `softnet rr` in a closed loop (xsk_rr without -T): sends a packet each period and waits for its answer
 * before it sends the next one. Times count from the intended sending; slots for which it is late are counted.
 */
import { cpuRelax } from '../kernel/cpu_relax.js';
import type { AppContext } from './app_context.js';
import type { ClientArgs, ClientResult } from './rr_client.js';
import { type Moment, readMoment } from './rr_moment.js';
import { CallTimes, RR, RR_END, RR_MEASURE, rrTids, TIMED_CALLS } from './rr_shared.js';

export interface ClosedClientArgs extends ClientArgs {
  readonly periodNs: number;
  /** The driver looks at the tx ring by itself: no sendto. */
  readonly noKick: boolean;
}

export interface ClosedClientResult extends ClientResult {
  readonly sent: number;
  /** Slots measured in which it was not ready to send. */
  readonly missed: number;
  /** Packets without an answer. */
  readonly lost: number;
}

/** Bytes of a packet: an answer is the wire's, whatever is sent. */
const FRAME_BYTES = 64;
/** An answer that is so late does not come. */
const LOST_NS = 100e6;
const LOST_LOOKS = 64;
const SLEEP_MS = 20;

export default function closedClient(app: AppContext): ClosedClientResult {
  const { shared, schedule, wait, delayNs, periodNs, noKick } = app.args as ClosedClientArgs;
  const control = new Int32Array(shared.control);
  const latencies = new Float64Array(shared.latencies);
  const stamps = new Float64Array(shared.stamps);
  const xsk = app.xsks[0];
  const times = new CallTimes();
  const result = { received: 0, sent: 0, missed: 0, lost: 0 };
  let before: Moment | null = null;
  let n = 0;
  let lastSlot = -1;

  /** Waits for the answer to what was due at `dueNs`. @returns when it was seen, 0: it does not come */
  const answerNs = (dueNs: number): number => {
    for (let look = 1; ; look++) {
      if (xsk.rxPeek(1) > 0) return app.nowNs();
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
      if ((wait === 'sleep' || look % LOST_LOOKS === 0) && app.nowNs() > dueNs + LOST_NS) return 0;
    }
  };

  while (Atomics.load(control, RR.go) === 0) cpuRelax();
  const startNs = app.nowNs() + periodNs;
  for (let slot = 0; slot <= schedule.last; slot++) {
    if (Atomics.load(control, RR.stop) !== 0 || xsk.closed) break;
    let dueNs = startNs + slot * periodNs;
    let nowNs = app.nowNs();
    if (nowNs >= dueNs + periodNs) {
      const late = Math.min(Math.floor((nowNs - dueNs) / periodNs), schedule.last - slot);
      result.missed += Math.max(0, slot + late - Math.max(slot, schedule.first));
      slot += late;
      dueNs += late * periodNs;
    }
    while (nowNs < dueNs) {
      cpuRelax();
      nowNs = app.nowNs();
    }
    xsk.txComplete();
    const addr = xsk.txFrame();
    if (addr < 0 || !xsk.txSend(addr, FRAME_BYTES)) {
      result.lost++;
      continue;
    }
    result.sent++;
    if (!noKick) {
      times.calls++;
      xsk.sendto();
    }
    const seenNs = answerNs(dueNs);
    if (seenNs === 0) {
      result.lost++;
      continue;
    }
    result.received++;
    lastSlot = slot;
    if (slot >= schedule.first) {
      stamps[n] = dueNs;
      latencies[n++] = seenNs - dueNs;
    } else if (before === null && slot >= schedule.moment) {
      before = readMoment(seenNs, rrTids(shared));
      Atomics.store(control, RR.phase, RR_MEASURE);
      times.reset();
    }
    while (app.nowNs() < seenNs + delayNs) cpuRelax();
    xsk.rxRelease();
  }
  const after = readMoment(app.nowNs(), rrTids(shared));
  Atomics.store(control, RR.phase, RR_END);
  const log2 = wait === 'recvfrom' ? times.log2 : null;
  return { ...result, measured: n, lastSeq: lastSlot, calls: times.calls, log2, before, after };
}
