// SPDX-License-Identifier: GPL-2.0-only
//
// Threads of ring.test.ts: one produces, one consumes, in batches of random size. Slot number `seq` holds words that
// follow from `seq`. Words `started` and `finished` count from outside: slots that were begun to be written, and slots
// that were read to the end.

import { RingConsumer, RingProducer, ringLength } from '../../dist/mm/ring.js';
import { meet, random } from './kernel_steps.mjs';

/** Looks at a full or empty ring before a sleep: the ring itself wakes nobody, so both sides notify here. */
const LOOKS = 200;

function slotWord(seq, word) {
  return Math.imul(seq ^ 0x5bd1e995, word + 3);
}

/** @returns how often the ring let more be written than it holds */
export function produce({ m }, { ring, capacity, slotWords, total, started, finished, gate, count, id }) {
  const producer = new RingProducer(m, ring, capacity, slotWords);
  const next = random(id);
  let overfull = 0;
  let looks = 0;
  producer.begin();
  meet(m, gate, count);
  for (let seq = 0; seq < total; ) {
    const want = Math.min(1 + next(2 * capacity), total - seq);
    const cons = Atomics.load(m, producer.consAt);
    const n = producer.reserve(want);
    if (n === 0) {
      if (++looks % LOOKS === 0) Atomics.wait(m, producer.consAt, cons);
      continue;
    }
    if (n < 0 || n > want || seq + n - Atomics.load(m, finished) > capacity) overfull++;
    Atomics.store(m, started, seq + n);
    for (let i = 0; i < n; i++) {
      const slot = producer.slot(i);
      for (let w = 0; w < slotWords; w++) m[slot + w] = slotWord(seq + i, w);
    }
    // Some of what was reserved is published, the rest stays reserved.
    const now = next(4) === 0 ? 1 + next(n) : n;
    producer.publish(now);
    Atomics.notify(m, producer.prodAt);
    seq += now;
  }
  return overfull;
}

/** @returns what it saw wrong: slots out of place, and lengths that cannot be */
export function consume({ m }, { ring, capacity, slotWords, total, started, finished, gate, count, id }) {
  const consumer = new RingConsumer(m, ring, capacity, slotWords);
  const next = random(id);
  const seen = { wrong: 0, tooMany: 0, unwritten: 0 };
  let looks = 0;
  consumer.begin();
  meet(m, gate, count);
  for (let seq = 0; seq < total; ) {
    const want = 1 + next(2 * capacity);
    const prod = Atomics.load(m, consumer.prodAt);
    const n = consumer.available(want);
    if (n === 0) {
      if (++looks % LOOKS === 0) Atomics.wait(m, consumer.prodAt, prod);
      continue;
    }
    if (n < 0 || n > want || n > capacity || ringLength(m, ring) > capacity) seen.tooMany++;
    if (seq + n > Atomics.load(m, started)) seen.unwritten++;
    const take = 1 + next(n);
    for (let i = 0; i < take; i++) {
      const slot = consumer.slot(i);
      for (let w = 0; w < slotWords; w++) if (m[slot + w] !== slotWord(seq + i, w)) seen.wrong++;
    }
    Atomics.store(m, finished, seq + take);
    consumer.release(take);
    Atomics.notify(m, consumer.consAt);
    seq += take;
  }
  return seen;
}

/** Looks at the length from outside until all is consumed. @returns the smallest and the largest it saw */
export function watchLength({ m }, { ring, total, finished, gate, count }) {
  let least = 0;
  let most = 0;
  meet(m, gate, count);
  while (Atomics.load(m, finished) < total) {
    const n = ringLength(m, ring);
    least = Math.min(least, n);
    most = Math.max(most, n);
  }
  return { least, most };
}
