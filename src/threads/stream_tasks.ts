// SPDX-License-Identifier: GPL-2.0-only
/**
 * The application of `softnet stream`: serves a virtual CPU with a receiving task for each of its sockets, and shows what it
 * does while it does it. The time that softirqs take of this thread is measured at the softirq's vector, once a round.
 */
import type { AppContext } from './app_context.js';

/** Doubles that the tasks show, in this order. Each has one writer, and is read racily. */
export const STREAM_SHOWN = Object.freeze({
  /** Frames that the tasks received: a datagram that was put together counts as those it came in. */
  frames: 0,
  /** Time that softirqs took in the thread of the virtual CPU, ns: of the clock, so what interrupted them is in it. */
  softirqNs: 1,
  /** How many doubles there are. */
  count: 2,
});

/** What the application is given. */
export interface StreamTasksArgs {
  /** STREAM_SHOWN.count doubles. */
  readonly shown: SharedArrayBuffer;
}

/** Runs the tasks until their sockets are closed. */
export default function streamTasks(app: AppContext): void {
  const shown = new Float64Array((app.args as StreamTasksArgs).shown);
  let frames = 0;
  let softirqNs = 0;
  app.timeSoftirqs((ns) => {
    softirqNs += ns;
    shown[STREAM_SHOWN.softirqNs] = softirqNs;
  });
  app.serveCpu((batch) => {
    for (let i = 0; i < batch.count; i++) frames += batch.frames(i);
    shown[STREAM_SHOWN.frames] = frames;
  });
}
