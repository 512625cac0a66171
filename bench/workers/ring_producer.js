// SPDX-License-Identifier: GPL-2.0-only
/** The sending thread of the ring row. Each peer writes every descriptor word by word. */
import { workerData } from 'node:worker_threads';
import { RingBuffer } from 'ringbuf.js';
import { RingProducer } from '../../dist/mm/ring.js';
import { Backoff, meet } from '../lib/backoff.js';
import { nowNs } from '../lib/clock.js';
import { CAPACITY, DESC_WORDS, MEET_AT, RING_AT } from '../lib/ring_layout.js';
import { serve } from './serve.js';

const m = new Int32Array(workerData.shared);
const ring = new RingProducer(m, RING_AT, CAPACITY, DESC_WORDS);
const ringbuf = new RingBuffer(workerData.ringbuf, Int32Array);
const backoff = new Backoff();

function softnet(count, batch) {
  const { m } = ring;
  ring.begin();
  for (let seq = 0; seq < count; ) {
    const want = Math.min(batch, count - seq);
    if (ring.reserve(want) < want) {
      backoff.idle();
      continue;
    }
    backoff.busy();
    for (let done = 0; done < want; ) {
      const piece = ring.contiguous(want - done);
      const first = ring.slot(0);
      for (let at = first; at < first + piece * DESC_WORDS; at += DESC_WORDS) {
        m[at] = seq;
        m[at + 1] = ~seq;
        m[at + 2] = seq << 1;
        m[at + 3] = 1;
        seq++;
      }
      ring.publish(piece);
      done += piece;
    }
  }
}

function ringbufJs(count, batch) {
  const chunk = new Int32Array(batch * DESC_WORDS);
  for (let seq = 0; seq < count; ) {
    const descs = Math.min(batch, count - seq);
    for (let i = 0; i < descs; i++) {
      const at = i * DESC_WORDS;
      chunk[at] = seq;
      chunk[at + 1] = ~seq;
      chunk[at + 2] = seq << 1;
      chunk[at + 3] = 1;
      seq++;
    }
    const words = descs * DESC_WORDS;
    for (let done = 0; done < words; ) {
      const pushed = ringbuf.push(chunk, words - done, done);
      if (pushed === 0) backoff.idle();
      else backoff.busy();
      done += pushed;
    }
  }
}

function portObject(count) {
  const { port } = workerData;
  for (let seq = 0; seq < count; seq++) port.postMessage({ a: seq, b: ~seq, c: seq << 1, d: 1 });
}

function portArray(count) {
  const { port } = workerData;
  const desc = new Int32Array(DESC_WORDS);
  for (let seq = 0; seq < count; seq++) {
    desc[0] = seq;
    desc[1] = ~seq;
    desc[2] = seq << 1;
    desc[3] = 1;
    port.postMessage(desc); // copied on the way
  }
}

const peers = { softnet, ringbufJs, portObject, portArray };

serve({
  /** @returns when the first descriptor was begun, ns */
  send({ peer, count, batch }) {
    meet(m, MEET_AT, 2, backoff);
    const startNs = nowNs();
    peers[peer](count, batch);
    return startNs;
  },
});
