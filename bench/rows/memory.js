// SPDX-License-Identifier: GPL-2.0-only
/**
 * What packets leave behind in the heap of the thread that polls, and what a kernel thread costs.
 *
 *   +----------+      +--------------------------------------+      +----------+
 *   | nic/eth0 | ---> | napi/eth0                            | ---> | app/eth0 |   10 million packets
 *   +----------+      | gc, heap | poll ... poll | gc, heap  |      +----------+
 *                     +--------------------------------------+
 *
 *   a device of 40 queues in softirq  -- setThreaded -->  the same with 40 napi threads, all asleep
 *   resident set                                          resident set: the difference, by 40
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { boot } from '../../dist/index.js';
import { BenchWorker } from '../lib/bench_worker.js';
import { check, figure, mustBe } from '../lib/check.js';
import { Lane } from '../lib/lane.js';
import { adopt, newNapiTask, queueNapi, startThread } from '../lib/protocol.js';

const MB = 1e6;
/** A resident set that moves less than this in a tenth of a second rests. */
const RESTS_BYTES = 256 * 1024;

export const memory = {
  name: 'memory',
  title: 'what 10 million packets leave in the polling thread’s heap, and a kernel thread at rest',
  threads: 1,
  minCores: 1,
  hostMatters: false,
  execArgv: ['--expose-gc'],
  run,
};

async function run({ quick, measuring, progress }) {
  return measuring(async () => {
    progress('kernel threads at rest');
    const queues = quick ? 4 : 40;
    const threadBytes = await bytesOfThread(queues);
    const packets = quick ? 20_000 : 10_000_000;
    progress(`${packets} packets`);
    const heap = await heapOfPoller(packets);
    return {
      figures: [
        figure('packets', 'packets polled', packets, 'packets'),
        figure('heap_before_bytes', 'heap of the thread before', heap.beforeBytes, 'bytes'),
        figure('heap_after_bytes', 'heap of the thread after', heap.afterBytes, 'bytes'),
        figure('idle_kernel_threads', 'kernel threads at rest', queues, 'threads'),
      ],
      checks: [
        check(
          'heap_growth_bytes',
          'growth of the heap',
          heap.afterBytes - heap.beforeBytes,
          '<',
          5 * MB,
          'bytes',
        ),
        check('kernel_thread_bytes', 'resident set, a kernel thread', threadBytes, '<=', 12 * MB, 'bytes'),
      ],
    };
  });
}

/** @returns what the resident set grows by for each napi thread that sleeps, bytes */
async function bytesOfThread(queues) {
  const machine = await boot({ cpus: 1, warmThreads: 0, maxThreads: queues + 16 });
  try {
    // Small rings and pools, and there before: only the threads are new.
    const device = await machine.addDevice({ name: 'eth0', queues, ringSize: 8, poolSize: 16 });
    const before = await residentAtRest();
    await device.setThreaded(true);
    const after = await residentAtRest();
    const threads = (await device.napis()).filter((n) => n.tid !== null).length;
    mustBe('napi threads', threads, queues);
    return (after - before) / queues;
  } finally {
    await machine.shutdown();
  }
}

/** @returns the resident set in bytes, when it has stopped moving */
async function residentAtRest() {
  globalThis.gc();
  let seen = process.memoryUsage.rss();
  for (let quiet = 0; quiet < 3; ) {
    await sleep(100);
    const now = process.memoryUsage.rss();
    quiet = Math.abs(now - seen) < RESTS_BYTES ? quiet + 1 : 0;
    seen = now;
  }
  return seen;
}

/** Sends packets through an instance whose thread is one of the bench's, which looks at its own heap. */
async function heapOfPoller(count) {
  const machine = await boot({ cpus: 2 });
  const { m, sab } = machine.arena;
  const lane = await Lane.open(machine, { name: 'eth0', port: 9, threaded: false, count });
  const napiAt = queueNapi(machine, lane.device, 0);
  const taskAt = newNapiTask(machine, 'napi/bench', napiAt);
  const poller = new BenchWorker('napi_thread.js', { sab, taskAt });
  const stopped = poller.next();
  await Promise.race([startThread(m, taskAt), stopped]);
  adopt(m, napiAt, taskAt);
  await Promise.race([lane.send({ flows: 16, frameBytes: 64 }), stopped]);
  const [napi] = await lane.device.napis();
  mustBe('packets that were polled', napi.packets, count);
  mustBe(
    'softirq rounds beside the thread',
    machine.softnetStat().reduce((sum, s) => sum + s.processed, 0),
    0,
  );
  await machine.shutdown(); // stops the thread
  return stopped;
}
