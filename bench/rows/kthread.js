// SPDX-License-Identifier: GPL-2.0-only
/**
 * A kernel thread from the warm pool until its function's first instruction, against a new worker until its first
 * line.
 *
 *   +---------+  request, doorbell   +----------+   task    +-------------+
 *   | creator | -------------------> | kthreadd | --------> | warm worker |   kthreadRun
 *   | (blocks)| <------------------------------------------ |             |   exists; is woken; runs
 *   +---------+                      +----------+           +-------------+
 *   +---------+                                             +-------------+
 *   | creator | ------------------------------------------> | new Worker  |   thread, isolate, Node, first line
 *   +---------+                                             +-------------+
 *
 * kthreadd is the main thread. The creator sees the kernel thread's first instruction a little late, never early.
 */
import { boot } from '../../dist/index.js';
import { BenchWorker } from '../lib/bench_worker.js';
import { check, figure, mustBe } from '../lib/check.js';
import { interleave, ratio } from '../lib/interleave.js';
import { newProcess } from '../lib/protocol.js';
import { median, percentile } from '../lib/stats.js';

export const kthread = {
  name: 'kthread',
  title: 'kernel thread from the warm pool until its first instruction, against new Worker',
  threads: 2,
  minCores: 2,
  run,
};

async function run({ quick, measuring, progress }) {
  const machine = await boot({ cpus: 1, memoryBytes: 16 << 20 });
  const creator = new BenchWorker('kthread_creator.js', {
    sab: machine.arena.sab,
    taskAt: newProcess(machine, 'bench'),
  });
  const rounds = quick ? 2 : 60;
  const created = [];
  try {
    const ns = await measuring(() =>
      interleave(
        [
          {
            name: 'kthread',
            async run() {
              const got = await creator.call('kthread');
              mustBe('return value of the thread function', got.result, 0);
              created.push(got.createdNs);
              return { ns: got.ranNs, items: 1 };
            },
          },
          { name: 'worker', run: async () => ({ ns: (await creator.call('worker')).ranNs, items: 1 }) },
        ],
        { rounds, warmups: quick ? 1 : 10, progress },
      ),
    );
    return {
      figures: [
        figure('kthread_run_p50_ns', 'kernel thread until its first instruction', median(ns.kthread), 'ns'),
        figure('kthread_run_p95_ns', 'the same, p95', percentile(ns.kthread, 95), 'ns'),
        figure(
          'kthread_create_p50_ns',
          'of that, until kthreadRun returns',
          median(created.slice(-rounds)),
          'ns',
        ),
        figure('new_worker_p50_ns', 'new Worker until its first line', median(ns.worker), 'ns'),
        figure('new_worker_p95_ns', 'the same, p95', percentile(ns.worker, 95), 'ns'),
      ],
      checks: [
        check(
          'new_worker_over_kthread_ratio',
          'new Worker / kernel thread',
          ratio(ns.worker, ns.kthread),
          '>=',
          50,
          'x',
        ),
      ],
      samples: ns,
    };
  } finally {
    await creator.end();
    await machine.shutdown();
  }
}
