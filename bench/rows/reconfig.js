// SPDX-License-Identifier: GPL-2.0-only
/**
 * What a NAPI thread costs when its instance is deleted and added again, and what 10,000 reconfigurations leave behind.
 *
 *   napi_del / napi_add    fixed    park ......... unpark, it waits again     the same thread
 *                          off      stop ......... kthreadRun, it waits       another one, from the warm pool
 *                          (peer)   terminate .... new Worker, first line     another one, made anew
 *
 *   +----------+  full traffic   +------------------------------+
 *   | nic/eth0 | --------------> | 4 napi threads | app/sink    |   channels 4 -> n -> 4, link down -> up, in turn;
 *   +----------+                 +------------------------------+   machines with fixed and off take turns
 */

import { boot } from '../../dist/index.js';
import { MM_AT, MM_STRUCT } from '../../dist/mm/slab.js';
import { CACHE_LINE_WORDS } from '../../dist/mm/struct.js';
import { ReconfigRig } from '../../dist/tools/reconfig/run.js';
import { BenchWorker } from '../lib/bench_worker.js';
import { check, figure, mustBe } from '../lib/check.js';
import { interleave, ratio } from '../lib/interleave.js';
import { newProcess } from '../lib/protocol.js';
import { median, percentile } from '../lib/stats.js';

const MB = 1e6;
/** A cycle is two reconfigurations. */
const MANY_CYCLES = 5000;
/** Until every packet buffer has been used, and what is called often is compiled. */
const WARM_CYCLES = 1500;
const ROUNDS = 20;
const ROUND_CYCLES = 30;

export const reconfig = {
  name: 'reconfig',
  title:
    'a NAPI thread parked and taken back, against one from the pool and new Worker; 10,000 reconfigurations',
  threads: 2,
  minCores: 2,
  run,
};

async function run({ quick, measuring, progress }) {
  return measuring(async () => {
    const setUp = await threadSetUp(quick, progress);
    const cycles = await manyCycles(quick, progress);
    return {
      figures: [...setUp.figures, ...cycles.figures],
      checks: [...setUp.checks, ...cycles.checks],
      samples: { ...setUp.samples, ...cycles.samples },
    };
  });
}

/** Park and unpark, stop and kthreadRun, new Worker: on a machine at rest, in turn. */
async function threadSetUp(quick, progress) {
  const machine = await boot({ cpus: 1, memoryBytes: 16 << 20 });
  const creator = new BenchWorker('kthread_creator.js', {
    sab: machine.arena.sab,
    taskAt: newProcess(machine, 'bench'),
  });
  const rounds = quick ? 2 : 100;
  const stopped = [];
  const unparked = [];
  try {
    const ns = await interleave(
      [
        {
          name: 'park',
          async run() {
            const got = await creator.call('park');
            mustBe('kthreadPark', got.result, 0);
            unparked.push(got.ranNs);
            return { ns: got.parkedNs + got.ranNs, items: 1 };
          },
        },
        {
          name: 'pool',
          async run() {
            const got = await creator.call('kthread');
            mustBe('return value of the thread function', got.result, 0);
            stopped.push(got.stoppedNs);
            return { ns: got.ranNs, items: 1 };
          },
        },
        { name: 'worker', run: async () => ({ ns: (await creator.call('worker')).ranNs, items: 1 }) },
      ],
      { rounds, warmups: quick ? 1 : 10, progress },
    );
    await creator.call('done');
    return {
      samples: ns,
      figures: [
        figure('park_unpark_p50_ns', 'fixed: parked, unparked, waits again', median(ns.park), 'ns'),
        figure('park_unpark_p95_ns', 'the same, p95', percentile(ns.park, 95), 'ns'),
        figure('unpark_p50_ns', 'of that, from unpark on', median(unparked.slice(-rounds)), 'ns'),
        figure('pool_p50_ns', 'off: a warm thread of the pool until it waits', median(ns.pool), 'ns'),
        figure(
          'pool_stop_p50_ns',
          'and before that: the old one stopped',
          median(stopped.slice(-rounds)),
          'ns',
        ),
        figure('new_worker_p50_ns', 'new Worker until its first line', median(ns.worker), 'ns'),
      ],
      checks: [
        check('new_worker_over_park_ratio', 'new Worker / fixed', ratio(ns.worker, ns.park), '>=', 20, 'x'),
        check('pool_over_park_ratio', 'warm pool / fixed', ratio(ns.pool, ns.park), '>=', 1, 'x'),
      ],
    };
  } finally {
    await creator.end();
    await machine.shutdown();
  }
}

