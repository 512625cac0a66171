// SPDX-License-Identifier: GPL-2.0-only
/**
 * More queues: what 1, 2, 4 and 8 of them take together. Each is a device of one queue with a wire of its own, because
 * one NIC thread would be the limit.
 *
 *   +----------+     +-----------+     +----------+
 *   | nic/eth0 | --> | napi/eth0 | --> | app/eth0 |    simulated CPU 0
 *   +----------+     +-----------+     +----------+
 *   +----------+     +-----------+     +----------+
 *   | nic/eth1 | --> | napi/eth1 | --> | app/eth1 |    simulated CPU 1
 *   +----------+     +-----------+     +----------+
 *       ...               ...              ...
 *
 * Three busy threads a queue: a host with fewer cores than that cannot tell, and the row says which it cannot. There is
 * no threshold.
 */
import { boot } from '../../dist/index.js';
import { figure } from '../lib/check.js';
import { interleave } from '../lib/interleave.js';
import { Lane } from '../lib/lane.js';
import { median } from '../lib/stats.js';

const QUEUES = [1, 2, 4, 8];
const THREADS_A_QUEUE = 3;
const MOST = Math.max(...QUEUES);
const LOAD = { flows: 16, frameBytes: 64 };

export const scale = {
  name: 'scale',
  title: '1, 2, 4 and 8 queues, each with NIC, napi thread and application',
  threads: THREADS_A_QUEUE * MOST,
  minCores: THREADS_A_QUEUE,
  fewCores: 'marked',
  onlyWhenNamed: true,
  run,
};

async function run({ quick, cores, measuring, progress }) {
  const count = quick ? 2_000 : 500_000;
  const machine = await boot({ cpus: MOST });
  try {
    const lanes = [];
    for (let i = 0; i < MOST; i++) {
      lanes.push(await Lane.open(machine, { name: `eth${i}`, port: 9 + i, threaded: true, count, cpu: i }));
    }
    const ns = await measuring(() =>
      interleave(
        QUEUES.map((queues) => ({ name: queues, run: () => sendAll(lanes.slice(0, queues)) })),
        { rounds: quick ? 1 : 7, warmups: quick ? 0 : 2, progress },
      ),
    );
    return { ...result(ns, cores), samples: ns };
  } finally {
    await machine.shutdown();
  }
}

/** A round on every lane at once. */
async function sendAll(lanes) {
  const sent = await Promise.all(lanes.map((lane) => lane.send(LOAD)));
  return {
    ns: Math.max(...sent.map((s) => s.endNs)) - Math.min(...sent.map((s) => s.startNs)),
    items: sent.reduce((sum, s) => sum + s.items, 0),
  };
}

function result(ns, cores) {
  const figures = [];
  const notes = [];
  for (const queues of QUEUES) {
    const needed = THREADS_A_QUEUE * queues;
    const told = cores >= needed;
    const mark = told ? '' : ' (cannot be told)';
    if (!told) notes.push(`this host cannot tell ${queues} queues: ${needed} busy threads, ${cores} cores`);
    const name = queues === 1 ? '1 queue' : `${queues} queues`;
    const key = `queues_${queues}`;
    figures.push(figure(`${key}_packets_per_s`, `${name}${mark}`, 1e9 / median(ns[queues]), 'packets/s'));
    const efficiency = median(ns[1]) / median(ns[queues]) / queues;
    figures.push(figure(`${key}_efficiency_ratio`, `${name}, against one${mark}`, efficiency, 'x'));
  }
  return { figures, checks: [], notes };
}
