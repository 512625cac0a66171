// SPDX-License-Identifier: GPL-2.0-only
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { KERNEL, KERNEL_AT } from '../../dist/kernel/current.js';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '../../dist/kernel/rcu.js';
import { TASK } from '../../dist/kernel/task.js';
import { endWorkers, KernelLab, layOutKernel, loneCurrent, stopLabs } from '../helpers/kernel_lab.js';
import { until } from '../helpers/lock_workers.js';

const HANG_MS = 20_000;

afterEach(stopLabs);
afterAll(endWorkers);

/** Words of a scenario: each on a cache line of its own. */
function wordsOf(lab: KernelLab) {
  const [entered, go, left, done, stop, self, at] = Array.from({ length: 7 }, () => lab.words(2));
  return { entered, go, left, done, stop, self, at };
}

/** Sets a word that threads wait on. */
function advance(lab: KernelLab, at: number): void {
  Atomics.add(lab.m, at, 1);
  Atomics.notify(lab.m, at);
}

const updaterWaits = (lab: KernelLab) => Atomics.load(lab.m, KERNEL_AT + KERNEL.rcuWaiting) === 1;

describe('synchronizeRcu', () => {
  it('returns at once when nobody reads, also in a thread that counts as a reader while it runs', () => {
    const cur = loneCurrent(layOutKernel(1));
    synchronizeRcu(cur);
    rcuReadLock(cur);
    synchronizeRcu(cur);
    expect(cur.m[cur.task.at + TASK.rcuCtr]).not.toBe(0);
    rcuReadUnlock(cur);
    expect(cur.m[cur.task.at + TASK.rcuCtr]).toBe(0);
  });

  it.each([1, 3])('waits for a reader inside a section (nested: %i)', { timeout: HANG_MS }, async (depth) => {
    const lab = new KernelLab('rcu_scenarios.mjs');
    const words = wordsOf(lab);
    const reader = lab.run('stayInside', { ...words, depth });
    const updater = lab.run('synchronize', { ...words, readers: 1, steps: 1 });
    await until(() => updaterWaits(lab));
    expect(Atomics.load(lab.m, words.done)).toBe(0);
    advance(lab, words.go);
    expect(await updater).toEqual([1]);
    await reader;
  });

  it('waits for all of several readers', { timeout: HANG_MS }, async () => {
    const lab = new KernelLab('rcu_scenarios.mjs');
    const words = wordsOf(lab);
    const gos = [lab.words(1), lab.words(1), lab.words(1)];
    const readers = gos.map((go) => lab.run('stayInside', { ...words, go, left: go + 8, depth: 1 }));
    const updater = lab.run('synchronize', { ...words, readers: 3, steps: 1 });
    await until(() => updaterWaits(lab));
    for (const [i, go] of gos.entries()) {
      expect(Atomics.load(lab.m, words.done), `${i} of 3 have left`).toBe(0);
      advance(lab, go);
      await readers[i];
    }
    await updater;
  });

  // Number 0 means "not reading": the count of grace periods must leave it out when it wraps.
  it.each([1, -4])(
    'each grace period waits anew for a polling thread, from number %i on',
    {
      timeout: HANG_MS,
    },
    async (first) => {
      const lab = new KernelLab('rcu_scenarios.mjs');
      lab.m[KERNEL_AT + KERNEL.rcuGp] = first;
      const words = wordsOf(lab);
      const steps = 8;
      const poller = lab.run('pollInSteps', { ...words, steps });
      const updater = lab.run<number[]>('synchronize', { ...words, readers: 1, steps });
      for (let step = 1; step <= steps; step++) {
        await until(() => Atomics.load(lab.m, words.done) === step - 1 && updaterWaits(lab));
        advance(lab, words.go);
      }
      expect(await updater).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
      await poller;
    },
  );

  it('is not stalled by a thread that polls for ever and reports quiescent states', {
    timeout: HANG_MS,
  }, async () => {
    const lab = new KernelLab('rcu_scenarios.mjs');
    const words = wordsOf(lab);
    const poller = lab.run<number>('poll', words);
    await lab.run('synchronize', { ...words, readers: 1, steps: 200 });
    advance(lab, words.stop);
    expect(await poller).toBeGreaterThan(0);
  });

  it.each(['schedule', 'scheduleTimeout', 'completion', 'mutex'])(
    'does not wait for a thread asleep in: %s',
    {
      timeout: HANG_MS,
    },
    async (how) => {
      const lab = new KernelLab('rcu_scenarios.mjs');
      const args = { ...wordsOf(lab), how, steps: 20, rcuCtr: TASK.rcuCtr };
      const [online] = await Promise.all([lab.run('sleeper', args), lab.run('synchronizeAndWake', args)]);
      // Awake it counts again.
      expect(online).toBe(true);
    },
  );

  it('does not wait for a thread in user mode, nor for one that has ended', {
    timeout: HANG_MS,
  }, async () => {
    const lab = new KernelLab('rcu_scenarios.mjs');
    const words = wordsOf(lab);
    advance(lab, words.go);
    await lab.run('stayInside', { ...words, depth: 1 });
    Atomics.store(lab.m, words.go, 0);
    const user = lab.run('offline', words);
    await lab.run('synchronize', { ...words, readers: 2, steps: 20 });
    advance(lab, words.go);
    await user;
  });

  it('two updaters at a time both wait', { timeout: HANG_MS }, async () => {
    const lab = new KernelLab('rcu_scenarios.mjs');
    const words = wordsOf(lab);
    const reader = lab.run('stayInside', { ...words, depth: 1 });
    const updaters = [1, 2].map(() => lab.run('synchronize', { ...words, readers: 1, steps: 1 }));
    await until(() => updaterWaits(lab));
    expect(Atomics.load(lab.m, words.done)).toBe(0);
    advance(lab, words.go);
    expect(await Promise.all(updaters)).toEqual([[1], [1]]);
    await reader;
  });
});

describe('readers under updates', { timeout: HANG_MS }, () => {
  it.each(['sections', 'reports', 'sleeps'])('never see a freed object; between reads: %s', async (how) => {
    const lab = new KernelLab('rcu_scenarios.mjs', { shake: 50 });
    const pointers = [lab.words(1), lab.words(1)];
    const args = {
      ...{ gate: lab.words(1), running: lab.words(1), reads: lab.words(1) },
      ...{ count: 4, pointers, how, rounds: 200, wanted: 2000 },
    };
    lab.m[args.running] = 2;
    const updaters = pointers.map((pointer) => lab.run('replaceObjects', { ...args, pointer }));
    const readers = [1, 2].map((id) => lab.run('readObjects', { ...args, id }));
    await Promise.all(updaters);
    expect(await Promise.all(readers)).toEqual([0, 0]);
  });
});
