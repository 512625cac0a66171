// SPDX-License-Identifier: GPL-2.0-only
/**
 * Tracepoints: where protocol code says what happens, under the kernel's names. Who listens is a layer above; while a
 * thread has no tracer a tracepoint is one comparison.
 *
 * Owner: `tracer` of a Current is set when the thread is set up, and is its own. A tracer must not touch what protocol
 * code shares, and never block: the model checker runs with none.
 */
import type { Current } from './current.js';

/** What happened; the three arguments of each. Addresses are word indices in the arena. */
export const TP_SCHED_WAKEUP = 1; // task woken
export const TP_SCHED_SWITCH_OUT = 2; // its state: it goes to sleep
export const TP_SCHED_SWITCH_IN = 3; // it runs again
export const TP_SOFTIRQ_RAISE = 4; // vector, CPU
export const TP_SOFTIRQ_ENTRY = 5; // vectors pending
export const TP_SOFTIRQ_EXIT = 6; // vectors pending now
export const TP_NAPI_POLL_BEGIN = 7; // instance, budget
export const TP_NAPI_POLL = 8; // instance, packets, budget
export const TP_NETIF_RECEIVE_SKB = 9; // skbs handed up since the last of these
export const TP_KTHREAD_PARK = 10; // task
export const TP_KTHREAD_UNPARK = 11; // task
export const TP_NAPI_STATE = 12; // instance, bits before, bits after
export const TP_SCHED_PROCESS_EXIT = 13; // the thread has ended
export const TP_TRACE_LOST = 14; // events lost; no tracepoint: put in where they are missing

/** One who listens to the tracepoints of one thread. */
export interface Tracer {
  /** @param tp TP_* */
  event(cur: Current, tp: number, a: number, b: number, c: number): void;
}

/** A tracepoint. */
export function trace(cur: Current, tp: number, a = 0, b = 0, c = 0): void {
  const { tracer } = cur;
  if (tracer !== null) tracer.event(cur, tp, a, b, c);
}
