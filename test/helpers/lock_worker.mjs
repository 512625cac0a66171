// SPDX-License-Identifier: GPL-2.0-only
//
// Worker thread of the lock tests: runs the scenario that workerData names and posts what it returns.

import { parentPort, workerData } from 'node:worker_threads';
import {
  complete,
  completeAll,
  waitForCompletion,
  waitForCompletionTimeout,
} from '../../dist/kernel/completion.js';
import { Barrier, Condition, Mutex, Once, Semaphore, SpinLock } from '../../dist/kernel/locking/index.js';
import { mutexIsLockedBy, mutexLock, mutexUnlock } from '../../dist/kernel/locking/mutex.js';
import { spinLock, spinUnlock } from '../../dist/kernel/locking/spinlock.js';

/** Sleeps until the word has reached the value. */
function reach(words, value) {
  for (let now = Atomics.load(words, 0); now < value; now = Atomics.load(words, 0))
    Atomics.wait(words, 0, now);
}

/** All `count` threads leave together, so that they contend and do not run one after the other. */
function meet(gate, count) {
  Atomics.add(gate, 0, 1);
  Atomics.notify(gate, 0);
  for (let here = Atomics.load(gate, 0); here < count; here = Atomics.load(gate, 0))
    Atomics.wait(gate, 0, here);
}

/** A plain increment that is wide open to a lost update: only a lock makes it exact. */
function increment(words, at) {
  const seen = words[at];
  for (let i = 0; i < 20; i++) words[at + 1] = i;
  words[at] = seen + 1;
}

/** What takeInTurn and giveInTurn hand over; completeAll needs a new word each round. */
const turns = {
  semaphore: {
    take: (m) => Semaphore.wait(m),
    give: (m, _at, _round, takers) => {
      for (let k = 0; k < takers; k++) Semaphore.post(m);
    },
  },
  semaphoreTimed: {
    take: (m) => Semaphore.timedWait(m, Date.now() + 3_600_000),
    give: (m, _at, _round, takers) => {
      for (let k = 0; k < takers; k++) Semaphore.post(m);
    },
  },
  complete: {
    take: (m, at) => waitForCompletion(m, at),
    give: (m, at, _round, takers) => {
      for (let k = 0; k < takers; k++) complete(m, at);
    },
  },
  completeAll: {
    take: (m, at, round) => waitForCompletion(m, at + round),
    give: (m, at, round) => completeAll(m, at + round),
  },
};

