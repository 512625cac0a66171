// SPDX-License-Identifier: GPL-2.0-only
/**
 * Damaged frames through a booted machine: every one is read or counted as dropped, as it was sent; every buffer comes
 * back; no thread dies; memory does not grow.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FuzzFailure, residentBytes } from './campaign.mjs';
import { frameGroup, GROUP } from './frame_cases.mjs';
import { FrameMachine, writeCapture } from './frame_machine.mjs';

/** Frames that come in one go; the machine is set up anew behind them. */
export const BATCH = 4096;
/** Batches until memory that is used again and again has been used once. */
const WARM_BATCHES = 24;
/** What may still come on top: an instance of another kind, a block of another size. */
const MAX_MORE_WORDS = 1 << 18;
const MAX_MORE_BYTES = 96 << 20;

/** @returns frames `from` to `to` (exclusive) */
export function makeFrames(seed, from, to) {
  const out = [];
  for (let group = Math.floor(from / GROUP); group * GROUP < to; group++) {
    frameGroup(seed, group).forEach((frame, i) => {
      const n = group * GROUP + i;
      if (n >= from && n < to) out.push(frame);
    });
  }
  return out;
}

/** Looks whether memory grows with the frames. */
class Growth {
  #batches = 0;
  #words = 0;
  #bytes = 0;

  constructor(machine) {
    this.machine = machine;
  }

  /** Behind each batch. */
  look() {
    if (++this.#batches !== WARM_BATCHES) return;
    this.#words = this.machine.memoryWords();
    this.#bytes = residentBytes();
  }

  /** At the end. @returns figures @throws FuzzFailure */
  check(job) {
    if (this.#batches <= WARM_BATCHES) return {};
    const words = this.machine.memoryWords() - this.#words;
    const bytes = residentBytes() - this.#bytes;
    if (words > MAX_MORE_WORDS || bytes > MAX_MORE_BYTES) {
      throw new FuzzFailure(
        `memory grows: ${words} words of shared memory, ${bytes >> 20} MiB resident since batch ${WARM_BATCHES}`,
        job.from,
        job.count,
      );
    }
    return { shared_growth_kib: words / 256, rss_growth_mib: bytes >> 20 };
  }
}

async function run(job, tally) {
  const { seed, from, count, signal } = job;
  const end = from + count;
  const folder = mkdtempSync(join(tmpdir(), 'softnet-fuzz-'));
  const fuzzed = await FrameMachine.boot(BATCH);
  const growth = new Growth(fuzzed);
  const threads = () => fuzzed.machine.threads().filter((t) => t.running).length;
  const lastOf = (at) => Math.min(end, (Math.floor(at / BATCH) + 1) * BATCH);
  const prepare = (at) => {
    const frames = makeFrames(seed, at, lastOf(at));
    return { at, frames, file: writeCapture(folder, Math.floor(at / BATCH), frames) };
  };
  try {
    let next = prepare(from);
    while (next !== null && !signal.aborted) {
      const { at, frames, file } = next;
      const how = await fuzzed.configure(seed, Math.floor(at / BATCH));
      const under = fuzzed.batch(how, file, frames, at);
      under.catch(() => {});
      next = lastOf(at) < end ? prepare(lastOf(at)) : null;
      await under;
      growth.look();
      tally.note('read', fuzzed.table.received());
      tally.note('put together', fuzzed.table.words[3]);
      tally.progress(at + frames.length - from);
    }
    for (const [reason, n] of Object.entries(fuzzed.machine.drops())) tally.note(`dropped ${reason}`, n);
    Object.assign(tally.figures, growth.check(job), { threads: threads() });
    await fuzzed.stop();
  } catch (error) {
    await fuzzed.abandon();
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The campaign. */
export const frames = { name: 'frames', what: 'damaged frames', count: 1_000_000, narrows: true, run };
