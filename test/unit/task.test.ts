// SPDX-License-Identifier: GPL-2.0-only
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { rcuReadLock } from '../../dist/kernel/rcu.js';
import { schedule, scheduleTimeout, tryToWakeUp } from '../../dist/kernel/sched.js';
import {
  setCurrentState,
  TASK,
  TASK_DEAD,
  TASK_INTERRUPTIBLE,
  TASK_NORMAL,
  TASK_PARKED,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  wakeUpProcess,
  wakeUpState,
} from '../../dist/kernel/task.js';
import { TP_SCHED_WAKEUP } from '../../dist/kernel/trace.js';
import { endWorkers, KernelLab, layOutKernel, loneCurrent, stopLabs } from '../helpers/kernel_lab.js';
import { until } from '../helpers/lock_workers.js';

const HANG_MS = 20_000;

afterEach(stopLabs);
afterAll(endWorkers);

describe('wakeUpProcess', () => {
  it.each([
    ['running', TASK_RUNNING, false],
    ['interruptible', TASK_INTERRUPTIBLE, true],
    ['uninterruptible', TASK_UNINTERRUPTIBLE, true],
    ['parked', TASK_PARKED, false],
    ['dead', TASK_DEAD, false],
  ])('%s tasks: from state %i, woken: %s', (_name, state, woken) => {
    const m = layOutKernel(1);
    const { task } = loneCurrent(m);
    setCurrentState(task, state);
    expect(wakeUpProcess(m, task.at)).toBe(woken);
    expect(m[task.at + TASK.state]).toBe(woken ? TASK_RUNNING : state);
  });

  it('wakes a task once', () => {
    const m = layOutKernel(1);
    const { task } = loneCurrent(m);
    setCurrentState(task, TASK_INTERRUPTIBLE);
    expect([wakeUpProcess(m, task.at), wakeUpProcess(m, task.at)]).toEqual([true, false]);
  });

  it('is traced before the task is told: no thread runs before it was woken', () => {
    const cur = loneCurrent(layOutKernel(1));
    const order: unknown[] = [];
    cur.tracer = { event: (_cur, tp, task) => order.push([tp, task]) };
    const notify = vi.spyOn(Atomics, 'notify').mockImplementation(() => order.push('notify'));
    try {
      setCurrentState(cur.task, TASK_INTERRUPTIBLE);
      expect([tryToWakeUp(cur, cur.task.at), tryToWakeUp(cur, cur.task.at)]).toEqual([true, false]);
    } finally {
      notify.mockRestore();
    }
    expect(order).toEqual([[TP_SCHED_WAKEUP, cur.task.at], 'notify']);
  });

  it('takes the null task, which never sleeps', () => {
    const m = layOutKernel(1);
    expect(wakeUpProcess(m, 0)).toBe(false);
    expect(m[0]).toBe(0);
  });
});

describe('schedule', () => {
  it('comes back at once when the wake-up was first, and does not count as a sleep', () => {
    const cur = loneCurrent(layOutKernel(1));
    setCurrentState(cur.task, TASK_INTERRUPTIBLE);
    wakeUpProcess(cur.m, cur.task.at);
    schedule(cur);
    expect(scheduleTimeout(cur, 1e9)).toBe(true);
    expect(cur.m[cur.task.at + TASK.nvcsw]).toBe(0);
  });

  it('with a time-out ends when the time is up, and leaves the task running', () => {
    const cur = loneCurrent(layOutKernel(1));
    rcuReadLock(cur);
    setCurrentState(cur.task, TASK_UNINTERRUPTIBLE);
    const startNs = cur.platform.nowNs();
    expect(scheduleTimeout(cur, 3000)).toBe(false);
    expect(cur.platform.nowNs() - startNs).toBeGreaterThan(2.9e6);
    expect(cur.m[cur.task.at + TASK.state]).toBe(TASK_RUNNING);
    expect(cur.m[cur.task.at + TASK.nvcsw]).toBe(1);
  });
});

