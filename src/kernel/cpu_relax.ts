// SPDX-License-Identifier: GPL-2.0-only
//
// Busy waiting: how long a waiter spins before it sleeps, and the hint it gives the core meanwhile.
//
// A model checker replaces this module: a bound of 1 and an empty hint reach the same states as any larger bound.
// It must not model the hint as "blocked until a word that was read changes", because a bounded spin goes on
// without a change, and the sleep behind it would never be explored.

/**
 * Loads of a lock's word before a waiter sleeps. A load is about 7 ns (more with the hint), a sleep and its wake-up
 * tens of microseconds: 100 loads cover a holder in the middle of a few instructions, and waste little where it is
 * preempted.
 */
export const SPIN_LOADS = 100;

/**
 * Tells the core that this thread spins (Linux `cpu_relax`, ECMAScript `Atomics.pause`); does nothing on runtimes
 * without it. Takes no lock, orders nothing.
 */
export function cpuRelax(): void {
  (Atomics as Atomics & { pause?: () => void }).pause?.();
}
