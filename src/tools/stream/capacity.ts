// SPDX-License-Identifier: GPL-2.0-only
/**
 * What a virtual CPU can deliver: the most that any setting gets through at any load. Looked for before the rows, so that
 * what they are offered is known to be too much.
 */
import { datagramFrames } from '../../index.js';
import { runCell, type Timing } from './cell.js';
import type { Row, Setting } from './plan.js';
import type { Stand } from './stand.js';

/** Frames that no virtual CPU gets through, thousands a second. */
const FAR_TOO_MUCH = 3000;
/** Loads that are tried, in parts of what was delivered under far too much. */
const TRIED: { readonly [setting in Setting]: readonly number[] } = {
  vanilla: [0.5],
  guest_threaded: [0.75, 1, 1.4],
  both_threaded: [1],
};
const TIMING: Timing = { warmMs: 50, settleMs: 20, measureMs: 80 };
/** A host that is busy elsewhere at that moment must not have it look like nothing. */
const LEAST_FRAMES = 30;
const LEAST_ALONE = 500;

/** Code is compiled while it runs: what is measured is not to be what compiles it. */
const WARM_ROW: Row = { size: 64, flows: 25 };
const WARM_TIMING: Timing = { warmMs: 250, settleMs: 50, measureMs: 150 };
const WARM_KPPS = 1000;

/** Has every setting run once. */
export async function warmUp(stands: readonly Stand[], signal: AbortSignal): Promise<void> {
  for (const stand of stands) {
    if (!signal.aborted) await runCell(stand, WARM_ROW, WARM_KPPS, WARM_TIMING, signal);
  }
}

/** @returns the most datagrams a second, in thousands, that some setting delivered */
export async function capacityOf(stands: readonly Stand[], row: Row, signal: AbortSignal): Promise<number> {
  const frames = datagramFrames(row.size);
  const threaded = stands.find((s) => s.setting === 'guest_threaded') ?? stands[stands.length - 1];
  const first = await runCell(threaded, row, FAR_TOO_MUCH / frames, TIMING, signal);
  // Where softirqs have everything, that is no measure.
  const least = threaded.setting === 'vanilla' ? LEAST_ALONE : LEAST_FRAMES;
  const base = Math.max(first.kpps, least / frames);
  let most = base;
  for (const stand of stands) {
    for (const part of TRIED[stand.setting]) {
      if (signal.aborted) return most;
      const cell = await runCell(stand, row, base * part, TIMING, signal);
      most = Math.max(most, cell.kpps);
    }
  }
  return most;
}
