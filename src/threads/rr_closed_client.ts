// SPDX-License-Identifier: GPL-2.0-only
/**
 * The client of `softnet rr` in a closed loop (xsk_rr without -T): sends a packet each period and waits for its answer
 * before it sends the next one. Times count from the intended sending; slots for which it is late are counted.
 */
import { cpuRelax } from '../kernel/cpu_relax.js';
import type { AppContext } from './app_context.js';
import type { XskSocket } from './app_xsk.js';
import type { ClientArgs, ClientResult, RrWait } from './rr_client.js';
import { type Moment, readMoment } from './rr_moment.js';
import { CallTimes, RR, RR_END, RR_MEASURE, rrTids, TIMED_CALLS } from './rr_shared.js';

export interface ClosedClientArgs extends ClientArgs {
  readonly periodNs: number;
  /** The driver looks at the tx ring by itself: no sendto. */
  readonly noKick: boolean;
}

export interface ClosedClientResult extends ClientResult {
  /** Packets sent. */
  readonly sent: number;
  /** Slots measured in which it was not ready to send. */
  readonly missed: number;
}

/** Bytes of a packet: an answer is the wire's, whatever is sent. */
const FRAME_BYTES = 64;
/** An answer that is so late does not come. */
const LOST_NS = 1e9;
/** Looks at an empty ring between two looks at the clock. */
const CLOCK_LOOKS = 64;
/** Longest sleep, ms. */
const SLEEP_MS = 20;

/** Sends and receives: the wire numbers its answers as they were sent. */
class Exchange {
  readonly times = new CallTimes();
  sent = 0;
  received = 0;
  private readonly app: AppContext;
  private readonly xsk: XskSocket;
  private readonly wait: RrWait;
  private readonly noKick: boolean;

  constructor(app: AppContext, wait: RrWait, noKick: boolean) {
    this.app = app;
    this.xsk = app.xsks[0];
    this.wait = wait;
    this.noKick = noKick;
  }

  /** @returns false if there was no frame to send from, or no room in the ring */
  send(): boolean {
    const { xsk } = this;
    xsk.txComplete();
    const addr = xsk.txFrame();
    if (addr < 0 || !xsk.txSend(addr, FRAME_BYTES)) return false;
    this.sent++;
    if (this.noKick) return true;
    this.times.calls++;
    xsk.sendto();
    return true;
  }

  /** Waits for the answer to the last packet sent, until `untilNs`; it is in the ring then. @returns when it was seen, 0: not */
  answer(untilNs: number): number {
    const { app, xsk } = this;
    for (let look = 1; ; look++) {
      if (xsk.rxPeek(1) > 0) {
        this.received++;
        // One that comes after it was given up answers nothing any more.
        if (xsk.rxSeq(0) === ((this.sent - 1) | 0)) return app.nowNs();
        xsk.rxRelease();
        continue;
      }
      this.pause();
      if ((this.wait === 'sleep' || look % CLOCK_LOOKS === 0) && (app.nowNs() > untilNs || xsk.closed))
        return 0;
    }
  }

  /** Does what the client does where there is no packet. */
  private pause(): void {
    const { app, xsk, times } = this;
    if (this.wait === 'spin') {
      cpuRelax();
    } else if (this.wait === 'sleep') {
      times.calls++;
      xsk.poll(SLEEP_MS);
    } else if (++times.calls % TIMED_CALLS === 0) {
      const startNs = app.nowNs();
      xsk.recvfrom();
      times.record(app.nowNs() - startNs);
    } else {
      xsk.recvfrom();
    }
  }
}

/** Sends in every slot of the schedule for which it is ready. */
export default function closedClient(app: AppContext): ClosedClientResult {
  const { shared, schedule, wait, delayNs, periodNs, noKick } = app.args as ClosedClientArgs;
  const control = new Int32Array(shared.control);
  const latencies = new Float64Array(shared.latencies);
  const stamps = new Float64Array(shared.stamps);
  const xsk = app.xsks[0];
  const exchange = new Exchange(app, wait, noKick);
  let before: Moment | null = null;
  let missed = 0;
  let lastSeq = -1;
  let n = 0;

  while (Atomics.load(control, RR.go) === 0) cpuRelax();
  const startNs = app.nowNs() + periodNs;
  for (let slot = 0; slot <= schedule.last; slot++) {
    if (Atomics.load(control, RR.stop) !== 0 || xsk.closed) break;
    let nowNs = app.nowNs();
    for (; nowNs >= startNs + (slot + 1) * periodNs && slot < schedule.last; slot++) {
      if (slot >= schedule.first) missed++;
    }
    const dueNs = startNs + slot * periodNs;
    while (nowNs < dueNs) {
      cpuRelax();
      nowNs = app.nowNs();
    }
    const seenNs = exchange.send() ? exchange.answer(dueNs + LOST_NS) : 0;
    if (seenNs === 0) {
      if (slot >= schedule.first) missed++;
      continue;
    }
    lastSeq = slot;
    if (before === null) {
      if (slot >= schedule.moment) {
        before = readMoment(seenNs, rrTids(shared));
        Atomics.store(control, RR.phase, RR_MEASURE);
        exchange.times.reset();
        if (slot >= schedule.first) missed++;
      }
    } else if (slot >= schedule.first) {
      stamps[n] = dueNs;
      latencies[n++] = seenNs - dueNs;
    }
    while (app.nowNs() < seenNs + delayNs) cpuRelax();
    xsk.rxRelease();
  }
  const after = readMoment(app.nowNs(), rrTids(shared));
  // Every answer is accounted for, late ones too.
  const untilNs = app.nowNs() + LOST_NS;
  while (exchange.received < exchange.sent && app.nowNs() < untilNs && !xsk.closed) {
    if (exchange.answer(untilNs) !== 0) xsk.rxRelease();
  }
  Atomics.store(control, RR.phase, RR_END);
  const { sent, received, times } = exchange;
  const log2 = wait === 'recvfrom' ? times.log2 : null;
  return { received, sent, missed, measured: n, lastSeq, calls: times.calls, log2, before, after };
}
