// SPDX-License-Identifier: GPL-2.0-only
/**
 * Holds the wire back until a frame is due. It sleeps, and on hosts with cores to spare spins for the last stretch;
 * frames that became due meanwhile go out together.
 */
import { availableParallelism } from 'node:os';
import type { Wire } from '../drivers/net/sim_nic_wire.js';
import { cpuRelax } from '../kernel/cpu_relax.js';
import type { Current } from '../kernel/current.js';

/** A sleep ends about this late: the rest is spun away where there are cores to spare. */
const SPIN_NS = 60_000;
const MIN_CORES_TO_SPIN = 4;
/** Sleeps are cut into pieces, whoever may have forgotten to ring. */
const MAX_SLEEP_MS = 100;

export class Pacer {
  private readonly cur: Current;
  private readonly wire: Wire;
  private readonly doorbell: number;
  private readonly spinNs = availableParallelism() >= MIN_CORES_TO_SPIN ? SPIN_NS : 0;
  private nowNs = 0;

  constructor(cur: Current, wire: Wire, doorbell: number) {
    this.cur = cur;
    this.wire = wire;
    this.doorbell = doorbell;
  }

  /**
   * Returns when the clock has reached `dueNs` (CLOCK_MONOTONIC), with everything before it published.
   * @returns false if the run is to end
   */
  waitUntil(dueNs: number): boolean {
    if (this.nowNs >= dueNs) return true;
    this.wire.flush();
    for (;;) {
      this.nowNs = this.wire.tick();
      const leftNs = dueNs - this.nowNs;
      if (leftNs <= 0) return true;
      if (this.wire.stopped()) return false;
      let sleepNs = leftNs - this.spinNs;
      const irqUs = this.wire.nextInterruptUs();
      if (irqUs >= 0 && irqUs * 1000 < sleepNs) sleepNs = irqUs * 1000;
      if (sleepNs > 0)
        Atomics.wait(this.cur.m, this.doorbell, this.wire.bell, Math.min(sleepNs / 1e6, MAX_SLEEP_MS));
      else cpuRelax();
      this.wire.flush();
    }
  }
}
