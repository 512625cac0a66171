// SPDX-License-Identifier: GPL-2.0-only
/** What was sent has come somewhere: for the commands that send traffic and account for each frame. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Machine } from '../machine.js';
import type { Socket } from '../socket.js';

/** Frames on their way are given up as lost when nothing has moved for so long. */
const LOST_MS = 2000;
const STEP_MS = 2;

/**
 * Waits until every one of `frames`, all that were ever sent, is read or counted as dropped, or until nothing moves any
 * more.
 */
export async function settled(machine: Machine, sockets: readonly Socket[], frames: number): Promise<void> {
  let last = -1;
  let lastMoveMs = performance.now();
  for (;;) {
    const seen = sum(sockets.map((s) => s.delivered)) + sum(Object.values(machine.drops()));
    // Sums and counters wrap at 2^32.
    if (seen % 2 ** 32 === frames % 2 ** 32) return;
    const nowMs = performance.now();
    if (seen !== last) {
      last = seen;
      lastMoveMs = nowMs;
    } else if (nowMs - lastMoveMs > LOST_MS) {
      return;
    }
    await delay(STEP_MS);
    machine.throwIfDown();
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
