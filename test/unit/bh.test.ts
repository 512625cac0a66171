// SPDX-License-Identifier: GPL-2.0-only
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { condResched, localBhDisable, localBhEnable } from '../../dist/kernel/bh.js';
import { CPU } from '../../dist/kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../../dist/kernel/current.js';
import { SPIN_CONTENDED, SPIN_FREE, spinTryLock, spinUnlock } from '../../dist/kernel/locking/spinlock.js';
import { endWorkers, KernelLab, layOutKernel, loneCurrent, stopLabs } from '../helpers/kernel_lab.js';
import { until } from '../helpers/lock_workers.js';

const HANG_MS = 10_000;

afterEach(async () => {
  vi.restoreAllMocks();
  await stopLabs();
});
afterAll(endWorkers);

describe('localBhDisable, in one thread', () => {
  it('holds the lock of the CPU until the outermost localBhEnable', () => {
    const cur = loneCurrent(layOutKernel(2));
    const free = () => Atomics.load(cur.m, cur.cpu.bhLock) === SPIN_FREE;
    localBhDisable(cur);
    localBhDisable(cur);
    localBhEnable(cur);
    expect(free()).toBe(false);
    localBhEnable(cur);
    expect(free()).toBe(true);
  });

  it('keeps to the CPU it began on while an interrupt acts for another one', () => {
    const cur = loneCurrent(layOutKernel(2));
    localBhDisable(cur);
    cur.cpu = cur.cpus[1];
    localBhDisable(cur);
    localBhEnable(cur);
    localBhEnable(cur);
    for (const cpu of cur.cpus) expect(spinTryLock(cur.m, cpu.bhLock)).toBe(true);
  });

  it('condResched gives way when somebody asks for it: until that changes, or for some ticks at most', () => {
    const cur = loneCurrent(layOutKernel(1));
    const asks = cur.cpu.at + CPU.bhYield;
    const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
    Atomics.store(cur.m, asks, 2);
    condResched(cur);
    expect(wait).toHaveBeenCalledExactlyOnceWith(
      cur.m,
      asks,
      2,
      expect.toSatisfy((ms) => ms > 0 && ms <= 10),
    );
  });

  it('condResched does not sleep when nobody waits', () => {
    const cur = loneCurrent(layOutKernel(1));
    const wait = vi.spyOn(Atomics, 'wait');
    for (let i = 0; i < 100; i++) condResched(cur);
    expect(wait).not.toHaveBeenCalled();
  });
});

describe('a thread that waits for the lock', () => {
  // The sleeps are acted: the lock is held for 20 of them, 4 ms together. Woken means: a loop let go, and had the
  // lock again before the waiter ran.
  it.each(['ok', 'timed-out'] as const)(
    'asks loops to give way after a tick, if its sleeps end by: %s',
    (end) => {
      const cur = loneCurrent(layOutKernel(1));
      const { m, cpu } = cur;
      let sleeps = 0;
      let asked = 0;
      expect(spinTryLock(m, cpu.bhLock)).toBe(true);
      vi.spyOn(Atomics, 'wait').mockImplementation(() => {
        const start = performance.now();
        while (performance.now() < start + 0.2);
        asked = Math.max(asked, Atomics.load(m, cpu.at + CPU.bhYield));
        if (++sleeps === 20) spinUnlock(m, cpu.bhLock);
        return end;
      });
      localBhDisable(cur);
      expect(asked).toBe(1);
      expect(Atomics.load(m, cpu.at + CPU.bhYield)).toBe(0);
      localBhEnable(cur);
    },
  );
});

describe('localBhDisable, between threads', { timeout: HANG_MS }, () => {
  let lab: KernelLab;
  beforeEach(() => {
    lab = new KernelLab('bh_scenarios.mjs');
  });

  const cpuAt = (cpu: number) => lab.m[KERNEL_AT + KERNEL.cpus] + cpu * CPU.SIZE;

  it('lets one thread of a CPU in at a time, however deep it nests', async () => {
    lab = new KernelLab('bh_scenarios.mjs', { shake: 50 });
    const counter = lab.words(1);
    await lab.runAll(3, 'countNested', { counter, rounds: 4000 });
    expect(lab.m[counter]).toBe(3 * 2 * 4000);
  });

  it('the interrupt lock of a CPU does the same', async () => {
    const counter = lab.words(1);
    await lab.runAll(3, 'countIrqLock', { counter, rounds: 8000 });
    expect(lab.m[counter]).toBe(3 * 8000);
  });

  it('waits for the thread that holds the lock of the same CPU', async () => {
    const args = { held: lab.words(1), go: lab.words(1), left: lab.words(1), taking: lab.words(1) };
    const holder = lab.run('hold', args, 1);
    const taker = lab.run('takeMeanwhile', args, 1);
    await until(() => Atomics.load(lab.m, cpuAt(1) + CPU.bhLock) === SPIN_CONTENDED);
    Atomics.store(lab.m, args.go, 1);
    Atomics.notify(lab.m, args.go);
    expect(await taker).toBe(1);
    await holder;
  });

  it('does not wait for threads of another CPU', async () => {
    const args = { held: lab.words(1), go: lab.words(1), left: lab.words(1), taking: lab.words(1) };
    const holder = lab.run('hold', args, 1);
    expect(await lab.run('takeMeanwhile', args, 0)).toBe(0);
    Atomics.store(lab.m, args.go, 1);
    Atomics.notify(lab.m, args.go);
    await holder;
  });

  // About 100 us and 1 ms a turn: a waiter asks after a tick of 1 ms, then the loop gives way at its next look. The
  // bounds leave room for a host that lets the waiter wait for a core.
  it.each([
    [100_000, 1000, 1],
    [100_000, 1000, 2],
    [1_000_000, 300, 1],
  ])(
    'gets its turn beside a thread that polls back to back (%i steps a turn, at most %i turns, %i waiters)',
    async (turn, most, waiters) => {
      const args = {
        ...{ turn, most, waiters, times: 12, count: waiters + 1 },
        ...{ turns: lab.words(1), gate: lab.words(1), stop: lab.words(1) },
      };
      const looper = lab.run('loop', args);
      const wanting = Array.from({ length: waiters }, () => lab.run<number[]>('wantNowAndThen', args));
      for (const waited of await Promise.all(wanting)) expect(Math.max(...waited)).toBeLessThanOrEqual(most);
      await looper;
      expect(lab.m[cpuAt(0) + CPU.bhYield]).toBe(0);
      expect(lab.m[cpuAt(0) + CPU.bhLock]).toBe(SPIN_FREE);
    },
  );
});
