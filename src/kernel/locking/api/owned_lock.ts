// SPDX-License-Identifier: GPL-2.0-only
//
// What Mutex and SpinLock share: two words, the three-state word of the kernel's spinlock and the id of the holder.
//
// Words and who owns them
//   [0]  state: SPIN_FREE, SPIN_LOCKED or SPIN_CONTENDED; ../spinlock.ts has its steps and why no sleeper is forgotten
//   [1]  thread id of the holder, 0 for none; written by the holder only, read by anyone
//
// Invariants
//   1. [1] is not 0 only while [0] is not SPIN_FREE.
//   2. A thread finds its own id in [1] exactly while it holds the lock.
//
// Ordering
//   O1  step of [0] out of SPIN_FREE        acquire  pairs with O4
//   O2  store of the id in [1], after O1    pairs with the load of [1] by the same thread
//   O3  store of 0 in [1], before O4        pairs with O2 of the next holder: a store after O4 could wipe out its id
//   O4  exchange of [0] back to SPIN_FREE   release  pairs with O1

import {
  SPIN_CONTENDED,
  SPIN_FREE,
  spinBriefly,
  spinLockSlow,
  spinTryLock,
  spinUnlock,
} from '../spinlock.js';
import { checkTimestamp, msUntil } from './deadline.js';
import { DeadlockError, InvalidError, PermissionError } from './errors.js';
import { INT32_MAX_VALUE, INT32_MIN_VALUE } from './limits.js';

const STATE = 0;
const OWNER = 1;
const WORDS = 2;
const NO_THREAD = 0;

type View = Int32Array<SharedArrayBuffer>;

/** A free lock in memory of its own. Below, `what` is its kind as messages name it: 'mutex' or 'spin lock'. */
export function ownedLockInit(): View {
  return new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT));
}

/** Takes the lock: spins for up to `spinLoads` looks at the word, then sleeps. */
export function ownedLock(lock: View, threadId: number, spinLoads: number, what: string): void {
  checkMayLock(lock, threadId, what);
  if (!spinTryLock(lock, STATE)) spinLockSlow(lock, STATE, spinLoads);
  Atomics.store(lock, OWNER, threadId);
}

/** As `ownedLock`, but gives up at `timestamp`; takes a free lock even when that has passed. False: given up. */
export function ownedTimedLock(
  lock: View,
  threadId: number,
  timestamp: number,
  spinLoads: number,
  what: string,
): boolean {
  checkMayLock(lock, threadId, what);
  checkTimestamp(timestamp);
  if (!spinTryLock(lock, STATE) && !spinBriefly(lock, STATE, spinLoads)) {
    // The word is made CONTENDED before the time is looked at: if this thread was woken and gives up all the same,
    // the next unlock wakes another sleeper in its place.
    while (Atomics.exchange(lock, STATE, SPIN_CONTENDED) !== SPIN_FREE) {
      const leftMs = msUntil(timestamp);
      if (leftMs <= 0) return false;
      Atomics.wait(lock, STATE, SPIN_CONTENDED, leftMs);
    }
  }
  Atomics.store(lock, OWNER, threadId);
  return true;
}

/** Takes the lock if it is free. False: it is not. */
export function ownedTryLock(lock: View, threadId: number, what: string): boolean {
  checkMayLock(lock, threadId, what);
  if (!spinTryLock(lock, STATE)) return false;
  Atomics.store(lock, OWNER, threadId);
  return true;
}

/** Releases the lock, or throws and leaves it as it is. */
export function ownedUnlock(lock: View, threadId: number, what: string): void {
  checkThreadId(threadId);
  const owner = Atomics.load(lock, OWNER);
  if (owner !== threadId) {
    const holder = owner === NO_THREAD ? 'nobody holds it' : `thread ${owner} holds it`;
    throw new PermissionError(`thread ${threadId} cannot unlock this ${what}: ${holder}`);
  }
  Atomics.store(lock, OWNER, NO_THREAD);
  spinUnlock(lock, STATE);
}

function checkMayLock(lock: View, threadId: number, what: string): void {
  checkThreadId(threadId);
  if (Atomics.load(lock, OWNER) === threadId) {
    throw new DeadlockError(
      `thread ${threadId} holds this ${what} already; unlock it before locking it again`,
    );
  }
}

function checkThreadId(threadId: number): void {
  if (!Number.isInteger(threadId) || threadId === NO_THREAD) {
    throw new InvalidError(
      `thread id ${threadId} is not an integer other than 0; give each thread an id of its own`,
    );
  }
  if (threadId < INT32_MIN_VALUE || threadId > INT32_MAX_VALUE) {
    throw new RangeError(
      `thread id ${threadId} does not fit into 32 bits; use ${INT32_MIN_VALUE} to ${INT32_MAX_VALUE}`,
    );
  }
}
