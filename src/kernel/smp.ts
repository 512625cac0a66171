// SPDX-License-Identifier: GPL-2.0-only
/**
 * Interrupts from CPU to CPU (Linux: kernel/smp.c, smp_call_function_single_async).
 *
 * As any interrupt here, it runs in the thread that sends it, on behalf of the CPU it is for; what it leaves there (an
 * entry in a poll list, a softirq) wakes that CPU’s thread.
 *
 * States of a call_single_data word: 0; CSD_FLAG_LOCK while a call is on its way.
 * Owner: whoever has set CSD_FLAG_LOCK.
 * Invariant: one call a word at a time. A second sender gets -EBUSY: whoever sends sees to it, by a bit of its own, that
 * there is none.
 *
 * Ordering
 *   G1 sender: what the function looks at, then CAS of the word   pairs with  G2
 *   G2 before the function: store of 0: it may lead to another call   pairs with  G1
 */
import { type Cpu, onlineInstead } from './cpu.js';
import type { Current } from './current.js';
import { EBUSY } from './errno.js';
import { rcuReadLock, rcuReadUnlock } from './rcu.js';

export const CSD_FLAG_LOCK = 1;

/** A function called on behalf of `cur.cpu`. */
export type SmpCallFunc = (cur: Current, data: number) => void;

/**
 * Has `func` called on behalf of `cpu`, or of another one if that is offline.
 * @param csd the call’s word
 * @returns 0, or -EBUSY if a call of that word is on its way
 */
export function smpCallFunctionSingleAsync(
  cur: Current,
  cpu: Cpu,
  csd: number,
  func: SmpCallFunc,
  data: number,
): number {
  const { m } = cur;
  if (Atomics.compareExchange(m, csd, 0, CSD_FLAG_LOCK) !== 0) return -EBUSY; // G1
  const home = cur.cpu;
  rcuReadLock(cur);
  cur.cpu = onlineInstead(cur.cpus, cpu);
  Atomics.store(m, csd, 0); // G2
  func(cur, data);
  cur.cpu = home;
  rcuReadUnlock(cur);
  return 0;
}
