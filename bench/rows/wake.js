// SPDX-License-Identifier: GPL-2.0-only
/**
 * From scheduling an idle threaded instance to the first instruction of its poll, against the least that any wake-up
 * costs: a store and Atomics.notify to a thread in Atomics.wait.
 *
 *   +-------+   napiSchedule        +---------+
 *   | waker | --------------------> | sleeper |  napiThreadWait -> poll function reads the clock
 *   |       |   store and notify    |         |
 *   |       | --------------------> |         |  Atomics.wait returns -> reads the clock
 *   +-------+                       +---------+
 *
 * The same two threads do both in turn, one wake-up each; before every wake-up both have slept for a while.
 */
import { boot } from '../../dist/index.js';
import { BenchWorker } from '../lib/bench_worker.js';
import { check, figure, mustBe } from '../lib/check.js';
import { newNapiTask, newProcess, startThread } from '../lib/protocol.js';
import { percentile } from '../lib/stats.js';
import { SHARED_BYTES } from '../lib/wake_layout.js';

const PERCENTILES = [50, 95, 99];

export const wake = {
  name: 'wake',
  title: 'schedule of an idle threaded instance until its poll starts, against notify to wait',
  threads: 2,
  minCores: 2,
  run,
};

async function run({ quick, measuring, progress }) {
  // Enough for the compiler, in quick succession: a wake-up every 0.2 ms would leave both sides uncompiled.
  const warmups = quick ? 10 : 20_000;
  const pairs = quick ? 50 : 4000;
  const machine = await boot({ cpus: 1, warmThreads: 0, memoryBytes: 16 << 20 });
  const { sab } = machine.arena;
  const shared = new SharedArrayBuffer(SHARED_BYTES);
  const waker = new BenchWorker('wake_waker.js', { sab, taskAt: newProcess(machine, 'bench'), shared });
  let sleeper = null;
  try {
    const napiAt = await waker.call('prepare');
    const task = newNapiTask(machine, 'napi/bench', napiAt);
    sleeper = new BenchWorker('wake_sleeper.js', { sab, taskAt: task, shared });
    const stopped = sleeper.next();
    await Promise.race([startThread(machine.arena.m, task), stopped]);
    await waker.call('enable', { task });
    progress(`${pairs} wake-ups of each kind`);
    await Promise.race([waker.call('measure', { pairs: warmups, gapMs: 0 }), stopped]);
    const got = await measuring(() => Promise.race([waker.call('measure', { pairs, gapMs: 0.2 }), stopped]));
    mustBe('polls of the instance', got.polls, warmups + pairs);
    await waker.call('stop');
    mustBe('the thread’s end', await stopped, 'stopped');
    return result(got);
  } finally {
    await waker.end();
    await sleeper?.end();
    await machine.shutdown();
  }
}

function result({ scheduled, bare }) {
  const of = (key, label, samples) =>
    PERCENTILES.map((p) => figure(`${key}_p${p}_ns`, `${label}, p${p}`, percentile(samples, p), 'ns'));
  const p50 = percentile(scheduled, 50) / percentile(bare, 50);
  return {
    figures: [
      ...of('schedule_to_poll', 'schedule to poll', scheduled),
      ...of('notify_to_wait', 'notify to wait', bare),
    ],
    checks: [check('wake_p50_ratio', 'schedule to poll / notify to wait, p50', p50, '<=', 1.25, 'x')],
  };
}
