// SPDX-License-Identifier: GPL-2.0-only
//
// Mutex: a lock that knows its holder and sleeps while another has it. Words, invariants and ordering: owned_lock.ts.
//
// Differs from atomics-sync 1.0.3:
//   - the state word has three values, so unlock calls notify only where somebody may sleep (there: always);
//   - a timestamp of NaN is an InvalidError (there: it waits for ever);
//   - a waiter that is woken at its deadline and gives up looks for the lock once more before it answers false.

import { SPIN_LOADS } from '../../cpu_relax.js';
import { ownedLock, ownedLockInit, ownedTimedLock, ownedTryLock, ownedUnlock } from './owned_lock.js';

const WHAT = 'mutex';

/** Mutual exclusion between threads. Each thread passes an id of its own: an integer of 32 bits, not 0. */
export class Mutex {
  /** A free mutex: two words of shared memory, to be passed to the threads that use it. */
  static init(): Int32Array<SharedArrayBuffer> {
    return ownedLockInit();
  }

  /**
   * Takes the mutex; sleeps while another thread holds it.
   * @throws DeadlockError if this thread holds it already
   * @throws InvalidError if the thread id is 0 or no integer, RangeError if it needs more than 32 bits
   */
  static lock(mutex: Int32Array<SharedArrayBuffer>, threadId: number): void {
    ownedLock(mutex, threadId, SPIN_LOADS, WHAT);
  }

  /**
   * Takes the mutex, or gives up at `timestamp` (milliseconds, as Date.now() counts them), never before it. A free
   * mutex is taken even when the timestamp has passed.
   * @returns whether this thread now holds the mutex
   * @throws DeadlockError, InvalidError, RangeError as `lock`; InvalidError if the timestamp is NaN
   */
  static timedLock(mutex: Int32Array<SharedArrayBuffer>, threadId: number, timestamp: number): boolean {
    return ownedTimedLock(mutex, threadId, timestamp, SPIN_LOADS, WHAT);
  }

  /**
   * Takes the mutex if it is free; never waits.
   * @returns whether this thread now holds the mutex
   * @throws DeadlockError, InvalidError, RangeError as `lock`
   */
  static tryLock(mutex: Int32Array<SharedArrayBuffer>, threadId: number): boolean {
    return ownedTryLock(mutex, threadId, WHAT);
  }

  /**
   * Releases the mutex and wakes one waiting thread.
   * @throws PermissionError if this thread does not hold it; the mutex is then unchanged
   * @throws InvalidError, RangeError as `lock`
   */
  static unlock(mutex: Int32Array<SharedArrayBuffer>, threadId: number): void {
    ownedUnlock(mutex, threadId, WHAT);
  }
}
