// SPDX-License-Identifier: GPL-2.0-only
//
// Semaphore: a count of permits that threads take and give back, or that one gives and another takes.
//
// Words and who owns them: any thread, one atomic a step
//   [0]  permits, 0 to INT32_MAX_VALUE
//   [1]  threads between deciding to sleep and having woken: at least the number that sleep
//
// Invariants
//   1. Permits never go below 0: each is taken by a CAS from a value above 0.
//   2. With permits left and threads asleep, a notify is under way: every post that sees [1] above 0 wakes one,
//      also when there were permits before, because the thread an earlier post woke may not have run yet.
//
// Ordering
//   S1  CAS of [0] up, then load of [1]          release  pairs with S2 and S3
//   S2  add to [1], then load of [0]             pairs with S1: one sees the other, so no post misses a sleeper
//   S3  CAS of [0] down                          acquire  pairs with S1: what came before post is seen after wait
//   S4  wait on [0] while 0                      pairs with the notify after S1
//
// Differs from atomics-sync 1.0.3:
//   - post wakes a sleeper whenever there may be one. There it does so only when the permits were 0: of two posts
//     in a row to two sleepers the second wakes nobody, and that thread sleeps on beside a free permit;
//   - a second word counts sleepers, so that a post without any calls no notify; permits stay the first word;
//   - timedWait looks for a permit once more before it answers false; a timestamp of NaN is an InvalidError.

import { checkTimestamp, msUntil } from './deadline.js';
import { InvalidError } from './errors.js';
import { INT32_MAX_VALUE } from './limits.js';

const PERMITS = 0;
const SLEEPERS = 1;
const WORDS = 2;

/** Counting semaphore between threads. */
export class Semaphore {
  /**
   * A semaphore with `value` permits, 0 to INT32_MAX_VALUE: two words of shared memory.
   * @throws InvalidError if the value is no integer, RangeError if it is out of range
   */
  static init(value: number): Int32Array<SharedArrayBuffer> {
    if (!Number.isInteger(value)) throw new InvalidError(`semaphore value ${value} is no integer`);
    if (value < 0 || value > INT32_MAX_VALUE) {
      throw new RangeError(`semaphore value ${value} is out of range; use 0 to ${INT32_MAX_VALUE}`);
    }
    const sem = new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT));
    sem[PERMITS] = value;
    return sem;
  }

  /** Takes a permit; sleeps until there is one. */
  static wait(sem: Int32Array<SharedArrayBuffer>): void {
    if (Semaphore.tryWait(sem)) return;
    Atomics.add(sem, SLEEPERS, 1);
    while (!Semaphore.tryWait(sem)) Atomics.wait(sem, PERMITS, 0);
    Atomics.sub(sem, SLEEPERS, 1);
  }

  /**
   * Takes a permit, or gives up at `timestamp` (milliseconds, as Date.now() counts them), never before it.
   * @returns whether a permit was taken
   * @throws InvalidError if the timestamp is NaN
   */
  static timedWait(sem: Int32Array<SharedArrayBuffer>, timestamp: number): boolean {
    checkTimestamp(timestamp);
    if (Semaphore.tryWait(sem)) return true;
    Atomics.add(sem, SLEEPERS, 1);
    let taken = Semaphore.tryWait(sem);
    while (!taken) {
      const leftMs = msUntil(timestamp);
      if (leftMs <= 0) break;
      Atomics.wait(sem, PERMITS, 0, leftMs);
      taken = Semaphore.tryWait(sem);
    }
    Atomics.sub(sem, SLEEPERS, 1);
    return taken;
  }

  /**
   * Takes a permit if there is one; never waits.
   * @returns whether a permit was taken
   */
  static tryWait(sem: Int32Array<SharedArrayBuffer>): boolean {
    for (;;) {
      const permits = Atomics.load(sem, PERMITS);
      if (permits === 0) return false;
      if (Atomics.compareExchange(sem, PERMITS, permits, permits - 1) === permits) return true;
    }
  }

  /**
   * Gives a permit and wakes one sleeping thread.
   * @throws RangeError if there are INT32_MAX_VALUE permits already
   */
  static post(sem: Int32Array<SharedArrayBuffer>): void {
    for (;;) {
      const permits = Atomics.load(sem, PERMITS);
      if (permits === INT32_MAX_VALUE)
        throw new RangeError(`semaphore is full: it has ${permits} permits already`);
      if (Atomics.compareExchange(sem, PERMITS, permits, permits + 1) === permits) break;
    }
    if (Atomics.load(sem, SLEEPERS) !== 0) Atomics.notify(sem, PERMITS, 1);
  }

  /** Permits at this moment; another thread may change them before the caller looks at the answer. */
  static getValue(sem: Int32Array<SharedArrayBuffer>): number {
    return Atomics.load(sem, PERMITS);
  }
}
