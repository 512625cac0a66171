// SPDX-License-Identifier: GPL-2.0-only
/**
 * What all campaigns have in common: cases by number, counts by outcome, a failure that says how to repeat it.
 *
 * A campaign is `{ name, what, count, narrows, run(job, tally) }`: `run` takes the cases `job.from` up to `job.from +
 * job.count` (exclusive) of `job.seed`, ends early when `job.signal` is aborted, and throws FuzzFailure for what must not be.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Random } from '../../dist/tools/torture/random.js';

const PROGRESS_MS = 500;

/** Something that must not be, and in which cases it was seen. */
export class FuzzFailure extends Error {
  /** @param from @param count the cases of which one is to blame @param details lines */
  constructor(what, from, count, details = []) {
    super(what);
    this.from = from;
    this.count = count;
    this.details = details;
    this.suspects = [];
  }

  /** Names cases that may do it alone. @returns this */
  suspect(from, count) {
    this.suspects.push({ from, count });
    return this;
  }
}

/** Cases done, by outcome. */
export class Tally {
  done = 0;
  outcomes = new Map();
  /** Figures for the last line that are no counts of cases. */
  figures = {};
  #shown = 0;
  #total;
  #name;

  constructor(name, total) {
    this.#name = name;
    this.#total = total;
  }

  /** Counts `n` more of an outcome. */
  note(outcome, n = 1) {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + n);
  }

  /** Says how many cases are done by now; shown on a terminal. */
  progress(done) {
    this.done = done;
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shown < PROGRESS_MS) return;
    this.#shown = now;
    process.stderr.write(`\r${this.#name}: ${done} of ${this.#total} `);
  }

  /** Takes the progress off the terminal. */
  clear() {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }

  text() {
    const counts = [...this.outcomes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, n]) => `${k} ${n}`);
    const figures = Object.entries(this.figures).map(([k, v]) => `${k}=${v}`);
    return [counts.join(', '), ...figures].filter((s) => s !== '').join('; ');
  }
}

/** @returns the chance of one case: the same for the same seed and number, whatever came before */
export function caseRandom(seed, subject, number) {
  return Random.of(seed, `${subject} ${number}`);
}

/** @returns the command that runs these cases alone */
export function repeatCommand(name, seed, from, count) {
  return `node bench/fuzz.mjs ${name} --seed ${seed} --from ${from} --count ${count}`;
}

/**
 * Runs a campaign and prints its first line, what is wrong, its last line.
 * @param say gets the lines
 * @returns false if something was wrong
 */
export async function runCampaign(campaign, job, say) {
  const { name } = campaign;
  const { seed, from, count } = job;
  const parameters = `${count} ${campaign.what} from ${from} on, seed ${seed}`;
  say(`${name}: ${parameters}`);
  const tally = new Tally(name, count);
  const beganMs = performance.now();
  const failure = await failureOf(campaign, job, tally);
  tally.clear();
  if (failure === null) {
    const short = tally.done < count ? ' (interrupted)' : '';
    const seconds = ((performance.now() - beganMs) / 1e3).toFixed(1);
    say(`${name}: SUCCESS${short}: ${tally.done} of ${parameters}, ${seconds} s: ${tally.text()}`);
    return true;
  }
  say(`!!! ${name}: ${failure.message}`);
  for (const line of failure.details) say(`!!!   ${line}`);
  const least = campaign.narrows ? await narrowed(campaign, job, failure) : failure;
  say(`!!! repeat: ${repeatCommand(name, seed, least.from, least.count)}`);
  say(`${name}: FAILURE after ${tally.done} of ${parameters}: ${tally.text()}`);
  return false;
}

/** @returns null if nothing was wrong */
async function failureOf(campaign, job, tally) {
  try {
    await campaign.run(job, tally);
    return null;
  } catch (error) {
    tally.clear();
    if (error instanceof FuzzFailure) return error;
    return new FuzzFailure(String(error?.stack ?? error).replaceAll('\n', ' '), job.from, job.count);
  }
}

/**
 * Tries the cases that are suspected, then halves those of the failure, as long as a part fails by itself. Not every
 * failure comes back.
 */
async function narrowed(campaign, job, failure) {
  let least = { from: failure.from, count: failure.count };
  const suspects = failure.suspects.filter((s) => s.from >= job.from && s.count < least.count);
  for (;;) {
    const { from, count } = least;
    const half = count >> 1;
    const parts = [...suspects.splice(0), { from, count: half }, { from: from + half, count: count - half }];
    let failed = null;
    for (const part of parts) {
      if (job.signal.aborted || part.count === 0 || part.count === count) continue;
      const tally = new Tally(campaign.name, part.count);
      if ((await failureOf(campaign, { ...job, ...part }, tally)) === null) continue;
      failed = part;
      break;
    }
    if (failed === null) return least;
    least = failed;
  }
}

/** Rejects with `makeError()` if `promise` takes longer. */
export async function inTime(promise, ms, makeError) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(makeError()), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

/** @returns bytes resident after this thread has collected its garbage */
export function residentBytes() {
  gc();
  return process.memoryUsage().rss;
}
