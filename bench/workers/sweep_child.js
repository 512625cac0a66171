// SPDX-License-Identifier: GPL-2.0-only
// Runs mutants for bench/mutant_sweep.mjs: in a process of its own, because a mutant may never end.
import { mutantsOf, SWEPT } from '../../dist/litmus/sweep/modules.js';
import { reachOf, runSweepMutant } from '../../dist/litmus/sweep/run.js';

/** How often the parent hears that a search goes on. */
const ALIVE_MS = 2_000;

const mutants = new Map(SWEPT.flatMap((file) => mutantsOf(file).map((m) => [m.key, m])));

let saidMs = 0;

/** Tells the parent that the search goes on. */
async function alive() {
  if (performance.now() < saidMs + ALIVE_MS) return;
  saidMs = performance.now();
  await new Promise((resolve) => process.send({ alive: true }, resolve));
}

process.on('message', async (job) => {
  saidMs = performance.now();
  if (job.key === undefined) process.send(await reachOf(alive));
  else process.send(await runSweepMutant(mutants.get(job.key), job.tests, alive));
});
