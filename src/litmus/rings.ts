// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of memory: mm/ring.ts, mm/slab.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { RING, RingConsumer, RingProducer, ringLength, ringWords } from '../mm/ring.js';
import { kfree, kmalloc, MM_AT, MM_STRUCT, mmInit } from '../mm/slab.js';
import { ARENA_WORDS } from './world.js';

const CAPACITY = 2;
const DONE = ringWords(CAPACITY, 1);

export const ringSpsc: Litmus = litmus({
  name: 'ring-single-producer',
  memory: () => new Int32Array(new SharedArrayBuffer((DONE + 1) * 4)),
  setup(m, label) {
    label(m, 0, RING);
    label(m, RING.SIZE, ['slot[0]', 'slot[1]']);
    label(m, DONE, 'received');
  },
  threads: {
    producer(m) {
      const ring = new RingProducer(m, 0, CAPACITY, 1);
      ring.begin();
      for (let sent = 0; sent < 4; ) {
        const n = ring.reserve(4 - sent);
        for (let i = 0; i < n; i++) m[ring.slot(i)] = sent + i + 1;
        if (n > 0) ring.publish(n);
        sent += n;
      }
    },
    consumer(m) {
      const ring = new RingConsumer(m, 0, CAPACITY, 1);
      ring.begin();
      for (let got = 0; got < 4; ) {
        const n = ring.available(CAPACITY);
        for (let i = 0; i < n; i++) {
          const v = m[ring.slot(i)];
          must(v === got + i + 1, `got ${v} as number ${got + i + 1}`);
        }
        if (n > 0) ring.release(n);
        got += n;
        m[DONE] = got;
      }
    },
  },
  final(m) {
    must(m[DONE] === 4, `${m[DONE]} of 4 came through`);
  },
  forbids:
    'a slot read before it is written, or written before it is read; an entry lost, twice or out of order',
  why: 'an index publishes what stands before it (R1 to R4)',
});

export const ringHandOver: Litmus = litmus({
  name: 'ring-consumer-hand-over',
  memory: () => new Int32Array(new SharedArrayBuffer((DONE + 2) * 4)),
  setup(m, label) {
    label(m, 0, RING);
    label(m, RING.SIZE, ['slot[0]', 'slot[1]']);
    label(m, DONE, ['owner', 'sum']);
  },
  threads: {
    producer(m) {
      const ring = new RingProducer(m, 0, CAPACITY, 1);
      ring.begin();
      for (let sent = 0; sent < 3; ) {
        if (ring.reserve(1) === 0) continue;
        m[ring.slot(0)] = ++sent;
        ring.publish(1);
      }
    },
    consumerA: (m) => consume(m),
    consumerB: (m) => consume(m),
  },
  goal: (m) => m[DONE + 1] === 6,
  forbids: 'an entry taken twice when the consumer’s role passes from thread to thread',
  why: 'the hand-over is ordered by an atomic of its own, and the new holder begins anew',
});

/** Takes what there is whenever it gets the role, as polls of an instance do; ends never. */
function consume(m: Int32Array): void {
  const ring = new RingConsumer(m, 0, CAPACITY, 1);
  for (;;) {
    if (Atomics.compareExchange(m, DONE, 0, 1) !== 0) continue;
    ring.begin();
    const n = ring.available(CAPACITY);
    for (let i = 0; i < n; i++) {
      const v = m[ring.slot(i)];
      m[DONE + 1] += v;
    }
    if (n > 0) ring.release(n);
    must(m[DONE + 1] <= 6, 'an entry was taken twice');
    Atomics.store(m, DONE, 0);
  }
}

export const ringLengthSeen: Litmus = litmus({
  name: 'ring-length',
  memory: () => new Int32Array(new SharedArrayBuffer(DONE * 4)),
  setup(m, label) {
    label(m, 0, RING);
    label(m, RING.SIZE, ['slot[0]', 'slot[1]']);
  },
  threads: {
    producer(m) {
      const ring = new RingProducer(m, 0, CAPACITY, 1);
      ring.begin();
      for (let sent = 0; sent < 4; ) {
        if (ring.reserve(1) === 0) continue;
        m[ring.slot(0)] = ++sent;
        ring.publish(1);
      }
    },
    consumer(m) {
      const ring = new RingConsumer(m, 0, CAPACITY, 1);
      ring.begin();
      for (let got = 0; got < 4; ) {
        if (ring.available(1) === 0) continue;
        got++;
        ring.release(1);
      }
    },
    observer(m) {
      const n = ringLength(m, 0);
      must(n >= 0 && n <= CAPACITY, `the ring seems to hold ${n} of ${CAPACITY}`);
    },
  },
  forbids: 'a length that the ring never had',
  why: 'the producer’s index counts only between two looks at the consumer’s that agree',
});

