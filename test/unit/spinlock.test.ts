// SPDX-License-Identifier: GPL-2.0-only
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cpuRelax } from '../../dist/kernel/cpu_relax.js';
import {
  SPIN_CONTENDED,
  SPIN_FREE,
  SPIN_LOCKED,
  spinLock,
  spinTryLock,
  spinUnlock,
} from '../../dist/kernel/locking/spinlock.js';
import {
  sharedWords,
  startLockWorker,
  startLockWorkers,
  stopLockWorkers,
  until,
} from '../helpers/lock_workers.js';

const AT = 5;
const HANG_MS = 20_000;

afterEach(async () => {
  vi.restoreAllMocks();
  await stopLockWorkers();
});

describe('spinlock', () => {
  it('is taken once, and again after it was released', () => {
    const m = sharedWords(16);
    expect(spinTryLock(m, AT)).toBe(true);
    expect(spinTryLock(m, AT)).toBe(false);
    spinUnlock(m, AT);
    spinLock(m, AT);
    expect(spinTryLock(m, AT)).toBe(false);
    spinUnlock(m, AT);
    expect([...m].every((word) => word === SPIN_FREE)).toBe(true);
  });

  it('costs one compare-and-swap and one exchange when nobody contends, and no notify', () => {
    const m = sharedWords(16);
    const names = ['load', 'store', 'add', 'compareExchange', 'exchange', 'wait', 'notify'] as const;
    const spies = names.map((name) => vi.spyOn(Atomics, name));
    spinLock(m, AT);
    spinUnlock(m, AT);
    const calls = Object.fromEntries(names.map((name, i) => [name, spies[i].mock.calls.length]));
    expect(calls).toEqual({ load: 0, store: 0, add: 0, compareExchange: 1, exchange: 1, wait: 0, notify: 0 });
  });

  it('refuses to be released by somebody who does not hold it', () => {
    const m = sharedWords(16);
    expect(() => spinUnlock(m, AT)).toThrow(/word 5 is free/);
  });

  it('lets one thread in at a time', { timeout: HANG_MS }, async () => {
    const m = sharedWords(16);
    const rounds = 20_000;
    await startLockWorkers(3, 'spinlockCount', { m, at: AT, counter: 8, gate: sharedWords(1), rounds });
    expect(m[8]).toBe(3 * rounds);
    expect(m[AT]).toBe(SPIN_FREE);
  });

  it('puts waiters to sleep while the holder is away, and wakes every one of them', {
    timeout: HANG_MS,
  }, async () => {
    const m = sharedWords(16);
    spinLock(m, AT);
    expect(m[AT]).toBe(SPIN_LOCKED);
    const waiters = Promise.all(
      [8, 9, 10].map((mark) => startLockWorker('spinlockMark', { m, at: AT, mark })),
    );
    await until(() => Atomics.load(m, AT) === SPIN_CONTENDED);
    expect([m[8], m[9], m[10]]).toEqual([0, 0, 0]);
    spinUnlock(m, AT);
    await waiters;
    expect([m[8], m[9], m[10]]).toEqual([1, 1, 1]);
    expect(spinTryLock(m, AT)).toBe(true);
  });
});

describe('cpuRelax', () => {
  it('hints with Atomics.pause where the runtime has it, and does nothing where it has not', () => {
    const atomics = Atomics as { pause?: () => void };
    const own = Object.getOwnPropertyDescriptor(Atomics, 'pause');
    let hints = 0;
    try {
      Object.defineProperty(Atomics, 'pause', { configurable: true, writable: true, value: () => hints++ });
      cpuRelax();
      expect(hints).toBe(1);
      delete atomics.pause;
      cpuRelax();
      expect(hints).toBe(1);
    } finally {
      if (own) Object.defineProperty(Atomics, 'pause', own);
      else delete atomics.pause;
    }
  });
});
