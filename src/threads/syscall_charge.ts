// SPDX-License-Identifier: GPL-2.0-only
/** What a system call costs: threads here cross no boundary, so calls of sockets are charged what was asked for. */
import type { Current } from '../kernel/current.js';
import type { Platform } from '../kernel/platform.js';
import type { NetContext } from '../net/core/net_context.js';
import { NET } from '../net/core/softnet_data.js';

/** Readings of the clock by which its cost is told. */
const READINGS = 64;
/** What a reading of the clock costs in this thread, ns; -1: not known yet. */
let readingNs = -1;

/**
 * Spins for as long as entering and leaving the kernel takes (boot option syscallNs); nothing while that is 0. Two readings
 * of the clock are the least it takes.
 */
export function chargeSyscall(ctx: { readonly cur: Current; readonly net: NetContext }): void {
  const { net, cur } = ctx;
  const ns = net.m[net.at + NET.syscallNs];
  if (ns === 0) return;
  const { platform } = cur;
  if (readingNs < 0) readingNs = costOfReading(platform);
  // The clock is read in the middle of a reading: half of one before the first, half behind the last, and on the average
  // half of one too many.
  const endNs = platform.nowNs() + ns - 1.5 * readingNs;
  while (platform.nowNs() < endNs);
}

/** The least of several: what else runs makes a reading longer, never shorter. */
function costOfReading(platform: Platform): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < READINGS; round++) {
    const startNs = platform.nowNs();
    let endNs = startNs;
    for (let i = 0; i < READINGS; i++) endNs = platform.nowNs();
    least = Math.min(least, (endNs - startNs) / READINGS);
  }
  return least;
}
