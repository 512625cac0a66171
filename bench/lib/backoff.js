// SPDX-License-Identifier: GPL-2.0-only
import { cpuRelax } from '../../dist/kernel/cpu_relax.js';

/** Fruitless looks before a sleep: some 20 us, longer than any answer of a thread that has a core. */
const SPINS = 2000;
/** A sleep, milliseconds; the system makes it about 0.1. */
const SLEEP_MS = 0.05;

/**
 * How both ends of a queue wait, whichever queue it is: spin, then sleep for a moment, so that two threads make
 * progress when they have one core between them. Make one a thread, keep.
 */
export class Backoff {
  spins = 0;
  parking = new Int32Array(new SharedArrayBuffer(4));

  /** The look was fruitless. */
  idle() {
    if (++this.spins < SPINS) {
      cpuRelax();
      return;
    }
    this.spins = 0;
    Atomics.wait(this.parking, 0, 0, SLEEP_MS);
  }

  /** The look was not fruitless. */
  busy() {
    this.spins = 0;
  }
}

/** Waits until `parties` threads have arrived at word `at`, which must be 0 before; spins, then sleeps. */
export function meet(m, at, parties, backoff) {
  Atomics.add(m, at, 1);
  while (Atomics.load(m, at) < parties) backoff.idle();
}
