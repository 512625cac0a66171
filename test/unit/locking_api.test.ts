// SPDX-License-Identifier: GPL-2.0-only
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  DeadlockError,
  INT32_MAX_VALUE,
  INT32_MIN_VALUE,
  InvalidError,
  Mutex,
  PermissionError,
  SpinLock,
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

afterEach(async () => {
  vi.restoreAllMocks();
  await stopLockWorkers();
});

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
