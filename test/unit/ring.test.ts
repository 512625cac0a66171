// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { RING, RingConsumer, RingProducer, ringLength, ringWords } from '../../dist/mm/ring.js';
import { endWorkers, KernelLab, stopLabs } from '../helpers/kernel_lab.js';

const HANG_MS = 20_000;
const AT = 16;

afterEach(stopLabs);
afterAll(endWorkers);

/** Indices near which a sum of two leaves 31 or 32 bits. */
const STARTS = [0, 0x7ffffff0, -16];

function makeRing(capacity: number, slotWords: number, start = 0): Int32Array {
  const m = new Int32Array(AT + ringWords(capacity, slotWords) + 16);
  m[AT + RING.prod] = start;
  m[AT + RING.cons] = start;
  return m;
}

/** The slots said to stand in one piece do, and the one behind them is the first of the ring. */
function expectOnePiece(side: RingProducer | RingConsumer, n: number): void {
  const piece = side.contiguous(n);
  expect(piece).toBe(Math.min(piece, n));
  for (let i = 0; i < piece; i++) expect(side.slot(i)).toBe(side.slot(0) + i);
  if (piece < n) expect(side.slot(piece)).toBe(AT + RING.SIZE);
}

describe('ring', () => {
  it('hands over what was published, in order, and no more than its capacity', () => {
    const m = makeRing(4, 2);
    const producer = new RingProducer(m, AT, 4, 2);
    const consumer = new RingConsumer(m, AT, 4, 2);
    producer.begin();
    consumer.begin();
    expect(consumer.available(8)).toBe(0);
    expect(producer.reserve(8)).toBe(4);
    for (let i = 0; i < 4; i++) m.fill(100 + i, producer.slot(i), producer.slot(i) + 2);
    expect(consumer.available(8)).toBe(0);
    producer.publish(3);
    expect(consumer.available(2)).toBe(2);
    expect(consumer.available(8)).toBe(3);
    expect([0, 1, 2].map((i) => m[consumer.slot(i) + 1])).toEqual([100, 101, 102]);
    expect(producer.reserve(8)).toBe(1);
    expect(m[producer.slot(0)]).toBe(103);
    producer.publish(1);
    expect(producer.reserve(8)).toBe(0);
    consumer.release(2);
    expect(producer.reserve(8)).toBe(2);
    expect(ringLength(m, AT)).toBe(2);
  });

  it('lays its slots side by side behind its own words', () => {
    const m = makeRing(8, 4);
    const producer = new RingProducer(m, AT, 8, 4);
    producer.begin();
    const slots = Array.from({ length: 8 }, (_, i) => producer.slot(i));
    expect(slots).toEqual(Array.from({ length: 8 }, (_, i) => AT + RING.SIZE + 4 * i));
    expect(ringWords(8, 4)).toBe(RING.SIZE + 32);
  });

  it('passes either role on to another thread, which goes on where the first one was', () => {
    const m = makeRing(4, 1);
    const producers = [0, 1].map(() => new RingProducer(m, AT, 4, 1));
    const consumers = [0, 1].map(() => new RingConsumer(m, AT, 4, 1));
    const got: number[] = [];
    for (let seq = 0; seq < 40; seq++) {
      const producer = producers[(seq >> 1) & 1];
      producer.begin();
      expect(producer.reserve(1)).toBe(1);
      m[producer.slot(0)] = seq;
      producer.publish(1);
      const consumer = consumers[(seq >> 2) & 1];
      consumer.begin();
      expect(consumer.available(9)).toBe(1);
      got.push(m[consumer.slot(0)]);
      consumer.release(1);
    }
    expect(got).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  it.each(STARTS)('does what a queue does, with indices from %i on', (start) => {
    const step = fc.record({
      op: fc.constantFrom('produce', 'consume'),
      want: fc.integer({ min: 1, max: 12 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const m = makeRing(8, 1, start);
        const producer = new RingProducer(m, AT, 8, 1);
        const consumer = new RingConsumer(m, AT, 8, 1);
        producer.begin();
        consumer.begin();
        const queue: number[] = [];
        let seq = 0;
        for (const { op, want } of steps) {
          if (op === 'produce') {
            const n = producer.reserve(want);
            expect(n).toBe(Math.min(want, 8 - queue.length));
            expectOnePiece(producer, n);
            for (let i = 0; i < n; i++) {
              m[producer.slot(i)] = seq;
              queue.push(seq++);
            }
            producer.publish(n);
          } else {
            const n = consumer.available(want);
            expect(n).toBe(Math.min(want, queue.length));
            expectOnePiece(consumer, n);
            expect(Array.from({ length: n }, (_, i) => m[consumer.slot(i)])).toEqual(queue.splice(0, n));
            consumer.release(n);
          }
          expect(ringLength(m, AT)).toBe(queue.length);
        }
      }),
    );
  });
});

describe('ring between two threads', () => {
  const shapes = [
    { capacity: 1, slotWords: 1, total: 2000, shake: 0 },
    { capacity: 64, slotWords: 4, total: 100_000, shake: 0 },
    { capacity: 512, slotWords: 1, total: 200_000, shake: 0 },
    { capacity: 8, slotWords: 2, total: 10_000, shake: 20 },
  ];
  it.each(shapes)(
    'keeps content and order: $capacity slots of $slotWords words, shaken: $shake',
    {
      timeout: HANG_MS,
    },
    async ({ capacity, slotWords, total, shake }) => {
      const lab = new KernelLab('ring_scenarios.mjs', { shake });
      const ring = lab.words(ringWords(capacity, slotWords));
      // The indices pass 2^31 on the way.
      lab.m[ring + RING.prod] = 0x7fffffff - 500;
      lab.m[ring + RING.cons] = 0x7fffffff - 500;
      const args = {
        ...{ ring, capacity, slotWords, total, count: 2 },
        ...{ gate: lab.words(1), started: lab.words(1), finished: lab.words(1) },
      };
      const [overfull, seen] = await Promise.all([
        lab.run('produce', { ...args, id: 1 }),
        lab.run('consume', { ...args, id: 2 }),
      ]);
      expect(overfull).toBe(0);
      expect(seen).toEqual({ wrong: 0, tooMany: 0, unwritten: 0 });
      expect(ringLength(lab.m, ring)).toBe(0);
    },
  );

  it('has a length from 0 to its capacity, also for somebody who only looks', {
    timeout: HANG_MS,
  }, async () => {
    const lab = new KernelLab('ring_scenarios.mjs');
    const [capacity, slotWords, total] = [8, 1, 30_000];
    const ring = lab.words(ringWords(capacity, slotWords));
    const args = {
      ...{ ring, capacity, slotWords, total, count: 3 },
      ...{ gate: lab.words(1), started: lab.words(1), finished: lab.words(1) },
    };
    const [length] = await Promise.all([
      lab.run<{ least: number; most: number }>('watchLength', args),
      lab.run('produce', { ...args, id: 1 }),
      lab.run('consume', { ...args, id: 2 }),
    ]);
    expect(length.least).toBe(0);
    expect(length.most).toBeLessThanOrEqual(capacity);
  });
});
