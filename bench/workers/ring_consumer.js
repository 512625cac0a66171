// SPDX-License-Identifier: GPL-2.0-only
/** The receiving thread of the ring row. Each peer reads every word: the first for order, the others for the sum. */
import { workerData } from 'node:worker_threads';
import { RingBuffer } from 'ringbuf.js';
import { RingConsumer } from '../../dist/mm/ring.js';
import { Backoff, meet } from '../lib/backoff.js';
import { nowNs } from '../lib/clock.js';
import { CAPACITY, DESC_WORDS, MEET_AT, RING_AT } from '../lib/ring_layout.js';
import { serve } from './serve.js';

const m = new Int32Array(workerData.shared);
const ring = new RingConsumer(m, RING_AT, CAPACITY, DESC_WORDS);
const ringbuf = new RingBuffer(workerData.ringbuf, Int32Array);
const backoff = new Backoff();

function softnet(count, batch) {
  const { m } = ring;
  let sum = 0;
  let misplaced = 0;
  ring.begin();
  for (let seq = 0; seq < count; ) {
    const n = ring.available(batch);
    if (n === 0) {
      backoff.idle();
      continue;
    }
    backoff.busy();
    for (let done = 0; done < n; ) {
      const piece = ring.contiguous(n - done);
      const first = ring.slot(0);
      for (let at = first; at < first + piece * DESC_WORDS; at += DESC_WORDS) {
        misplaced |= m[at] ^ seq;
        sum = (sum + m[at + 1] + m[at + 2] + m[at + 3]) | 0;
        seq++;
      }
      ring.release(piece);
      done += piece;
    }
  }
  return { sum, misplaced };
}

function ringbufJs(count, batch) {
  const chunk = new Int32Array(batch * DESC_WORDS);
  let sum = 0;
  let misplaced = 0;
  // A pop may end within a descriptor: what is there of it stays at the front of the chunk.
  let held = 0;
  for (let seq = 0; seq < count; ) {
    const popped = ringbuf.pop(chunk, chunk.length - held, held);
    if (popped === 0) {
      backoff.idle();
      continue;
    }
    backoff.busy();
    const words = held + popped;
    let at = 0;
    for (; at + DESC_WORDS <= words; at += DESC_WORDS) {
      misplaced |= chunk[at] ^ seq;
      sum = (sum + chunk[at + 1] + chunk[at + 2] + chunk[at + 3]) | 0;
      seq++;
    }
    held = words - at;
    for (let i = 0; i < held; i++) chunk[i] = chunk[at + i];
  }
  return { sum, misplaced };
}

/** Reads `count` messages. `read` returns what is wrong with the first word's place, and adds to the sum. */
function fromPort(count, read) {
  const { port } = workerData;
  const got = { sum: 0, misplaced: 0 };
  return new Promise((resolve) => {
    let seq = 0;
    const onMessage = (desc) => {
      read(got, desc, seq++);
      if (seq < count) return;
      port.off('message', onMessage);
      resolve(got);
    };
    port.on('message', onMessage);
  });
}

function portObject(count) {
  return fromPort(count, (got, desc, seq) => {
    got.misplaced |= desc.a ^ seq;
    got.sum = (got.sum + desc.b + desc.c + desc.d) | 0;
  });
}

function portArray(count) {
  return fromPort(count, (got, desc, seq) => {
    got.misplaced |= desc[0] ^ seq;
    got.sum = (got.sum + desc[1] + desc[2] + desc[3]) | 0;
  });
}

const peers = { softnet, ringbufJs, portObject, portArray };

serve({
  /** @returns when the last descriptor was read, ns, and what the receiver made of them */
  async receive({ peer, count, batch }) {
    meet(m, MEET_AT, 2, backoff);
    const { sum, misplaced } = await peers[peer](count, batch);
    return { endNs: nowNs(), sum, misplaced };
  },
});
