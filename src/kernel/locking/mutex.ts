// SPDX-License-Identifier: GPL-2.0-only
//
// Mutex over two words, for control operations that may sleep while they hold it (a device's lock, say). It knows its
// owner, so that the two usual mistakes, locking twice and unlocking another's, are errors and not hangs.
//
// Words and who owns them
//   at + MUTEX_STATE  the spinlock word (spinlock.ts has its states): SPIN_FREE, SPIN_LOCKED, SPIN_CONTENDED
//   at + MUTEX_OWNER  task id of the holder, 0 for none; written by the holder only, read by anyone
//
// Invariants
//   1. MUTEX_OWNER is not 0 only while the state word is not SPIN_FREE.
//   2. MUTEX_OWNER equals task T's id exactly while T holds the mutex, T looking at it: only T ever writes that id,
//      and T clears it before it unlocks. So "is it mine?" needs no lock; "whose is it?" is a hint.
//
// Ordering
//   M1  spinLock of the state             acquire  pairs with M4
//   M2  store of the id, after M1         pairs with M5 of the same task: own program order
//   M3  store of 0, before M4             pairs with M2 of the next holder: a store after M4 could wipe out its id
//   M4  spinUnlock of the state           release  pairs with M1
//   M5  load of the owner, before M1, M3  pairs with M2 of the same task

import { spinLock, spinTryLock, spinUnlock } from './spinlock.js';

/** Word of the lock's state within the mutex. */
export const MUTEX_STATE = 0;
/** Word of the holder's task id within the mutex. */
export const MUTEX_OWNER = 1;
/** Words of a mutex; all 0 is a free one. */
export const MUTEX_WORDS = 2;

const NO_TASK = 0;

/**
 * Takes the mutex at word `at` for task `taskId` (a positive integer), asleep while another holds it (Linux
 * `mutex_lock`).
 * @throws Error if the task holds it already, or the id is not a positive integer
 */
export function mutexLock(m: Int32Array, at: number, taskId: number): void {
  checkTaskId('mutexLock', taskId);
  if (mutexIsLockedBy(m, at, taskId)) {
    throw new Error(
      `mutexLock: task ${taskId} already holds the mutex at word ${at}; unlock it before locking it again`,
    );
  }
  spinLock(m, at + MUTEX_STATE);
  Atomics.store(m, at + MUTEX_OWNER, taskId);
}

/**
 * Takes the mutex at word `at` for task `taskId` if it is free; never sleeps (Linux `mutex_trylock`).
 * @returns whether the mutex was taken by this call: false too where the task itself holds it already
 * @throws Error if the id is not a positive integer
 */
export function mutexTryLock(m: Int32Array, at: number, taskId: number): boolean {
  checkTaskId('mutexTryLock', taskId);
  if (!spinTryLock(m, at + MUTEX_STATE)) return false;
  Atomics.store(m, at + MUTEX_OWNER, taskId);
  return true;
}

/**
 * Releases the mutex at word `at` (Linux `mutex_unlock`).
 * @throws Error if task `taskId` does not hold it; the mutex is then unchanged
 */
export function mutexUnlock(m: Int32Array, at: number, taskId: number): void {
  checkTaskId('mutexUnlock', taskId);
  const owner = Atomics.load(m, at + MUTEX_OWNER);
  if (owner !== taskId) {
    const holder = owner === NO_TASK ? 'nobody holds it' : `task ${owner} holds it`;
    throw new Error(
      `mutexUnlock: task ${taskId} does not hold the mutex at word ${at} (${holder}); only the holder may unlock`,
    );
  }
  Atomics.store(m, at + MUTEX_OWNER, NO_TASK);
  spinUnlock(m, at + MUTEX_STATE);
}

/**
 * Whether task `taskId` holds the mutex at word `at`: exact when a task asks about itself, a hint about others
 * (what Linux's `lockdep_is_held` answers).
 */
export function mutexIsLockedBy(m: Int32Array, at: number, taskId: number): boolean {
  return Atomics.load(m, at + MUTEX_OWNER) === taskId;
}

function checkTaskId(who: string, taskId: number): void {
  if (taskId <= NO_TASK || taskId !== (taskId | 0)) {
    throw new Error(`${who}: ${taskId} is no task id; pass an integer from 1 to 2147483647`);
  }
}
