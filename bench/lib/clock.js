// SPDX-License-Identifier: GPL-2.0-only

/**
 * CLOCK_MONOTONIC in nanoseconds, the same in every thread of the machine. A double holds it exactly for 104 days of
 * uptime. Not for a hot path: it makes a BigInt.
 */
export function nowNs() {
  return Number(process.hrtime.bigint());
}
