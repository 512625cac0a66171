// SPDX-License-Identifier: GPL-2.0-only
//
// Barrier: a number of threads wait for each other, again and again.
//
// Words of `barrier`, all of them read and written under `mutex`
//   [0]  count: threads that make a generation full; never changes
//   [1]  threads of the current generation that have arrived, 0 to count - 1 while the mutex is free
//   [2]  generation: how often the barrier opened, modulo 2^32
//
// Invariants
//   1. A generation opens when exactly `count` threads have arrived in it; one of them, the last, answers true.
//   2. A thread that arrived in generation g returns after the step to g + 1, and that step needs its own arrival.
//      So with more than `count` threads about, a thread is counted in one generation and waits for the same one:
//      both are read under one hold of the mutex.
//   3. A thread that is slow to wake sees a generation later than its own, and returns: nothing it needs is reused.
//
// Ordering
//   B1  step of [2] under the mutex, then broadcast             pairs with B2
//   B2  load of [2] under the mutex, around each Condition.wait  pairs with B1; condition.ts: no broadcast is lost
//   The mutex orders what threads did before the barrier before what others do after it.
//
// Differs from atomics-sync 1.0.3:
//   - cannot hang on a lost broadcast (there: Condition, see condition.ts);
//   - `barrier` is an Int32Array, not a BigInt64Array: no BigInt is allocated; a count above INT32_MAX_VALUE is a
//     RangeError.

import { Condition } from './condition.js';
import { InvalidError } from './errors.js';
import { INT32_MAX_VALUE } from './limits.js';
import { Mutex } from './mutex.js';

const COUNT = 0;
const ARRIVED = 1;
const GENERATION = 2;
const WORDS = 3;

/** The shared memory of a barrier, to be passed to the threads that use it. */
export interface BarrierObject {
  /** Three words: count, arrived, generation. */
  barrier: Int32Array<SharedArrayBuffer>;
  /** The Mutex that guards them. */
  mutex: Int32Array<SharedArrayBuffer>;
  /** The Condition "the generation has changed". */
  cond: Int32Array<SharedArrayBuffer>;
}

/** Meeting point of a fixed number of threads. Each thread passes an id of its own, as for Mutex. */
export class Barrier {
  /**
   * A barrier for `count` threads, 1 to INT32_MAX_VALUE.
   * @throws InvalidError if the count is no integer, RangeError if it is out of range
   */
  static init(count: number): BarrierObject {
    if (!Number.isInteger(count)) throw new InvalidError(`barrier count ${count} is no integer`);
    if (count < 1 || count > INT32_MAX_VALUE) {
      throw new RangeError(`barrier count ${count} is out of range; use 1 to ${INT32_MAX_VALUE}`);
    }
    const barrier = new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT));
    barrier[COUNT] = count;
    return { barrier, mutex: Mutex.init(), cond: Condition.init() };
  }

  /**
   * Waits until `count` threads, this one included, wait at the barrier.
   * @returns true to the last that arrived, false to the others
   * @throws InvalidError, RangeError for a bad thread id, as Mutex.lock
   */
  static wait(barrier: BarrierObject, threadId: number): boolean {
    const words = barrier.barrier;
    Mutex.lock(barrier.mutex, threadId);
    const generation = Atomics.load(words, GENERATION);
    const arrived = Atomics.add(words, ARRIVED, 1) + 1;
    const last = arrived === Atomics.load(words, COUNT);
    if (last) {
      Atomics.store(words, ARRIVED, 0);
      Atomics.add(words, GENERATION, 1);
      Condition.broadcast(barrier.cond);
    } else {
      while (Atomics.load(words, GENERATION) === generation)
        Condition.wait(barrier.cond, barrier.mutex, threadId);
    }
    Mutex.unlock(barrier.mutex, threadId);
    return last;
  }
}
