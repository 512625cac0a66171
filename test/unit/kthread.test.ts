// SPDX-License-Identifier: GPL-2.0-only
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KERNEL, KERNEL_AT } from '../../dist/kernel/current.js';
import { EBUSY, EINTR, ENOMEM, ENOSYS } from '../../dist/kernel/errno.js';
import { endWorkers, KernelLab, stopLabs } from '../helpers/kernel_lab.js';

const HANG_MS = 20_000;
/** What the thread functions of kthread_scenarios.mjs return. */
const [SLEEPY, BUSY, BRIEF] = [7, 8, 9];

let lab: KernelLab;

beforeEach(() => {
  lab = new KernelLab('kthread_scenarios.mjs', { shake: 50 });
});
afterEach(stopLabs);
afterAll(endWorkers);

const tasks = () => Atomics.load(lab.m, KERNEL_AT + KERNEL.nrTasks);

describe('kthreadCreate and kthreadStop', { timeout: HANG_MS }, () => {
  it('make a thread that runs when it is woken, and give back what its function returned', async () => {
    const words = lab.words(2);
    expect(await lab.run('createWakeStop', { words })).toEqual({
      before: { ran: 0, name: 'napi/eth0-12345-and-more', cpu: 1, kind: 5 },
      ran: 1,
      result: SLEEPY,
    });
    expect(tasks()).toBe(0);
  });

  it('a thread stopped before it was woken never runs: -EINTR', async () => {
    const words = lab.words(2);
    expect(await lab.run('stopUnwoken', { words })).toEqual({ result: -EINTR, ran: 0 });
    expect(tasks()).toBe(0);
  });

  it('a thread that returned by itself can be stopped all the same', async () => {
    expect(await lab.run('stopReturned', { words: lab.words(2) })).toBe(BRIEF);
  });

  it('stop threads wherever they are', async () => {
    const args = { words: lab.words(2), rounds: 400, allowed: [SLEEPY, BUSY, -EINTR] };
    expect(await lab.run('stopMany', args)).toEqual([]);
    expect(tasks()).toBe(0);
    expect(Atomics.load(lab.m, KERNEL_AT + KERNEL.taskFirst)).toBe(0);
  });

  it('serve several controllers at once, each thread once and under its own name', async () => {
    lab = new KernelLab('kthread_scenarios.mjs', { shake: 5 });
    const rounds = 40;
    const args = { words: lab.words(2), rounds };
    const made = await lab.runAll<{ names: string[]; mixedUp: number }>(3, 'createMany', args);
    for (const [i, { names, mixedUp }] of made.entries()) {
      expect(names).toEqual(Array.from({ length: rounds }, (_, k) => `made/${i + 1}-${k}`));
      expect(mixedUp).toBe(0);
    }
    expect(lab.created.toSorted()).toEqual(made.flatMap((one) => one.names).toSorted());
    expect(tasks()).toBe(0);
  });

  it('answer -ENOMEM when kthreadd has no thread, and lose no memory by it', async () => {
    lab.refuse(2);
    expect(await lab.run('createRefused', { words: lab.words(2) })).toEqual({
      refused: [-ENOMEM, -ENOMEM],
      leaked: false,
      result: expect.toBeOneOf([SLEEPY, -EINTR]),
    });
  });

  it('answer -ENOMEM when there is no memory', async () => {
    expect(await lab.run('createWithoutMemory', { words: lab.words(2) })).toMatchObject({ refused: true });
  });

  it('free a task only when no waker can hold it any more', async () => {
    const args = { words: lab.words(2), pointer: lab.words(1), ended: lab.words(1), rounds: 150 };
    const wakers = [1, 2].map(() => lab.run<number>('wakePublished', args));
    expect(await lab.run('stopUnderWakers', args)).toBe(0);
    await Promise.all(wakers);
  });
});

describe('kthreadPark and kthreadUnpark', { timeout: HANG_MS }, () => {
  it.each([
    ['sleeps', 0, SLEEPY],
    ['never sleeps', 1, BUSY],
  ])('hold a thread that %s, as often as wanted', async (_what, fn, result) => {
    const args = { words: lab.words(2), fn, rounds: 600 };
    expect(await lab.run('parkMany', args)).toEqual({ ranOn: 0, refused: 0, result });
  });

  it('hold a thread that was never woken, before it first runs', async () => {
    expect(await lab.run('parkUnwoken', { words: lab.words(2) })).toEqual([0, 0, SLEEPY]);
  });

  it('refuse to park what is parked already: -EBUSY', async () => {
    expect(await lab.run('parkTwice', { words: lab.words(2) })).toEqual([0, -EBUSY, 0]);
  });

  it('refuse to park what has returned by itself: -ENOSYS', async () => {
    expect(await lab.run('parkReturned', { words: lab.words(2) })).toEqual([-ENOSYS, -ENOSYS, BRIEF]);
    const allowed = [
      [0, BRIEF],
      [-ENOSYS, BRIEF],
    ];
    expect(await lab.run('parkReturning', { words: lab.words(2), rounds: 300, allowed })).toEqual([]);
    expect(tasks()).toBe(0);
  });

  it.each([false, true])('a parked thread can be stopped (before its first run: %s)', async (unwoken) => {
    expect(await lab.run('stopParked', { words: lab.words(2), unwoken })).toBe(SLEEPY);
    expect(tasks()).toBe(0);
  });
});
