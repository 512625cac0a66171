// SPDX-License-Identifier: GPL-2.0-only
/**
 * Time and the operating system, as protocol code sees them. The model checker brings another implementation.
 *
 * Shared time is CLOCK_MONOTONIC: `performance.now()` counts from each thread's own start, so every thread keeps its
 * distance to the monotonic clock. Timers count in microseconds in a wrapping 32-bit word (as jiffies do): compare by
 * subtraction, distances stay below 2^31 us = 35 minutes.
 */
export interface Platform {
  /** CLOCK_MONOTONIC in nanoseconds, a double (exact to about 100 ns). */
  nowNs(): number;
  /** CLOCK_MONOTONIC in microseconds, wrapping at 32 bits. */
  nowUs(): number;
  /** Sleeps about `us` microseconds (Linux: usleep_range): for loops that poll a condition nobody signals. */
  usleep(us: number): void;
  /** Names a thread for the operating system's tools; its kernel id, 0: not available. */
  setComm(tid: number, comm: string): void;
}

const CLOCK_READINGS = 16;

/** The real clock. Make one a thread. */
export class NodePlatform implements Platform {
  readonly setComm: Platform['setComm'];
  private readonly offsetMs: number;
  private readonly parking = new Int32Array(new SharedArrayBuffer(4));

  /** @param setComm what names a thread; protocol code itself knows no operating system */
  constructor(setComm: Platform['setComm'] = () => {}) {
    this.setComm = setComm;
    // The two clocks cannot be read at one moment, and the first use of either is slow: the narrowest of several
    // readings tells their distance.
    let narrowest = Number.POSITIVE_INFINITY;
    let offsetMs = 0;
    for (let i = 0; i < CLOCK_READINGS; i++) {
      const before = performance.now();
      const [seconds, nanos] = process.hrtime();
      const after = performance.now();
      if (after - before >= narrowest) continue;
      narrowest = after - before;
      offsetMs = seconds * 1e3 + nanos / 1e6 - (before + after) / 2;
    }
    this.offsetMs = offsetMs;
  }

  nowNs(): number {
    return (performance.now() + this.offsetMs) * 1e6;
  }

  nowUs(): number {
    return ((performance.now() + this.offsetMs) * 1e3) | 0;
  }

  usleep(us: number): void {
    Atomics.wait(this.parking, 0, 0, us / 1e3);
  }
}
