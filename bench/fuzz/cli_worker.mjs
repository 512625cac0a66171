// SPDX-License-Identifier: GPL-2.0-only
/** The thread that runs the command lines, with stand-ins for what they would do. */
import { parentPort, workerData } from 'node:worker_threads';
import { residentBytes } from './campaign.mjs';
import { useStandIns } from './stand_ins.mjs';
import { WATCH } from './watched_worker.mjs';

useStandIns();
const { cliCase } = await import('./cli_cases.mjs');
const { cliWrong, STAND_IN } = await import('./cli_verdict.mjs');
const { runCommandLine } = await import('../../dist/tools/command_line.js');

const { words, from, count, seed } = workerData;
const WARM = 5000;
const MAX_MORE_BYTES = 160 << 20;
const outcomes = {};
let said = { stdout: '', stderr: '' };
for (const name of ['stdout', 'stderr']) {
  process[name].write = (text, encoding, done) => {
    said[name] += text;
    (typeof encoding === 'function' ? encoding : done)?.();
    return true;
  };
}

/** Runs a command line as a process would. */
async function outcomeOf(argv) {
  said = { stdout: '', stderr: '' };
  process.exitCode = undefined;
  const code = await runCommandLine(['node', 'softnet', ...argv]);
  // A process would have ended: what it listens to with it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGWINCH', 'exit'])
    process.removeAllListeners(signal);
  process.stdout.removeAllListeners('error');
  return { code, ...said };
}

function nameOf({ code, stderr }) {
  if (stderr.includes(STAND_IN)) return 'would run';
  return code === 0 ? 'done' : code === 2 ? 'refused' : `exit code ${code}`;
}

async function run() {
  let warmBytes = 0;
  for (let n = from; n < from + count && Atomics.load(words, WATCH.stop) === 0; n++) {
    Atomics.store(words, WATCH.current, n);
    const argv = cliCase(seed, n);
    const outcome = await outcomeOf(argv);
    const wrong = cliWrong(argv, outcome);
    if (wrong !== null)
      return { from: n, what: `command line ${n}: ${wrong}`, details: [JSON.stringify(argv)] };
    const name = nameOf(outcome);
    outcomes[name] = (outcomes[name] ?? 0) + 1;
    if (n === from + WARM) warmBytes = residentBytes();
    Atomics.add(words, WATCH.done, 1);
  }
  const bytes = warmBytes === 0 ? 0 : residentBytes() - warmBytes;
  if (bytes > MAX_MORE_BYTES) return { from, what: `memory grows: ${bytes >> 20} MiB since case ${WARM}` };
  return { outcomes, figures: { rss_growth_mib: bytes >> 20 } };
}

parentPort.postMessage(await run());
