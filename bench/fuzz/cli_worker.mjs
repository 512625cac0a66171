// SPDX-License-Identifier: GPL-2.0-only
/** The process that runs the command lines one after the other, with stand-ins for what they would do. */
import { residentBytes } from './campaign.mjs';
import { useStandIns } from './stand_ins.mjs';
import { serveCases } from './watched.mjs';

useStandIns();
const { cliCase } = await import('./cli_cases.mjs');
const { cliWrong, STAND_IN } = await import('./cli_verdict.mjs');
const { runCommandLine } = await import('../../dist/tools/command_line.js');

const WARM = 5000;
const MAX_MORE_BYTES = 160 << 20;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGWINCH', 'exit'];
const outcomes = {};
let said = { stdout: '', stderr: '' };

function listen() {
  for (const name of ['stdout', 'stderr']) {
    process[name].write = (text, encoding, done) => {
      said[name] += text;
      (typeof encoding === 'function' ? encoding : done)?.();
      return true;
    };
  }
}

/** Runs a command line as a process would. */
async function outcomeOf(argv) {
  said = { stdout: '', stderr: '' };
  process.exitCode = undefined;
  const code = await runCommandLine(['node', 'softnet', ...argv]);
  // A process would have ended: what it listens to with it.
  for (const signal of SIGNALS) process.removeAllListeners(signal);
  process.stdout.removeAllListeners('error');
  return { code, ...said };
}

function nameOf({ code, stderr }) {
  if (stderr.includes(STAND_IN)) return 'would run';
  return code === 0 ? 'done' : code === 2 ? 'refused' : `exit code ${code}`;
}

await serveCases(({ seed, from }) => {
  let warmBytes = 0;
  listen();
  return {
    async one(n) {
      const argv = cliCase(seed, n);
      const outcome = await outcomeOf(argv);
      const wrong = cliWrong(argv, outcome);
      if (wrong !== null) return { what: `command line ${n}: ${wrong}`, details: [JSON.stringify(argv)] };
      const name = nameOf(outcome);
      outcomes[name] = (outcomes[name] ?? 0) + 1;
      if (n === from + WARM) warmBytes = residentBytes();
      return null;
    },
    end() {
      const bytes = warmBytes === 0 ? 0 : residentBytes() - warmBytes;
      if (bytes > MAX_MORE_BYTES) return { what: `memory grows: ${bytes >> 20} MiB since case ${WARM}` };
      return { outcomes, figures: { rss_growth_mib: bytes >> 20 } };
    },
  };
});
