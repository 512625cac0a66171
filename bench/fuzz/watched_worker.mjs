// SPDX-License-Identifier: GPL-2.0-only
/**
 * Cases run in a worker of their own, one after the other, watched from outside: whoever hangs or brings the worker down
 * is known by the number that stands in shared memory.
 */
import { Worker } from 'node:worker_threads';
import { FuzzFailure } from './campaign.mjs';

/** Words shared with the worker. */
export const WATCH = { current: 0, done: 1, stop: 2, WORDS: 16 };
const LOOK_MS = 200;
const HANG_LOOKS = 150;

/**
 * Runs a module's cases. Its worker gets `{ words, ...job }`, keeps WATCH.current and WATCH.done, ends at WATCH.stop, and posts
 * `{ from, what }` for what must not be, else at last `{ outcomes, figures }`.
 * @param options `looks`: without progress that are a hang; `env`, `execArgv` of the worker
 * @throws FuzzFailure
 */
export async function runWatched(module, job, tally, options = {}) {
  const { from, count, seed, signal } = job;
  const words = new Int32Array(new SharedArrayBuffer(4 * WATCH.WORDS));
  words[WATCH.current] = from;
  const { looks = HANG_LOOKS, data = {}, ...rest } = options;
  const worker = new Worker(module, { workerData: { words, from, count, seed, ...data }, ...rest });
  let still = 0;
  let last = -1;
  const stop = () => Atomics.store(words, WATCH.stop, 1);
  signal.addEventListener('abort', stop);
  try {
    await new Promise((resolve, reject) => {
      const current = () => Atomics.load(words, WATCH.current);
      const timer = setInterval(() => {
        const done = Atomics.load(words, WATCH.done);
        tally.progress(done);
        still = done === last ? still + 1 : 0;
        last = done;
        if (still >= looks) {
          const seconds = Math.round((looks * LOOK_MS) / 1e3);
          reject(new FuzzFailure(`a hang: case ${current()} takes more than ${seconds} s`, current(), 1));
        }
      }, LOOK_MS);
      const settle = (fn, value) => {
        clearInterval(timer);
        fn(value);
      };
      let result = null;
      worker.on('message', (message) => {
        result = message;
        if (message.what !== undefined)
          settle(reject, new FuzzFailure(message.what, message.from, 1, message.details ?? []));
      });
      worker.on('error', (error) => {
        const text = String(error?.stack ?? error).replaceAll('\n', ' ');
        settle(reject, new FuzzFailure(`case ${current()}: ${text}`, current(), 1));
      });
      worker.on('exit', (code) => {
        if (result?.outcomes === undefined)
          settle(reject, new FuzzFailure(`case ${current()} ended its thread (${code})`, current(), 1));
        else settle(resolve);
        for (const [name, n] of Object.entries(result?.outcomes ?? {})) tally.note(name, n);
        Object.assign(tally.figures, result?.figures);
      });
    });
  } finally {
    signal.removeEventListener('abort', stop);
    await worker.terminate();
    tally.progress(Atomics.load(words, WATCH.done));
  }
}
