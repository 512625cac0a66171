// SPDX-License-Identifier: GPL-2.0-only
/**
 * One row in a process of its own, started by lib/run_row.js: what an earlier row compiled, allocated or left to be
 * collected does not touch it.
 */
import { availableParallelism } from 'node:os';
import { HostWatch } from './host.js';
import { rows } from './rows.js';
import { distrust } from './trust.js';

process.once('message', async ({ name, quick }) => {
  const row = rows.find((r) => r.name === name);
  let answer;
  try {
    answer = { result: await runRow(row, quick) };
  } catch (error) {
    answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  // A row that failed may have left threads that wait for each other: the process ends all the same.
  process.send(answer, () => process.exit());
});

async function runRow(row, quick) {
  let watched = null;
  const env = {
    quick,
    cores: availableParallelism(),
    progress: (text) => progress(row.name, text),
    /** Runs what is measured, and watches the host meanwhile. The row's threads live on until it returns. */
    async measuring(fn) {
      const watch = new HostWatch();
      const value = await fn();
      watched = watch.stop();
      return value;
    },
  };
  const { figures, checks, samples = null, notes = [] } = await row.run(env);
  progress(row.name, '');
  const reasons = quick ? [] : distrust(row, watched, checks, env.cores);
  return {
    name: row.name,
    title: row.title,
    threads: row.threads,
    figures,
    checks,
    notes,
    samples,
    watched,
    reasons,
  };
}

function progress(name, text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text === '' ? '' : `${name}: ${text}`}`);
}