const scenarios = {
  spinlockCount({ m, at, counter, gate, count, rounds }) {
    meet(gate, count);
    for (let i = 0; i < rounds; i++) {
      spinLock(m, at);
      increment(m, counter);
      spinUnlock(m, at);
    }
  },

  mutexCount({ m, at, counter, gate, id, count, rounds }) {
    let owned = 0;
    meet(gate, count);
    for (let i = 0; i < rounds; i++) {
      mutexLock(m, at, id);
      if (mutexIsLockedBy(m, at, id)) owned++;
      increment(m, counter);
      mutexUnlock(m, at, id);
    }
    return owned;
  },

  /** Takes a lock that the test holds, and leaves a mark under it. */
  spinlockMark({ m, at, mark }) {
    spinLock(m, at);
    m[mark] = 1;
    spinUnlock(m, at);
  },

  mutexMark({ m, at, mark, id }) {
    mutexLock(m, at, id);
    m[mark] = 1;
    mutexUnlock(m, at, id);
  },

  completionWait({ m, at, passed, times }) {
    for (let i = 0; i < times; i++) {
      waitForCompletion(m, at);
      Atomics.add(m, passed, 1);
    }
  },

  completionWaitTimeout({ m, at, timeoutMs }) {
    return waitForCompletionTimeout(m, at, timeoutMs);
  },

  /** Answers with a completion for each one it gets; both carry a plain value that must be the current one. */
  completionEcho({ m, request, answer, value, times }) {
    let wrong = 0;
    for (let i = 1; i <= times; i++) {
      waitForCompletion(m, request);
      if (m[value] !== i) wrong++;
      m[value] = -i;
      complete(m, answer);
    }
    return wrong;
  },

  completionAsk({ m, request, answer, value, times }) {
    let wrong = 0;
    for (let i = 1; i <= times; i++) {
      m[value] = i;
      complete(m, request);
      waitForCompletion(m, answer);
      if (m[value] !== -i) wrong++;
    }
    return wrong;
  },

  apiCount({ kind, lock, words, gate, id, count, rounds }) {
    const Lock = kind === 'Mutex' ? Mutex : SpinLock;
    meet(gate, count);
    for (let i = 0; i < rounds; i++) {
      Lock.lock(lock, id);
      increment(words, 0);
      Lock.unlock(lock, id);
    }
  },

  /** Half of the tries give up soon, some of them just when they are woken: the others must not pay for it. */
  apiTimedCount({ lock, words, gate, id, count, rounds }) {
    let got = 0;
    meet(gate, count);
    for (let i = 0; i < rounds; i++) {
      if (id === 1 || i % 2 === 0) Mutex.lock(lock, id);
      else if (!Mutex.timedLock(lock, id, Date.now() + (i % 3))) continue;
      increment(words, 0);
      got++;
      Mutex.unlock(lock, id);
    }
    return got;
  },

  apiMark({ lock, words, id }) {
    Mutex.lock(lock, id);
    words[0] = 1;
    Mutex.unlock(lock, id);
  },

  /** Is woken, lets the test take the lock first, and then finds that its time is over. Words: asleep, woken, go on. */
  timedLockWokenTooLate({ lock, words, id }) {
    const realWait = Atomics.wait;
    Atomics.wait = (view, index, value, timeoutMs) => {
      if (view !== lock) return realWait(view, index, value, timeoutMs);
      Atomics.store(words, 0, 1);
      const result = realWait(view, index, value);
      Atomics.store(words, 1, 1);
      while (Atomics.load(words, 2) === 0) realWait(words, 2, 0);
      Date.now = () => Number.MAX_SAFE_INTEGER;
      return result;
    };
    return Mutex.timedLock(lock, id, Date.now() + 3_600_000);
  },

  /** Says that it is about to sleep. Words: asleep, done. */
  apiMarkAfterSleep({ lock, words, id }) {
    const realWait = Atomics.wait;
    Atomics.wait = (view, index, value, timeoutMs) => {
      Atomics.store(words, 0, 1);
      return realWait(view, index, value, timeoutMs);
    };
    Mutex.lock(lock, id);
    words[1] = 1;
    Mutex.unlock(lock, id);
  },

  semaphoreInside({ sem, words, gate, count, rounds }) {
    let most = 0;
    meet(gate, count);
    for (let i = 0; i < rounds; i++) {
      Semaphore.wait(sem);
      most = Math.max(most, Atomics.add(words, 0, 1) + 1);
      for (let k = 0; k < 50; k++) words[1] = k;
      Atomics.sub(words, 0, 1);
      Semaphore.post(sem);
    }
    return most;
  },

  /** Round by round: says that it is about to take, takes (asleep until given), says that it has taken. */
  takeInTurn({ kind, m, at, ready, taken, rounds, count }) {
    for (let i = 0; i < rounds; i++) {
      Atomics.add(ready, 0, 1);
      Atomics.notify(ready, 0);
      turns[kind].take(m, at, i);
      Atomics.add(taken, 0, 1);
      Atomics.notify(taken, 0);
      reach(taken, (i + 1) * count);
    }
  },

  /** Round by round: gives to all takers at once, most times when all of them sleep; ends when all have taken. */
  giveInTurn({ kind, m, at, ready, taken, rounds, takers }) {
    for (let i = 0; i < rounds; i++) {
      reach(ready, (i + 1) * takers);
      // Long enough for the takers to fall asleep in most rounds; the outcome must be the same in all.
      for (let k = 0; k < 2000; k++) Atomics.load(ready, 0);
      turns[kind].give(m, at, i, takers);
      reach(taken, (i + 1) * takers);
    }
  },

  conditionPingPong({ cond, mutex, words, id, rounds }) {
    for (let i = 0; i < rounds; i++) {
      Mutex.lock(mutex, id);
      while (words[0] !== id) Condition.wait(cond, mutex, id);
      words[0] = 3 - id;
      words[1]++;
      Condition.signal(cond);
      Mutex.unlock(mutex, id);
    }
  },

  /**
   * Holds the thread between the unlock of the mutex and the sleep until the test has signalled. Answers what the sleep
   * said; the bound on it is there only so that a lost signal fails the test at once instead of hanging it.
   */
  conditionWindow({ cond, mutex, words, id, timed }) {
    const realWait = Atomics.wait;
    let slept = 'did not sleep';
    Atomics.wait = (view, index, value, timeoutMs) => {
      if (view !== cond) return realWait(view, index, value, timeoutMs);
      Atomics.store(words, 0, 1);
      while (Atomics.load(words, 1) === 0) realWait(words, 1, 0);
      slept = realWait(view, index, value, 3000);
      return slept;
    };
    Mutex.lock(mutex, id);
    const answer = timed
      ? Condition.timedWait(cond, mutex, id, Date.now() + 60_000)
      : Condition.wait(cond, mutex, id);
    Mutex.unlock(mutex, id);
    Atomics.wait = realWait;
    return { slept, answer };
  },

  conditionAwait({ cond, mutex, words, id }) {
    Mutex.lock(mutex, id);
    words[1]++;
    while (words[0] === 0) Condition.wait(cond, mutex, id);
    words[1]--;
    Mutex.unlock(mutex, id);
  },

  /** At each generation all have arrived before any leaves, and one is told that it was the last. */
  barrierGenerations({ barrier, arrivals, id, count, rounds }) {
    let early = 0;
    let last = 0;
    for (let i = 0; i < rounds; i++) {
      arrivals[i * count + id - 1] = 1;
      if (Barrier.wait(barrier, id)) last++;
      for (let k = 0; k < count; k++) if (arrivals[i * count + k] !== 1) early++;
    }
    return { early, last };
  },

  barrierOvercrowded({ barriers, id }) {
    return barriers.map((barrier) => Barrier.wait(barrier, id));
  },

  /** Comes to the barrier, but gets at its mutex only after others have gone through. Words: here, go on, partner. */
  barrierLate({ barrier, words, id }) {
    const realSwap = Atomics.compareExchange;
    Atomics.compareExchange = (view, ...rest) => {
      if (view === barrier.mutex) {
        Atomics.compareExchange = realSwap;
        Atomics.store(words, 0, 1);
        while (Atomics.load(words, 1) === 0) Atomics.wait(words, 1, 0);
      }
      return realSwap(view, ...rest);
    };
    Barrier.wait(barrier, id);
    return Atomics.load(words, 2);
  },

  barrierPartner({ barrier, words, id }) {
    Atomics.store(words, 2, 1);
    Barrier.wait(barrier, id);
  },

  onceRace({ onces, runs, values, gate, id, count }) {
    let early = 0;
    meet(gate, count);
    for (let i = 0; i < onces.length; i++) {
      Once.execute(onces[i], () => {
        Atomics.add(runs, i, 1);
        for (let k = 0; k < 200; k++) values[i] = -k;
        values[i] = id;
      });
      if (values[i] <= 0 || !Once.isExecuted(onces[i])) early++;
    }
    return early;
  },

  /** The function fails here; the test's own call comes meanwhile, waits, and must then run its function. */
  onceFails({ once, words }) {
    try {
      Once.execute(once, () => {
        Atomics.store(words, 0, 1);
        Atomics.notify(words, 0);
        while (Atomics.load(words, 1) === 0) Atomics.wait(words, 1, 0);
        throw new Error('disk full');
      });
    } catch (error) {
      return error.message;
    }
    return 'no error';
  },

  onceAfter({ once, words }) {
    while (Atomics.load(words, 0) === 0) Atomics.wait(words, 0, 0);
    Atomics.store(words, 2, 1);
    let ran = false;
    Once.execute(once, () => {
      ran = true;
    });
    return ran;
  },
};

parentPort.postMessage(scenarios[workerData.scenario](workerData.args));
