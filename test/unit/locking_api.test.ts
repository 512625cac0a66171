// SPDX-License-Identifier: GPL-2.0-only
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  Barrier,
  Condition,
  DeadlockError,
  INT32_MAX_VALUE,
  INT32_MIN_VALUE,
  InvalidError,
  Mutex,
  Once,
  PermissionError,
  Semaphore,
  SpinLock,
} from '../../dist/kernel/locking/index.js';
import {
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

afterEach(async () => {
  vi.restoreAllMocks();
  await stopLockWorkers();
});

/** Runs a wait that must give up: it answers false, and not before its time. */
function expectTimeout(wait: (timestamp: number) => boolean): void {
  const timestamp = Date.now() + SOON_MS;
  expect(wait(timestamp)).toBe(false);
  expect(Date.now()).toBeGreaterThanOrEqual(timestamp);
}

describe.each([
  ['Mutex', Mutex],
  ['SpinLock', SpinLock],
])('%s', (kind, Lock) => {
  it('is taken by one thread at a time', () => {
    const lock = Lock.init();
    Lock.lock(lock, ME);
    expect(Lock.tryLock(lock, OTHER)).toBe(false);
    Lock.unlock(lock, ME);
    expect(Lock.tryLock(lock, OTHER)).toBe(true);
    Lock.unlock(lock, OTHER);
    Lock.lock(lock, ME);
  });

  it('throws DeadlockError when its holder locks it again', () => {
    const lock = Lock.init();
    Lock.lock(lock, ME);
    expect(() => Lock.lock(lock, ME)).toThrow(DeadlockError);
    expect(() => Lock.tryLock(lock, ME)).toThrow(DeadlockError);
    Lock.unlock(lock, ME);
  });

  it('throws PermissionError when another unlocks it, and stays locked', () => {
    const lock = Lock.init();
    expect(() => Lock.unlock(lock, ME)).toThrow(PermissionError);
    Lock.lock(lock, ME);
    expect(() => Lock.unlock(lock, OTHER)).toThrow(PermissionError);
    expect(Lock.tryLock(lock, OTHER)).toBe(false);
    Lock.unlock(lock, ME);
    expect(() => Lock.unlock(lock, ME)).toThrow(PermissionError);
  });

  it("is nobody's by the time it is free, so that the next holder's id stays", () => {
    const lock = Lock.init();
    Lock.lock(lock, ME);
    const next: boolean[] = [];
    const release = Atomics.exchange;
    vi.spyOn(Atomics, 'exchange').mockImplementation(((words: Int32Array, at: number, value: number) => {
      const was = release(words, at, value);
      next.push(Lock.tryLock(lock, OTHER));
      return was;
    }) as typeof Atomics.exchange);
    Lock.unlock(lock, ME);
    vi.restoreAllMocks();
    expect(next).toEqual([true]);
    Lock.unlock(lock, OTHER);
  });

  it.each([
    [0, InvalidError],
    [1.5, InvalidError],
    [Number.NaN, InvalidError],
    [INT32_MAX_VALUE + 1, RangeError],
    [INT32_MIN_VALUE - 1, RangeError],
  ])('refuses %s as a thread id', (id, error) => {
    const lock = Lock.init();
    expect(() => Lock.lock(lock, id)).toThrow(error);
    expect(() => Lock.tryLock(lock, id)).toThrow(error);
    expect(() => Lock.unlock(lock, id)).toThrow(error);
    expect(Lock.tryLock(lock, ME)).toBe(true);
  });

  it.each([INT32_MIN_VALUE, -1, 1, INT32_MAX_VALUE])('takes %s as a thread id', (id) => {
    const lock = Lock.init();
    Lock.lock(lock, id);
    Lock.unlock(lock, id);
    expect(Lock.tryLock(lock, ME)).toBe(true);
  });

  it('lets one worker in at a time', { timeout: HANG_MS }, async () => {
    const [lock, words, gate] = [Lock.init(), sharedWords(2), sharedWords(1)];
    const rounds = 10_000;
    await startLockWorkers(3, 'apiCount', { kind, lock, words, gate, rounds });
    expect(words[0]).toBe(3 * rounds);
    expect(Lock.tryLock(lock, ME)).toBe(true);
  });
});

describe('Mutex.timedLock', () => {
  it('gives up at its timestamp, not earlier', () => {
    const mutex = Mutex.init();
    Mutex.lock(mutex, OTHER);
    expectTimeout((timestamp) => Mutex.timedLock(mutex, ME, timestamp));
    expect(Mutex.timedLock(mutex, ME, Date.now() - 1000)).toBe(false);
    Mutex.unlock(mutex, OTHER);
  });

  it('takes a free mutex, whatever the time', () => {
    const mutex = Mutex.init();
    expect(Mutex.timedLock(mutex, ME, 0)).toBe(true);
    expect(Mutex.tryLock(mutex, OTHER)).toBe(false);
    Mutex.unlock(mutex, ME);
  });

  it('throws as lock does, and refuses a timestamp that is no number', () => {
    const mutex = Mutex.init();
    expect(() => Mutex.timedLock(mutex, 0, Date.now())).toThrow(InvalidError);
    expect(() => Mutex.timedLock(mutex, ME, Number.NaN)).toThrow(InvalidError);
    Mutex.lock(mutex, ME);
    expect(() => Mutex.timedLock(mutex, ME, Date.now())).toThrow(DeadlockError);
  });

  it('leaves no other waiter asleep when it gives up', { timeout: HANG_MS }, async () => {
    const [lock, words, gate] = [Mutex.init(), sharedWords(2), sharedWords(1)];
    const got = await startLockWorkers<number>(3, 'apiTimedCount', { lock, words, gate, rounds: 8_000 });
    expect(words[0]).toBe(got[0] + got[1] + got[2]);
    expect(got[0]).toBe(8_000);
  });

  it('wakes the next waiter after one gave up', { timeout: HANG_MS }, async () => {
    const [lock, words] = [Mutex.init(), sharedWords(1)];
    Mutex.lock(lock, ME);
    const waiter = startLockWorker('apiMark', { lock, words, id: 1 });
    expectTimeout((timestamp) => Mutex.timedLock(lock, OTHER, timestamp));
    Mutex.unlock(lock, ME);
    await waiter;
    expect(words[0]).toBe(1);
  });
});

describe('Mutex.timedLock, woken too late', () => {
  it('passes its wake-up on to the next sleeper', { timeout: HANG_MS }, async () => {
    const [lock, late, next] = [Mutex.init(), sharedWords(3), sharedWords(2)];
    Mutex.lock(lock, ME);
    const givesUp = startLockWorker<boolean>('timedLockWokenTooLate', { lock, words: late, id: 1 });
    await until(() => Atomics.load(late, 0) === 1);
    const sleeper = startLockWorker('apiMarkAfterSleep', { lock, words: next, id: 2 });
    await until(() => Atomics.load(next, 0) === 1);
    Mutex.unlock(lock, ME);
    await until(() => Atomics.load(late, 1) === 1);
    Mutex.lock(lock, OTHER);
    Atomics.store(late, 2, 1);
    Atomics.notify(late, 2);
    expect(await givesUp).toBe(false);
    Mutex.unlock(lock, OTHER);
    await sleeper;
    expect(next[1]).toBe(1);
  });
});

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

describe('errors', () => {
  it.each([
    [new DeadlockError('x'), 'DeadlockError'],
    [new PermissionError('x'), 'PermissionError'],
    [new InvalidError('x'), 'InvalidError'],
  ])('%s is an Error with its own name', (error, name) => {
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.message]).toEqual([name, 'x']);
  });
});
