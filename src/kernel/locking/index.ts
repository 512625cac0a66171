// SPDX-License-Identifier: GPL-2.0-only
//
// softnet/locking: locks between Node's worker threads, as static functions over words of shared memory that travel
// through workerData and postMessage. Names, arguments and answers are those of atomics-sync 1.0.3, so that a
// program can change from one to the other by its import; what is different says the head of each file under api/.
// All functions block by Atomics.wait, which Node allows in its main thread too and browsers do not.
//
// softnet's own kernel code uses the locks beside this file (spinlock.ts, mutex.ts), which live in the arena.

export { Barrier, type BarrierObject } from './api/barrier.js';
export { Condition } from './api/condition.js';
export { DeadlockError, InvalidError, PermissionError } from './api/errors.js';
export { INT32_MAX_VALUE, INT32_MIN_VALUE } from './api/limits.js';
export { Mutex } from './api/mutex.js';
export { Once } from './api/once.js';
export { Semaphore } from './api/semaphore.js';
export { SpinLock } from './api/spin_lock.js';
