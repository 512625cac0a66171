// SPDX-License-Identifier: GPL-2.0-only
/**
 * Cases run in a process of their own, one after the other, watched from outside: whoever hangs (in native code, too) or
 * brings the process down is known by the number that stands in a file.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FuzzFailure } from './campaign.mjs';

const LOOK_MS = 200;
const HANG_LOOKS = 150;
const STDERR_LINES = 12;

/**
 * Runs a module's cases; it calls `serveCases`.
 * @param options `looks`: so many without progress are a hang; `data`: for the module, beside the job; `cwd`, `env`
 * @throws FuzzFailure
 */
export async function runWatched(module, job, tally, options = {}) {
  const { from, count, seed, signal } = job;
  const { looks = HANG_LOOKS, data = {}, ...rest } = options;
  const folder = mkdtempSync(join(tmpdir(), 'softnet-fuzz-'));
  const file = join(folder, 'at');
  const child = fork(module, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], ...rest });
  let stderr = '';
  child.stderr.on('data', (d) => {
    stderr = (stderr + d).slice(-4000);
  });
  const stop = () => child.connected && child.send('stop');
  signal.addEventListener('abort', stop);
  const at = () => progressIn(file, from);
  let timer;
  try {
    const result = await new Promise((resolve, reject) => {
      let last = '';
      let still = 0;
      timer = setInterval(() => {
        const { current, done, begun } = at();
        tally.progress(done);
        const now = `${begun} ${done}`;
        still = now === last ? still + 1 : 0;
        last = now;
        // On a host without a core to spare a process takes its time to begin.
        if (still < (begun ? looks : Math.max(looks, HANG_LOOKS))) return;
        const seconds = Math.round((looks * LOOK_MS) / 1e3);
        reject(new FuzzFailure(`a hang: case ${current} takes more than ${seconds} s`, current, 1));
      }, LOOK_MS);
      let said = null;
      child.on('message', (message) => {
        said = message;
      });
      child.on('error', reject);
      child.on('close', (code, sig) => {
        if (said !== null) return resolve(said);
        const { current } = at();
        const lines = stderr.trim().split('\n').slice(-STDERR_LINES);
        reject(new FuzzFailure(`case ${current} ended its process (${code ?? sig})`, current, 1, lines));
      });
      child.send({ from, count, seed, file, ...data });
    });
    tally.progress(at().done);
    if (result.what !== undefined)
      throw new FuzzFailure(result.what, result.from, result.count ?? 1, result.details ?? []);
    for (const [name, n] of Object.entries(result.outcomes)) tally.note(name, n);
    Object.assign(tally.figures, result.figures);
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', stop);
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

function progressIn(file, from) {
  try {
    const b = readFileSync(file);
    if (b.length === 8) return { current: b.readInt32LE(0), done: b.readInt32LE(4), begun: true };
  } catch {
    // The process has not begun.
  }
  return { current: from, done: 0, begun: false };
}

/**
 * The other side: takes the job, does each case, reports, ends.
 * @param begin gets the job. @returns `{ one, end }`: `one(n)` does a case and gives null, or what must not be (`{ what,
 *   details }`); `end()` is asked at last for `{ outcomes, figures }`, or for what must not be
 */
export async function serveCases(begin) {
  let stopped = false;
  const job = await new Promise((resolve) => process.once('message', resolve));
  process.on('message', () => {
    stopped = true;
  });
  const { from, count, file } = job;
  const fd = openSync(file, 'w');
  const mark = Buffer.alloc(8);
  const { one, end } = await begin(job);
  let wrong = null;
  for (let n = from; n < from + count && !stopped && wrong === null; n++) {
    mark.writeInt32LE(n, 0);
    mark.writeInt32LE(n - from, 4);
    writeSync(fd, mark, 0, 8, 0);
    const found = await one(n);
    if (found !== null) wrong = { from: n, ...found };
    else mark.writeInt32LE(n + 1 - from, 4);
    // Messages of the parent are heard in between.
    if (n % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  writeSync(fd, mark, 0, 8, 0);
  const last = wrong ?? (await end());
  const result =
    last.what === undefined ? last : { from, count, ...(wrong === null ? {} : { count: 1 }), ...last };
  process.send(result, () => process.exit(0));
}
