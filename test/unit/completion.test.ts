// SPDX-License-Identifier: GPL-2.0-only
import { afterEach, describe, expect, it } from 'vitest';
import {
  COMPLETION_ALL,
  complete,
  completeAll,
  completionDone,
  reinitCompletion,
  tryWaitForCompletion,
  waitForCompletion,
  waitForCompletionTimeout,
} from '../../dist/kernel/completion.js';
import {
  sharedWords,
  startLockWorker,
  startLockWorkers,
  stopLockWorkers,
  until,
} from '../helpers/lock_workers.js';

const AT = 3;
const PASSED = 6;
const HANG_MS = 20_000;

afterEach(stopLockWorkers);

describe('completion', () => {
  it('lets each wait consume one', () => {
    const m = sharedWords(8);
    expect(completionDone(m, AT)).toBe(false);
    expect(tryWaitForCompletion(m, AT)).toBe(false);
    complete(m, AT);
    complete(m, AT);
    expect(completionDone(m, AT)).toBe(true);
    waitForCompletion(m, AT);
    expect(waitForCompletionTimeout(m, AT, 0)).toBe(true);
    expect(completionDone(m, AT)).toBe(false);
    expect(tryWaitForCompletion(m, AT)).toBe(false);
  });

  it('lets every wait pass after completeAll, until it is made new', () => {
    const m = sharedWords(8);
    completeAll(m, AT);
    complete(m, AT);
    for (let i = 0; i < 5; i++) waitForCompletion(m, AT);
    expect(tryWaitForCompletion(m, AT)).toBe(true);
    expect(waitForCompletionTimeout(m, AT, 0)).toBe(true);
    expect(m[AT]).toBe(COMPLETION_ALL);
    reinitCompletion(m, AT);
    expect(completionDone(m, AT)).toBe(false);
    expect(tryWaitForCompletion(m, AT)).toBe(false);
  });

  it('saturates instead of overflowing', () => {
    const m = sharedWords(8);
    m[AT] = COMPLETION_ALL - 1;
    for (let i = 0; i < 3; i++) complete(m, AT);
    expect(m[AT]).toBe(COMPLETION_ALL);
    expect(completionDone(m, AT)).toBe(true);
  });

  it.each([5, 0, -1])('answers false when nobody completes within %s ms, not earlier', (timeoutMs) => {
    const m = sharedWords(8);
    const begin = performance.now();
    expect(waitForCompletionTimeout(m, AT, timeoutMs)).toBe(false);
    expect(performance.now() - begin).toBeGreaterThanOrEqual(timeoutMs - 0.5);
    complete(m, AT);
    expect(waitForCompletionTimeout(m, AT, timeoutMs)).toBe(true);
  });

  it('wakes a timed wait before its time', { timeout: HANG_MS }, async () => {
    const m = sharedWords(8);
    const waiter = startLockWorker<boolean>('completionWaitTimeout', { m, at: AT, timeoutMs: 3_600_000 });
    complete(m, AT);
    expect(await waiter).toBe(true);
  });

  it('lets as many sleepers pass as there were completes', { timeout: HANG_MS }, async () => {
    const m = sharedWords(8);
    const waiters = startLockWorkers(3, 'completionWait', { m, at: AT, passed: PASSED, times: 1 });
    complete(m, AT);
    complete(m, AT);
    await until(() => Atomics.load(m, PASSED) === 2);
    expect(completionDone(m, AT)).toBe(false);
    complete(m, AT);
    await waiters;
    expect(m[PASSED]).toBe(3);
  });

  it.each(['complete', 'completeAll'])(
    'wakes every sleeper it should (%s)',
    { timeout: HANG_MS },
    async (kind) => {
      const rounds = 500;
      const [m, ready, taken] = [sharedWords(AT + rounds), sharedWords(1), sharedWords(1)];
      const args = { kind, m, at: AT, ready, taken, rounds, takers: 2 };
      await Promise.all([startLockWorkers(2, 'takeInTurn', args), startLockWorker('giveInTurn', args)]);
      expect(taken[0]).toBe(2 * rounds);
    },
  );

  it('loses no wake-up, and hands over what was written before it', { timeout: HANG_MS }, async () => {
    const m = sharedWords(8);
    const args = { m, request: 1, answer: 2, value: 5, times: 5_000 };
    const wrong = await Promise.all(
      ['completionEcho', 'completionAsk'].map((s) => startLockWorker<number>(s, args)),
    );
    expect(wrong).toEqual([0, 0]);
  });
});