describe('sleeping and waking', () => {
  it.each([
    [8000, 0],
    [2000, 20],
  ])(
    'loses no wake-up in %i rounds of ping-pong, shaken: %i',
    { timeout: HANG_MS },
    async (rounds, shake) => {
      const lab = new KernelLab('task_scenarios.mjs', { shake });
      const args = { tasks: lab.words(16), ball: lab.words(1), rounds };
      const sleeps = await lab.runAll<number>(2, 'pingPong', args);
      expect(Atomics.load(lab.m, args.ball)).toBe(2 * rounds);
      // The two are on two cores or on one: asleep they must have been, or this tests nothing.
      expect(sleeps[0] + sleeps[1]).toBeGreaterThan(0);
    },
  );

  it('loses no wake-up when three threads wake one', { timeout: HANG_MS }, async () => {
    const lab = new KernelLab('task_scenarios.mjs', { shake: 100 });
    const rounds = 2000;
    const args = { tasks: lab.words(16), work: lab.words(16), rounds };
    expect(await lab.runAll(4, 'workers', args)).toEqual([3 * rounds, rounds, rounds, rounds]);
  });

  it('is woken by exactly one of those who wake at once', { timeout: HANG_MS }, async () => {
    const lab = new KernelLab('task_scenarios.mjs', { shake: 50 });
    const rounds = 1000;
    const args = { tasks: lab.words(16), asleep: lab.words(1), tried: lab.words(1), rounds };
    const woke = await lab.runAll<number>(3, 'wakeAtOnce', args);
    expect(woke[1] + woke[2]).toBe(rounds);
  });

  it.each([
    [
      'an interruptible sleep',
      TASK_INTERRUPTIBLE,
      [TASK_UNINTERRUPTIBLE, TASK_PARKED, null],
      [false, false, true],
    ],
    ['an uninterruptible sleep', TASK_UNINTERRUPTIBLE, [TASK_INTERRUPTIBLE, TASK_NORMAL], [false, true]],
    ['a parked task', TASK_PARKED, [null, TASK_NORMAL, TASK_PARKED], [false, false, true]],
  ])(
    '%s ends by the wake-ups meant for it only',
    { timeout: HANG_MS },
    async (_name, state, masks, answers) => {
      const lab = new KernelLab('task_scenarios.mjs');
      const args = { task: lab.words(1), awake: lab.words(1), state, masks };
      const [slept, answered] = await Promise.all([lab.run('sleepIn', args), lab.run('tryWakers', args)]);
      expect(answered).toEqual([...answers, false]);
      expect(slept).toMatchObject({ state: TASK_RUNNING });
    },
  );

  it('a wake-up cuts a sleep with a time-out short, and is told from the time-out', {
    timeout: HANG_MS,
  }, async () => {
    const lab = new KernelLab('task_scenarios.mjs');
    const args = { task: lab.words(1), timeoutUs: 1_800_000_000 };
    const [slept, woke] = await Promise.all([lab.run('sleepFor', args), lab.run('wake', args)]);
    expect(woke).toBe(true);
    expect(slept).toMatchObject({ woken: true, state: TASK_RUNNING });
  });

  // A waker changes the state first and notifies afterwards: that may be late, in the middle of the next sleep.
  it.each(['sleepIn', 'sleepFor'])(
    'a late notification ends no sleep: %s',
    { timeout: HANG_MS },
    async (how) => {
      const lab = new KernelLab('task_scenarios.mjs');
      const args = {
        task: lab.words(1),
        awake: lab.words(1),
        state: TASK_INTERRUPTIBLE,
        timeoutUs: 1_800_000_000,
      };
      const slept = lab.run(how, args);
      await until(() => lab.m[args.task] !== 0 && Atomics.notify(lab.m, lab.m[args.task] + TASK.state) === 1);
      // It must have had the time to come back to sleep, or to go its way.
      await until(() => {
        const state = Atomics.load(lab.m, lab.m[args.task] + TASK.state);
        return state !== TASK_INTERRUPTIBLE || Atomics.notify(lab.m, lab.m[args.task] + TASK.state) === 1;
      });
      expect(await lab.run('wake', args)).toBe(true);
      expect(await slept).toMatchObject(how === 'sleepIn' ? { sleeps: 1 } : { woken: true });
    },
  );

  it('wakeUpState takes several kinds at once', () => {
    const m = layOutKernel(1);
    const { task } = loneCurrent(m);
    for (const state of [TASK_INTERRUPTIBLE, TASK_PARKED]) {
      setCurrentState(task, state);
      expect(wakeUpState(m, task.at, TASK_INTERRUPTIBLE | TASK_PARKED)).toBe(true);
    }
  });
});
