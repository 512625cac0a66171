// SPDX-License-Identifier: GPL-2.0-only
// Runs mutants for bench/mutant_sweep.mjs: in a process of its own, because a mutant may never end.
import { mutantsOf, SWEPT } from '../../dist/litmus/sweep/modules.js';
import { reachOf, runSweepMutant } from '../../dist/litmus/sweep/run.js';

/** Which tests take part: told by their states alone, so that it is the same on a machine that has other things to do. */
const REACH_LIMITS = { maxStates: 350_000, maxSeconds: 120 };
const LIMITS = { maxStates: 700_000, maxSeconds: 6 };

const mutants = new Map(SWEPT.flatMap((file) => mutantsOf(file).map((m) => [m.key, m])));

process.on('message', async (job) => {
  if (job.key === undefined) process.send(await reachOf(REACH_LIMITS));
  else process.send(await runSweepMutant(mutants.get(job.key), job.tests, LIMITS));
});
