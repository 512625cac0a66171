// SPDX-License-Identifier: GPL-2.0-only
//
// SpinLock: as Mutex, but spins for about the price of a wake-up before it sleeps. For critical sections of a few
// microseconds among threads that have a core each. Words, invariants and ordering: owned_lock.ts.
//
// Differs from atomics-sync 1.0.3:
//   - the spin is bounded, then the thread sleeps: a preempted holder costs its waiters no core (there: they burn
//     their whole time slices against it, on a machine with fewer cores than threads for very long);
//   - a waiter spins on loads and tries to write only when the lock is free (there: a write a turn, so that the
//     holder's own unlock has to fight for the cache line).

import { ownedLock, ownedLockInit, ownedTryLock, ownedUnlock } from './owned_lock.js';

const WHAT = 'spin lock';

// At 7 ns a load, and some tens where there is a pause hint: 15 to 100 microseconds, the order of one sleep and wake-up.
// Spinning that long costs at most about twice what the better of "sleep at once" and "spin for ever" would have
// cost.
const SPIN_LOCK_LOADS = 2000;

/** Mutual exclusion between threads for very short sections. Each thread passes an id of its own: 32 bits, not 0. */
export class SpinLock {
  /** A free lock: two words of shared memory, to be passed to the threads that use it. */
  static init(): Int32Array<SharedArrayBuffer> {
    return ownedLockInit();
  }

  /**
   * Takes the lock; spins, and after a while sleeps, while another thread holds it.
   * @throws DeadlockError if this thread holds it already
   * @throws InvalidError if the thread id is 0 or no integer, RangeError if it needs more than 32 bits
   */
  static lock(lock: Int32Array<SharedArrayBuffer>, threadId: number): void {
    ownedLock(lock, threadId, SPIN_LOCK_LOADS, WHAT);
  }

  /**
   * Takes the lock if it is free; never waits.
   * @returns whether this thread now holds the lock
   * @throws DeadlockError, InvalidError, RangeError as `lock`
   */
  static tryLock(lock: Int32Array<SharedArrayBuffer>, threadId: number): boolean {
    return ownedTryLock(lock, threadId, WHAT);
  }

  /**
   * Releases the lock.
   * @throws PermissionError if this thread does not hold it; the lock is then unchanged
   * @throws InvalidError, RangeError as `lock`
   */
  static unlock(lock: Int32Array<SharedArrayBuffer>, threadId: number): void {
    ownedUnlock(lock, threadId, WHAT);
  }
}
