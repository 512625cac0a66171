// SPDX-License-Identifier: GPL-2.0-only
/**
 * What entering and leaving the kernel costs on this host. A thread of this program that polls has no such boundary, so
 * socket calls are charged it.
 */
import { types } from 'node:util';

/** Calls a round, and rounds: some milliseconds together. */
const CALLS = 1000;
const ROUNDS = 61;
/** Rounds at the start that are for the compiler. */
const WARMUP = 20;

/** What was measured. */
export interface SyscallCost {
  /** A system call that does nothing else, less the same way into native code without one; ns, 0 at least. */
  readonly ns: number;
  /** The two that it is the difference of, ns: medians of many rounds. */
  readonly withCallNs: number;
  readonly withoutNs: number;
}

/**
 * Measures it: getuid(2) against a native function that asks the kernel nothing. The least that any call costs: what a
 * call does beside entering and leaving is not in it.
 * @returns null where there is no getuid
 */
export function syscallCost(): SyscallCost | null {
  const { getuid } = process;
  if (getuid === undefined) return null;
  const withCall: number[] = [];
  const without: number[] = [];
  for (let i = 0; i < WARMUP + ROUNDS; i++) {
    const a = nsPerCall(() => getuid());
    const b = nsPerCall(() => types.isExternal(null));
    if (i < WARMUP) continue;
    withCall.push(a);
    without.push(b);
  }
  const withCallNs = median(withCall);
  const withoutNs = median(without);
  return { ns: Math.max(0, Math.round(withCallNs - withoutNs)), withCallNs, withoutNs };
}

function nsPerCall(call: () => unknown): number {
  const startMs = performance.now();
  for (let i = 0; i < CALLS; i++) call();
  return ((performance.now() - startMs) * 1e6) / CALLS;
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[values.length >> 1];
}
