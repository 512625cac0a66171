// SPDX-License-Identifier: GPL-2.0-only
//
// The clock behind time-outs of sleeping waits. It stands in a module of its own because a model checker replaces
// it by one that stands still: there a time-out is an answer that `Atomics.wait` may give at any time.

/** Milliseconds since this thread's own start: monotonic, with a fraction; for differences within one thread only. */
export function clockMs(): number {
  return performance.now();
}
