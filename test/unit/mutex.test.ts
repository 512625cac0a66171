// SPDX-License-Identifier: GPL-2.0-only
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  MUTEX_OWNER,
  MUTEX_STATE,
  mutexIsLockedBy,
  mutexLock,
  mutexTryLock,
  mutexUnlock,
} from '../../dist/kernel/locking/mutex.js';
import { SPIN_CONTENDED } from '../../dist/kernel/locking/spinlock.js';
import {
  sharedWords,
  startLockWorker,
  startLockWorkers,
  stopLockWorkers,
  until,
} from '../helpers/lock_workers.js';

const AT = 4;
const ME = 7;
const OTHER = 8;
const HANG_MS = 20_000;

afterEach(async () => {
  vi.restoreAllMocks();
  await stopLockWorkers();
});

describe('mutex', () => {
  it('knows its holder', () => {
    const m = sharedWords(16);
    expect(mutexIsLockedBy(m, AT, ME)).toBe(false);
    mutexLock(m, AT, ME);
    expect(mutexIsLockedBy(m, AT, ME)).toBe(true);
    expect(mutexIsLockedBy(m, AT, OTHER)).toBe(false);
    expect(mutexTryLock(m, AT, OTHER)).toBe(false);
    mutexUnlock(m, AT, ME);
    expect(mutexIsLockedBy(m, AT, ME)).toBe(false);
    expect(mutexTryLock(m, AT, OTHER)).toBe(true);
    expect(mutexIsLockedBy(m, AT, OTHER)).toBe(true);
    mutexUnlock(m, AT, OTHER);
    expect([...m]).toEqual(new Array(16).fill(0));
  });

  it('tells a task that locks it twice, instead of hanging', () => {
    const m = sharedWords(16);
    mutexLock(m, AT, ME);
    expect(() => mutexLock(m, AT, ME)).toThrow(/task 7 already holds the mutex at word 4/);
    expect(mutexTryLock(m, AT, ME)).toBe(false);
    expect(mutexIsLockedBy(m, AT, ME)).toBe(true);
  });

  it('refuses to be unlocked by a task that does not hold it, and stays as it was', () => {
    const m = sharedWords(16);
    expect(() => mutexUnlock(m, AT, ME)).toThrow(
      /task 7 does not hold the mutex at word 4 \(nobody holds it\)/,
    );
    mutexLock(m, AT, ME);
    expect(() => mutexUnlock(m, AT, OTHER)).toThrow(/\(task 7 holds it\)/);
    expect(mutexIsLockedBy(m, AT, ME)).toBe(true);
    expect(mutexTryLock(m, AT, OTHER)).toBe(false);
  });

  it('has no owner by the time it is free, so that the next one stays', () => {
    const m = sharedWords(16);
    mutexLock(m, AT, ME);
    const next: boolean[] = [];
    const release = Atomics.exchange;
    vi.spyOn(Atomics, 'exchange').mockImplementation(((words: Int32Array, at: number, value: number) => {
      const was = release(words, at, value);
      next.push(mutexTryLock(m, AT, OTHER));
      return was;
    }) as typeof Atomics.exchange);
    mutexUnlock(m, AT, ME);
    vi.restoreAllMocks();
    expect(next).toEqual([true]);
    expect(mutexIsLockedBy(m, AT, OTHER)).toBe(true);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 31])('refuses %s as a task id', (id) => {
    const m = sharedWords(16);
    expect(() => mutexLock(m, AT, id)).toThrow(/no task id/);
    expect(() => mutexTryLock(m, AT, id)).toThrow(/no task id/);
    expect(() => mutexUnlock(m, AT, id)).toThrow(/no task id/);
    expect([...m]).toEqual(new Array(16).fill(0));
  });

  it('lets one task in at a time, and each sees itself as the holder', { timeout: HANG_MS }, async () => {
    const m = sharedWords(16);
    const rounds = 15_000;
    const args = { m, at: AT, counter: 8, gate: sharedWords(1), rounds };
    expect(await startLockWorkers<number>(3, 'mutexCount', args)).toEqual([rounds, rounds, rounds]);
    expect(m[8]).toBe(3 * rounds);
    expect([m[AT + MUTEX_STATE], m[AT + MUTEX_OWNER]]).toEqual([0, 0]);
  });

  it('keeps tasks asleep until the holder unlocks', { timeout: HANG_MS }, async () => {
    const m = sharedWords(16);
    mutexLock(m, AT, ME);
    const waiters = Promise.all(
      [1, 2].map((id) => startLockWorker('mutexMark', { m, at: AT, mark: 8 + id, id })),
    );
    await until(() => Atomics.load(m, AT + MUTEX_STATE) === SPIN_CONTENDED);
    expect(mutexIsLockedBy(m, AT, ME)).toBe(true);
    expect([m[9], m[10]]).toEqual([0, 0]);
    mutexUnlock(m, AT, ME);
    await waiters;
    expect([m[9], m[10]]).toEqual([1, 1]);
    expect(mutexTryLock(m, AT, ME)).toBe(true);
  });
});
