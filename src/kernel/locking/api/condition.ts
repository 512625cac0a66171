// SPDX-License-Identifier: GPL-2.0-only
//
// Condition: a thread that holds a mutex waits until another says that something changed.
//
// Word and who owns it: any thread, one atomic a step
//   [0]  sequence: the number of signals and broadcasts so far, modulo 2^32
//
// Invariants
//   1. A signal after the waiter's unlock is never lost: the waiter read the sequence while it held the mutex, so
//      its sleep compares against a value that the signal has changed.
//   2. A thread that waits for as long as exactly 2^32 signals take, all of them between its unlock and its sleep,
//      would miss them. No other limit.
//   3. Threads sleep and are woken first in, first out, so a thread that begins to wait after a signal cannot take
//      it from one that slept before it.
//
// Ordering
//   C1  add to the sequence                    release  pairs with C3
//   C2  notify, after C1                       pairs with C3
//   C3  load of the sequence, then unlock of the mutex, then wait while the sequence is unchanged
//                                              pairs with C1: a C1 before the wait makes it return at once, later
//                                              C2 wakes it
//   C4  lock of the mutex                      acquire  pairs with the unlock of whoever changed the condition
//
// Wake-ups without a signal happen (a signal may wake one thread and keep another from sleeping): wait in a loop that
// tests the condition, as with pthread_cond_wait.
//
// Differs from atomics-sync 1.0.3:
//   - no signal is lost. There the wait is on a word that never changes, so a signal between the unlock and the wait
//     finds nobody asleep and leaves no trace;
//   - timedWait without the mutex throws PermissionError and leaves it alone. There it throws, and on the way takes
//     the mutex, or waits for it without an end;
//   - timedWait answers true if a signal came at the last moment; a timestamp of NaN is an InvalidError.

import { checkTimestamp, msUntil } from './deadline.js';
import { Mutex } from './mutex.js';

const SEQUENCE = 0;

/** Condition variable between threads, used with a Mutex that guards what the condition is about. */
export class Condition {
  /** A condition nobody waits for: one word of shared memory. */
  static init(): Int32Array<SharedArrayBuffer> {
    return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  }

  /** Wakes one waiting thread, if any; the caller may hold the mutex or not. Change the condition itself under it. */
  static signal(cond: Int32Array<SharedArrayBuffer>): void {
    Atomics.add(cond, SEQUENCE, 1);
    Atomics.notify(cond, SEQUENCE, 1);
  }

  /** Wakes all waiting threads. */
  static broadcast(cond: Int32Array<SharedArrayBuffer>): void {
    Atomics.add(cond, SEQUENCE, 1);
    Atomics.notify(cond, SEQUENCE);
  }

  /**
   * Unlocks the mutex, sleeps until signalled, locks the mutex again.
   * @throws PermissionError if this thread does not hold the mutex; nothing is changed then
   * @throws InvalidError, RangeError for a bad thread id, as Mutex.lock
   */
  static wait(
    cond: Int32Array<SharedArrayBuffer>,
    mutex: Int32Array<SharedArrayBuffer>,
    threadId: number,
  ): void {
    const sequence = Atomics.load(cond, SEQUENCE);
    Mutex.unlock(mutex, threadId);
    Atomics.wait(cond, SEQUENCE, sequence);
    Mutex.lock(mutex, threadId);
  }

  /**
   * As `wait`, but sleeps no longer than until `timestamp` (milliseconds, as Date.now() counts them). The mutex is
   * held again at the return in either case; locking it may take longer.
   * @returns true if signalled, false if the time is over
   * @throws as `wait`; InvalidError if the timestamp is NaN
   */
  static timedWait(
    cond: Int32Array<SharedArrayBuffer>,
    mutex: Int32Array<SharedArrayBuffer>,
    threadId: number,
    timestamp: number,
  ): boolean {
    checkTimestamp(timestamp);
    const sequence = Atomics.load(cond, SEQUENCE);
    Mutex.unlock(mutex, threadId);
    let signalled = false;
    let leftMs = msUntil(timestamp);
    while (!signalled && leftMs > 0) {
      Atomics.wait(cond, SEQUENCE, sequence, leftMs);
      signalled = Atomics.load(cond, SEQUENCE) !== sequence;
      leftMs = msUntil(timestamp);
    }
    Mutex.lock(mutex, threadId);
    return signalled;
  }
}
