// SPDX-License-Identifier: GPL-2.0-only
/**
 * Control operations on a machine whose every core is taken by a thread that polls without end (seed 003): nobody starves.
 *
 *   core 0   napi/eth0-…  busy polls queue 0     \
 *   core 1   napi/eth0-…  busy polls queue 1      }  as many as the host has cores; control/0 wakes up among them
 *   …                                            /
 *
 * The same operations on a machine at rest stand beside it: what they cost when nobody polls.
 */
import { availableParallelism } from 'node:os';
import { boot } from '../../dist/index.js';
import { check, figure, mustBe } from '../lib/check.js';
import { percentile } from '../lib/stats.js';

const MAX_QUEUES = 16;
const LIMIT_MS = 50;
const FRAMES = 4096;

export const busy = {
  name: 'busy',
  title: 'control operations while every core is busy polling',
  threads: 2,
  minCores: 2,
  run,
};

async function run({ quick, measuring, progress }) {
  const times = quick ? 5 : 100;
  return measuring(async () => {
    progress('at rest');
    const rest = await operate(false, times);
    progress('every core busy');
    const polled = await operate(true, times);
    const p99Ms = percentile(polled.all, 99) / 1e6;
    const of = (key, label, samples) =>
      [50, 99, 100].map((p) => figure(`${key}_p${p}_ns`, `${label}, p${p}`, percentile(samples, p), 'ns'));
    return {
      figures: [
        ...of('busy', 'operation, every core busy', polled.all),
        ...of('busy_grace', 'of these with a grace period', polled.grace),
        ...of('rest', 'operation, machine at rest', rest.all),
      ],
      checks: [check('busy_control_p99_ms', 'control operation, p99', p99Ms, '<=', LIMIT_MS, 'ms')],
      samples: { busy_ns: polled.all, rest_ns: rest.all },
    };
  });
}

/** Each operation is timed from the call to its promise's end, on the main thread. */
async function operate(busyPolling, times) {
  const queues = Math.min(availableParallelism(), MAX_QUEUES);
  const machine = await boot({ cpus: queues, warmThreads: queues + 2, maxThreads: 128 });
  const eth0 = await machine.addDevice({ name: 'eth0', queues });
  const eth1 = await machine.addDevice({ name: 'eth1', queues: 1 });
  if (busyPolling) {
    for (let i = 0; i < queues; i++) await eth0.setNapi(i, { threaded: 'busy-poll' });
    // A thread polls without end from its first frame on.
    await eth0.generate({ count: FRAMES, flows: 64 });
    await eth0.drained();
    const modes = (await eth0.napis()).map((n) => n.state.includes('IN_BUSY_POLL'));
    mustBe('instances polled without end', modes.filter(Boolean).length, queues);
  }
  const all = [];
  const grace = [];
  const timed = async (fn, list) => {
    const begin = process.hrtime.bigint();
    const value = await fn();
    const ns = Number(process.hrtime.bigint() - begin);
    all.push(ns);
    list?.push(ns);
    return value;
  };
  for (let i = 0; i < times; i++) {
    await timed(() => eth0.setCoalesce(i % 2, 1));
    await timed(() => eth0.napis());
    await timed(() => eth0.setNapi(i % queues, { deferHardIrqs: i % 3 }));
    const socket = await timed(() => machine.openUdp({ port: 1000 + (i % 100) }));
    await timed(() => socket.close(), grace);
    await timed(() => machine.setSysctl('net.core.netdev_budget', 300 + (i % 2)));
    await timed(() => eth0.setRpsCpus(0, i % 2 === 0 ? [0] : []), grace);
    await timed(() => eth1.setThreaded(i % 2 === 0));
  }
  await machine.shutdown();
  if (busyPolling) mustBe('frames that no socket took', machine.drops().no_socket, FRAMES);
  return { all, grace };
}
