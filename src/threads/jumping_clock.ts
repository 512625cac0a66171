// SPDX-License-Identifier: GPL-2.0-only
/**
 * A clock that can be made to jump, for machines that are booted to have faults injected: the monotonic clock of a thread
 * plus what its slot of a table holds. Forwards only, as CLOCK_MONOTONIC never goes back. Other machines' threads have
 * NodePlatform, which knows nothing of this.
 *
 * Owner: the main thread writes the table, plainly; each thread reads its slot with every look at the clock.
 */
import { NodePlatform, type Platform } from '../kernel/platform.js';

/** Doubles of the table: a thread's slot is its worker's number, modulo these. */
export const CLOCK_SLOTS = 256;

export class JumpingPlatform extends NodePlatform {
  private readonly f: Float64Array;
  private readonly slot: number;

  /**
   * @param table word index of the table
   * @param worker number of the thread's worker
   */
  constructor(setComm: Platform['setComm'], f: Float64Array, table: number, worker: number) {
    super(setComm);
    this.f = f;
    this.slot = (table >> 1) + (worker % CLOCK_SLOTS);
  }

  override nowNs(): number {
    return super.nowNs() + this.f[this.slot];
  }

  override nowUs(): number {
    return (this.nowNs() / 1e3) | 0;
  }
}

/**
 * Makes clocks jump. Main thread.
 * @param worker number of the worker whose thread's clock jumps; null: all clocks, from where the foremost one is
 */
export function jumpClocks(f: Float64Array, table: number, ns: number, worker: number | null): void {
  const first = table >> 1;
  const slots = f.subarray(first, first + CLOCK_SLOTS);
  if (worker === null) slots.fill(Math.max(...slots) + ns);
  else slots[worker % CLOCK_SLOTS] += ns;
}