/** One machine with fixed, 10,000 times; then another one with off beside it, in turn. */
async function manyCycles(quick, progress) {
  const o = { cycles: 0, queues: 4, cpus: 2, traffic: 'asap', seed: 1 };
  const personality = { config: 'persistent', reconfig: 'delta' };
  const rounds = quick ? 2 : ROUNDS;
  const fixed = await ReconfigRig.start({ ...o, personality, persist: 'fixed' });
  progress('cycles before the first');
  await turn(fixed, quick ? 2 : WARM_CYCLES);
  const before = await atRest(fixed);
  progress('10,000 reconfigurations');
  const many = await turn(fixed, quick ? 4 : MANY_CYCLES);
  const after = await atRest(fixed);
  const off = await ReconfigRig.start({ ...o, personality, persist: 'off' });
  const perRound = quick ? 2 : ROUND_CYCLES;
  await turn(off, perRound);
  const ns = { fixed: [], off: [] };
  for (let i = 0; i < rounds; i++) {
    progress(`round ${i + 1} of ${rounds}`);
    for (const [name, rig] of i % 2 === 0
      ? [
          ['fixed', fixed],
          ['off', off],
        ]
      : [
          ['off', off],
          ['fixed', fixed],
        ]) {
      ns[name].push(await turn(rig, perRound));
    }
  }
  for (const rig of [fixed, off]) {
    const report = await rig.finish();
    mustBe(`${report.persist}: frames lost`, report.lost, 0);
    mustBe(`${report.persist}: threads leaked`, report.threads_leaked, 0);
    if (rig === fixed) mustBe('fixed: threads made', report.threads_created, 0);
  }
  const fixedNs = ns.fixed.flat();
  const offNs = ns.off.flat();
  const samples = { fixed_cycle: ns.fixed.map(median), off_cycle: ns.off.map(median) };
  const offOverFixed = ratio(samples.off_cycle, samples.fixed_cycle);
  return {
    samples,
    figures: [
      figure('fixed_cycle_p50_ns', 'fixed: a cycle', median(fixedNs), 'ns'),
      figure('fixed_cycle_p99_ns', 'the same, p99', percentile(fixedNs, 99), 'ns'),
      figure('off_cycle_p50_ns', 'off: a cycle', median(offNs), 'ns'),
      figure('off_cycle_p99_ns', 'the same, p99', percentile(offNs, 99), 'ns'),
      figure('reconfigurations', 'reconfigurations under traffic, fixed', 2 * many.length, 'operations'),
      figure('rss_before_bytes', 'resident set before the first', before.rss, 'bytes'),
      figure('rss_after_bytes', 'resident set after the last', after.rss, 'bytes'),
      figure('arena_before_bytes', 'arena in use before the first', before.arena, 'bytes'),
      figure('arena_after_bytes', 'arena in use after the last', after.arena, 'bytes'),
      figure('threads_before', 'threads before the first', before.threads, 'threads'),
      figure('threads_after', 'threads after the last', after.threads, 'threads'),
    ],
    checks: [
      check('off_over_fixed_cycle_ratio', 'cycle: off / fixed', offOverFixed, '>=', 1, 'x'),
      check('thread_growth', 'threads more than before', after.threads - before.threads, '<=', 0, 'threads'),
      check('arena_growth_bytes', 'arena more than before', after.arena - before.arena, '<=', 0, 'bytes'),
      check(
        'rss_growth_bytes',
        'resident set more than before',
        after.rss - before.rss,
        '<',
        16 * MB,
        'bytes',
      ),
    ],
  };
}

/** So many cycles under traffic; it ends with them. @returns what each took, ns */
async function turn(rig, cycles) {
  const times = [];
  rig.startTraffic();
  for (let i = 0; i < cycles; i++) {
    const ns = await rig.cycle();
    if (ns === null) throw new Error('a thread could not be had');
    times.push(ns);
  }
  await rig.stopTraffic();
  return times;
}

/** What the machine holds while nothing is under way. */
async function atRest({ machine, eth0 }) {
  await eth0.drained();
  return {
    rss: process.memoryUsage.rss(),
    arena: arenaUsed(machine.arena.m),
    threads: machine.threads().filter((t) => t.running && !t.name.startsWith('nic/')).length,
  };
}

/** Bytes of the arena that are handed out: all up to brk, less what lies in the free lists. */
function arenaUsed(m) {
  let words = m[MM_AT + MM_STRUCT.brk];
  for (let c = 0; c < 32; c++) {
    for (let at = m[MM_AT + MM_STRUCT.freeList + c]; at !== 0; at = m[at]) words -= CACHE_LINE_WORDS << c;
  }
  return words * 4;
}
