// SPDX-License-Identifier: GPL-2.0-only
/**
 * Descriptors from one thread to another.
 *
 *   +----------+   ring of 1024 descriptors, 16 bytes each   +----------+
 *   | producer | ------------------------------------------> | consumer |
 *   +----------+        batches of 64, or one by one         +----------+
 *
 *   softnet      RingProducer and RingConsumer, written and read in place
 *   ringbuf.js   push and pop of the same batches, ring of the same size
 *   MessagePort  one message a descriptor, an object or an Int32Array, whichever is faster
 *
 * Both ends of both rings wait in the same way: they spin, then sleep for a moment.
 */
import { MessageChannel } from 'node:worker_threads';
import { RingBuffer } from 'ringbuf.js';
import { RingConsumer, RingProducer, ringWords } from '../../dist/mm/ring.js';
import { BenchWorker } from '../lib/bench_worker.js';
import { check, figure, mustBe } from '../lib/check.js';
import { interleave, interleaveSync, ratio } from '../lib/interleave.js';
import { CAPACITY, DESC_WORDS, expectedSum, MEET_AT, SHARED_WORDS } from '../lib/ring_layout.js';
import { median } from '../lib/stats.js';

const BATCH = 64;

export const ring = {
  name: 'ring',
  title: '16-byte descriptors from one thread to another, batches of 64',
  threads: 2,
  minCores: 2,
  run,
};

async function run({ quick, measuring, progress }) {
  const scale = quick ? 0.001 : 1;
  const peers = [
    { name: 'ring64', peer: 'softnet', batch: BATCH, count: 20_000_000 * scale },
    { name: 'ringbuf64', peer: 'ringbufJs', batch: BATCH, count: 5_000_000 * scale },
    { name: 'portObject', peer: 'portObject', batch: 1, count: 100_000 * scale },
    { name: 'portArray', peer: 'portArray', batch: 1, count: 100_000 * scale },
    { name: 'ring1', peer: 'softnet', batch: 1, count: 2_000_000 * scale },
    { name: 'ringbuf1', peer: 'ringbufJs', batch: 1, count: 1_000_000 * scale },
  ];
  const threads = startThreads();
  let ns;
  let alone;
  try {
    ns = await measuring(async () => {
      const rounds = quick ? 2 : 9;
      alone = oneThread(quick);
      return interleave(
        peers.map((p) => ({ name: p.name, run: () => move(threads, p) })),
        { rounds, warmups: quick ? 0 : 2, progress },
      );
    });
  } finally {
    await Promise.all([threads.producer.end(), threads.consumer.end()]);
  }
  const port = median(ns.portObject) <= median(ns.portArray) ? 'portObject' : 'portArray';
  const rate = (key, label, name) =>
    figure(`${key}_descriptors_per_s`, label, 1e9 / median(ns[name]), 'descriptors/s');
  return {
    figures: [
      rate('ring_batch64', 'softnet ring, batches of 64', 'ring64'),
      rate('ringbufjs_batch64', 'ringbuf.js, batches of 64', 'ringbuf64'),
      rate('messageport_object', 'MessagePort, an object each', 'portObject'),
      rate('messageport_int32array', 'MessagePort, an Int32Array each', 'portArray'),
      rate('ring_batch1', 'softnet ring, one by one', 'ring1'),
      rate('ringbufjs_batch1', 'ringbuf.js, one by one', 'ringbuf1'),
      figure('ring_one_thread_batch64_ns', 'in one thread, batches of 64: a descriptor', alone.batch64, 'ns'),
      figure('ring_one_thread_batch1_ns', 'in one thread, one by one: a descriptor', alone.batch1, 'ns'),
    ],
    checks: [
      check('ring_over_messageport_ratio', 'ring / MessagePort', ratio(ns[port], ns.ring64), '>=', 100, 'x'),
      check('ring_over_ringbufjs_ratio', 'ring / ringbuf.js', ratio(ns.ringbuf64, ns.ring64), '>=', 3, 'x'),
    ],
    samples: ns,
  };
}

function startThreads() {
  const shared = new SharedArrayBuffer(SHARED_WORDS * 4);
  const ringbuf = RingBuffer.getStorageForCapacity(CAPACITY * DESC_WORDS, Int32Array);
  const { port1, port2 } = new MessageChannel();
  return {
    m: new Int32Array(shared),
    producer: new BenchWorker('ring_producer.js', { shared, ringbuf, port: port1 }, [port1]),
    consumer: new BenchWorker('ring_consumer.js', { shared, ringbuf, port: port2 }, [port2]),
  };
}

async function move({ m, producer, consumer }, { peer, batch, count }) {
  Atomics.store(m, MEET_AT, 0);
  const [startNs, got] = await Promise.all([
    producer.call('send', { peer, batch, count }),
    consumer.call('receive', { peer, batch, count }),
  ]);
  mustBe(`${peer}: descriptors out of order`, got.misplaced, 0);
  mustBe(`${peer}: sum of the descriptors`, got.sum, expectedSum(count));
  return { ns: got.endNs - startNs, items: count };
}

/** What the ring's own code costs, without another thread's cache. @returns ns a descriptor */
function oneThread(quick) {
  const m = new Int32Array(new SharedArrayBuffer(ringWords(CAPACITY, DESC_WORDS) * 4));
  const producer = new RingProducer(m, 0, CAPACITY, DESC_WORDS);
  const consumer = new RingConsumer(m, 0, CAPACITY, DESC_WORDS);
  let seq = 0;
  const pass = (batch) => {
    for (let done = 0; done < CAPACITY; done += batch) {
      const room = producer.reserve(batch);
      for (let i = 0; i < room; i++) m[producer.slot(i)] = seq + i;
      producer.publish(room);
      const n = consumer.available(batch);
      for (let i = 0; i < n; i++)
        if (m[consumer.slot(i)] !== seq + i) throw new Error('ring: wrong descriptor');
      consumer.release(n);
      seq = (seq + n) | 0;
      if (n !== batch) throw new Error(`ring: a batch of ${batch} came as ${n}`);
    }
  };
  const ns = interleaveSync(
    [
      { name: 'batch64', items: CAPACITY, run: () => pass(BATCH) },
      { name: 'batch1', items: CAPACITY, run: () => pass(1) },
    ],
    { rounds: quick ? 1 : 5, turnMs: quick ? 1 : 50 },
  );
  return { batch64: median(ns.batch64), batch1: median(ns.batch1) };
}
