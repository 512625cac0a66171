// SPDX-License-Identifier: GPL-2.0-only
/** Receives packets one by one by MessagePort: reads every byte of each, checks their order. */
import { workerData } from 'node:worker_threads';
import { nowNs } from '../lib/clock.js';
import { serve } from './serve.js';

serve({
  /** @returns when the last packet was read, ns, and what the receiver made of them */
  receive({ count }) {
    const { port } = workerData;
    return new Promise((resolve) => {
      let seq = 0;
      let sum = 0;
      let misplaced = 0;
      const onMessage = (packet) => {
        misplaced |= (packet[0] | (packet[1] << 8) | (packet[2] << 16) | (packet[3] << 24)) ^ seq;
        for (let k = 0; k < packet.length; k++) sum = (sum + packet[k]) | 0;
        if (++seq < count) return;
        port.off('message', onMessage);
        resolve({ endNs: nowNs(), sum, misplaced });
      };
      port.on('message', onMessage);
    });
  },
});
