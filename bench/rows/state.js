// SPDX-License-Identifier: GPL-2.0-only
/**
 * Schedule and complete, in one thread: what the state word costs, and whether it matters how many there are.
 *
 *   napiSchedulePrep -> napiScheduleOn (THREADED: SCHED_THREADED, look at the thread) -> napiCompleteDone
 *
 *   one instance:  [n0] [n0] [n0] ...          64 instances, in turn:  [n0] [n1] ... [n63] [n0] ...
 *
 * Each instance's thread counts as running, so nobody is woken: the row measures the words, not a wake-up.
 */
import { boot } from '../../dist/index.js';
import { rcuReadLock } from '../../dist/kernel/rcu.js';
import { TASK, TASK_RUNNING } from '../../dist/kernel/task.js';
import { NAPI, NAPIF_STATE_SCHED_THREADED } from '../../dist/net/core/napi.js';
import { napiCompleteDone, napiScheduleOn, napiSchedulePrep } from '../../dist/net/core/napi_schedule.js';
import { threadContext } from '../../dist/threads/context.js';
import { check, figure, mustBe } from '../lib/check.js';
import { interleaveSync, ratio } from '../lib/interleave.js';
import { addInstances, enableThreaded, newProcess } from '../lib/protocol.js';
import { median } from '../lib/stats.js';

const MANY = 64;
/** Pairs a call: long enough for the clock. */
const PAIRS = 4096;

export const state = {
  name: 'state',
  title: 'schedule and complete a threaded instance: 64 instances in turn against one',
  threads: 1,
  minCores: 1,
  run,
};

async function run({ quick, measuring, progress }) {
  const machine = await boot({ cpus: 1, warmThreads: 0, memoryBytes: 16 << 20 });
  try {
    const { net } = threadContext(machine.arena.sab, newProcess(machine, 'bench'));
    rcuReadLock(net.cur);
    const noPoll = net.napiPollFns.push(() => 0) - 1;
    const napis = addInstances(net, MANY, noPoll).map((at) => net.napi(at));
    for (const n of napis) {
      const thread = newProcess(machine, 'bench/thread');
      Atomics.store(net.m, thread + TASK.state, TASK_RUNNING);
      enableThreaded(net, n.at, thread);
    }
    const calls = { one: 0, many: 0 };
    const pairs = (name, mask) => () => {
      calls[name]++;
      cycle(net, napis, mask);
    };
    const ns = await measuring(async () =>
      interleaveSync(
        [
          { name: 'one', items: PAIRS, run: pairs('one', 0) },
          { name: 'many', items: PAIRS, run: pairs('many', MANY - 1) },
        ],
        { rounds: quick ? 2 : 31, turnMs: quick ? 2 : 50, progress },
      ),
    );
    checkCounts(net, napis, calls);
    return {
      figures: [
        figure('schedule_complete_1_instance_ns', 'schedule + complete, one instance', median(ns.one), 'ns'),
        figure(
          'schedule_complete_64_instances_ns',
          'schedule + complete, 64 instances',
          median(ns.many),
          'ns',
        ),
      ],
      checks: [check('state_64_over_1_ratio', '64 instances / one', ratio(ns.many, ns.one), '<=', 1.2, 'x')],
      samples: ns,
    };
  } finally {
    await machine.shutdown();
  }
}

/** Schedules and completes the instances `[0, mask]` in turn, PAIRS times. */
function cycle(net, napis, mask) {
  const { cpu } = net.cur;
  for (let i = 0; i < PAIRS; i++) {
    const n = napis[i & mask];
    if (!napiSchedulePrep(n)) throw new Error('state: the instance is owned by somebody else');
    napiScheduleOn(net, cpu, n);
    napiCompleteDone(net, n, 0);
  }
}

/** Every schedule must have been completed: as many completions as pairs, and nobody owns anything. */
function checkCounts(net, napis, calls) {
  const { m } = net;
  const done = napis.map((n) => m[n.at + NAPI.completions]);
  mustBe('completions of instance 0', done[0], (calls.one * PAIRS + (calls.many * PAIRS) / MANY) | 0);
  for (let i = 1; i < MANY; i++) mustBe(`completions of instance ${i}`, done[i], (calls.many * PAIRS) / MANY);
  for (const n of napis)
    mustBe('SCHED_THREADED left', Atomics.load(m, n.state) & NAPIF_STATE_SCHED_THREADED, 0);
}
