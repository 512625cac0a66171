// SPDX-License-Identifier: GPL-2.0-only
/** One seed of a campaign: machines one after the other until its time is up or something is wrong. */
import { addCounts, type Counts, noCounts } from './counts.js';
import { Life } from './life.js';
import type { TortureOptions } from './options.js';

/** What a seed came to. */
export interface SeedReport {
  readonly seed: number;
  readonly verdict: 'SUCCESS' | 'FAILURE';
  readonly interrupted: boolean;
  readonly seconds: number;
  readonly counts: Counts;
  /** The first thing that was wrong, and everything that the machine showed then. */
  readonly failure: { readonly message: string; readonly details: readonly string[] } | null;
}

/** Counts of the machine that runs now, for status lines. */
export type Look = () => Counts;

/**
 * Runs a seed.
 * @param onBegin is given a function that counts what has been done so far
 */
export async function runSeed(
  o: TortureOptions,
  seed: number,
  stopped: AbortSignal,
  onBegin: (look: Look) => void = () => {},
): Promise<SeedReport> {
  const beganMs = performance.now();
  const counts = noCounts();
  let current: Life | null = null;
  onBegin(() => {
    const now = structuredClone(counts);
    if (current !== null) addCounts(now, current.counts());
    return now;
  });
  let leftMs = o.durationMs;
  let failure: SeedReport['failure'] = null;
  for (let n = 0; n === 0 || (leftMs > 0 && failure === null && !stopped.aborted); n++) {
    const life: Life = await Life.begin(o, n === 0 ? seed : Math.imul(seed, 31) + n);
    current = life;
    const bootedMs = performance.now();
    const end = await life.run(leftMs, stopped);
    current = null;
    addCounts(counts, life.counts());
    failure = end.failure;
    leftMs -= performance.now() - bootedMs;
    if (!end.died) break;
  }
  return {
    seed,
    verdict: failure === null ? 'SUCCESS' : 'FAILURE',
    interrupted: stopped.aborted,
    seconds: (performance.now() - beganMs) / 1000,
    counts,
    failure,
  };
}
