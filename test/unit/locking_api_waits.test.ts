// SPDX-License-Identifier: GPL-2.0-only
import { afterEach, describe, expect, it } from 'vitest';
import {
  Barrier,
  Condition,
  INT32_MAX_VALUE,
  InvalidError,
  Mutex,
  Once,
  PermissionError,
  Semaphore,
} from '../../dist/kernel/locking/index.js';
import {
  expectTimeout,
  sharedWords,
  startLockWorker,
  startLockWorkers,
  stopLockWorkers,
  until,
} from '../helpers/lock_workers.js';

const ME = 100;
const OTHER = 200;
const HANG_MS = 20_000;
const SOON_MS = 5;

afterEach(stopLockWorkers);

describe('Semaphore', () => {
  it('counts permits', () => {
    const sem = Semaphore.init(2);
    Semaphore.wait(sem);
    expect(Semaphore.getValue(sem)).toBe(1);
    expect(Semaphore.tryWait(sem)).toBe(true);
    expect(Semaphore.tryWait(sem)).toBe(false);
    Semaphore.post(sem);
    expect(Semaphore.getValue(sem)).toBe(1);
    expect(Semaphore.timedWait(sem, 0)).toBe(true);
    expect(Semaphore.getValue(sem)).toBe(0);
  });

  it('gives up at its timestamp, not earlier', () => {
    const sem = Semaphore.init(0);
    expectTimeout((timestamp) => Semaphore.timedWait(sem, timestamp));
    expect(() => Semaphore.timedWait(sem, Number.NaN)).toThrow(InvalidError);
  });

  it('refuses values out of range', () => {
    expect(() => Semaphore.init(1.5)).toThrow(InvalidError);
    expect(() => Semaphore.init(-1)).toThrow(RangeError);
    expect(() => Semaphore.init(INT32_MAX_VALUE + 1)).toThrow(RangeError);
    const full = Semaphore.init(INT32_MAX_VALUE);
    expect(() => Semaphore.post(full)).toThrow(RangeError);
    expect(Semaphore.getValue(full)).toBe(INT32_MAX_VALUE);
  });

  it('lets as many threads in as it has permits', { timeout: HANG_MS }, async () => {
    const [sem, words, gate] = [Semaphore.init(2), sharedWords(2), sharedWords(1)];
    const most = await startLockWorkers<number>(3, 'semaphoreInside', { sem, words, gate, rounds: 5_000 });
    expect(Math.max(...most)).toBeLessThanOrEqual(2);
    expect(Semaphore.getValue(sem)).toBe(2);
  });

  it.each(['semaphore', 'semaphoreTimed'])(
    'wakes a sleeper for each of several posts in a row (%s)',
    { timeout: HANG_MS },
    async (kind) => {
      const [sem, ready, taken] = [Semaphore.init(0), sharedWords(1), sharedWords(1)];
      const args = { kind, m: sem, ready, taken, rounds: 1_000, takers: 2 };
      await Promise.all([startLockWorkers(2, 'takeInTurn', args), startLockWorker('giveInTurn', args)]);
      expect(taken[0]).toBe(2_000);
      expect(Semaphore.getValue(sem)).toBe(0);
    },
  );
});

describe('Condition', () => {
  it.each([false, true])(
    'keeps a signal that comes between unlock and sleep (timed: %s)',
    { timeout: HANG_MS },
    async (timed) => {
      const [cond, mutex, words] = [Condition.init(), Mutex.init(), sharedWords(2)];
      const waiter = startLockWorker<{ slept: string; answer: unknown }>('conditionWindow', {
        cond,
        mutex,
        words,
        id: 1,
        timed,
      });
      await until(() => Atomics.load(words, 0) === 1);
      expect(Mutex.tryLock(mutex, ME)).toBe(true);
      Condition.signal(cond);
      Mutex.unlock(mutex, ME);
      Atomics.store(words, 1, 1);
      Atomics.notify(words, 1);
      expect(await waiter).toEqual({ slept: 'not-equal', answer: timed ? true : undefined });
    },
  );

  it('loses no signal in many thousands of turns', { timeout: HANG_MS }, async () => {
    const [cond, mutex, words] = [Condition.init(), Mutex.init(), sharedWords(2)];
    const rounds = 15_000;
    words[0] = 1;
    await startLockWorkers(2, 'conditionPingPong', { cond, mutex, words, rounds });
    expect(words[1]).toBe(2 * rounds);
  });

  it('wakes all waiters by a broadcast', { timeout: HANG_MS }, async () => {
    const [cond, mutex, words] = [Condition.init(), Mutex.init(), sharedWords(2)];
    const waiters = startLockWorkers(3, 'conditionAwait', { cond, mutex, words });
    await until(() => Atomics.load(words, 1) === 3);
    Mutex.lock(mutex, ME);
    words[0] = 1;
    Condition.broadcast(cond);
    Mutex.unlock(mutex, ME);
    await waiters;
    expect(words[1]).toBe(0);
  });

  it('gives up at its timestamp with the mutex held, not earlier', () => {
    const [cond, mutex] = [Condition.init(), Mutex.init()];
    Condition.signal(cond);
    Mutex.lock(mutex, ME);
    expectTimeout((timestamp) => Condition.timedWait(cond, mutex, ME, timestamp));
    expect(Condition.timedWait(cond, mutex, ME, 0)).toBe(false);
    expect(Mutex.tryLock(mutex, OTHER)).toBe(false);
    Mutex.unlock(mutex, ME);
  });

  it('leaves the mutex alone when the caller does not hold it', () => {
    const [cond, mutex] = [Condition.init(), Mutex.init()];
    expect(() => Condition.wait(cond, mutex, ME)).toThrow(PermissionError);
    expect(() => Condition.timedWait(cond, mutex, ME, Date.now() + SOON_MS)).toThrow(PermissionError);
    expect(Mutex.tryLock(mutex, OTHER)).toBe(true);
    expect(() => Condition.timedWait(cond, mutex, OTHER, Number.NaN)).toThrow(InvalidError);
    Mutex.unlock(mutex, OTHER);
  });
});

