// SPDX-License-Identifier: GPL-2.0-only
/**
 * Peers side by side: rounds in which every peer gets its turn, A B C, C B A, A B C, so what the host does meanwhile
 * meets all of them alike. tinybench measures each turn; what it sampled is kept round by round.
 */
import { Bench } from 'tinybench';
import { median } from './stats.js';

/**
 * Measures peers whose one call moves many items between threads.
 * @param peers `{ name, run }`; `run` is async, checks its own result, and resolves to `{ ns, items }`
 * @param options `rounds` that count and `warmups` before them that do not
 * @returns for each name its samples: nanoseconds an item, one a round, in the order of the rounds
 */
export async function interleave(peers, { rounds, warmups = 1, progress = () => {} }) {
  const samples = Object.fromEntries(peers.map((p) => [p.name, []]));
  for (let round = -warmups; round < rounds; round++) {
    progress(`round ${Math.max(round, 0) + 1} of ${rounds}`);
    const bench = newBench({ iterations: 1, time: 0 });
    for (const peer of inTurn(peers, round)) {
      bench.add(peer.name, () => measured(peer), { async: true });
    }
    for (const task of await bench.run()) {
      if (round >= 0) samples[task.name].push(...msToNs(task.result.latency.samples));
    }
  }
  return samples;
}

/**
 * Measures peers whose one call does `items` operations in this thread.
 * @param peers `{ name, items, run }`; `run` is synchronous
 * @param options `rounds`, and `turnMs`, how long a turn lasts at least
 * @returns as `interleave`, many samples a round: the median of each round stands for it
 */
export function interleaveSync(peers, { rounds, warmups = 2, turnMs, progress = () => {} }) {
  const samples = Object.fromEntries(peers.map((p) => [p.name, []]));
  for (let round = -warmups; round < rounds; round++) {
    progress(`round ${Math.max(round, 0) + 1} of ${rounds}`);
    const bench = newBench({ iterations: 10, time: turnMs });
    for (const peer of inTurn(peers, round)) bench.add(peer.name, peer.run, { async: false });
    for (const task of bench.runSync()) {
      const { items } = peers.find((p) => p.name === task.name);
      if (round >= 0) samples[task.name].push((task.result.latency.p50 * 1e6) / items);
    }
  }
  return samples;
}

/**
 * How much longer one item takes with `slow` than with `fast`.
 * @returns the median of the rounds' ratios, the smallest and the largest
 */
export function ratio(slow, fast) {
  const ratios = slow.map((ns, round) => ns / fast[round]);
  return { measured: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

function newBench(limits) {
  return new Bench({ ...limits, warmup: false, retainSamples: true, throws: true });
}

function inTurn(peers, round) {
  return round % 2 === 0 ? peers : [...peers].reverse();
}

/** One sample: the peer's own time for an item, because starting the threads' work is not part of it. */
async function measured(peer) {
  const { ns, items } = await peer.run();
  return { overriddenDuration: ns / items / 1e6, overriddenIterationCost: ns / 1e6 };
}

function msToNs(samples) {
  return samples.map((ms) => ms * 1e6);
}
