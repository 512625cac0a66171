// SPDX-License-Identifier: GPL-2.0-only
/** Hands packets to another thread one by one by MessagePort. */
import { workerData } from 'node:worker_threads';
import { nowNs } from '../lib/clock.js';
import { serve } from './serve.js';

serve({
  /** @returns when the first packet was begun, ns */
  send({ count, bytes }) {
    const packet = new Uint8Array(bytes).fill(1);
    const seqWord = new Int32Array(packet.buffer, 0, 1);
    const startNs = nowNs();
    for (let seq = 0; seq < count; seq++) {
      seqWord[0] = seq;
      workerData.port.postMessage(packet); // copied on the way
    }
    return startNs;
  },
});
