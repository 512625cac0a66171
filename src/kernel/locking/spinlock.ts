// SPDX-License-Identifier: GPL-2.0-only
//
// Spinlock over one word: spins briefly, then sleeps, because here the holder is a thread that can be preempted.
// Linux on PREEMPT_RT makes the same choice for spinlock_t.
//
// States of the word
//   SPIN_FREE       nobody holds the lock
//   SPIN_LOCKED     held, and the unlock need not wake anybody
//   SPIN_CONTENDED  held, and somebody may sleep on the word: the unlock wakes one
//
//   FREE -> LOCKED             spinTryLock, spinLock: the taker (lock, fast path or while spinning)
//   LOCKED -> CONTENDED        spinLock: a waiter about to sleep
//   FREE -> CONTENDED          spinLock: a waiter that slept, or was about to; it now holds the lock
//   LOCKED, CONTENDED -> FREE  spinUnlock: the holder
//
// Owner: anyone may go from FREE, any waiter may raise LOCKED to CONTENDED, only the holder goes back to FREE.
//
// Invariants
//   1. At most one thread is between a step out of FREE and its own step back.
//   2. While threads sleep on the word, it is CONTENDED, or one of them has a wake-up under way: from the U1 that
//      read CONTENDED until the woken thread runs L2. Meanwhile others may take and release the lock as LOCKED.
//   3. The woken thread keeps the chain: its L2 either takes the lock as CONTENDED, or marks the present holder's word
//      CONTENDED before it sleeps again (a timed waiter: before it gives up). So the remaining sleepers are never
//      forgotten; the price is at times a notify with nobody asleep.
//
// Ordering (Atomics are sequentially consistent; what each access is there for)
//   L1  CAS/exchange out of FREE   acquire  pairs with U1: sees all that the last holder wrote
//   L2  exchange to CONTENDED      before the wait; pairs with U1, which either comes first (L2 gets the lock) or reads
//                                  CONTENDED (U2 follows)
//   L3  wait while CONTENDED       pairs with U2; compares and sleeps in one step: a U1 before it makes it return
//   U1  exchange to FREE           release  pairs with L1 and L2
//   U2  notify one                 pairs with L3; only after a U1 that read CONTENDED
//
// Uncontended cost: one CAS to lock, one exchange to unlock, no call to notify.

import { cpuRelax, SPIN_LOADS } from '../cpu_relax.js';

/** Nobody holds the lock; the word of a new lock. */
export const SPIN_FREE = 0;
/** Held, and the unlock need not wake anybody. */
export const SPIN_LOCKED = 1;
/** Held, and threads may sleep on the word: the unlock wakes one. */
export const SPIN_CONTENDED = 2;

/** Words of a spinlock. */
export const SPINLOCK_WORDS = 1;

/**
 * Takes the lock at word `at` and returns when this thread holds it (Linux `spin_lock`). Not recursive: a thread that
 * takes it twice waits for itself. Not fair: a running thread may overtake a woken one.
 */
export function spinLock(m: Int32Array, at: number): void {
  if (Atomics.compareExchange(m, at, SPIN_FREE, SPIN_LOCKED) !== SPIN_FREE) spinLockSlow(m, at, SPIN_LOADS);
}

/**
 * Takes the lock at word `at` if it is free; never waits (Linux `spin_trylock`).
 * @returns whether this thread now holds the lock
 */
export function spinTryLock(m: Int32Array, at: number): boolean {
  return Atomics.compareExchange(m, at, SPIN_FREE, SPIN_LOCKED) === SPIN_FREE;
}

/**
 * Releases the lock at word `at` and wakes one sleeper if there may be one (Linux `spin_unlock`). Holder only.
 * @throws Error if the lock is free
 */
export function spinUnlock(m: Int32Array, at: number): void {
  const was = Atomics.exchange(m, at, SPIN_FREE);
  if (was !== SPIN_LOCKED) spinUnlockSlow(m, at, was);
}

/**
 * Spins on the lock without taking it by force: ends when it is taken, when somebody already sleeps (then spinning
 * longer would only overtake that thread), or after `loads` looks at the word.
 * @returns whether this thread now holds the lock
 */
export function spinBriefly(m: Int32Array, at: number, loads: number): boolean {
  for (let i = 0; i < loads; i++) {
    const state = Atomics.load(m, at);
    if (state === SPIN_CONTENDED) return false;
    if (state === SPIN_FREE && spinTryLock(m, at)) return true;
    cpuRelax();
  }
  return false;
}

/** The contended path of `spinLock`: up to `loads` looks at the word, then sleep until the lock is got. */
export function spinLockSlow(m: Int32Array, at: number, loads: number): void {
  if (spinBriefly(m, at, loads)) return;
  while (Atomics.exchange(m, at, SPIN_CONTENDED) !== SPIN_FREE) Atomics.wait(m, at, SPIN_CONTENDED);
}

function spinUnlockSlow(m: Int32Array, at: number, was: number): void {
  if (was === SPIN_FREE)
    throw new Error(`spinUnlock: the lock at word ${at} is free; only its holder may unlock it, once`);
  Atomics.notify(m, at, 1);
}
