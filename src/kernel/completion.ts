// SPDX-License-Identifier: GPL-2.0-only
//
// Completion over one word: "this has happened", said by one thread and awaited by others (Linux
// kernel/sched/completion.c).
//
// States of the word
//   0                                  nothing happened, or all of it was consumed: waiters sleep
//   1 to COMPLETION_ALL - 1            that many waits will pass, each consuming one
//   COMPLETION_ALL                     every wait passes and consumes nothing, until reinitCompletion
//
//   n -> n + 1 (below COMPLETION_ALL)  complete
//   any -> COMPLETION_ALL              completeAll
//   n -> n - 1 (0 < n < ALL)           a wait that passes
//   any -> 0                           reinitCompletion: only while nobody completes or waits
//
// Owner: nobody; each step is one atomic by any thread. The word may be reused for something else once the last
// wait has passed: a late notify of C2 then wakes a stranger for nothing, so everyone who sleeps on an arena word
// looks again.
//
// Invariants
//   1. A wait that passed consumed one complete, or came after a completeAll: passed <= completed, unless saturated.
//   2. While the word is above 0, each thread asleep on it has a notify under way to it or to a thread that will
//      pass in its place: every complete wakes one sleeper, also when the word was above 0 already, because the
//      sleeper that an earlier complete woke may not have run yet.
//
// Ordering
//   C1  CAS up, or store of COMPLETION_ALL  release  pairs with W1: what came before complete is seen after the wait
//   C2  notify, after C1                    pairs with W2
//   W1  CAS down (load, when saturated)     acquire  pairs with C1
//   W2  wait while 0                        pairs with C2; a C1 after the load in W1 makes it return at once

import { clockMs } from './clock_ms.js';

/** Words of a completion; all 0 is a new one. */
export const COMPLETION_WORDS = 1;
/** The word after `completeAll`: waits pass without consuming (Linux uses UINT_MAX). */
export const COMPLETION_ALL = 0x7fffffff;

/** Lets one wait pass and wakes one sleeper, if any (Linux `complete`). Without effect after `completeAll`. */
export function complete(m: Int32Array, at: number): void {
  for (;;) {
    const done = Atomics.load(m, at);
    if (done === COMPLETION_ALL) break;
    if (Atomics.compareExchange(m, at, done, done + 1) === done) break;
  }
  Atomics.notify(m, at, 1);
}

/** Lets all waits pass, present and future, until `reinitCompletion` (Linux `complete_all`). */
export function completeAll(m: Int32Array, at: number): void {
  Atomics.store(m, at, COMPLETION_ALL);
  Atomics.notify(m, at);
}

/** Makes a used completion new (Linux `reinit_completion`). Nobody may complete it or wait for it meanwhile. */
export function reinitCompletion(m: Int32Array, at: number): void {
  Atomics.store(m, at, 0);
}

/** Consumes one completion, asleep until there is one (Linux `wait_for_completion`). */
export function waitForCompletion(m: Int32Array, at: number): void {
  while (!tryWaitForCompletion(m, at)) Atomics.wait(m, at, 0);
}

/**
 * Consumes one completion, asleep for at most `timeoutMs` milliseconds (0 or less: does not sleep)
 * (Linux `wait_for_completion_timeout`, which answers the time left).
 * @returns whether one was consumed; false: the time is over
 */
export function waitForCompletionTimeout(m: Int32Array, at: number, timeoutMs: number): boolean {
  if (tryWaitForCompletion(m, at)) return true;
  const endMs = clockMs() + timeoutMs;
  let leftMs = timeoutMs;
  // Another thread may consume what woke this one; it then sleeps again, for the rest of its time.
  while (leftMs > 0) {
    const timedOut = Atomics.wait(m, at, 0, leftMs) === 'timed-out';
    if (tryWaitForCompletion(m, at)) return true;
    if (timedOut) return false;
    leftMs = endMs - clockMs();
  }
  return false;
}

/**
 * Consumes one completion if there is one; never sleeps (Linux `try_wait_for_completion`).
 * @returns whether one was consumed
 */
export function tryWaitForCompletion(m: Int32Array, at: number): boolean {
  for (;;) {
    const done = Atomics.load(m, at);
    if (done === 0) return false;
    if (done === COMPLETION_ALL) return true;
    if (Atomics.compareExchange(m, at, done, done - 1) === done) return true;
  }
}

/** Whether a wait would pass now (Linux `completion_done`); consumes nothing. */
export function completionDone(m: Int32Array, at: number): boolean {
  return Atomics.load(m, at) !== 0;
}
