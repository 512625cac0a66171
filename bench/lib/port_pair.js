// SPDX-License-Identifier: GPL-2.0-only
import { MessageChannel } from 'node:worker_threads';
import { BenchWorker } from './bench_worker.js';
import { mustBe } from './check.js';

/** The peer of rows that move packets: one message a packet, each byte read, the order checked. */
export class PortPair {
  /** @param count packets a round @param bytes of each, four of them its number */
  constructor(count, bytes) {
    const { port1, port2 } = new MessageChannel();
    this.count = count;
    this.bytes = bytes;
    this.sender = new BenchWorker('packet_sender.js', { port: port1 }, [port1]);
    this.receiver = new BenchWorker('packet_receiver.js', { port: port2 }, [port2]);
    const seqBytes = Array.from({ length: count }, (_, s) => (s & 0xff) + ((s >> 8) & 0xff) + (s >> 16));
    this.expected = count * (bytes - 4) + seqBytes.reduce((a, b) => a + b, 0);
  }

  /** @returns ns from the first packet begun to the last one read, and the packets */
  async send() {
    const { count, bytes } = this;
    const [startNs, got] = await Promise.all([
      this.sender.call('send', { count, bytes }),
      this.receiver.call('receive', { count }),
    ]);
    mustBe('MessagePort: packets out of order', got.misplaced, 0);
    mustBe('MessagePort: sum of the bytes', got.sum, this.expected | 0);
    return { ns: got.endNs - startNs, items: count };
  }

  async end() {
    await Promise.all([this.sender.end(), this.receiver.end()]);
  }
}