/** Takes the producer's role twice, with one view, and puts an entry in each time. */
function produceAgain(m: Int32Array, value: number): void {
  const ring = new RingProducer(m, 0, CAPACITY, 1);
  for (let sent = 0; sent < 2; ) {
    if (Atomics.compareExchange(m, DONE, 0, 1) !== 0) continue;
    ring.beginAgain();
    if (ring.reserve(1) > 0) {
      must(ring.length() < CAPACITY, 'there seems to be room where there is none');
      m[ring.slot(0)] = value;
      ring.publish(1);
      sent++;
    }
    Atomics.store(m, DONE, 0);
  }
}

export const ringProducerAgain: Litmus = litmus({
  name: 'ring-producer-again',
  memory: () => new Int32Array(new SharedArrayBuffer((DONE + 2) * 4)),
  setup(m, label) {
    label(m, 0, RING);
    label(m, RING.SIZE, ['slot[0]', 'slot[1]']);
    label(m, DONE, ['owner', 'sum']);
  },
  threads: {
    producerA: (m) => produceAgain(m, 1),
    producerB: (m) => produceAgain(m, 10),
    consumer(m) {
      const ring = new RingConsumer(m, 0, CAPACITY, 1);
      ring.begin();
      for (let got = 0; got < 4; ) {
        if (ring.empty()) continue;
        must(ring.available(1) === 1, 'a ring with something in it seems empty');
        const v = m[ring.slot(0)];
        m[DONE + 1] += v;
        ring.release(1);
        got++;
      }
    },
  },
  final(m) {
    must(m[DONE + 1] === 22, 'an entry was written over, or taken twice');
  },
  forbids: 'an entry written over by one who had the producer’s role before and has it again',
  why: 'who takes the role again looks whether the index is where it left it',
});

function allocateFree(m: Int32Array): void {
  const a = kmalloc(m, 16);
  must(a !== 0, 'no memory');
  m[a + 1]++;
  must(m[a + 1] === 1, 'a block has two owners');
  kfree(m, a, 16);
  const b = kmalloc(m, 16);
  m[b + 1]++;
  must(m[b + 1] === 1, 'a block has two owners, or was not zeroed');
}

export const slab: Litmus = litmus({
  name: 'kmalloc-kfree',
  memory: () => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4)),
  setup(m, label) {
    mmInit(m);
    label(m, MM_AT, MM_STRUCT);
    const first = kmalloc(m, 16);
    label(m, first, 'block');
    kfree(m, first, 16);
  },
  threads: { a: allocateFree, b: allocateFree },
  forbids: 'a block with two owners',
  why: 'free lists are only ever taken whole, so no head is recycled under a concurrent pop',
});

const GUARDED = 20;
/** There is room for one such block, of which a few words are guarded: each is an operation. */
const MOST = (1 << 12) - 4;

export const slabGuard: Litmus = litmus({
  name: 'kmalloc-guard',
  memory: () => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4)),
  setup(m, label) {
    mmInit(m);
    m[MM_AT + MM_STRUCT.guardWords] = 1;
    label(m, MM_AT, MM_STRUCT);
  },
  threads: {
    owner(m) {
      const a = kmalloc(m, GUARDED);
      for (let i = 0; i < GUARDED; i++) m[a + i] = i + 1;
      kfree(m, a, GUARDED);
      // The same block, for less: what is behind it now is guarded, too.
      const b = kmalloc(m, GUARDED - 1);
      must(b === a && m[b] === 0, 'a block is not zeroed');
      m[b + GUARDED - 1] = 7;
      let told = false;
      try {
        kfree(m, b, GUARDED - 1);
      } catch {
        told = true;
      }
      must(told, 'a write behind an object is not noticed');
      must(kmalloc(m, MOST) !== 0, 'less memory than there is');
      must(kmalloc(m, MOST) === 0, 'more memory than there is');
      must(m[MOST] === 0, 'memory that could not be had was written to');
    },
  },
  forbids: 'a write behind an object that nobody notices, or one inside that is taken for it',
  why: 'what its block has left holds a pattern from kmalloc to kfree',
});
