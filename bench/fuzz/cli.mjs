// SPDX-License-Identifier: GPL-2.0-only
/**
 * Random command lines. All of them through the table of commands in one process, with stand-ins for the work that
 * a command does once it has understood its arguments; one of so many through a process of its own, as a user does.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT_INTERRUPTED } from '../../dist/tools/exit_codes.js';
import { FuzzFailure, inTime } from './campaign.mjs';
import { cliCase, FILES, FOLDERS } from './cli_cases.mjs';
import { cliWrong } from './cli_verdict.mjs';
import { runWatched } from './watched.mjs';

const WORKER = new URL('./cli_worker.mjs', import.meta.url);
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
/** One of so many runs in a process. */
const PROCESS_EVERY = 1000;
/** A command that is still at work is interrupted, and has so long to end. */
const WORK_MS = 2000;
const END_MS = 60_000;

/** The environment of the command lines: nothing in it leads out of the folder. */
function environment(folder) {
  const { SOFTNET_SOCKET: _, ...env } = process.env;
  return { ...env, TMPDIR: folder, XDG_RUNTIME_DIR: folder, NO_COLOR: '1' };
}

function fill(folder) {
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(folder, name), content);
  for (const name of FOLDERS) mkdirSync(join(folder, name), { recursive: true });
}

async function run(job, tally) {
  const folder = mkdtempSync(join(tmpdir(), 'softnet-fuzz-'));
  try {
    fill(folder);
    await runWatched(WORKER, job, tally, { cwd: folder, env: environment(folder) });
    await processes(job, tally, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function processes({ seed, from, count, signal }, tally, folder) {
  const first = Math.ceil(from / PROCESS_EVERY) * PROCESS_EVERY;
  for (let n = first; n < from + count && !signal.aborted; n += PROCESS_EVERY) {
    const argv = cliCase(seed, n);
    const details = [JSON.stringify(argv)];
    const hang = () => new FuzzFailure(`command line ${n}: it does not end`, n, 1, details);
    const outcome = await ended(argv, folder, hang);
    const wrong = cliWrong(argv, outcome);
    if (wrong !== null) throw new FuzzFailure(`command line ${n} as a process: ${wrong}`, n, 1, details);
    tally.note('as a process');
  }
}

async function ended(argv, folder, hang) {
  const child = spawn(process.execPath, [CLI, ...argv], {
    cwd: folder,
    env: environment(folder),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].on('data', (d) => {
      said[name] += d;
    });
  }
  const interrupt = setTimeout(() => child.kill('SIGINT'), WORK_MS);
  try {
    // One that is interrupted before it listens to that ends by the signal; a shell says 130.
    const done = new Promise((resolve) =>
      child.on('close', (code, sig) => resolve(sig === 'SIGINT' ? EXIT_INTERRUPTED : code)),
    );
    return { code: await inTime(done, END_MS, hang), ...said };
  } finally {
    clearTimeout(interrupt);
    child.kill('SIGKILL');
  }
}

/** The campaign. */
export const cli = { name: 'cli', what: 'random command lines', count: 100_000, narrows: false, run };