describe('Barrier', () => {
  it('holds all threads at every generation until the last has come', { timeout: HANG_MS }, async () => {
    const rounds = 300;
    const args = { barrier: Barrier.init(3), arrivals: sharedWords(3 * rounds), rounds };
    const results = await startLockWorkers<{ early: number; last: number }>(3, 'barrierGenerations', args);
    expect(results.map((result) => result.early)).toEqual([0, 0, 0]);
    expect(results.reduce((sum, result) => sum + result.last, 0)).toBe(rounds);
  });

  it('opens once for every count threads, when there are more', { timeout: HANG_MS }, async () => {
    const barriers = Array.from({ length: 100 }, () => Barrier.init(2));
    const results = await startLockWorkers<boolean[]>(4, 'barrierOvercrowded', { barriers });
    for (let i = 0; i < barriers.length; i++) {
      expect(results.filter((result) => result[i]).length).toBe(2);
    }
  });

  it('counts a thread for the generation in which it waits', { timeout: HANG_MS }, async () => {
    const [barrier, words] = [Barrier.init(2), sharedWords(3)];
    const late = startLockWorker<number>('barrierLate', { barrier, words, id: 10 });
    await until(() => Atomics.load(words, 0) === 1);
    const [arrivals, rounds] = [sharedWords(2), 1];
    await startLockWorkers(2, 'barrierGenerations', { barrier, arrivals, rounds });
    Atomics.store(words, 1, 1);
    Atomics.notify(words, 1);
    // Only when the late one has arrived may its partner start: it must still be there.
    await until(() => Atomics.load(barrier.barrier, 1) === 1);
    await startLockWorker('barrierPartner', { barrier, words, id: 11 });
    expect(await late).toBe(1);
  });

  it('never holds anybody when it is for one', { timeout: HANG_MS }, async () => {
    const args = { barrier: Barrier.init(1), arrivals: sharedWords(5), rounds: 5 };
    expect(await startLockWorkers(1, 'barrierGenerations', args)).toEqual([{ early: 0, last: 5 }]);
  });

  it('refuses counts and thread ids that make no sense', () => {
    expect(() => Barrier.init(1.5)).toThrow(InvalidError);
    expect(() => Barrier.init(0)).toThrow(RangeError);
    expect(() => Barrier.init(INT32_MAX_VALUE + 1)).toThrow(RangeError);
    const barrier = Barrier.init(1);
    expect(() => Barrier.wait(barrier, 0)).toThrow(InvalidError);
    expect(Barrier.wait(barrier, ME)).toBe(true);
  });
});

describe('Once', () => {
  it('runs the function in one thread, and the others wait until it is done', {
    timeout: HANG_MS,
  }, async () => {
    const n = 2_000;
    const onces = Array.from({ length: n }, () => Once.init());
    const [runs, values, gate] = [sharedWords(n), sharedWords(n), sharedWords(1)];
    expect(await startLockWorkers<number>(3, 'onceRace', { onces, runs, values, gate })).toEqual([0, 0, 0]);
    expect(runs.every((times) => times === 1)).toBe(true);
  });

  it('says that it has run when the function has returned, not before', () => {
    const once = Once.init();
    const seen = [Once.isExecuted(once)];
    Once.execute(once, () => seen.push(Once.isExecuted(once)));
    seen.push(Once.isExecuted(once));
    expect(seen).toEqual([false, false, true]);
    Once.execute(once, () => seen.push(true));
    expect(seen.length).toBe(3);
  });

  it('passes on an error of the function, and runs the next one', { timeout: HANG_MS }, async () => {
    const [once, words] = [Once.init(), sharedWords(3)];
    const first = startLockWorker<string>('onceFails', { once, words });
    const second = startLockWorker<boolean>('onceAfter', { once, words });
    await until(() => Atomics.load(words, 2) === 1);
    Atomics.store(words, 1, 1);
    Atomics.notify(words, 1);
    expect(await first).toBe('disk full');
    expect(await second).toBe(true);
    expect(Once.isExecuted(once)).toBe(true);
  });
});
