// SPDX-License-Identifier: GPL-2.0-only
/**
 * The sending application of `softnet backlog` and of the benches: sends to one port, its flows in turn, as fast as it
 * can, when it is told to. An ordinary user of AppContext.
 */
import type { AppContext } from './app_context.js';

/** What it sends. */
export interface FloodArgs {
  /** The words and doubles of FLOOD, shared with whoever gives the orders. */
  readonly sab: SharedArrayBuffer;
  readonly flows: number;
  /** Bytes of UDP payload. */
  readonly payloadBytes: number;
  readonly port: number;
  /** Datagrams of one system call. */
  readonly batch: number;
}

/** Orders and outcome. The order's parameters are written before `order` is stored, the outcome before `done` is. */
export const FLOOD = Object.freeze({
  /** Word: number of the order to be carried out, from 1; negative: end. */
  order: 0,
  /** Word: number of the latest order that is done. */
  done: 1,
  /** Double: datagrams to send at most. */
  count: 1,
  /** Double: how long to send at most, ns. */
  ns: 2,
  /** Double: datagrams that were sent. */
  sent: 3,
  /** Double: when the first was begun, and when the last was sent, CLOCK_MONOTONIC ns. */
  startNs: 4,
  endNs: 5,
  BYTES: 48,
});

/** Datagrams between two looks at the clock. */
const LOOK = 64;
const FIRST_SRC_PORT = 1024;

/** Carries orders out until it is told to end. Its sender must be its only one. */
export default function udpFlood(app: AppContext): void {
  const args = app.args as FloodArgs;
  const [sender] = app.senders;
  const words = new Int32Array(args.sab);
  const doubles = new Float64Array(args.sab);
  const flows = Array.from({ length: args.flows }, (_, i) =>
    sender.flow({ srcPort: FIRST_SRC_PORT + i, dstPort: args.port, payload: args.payloadBytes }),
  );
  let flow = 0;
  for (let order = 0; ; ) {
    Atomics.wait(words, FLOOD.order, order);
    order = Atomics.load(words, FLOOD.order);
    if (order < 0) return;
    const count = doubles[FLOOD.count];
    const startNs = app.nowNs();
    const endNs = startNs + doubles[FLOOD.ns];
    let sent = 0;
    while (sent < count && app.nowNs() < endNs && !sender.closed) {
      const until = Math.min(count, sent + LOOK);
      while (sent < until) {
        const got = sender.send(flows[flow], Math.min(args.batch, until - sent));
        if (got === 0) break; // closed
        sent += got;
        flow = flow + 1 === args.flows ? 0 : flow + 1;
      }
    }
    doubles[FLOOD.sent] = sent;
    doubles[FLOOD.startNs] = startNs;
    doubles[FLOOD.endNs] = app.nowNs();
    Atomics.store(words, FLOOD.done, order);
    Atomics.notify(words, FLOOD.done);
  }
}
