// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CPU } from '../../dist/kernel/cpu.js';
import { type Current, cpuViews } from '../../dist/kernel/current.js';
import {
  HRTIMER,
  HRTIMER_MAX_US,
  hrtimerCancel,
  hrtimerRunQueues,
  hrtimerSetup,
  hrtimerStart,
  hrtimerStartAt,
} from '../../dist/kernel/hrtimer.js';
import type { Platform } from '../../dist/kernel/platform.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../../dist/kernel/task.js';
import { kmalloc } from '../../dist/mm/slab.js';
import { STATE_WORDS } from '../helpers/hrtimer_scenarios.mjs';
import { endWorkers, KernelLab, layOutKernel, loneCurrent, stopLabs } from '../helpers/kernel_lab.js';
import { SCRATCH_AT } from '../helpers/kernel_steps.mjs';

const HANG_MS = 10_000;

afterAll(endWorkers);

/** A clock that the test sets. */
class TestClock implements Platform {
  us = 0;
  nowNs(): number {
    return this.us * 1e3;
  }
  nowUs(): number {
    return this.us | 0;
  }
  setComm(): void {}

  usleep(): void {}
}

describe('timers, in one thread', () => {
  let clock: TestClock;
  /** The threads of two CPUs, both run by the test. */
  let curs: Current[];
  let cur: Current;
  /** Timers called, by their argument, with CPU and time. */
  let called: { data: number; cpu: number; us: number }[];
  let inFunction: (data: number) => void;

  beforeEach(() => {
    const m = layOutKernel(2);
    clock = new TestClock();
    clock.us = 1_000_000;
    called = [];
    inFunction = () => {};
    curs = [0, 1].map((cpu) => loneCurrent(m, clock, cpu));
    for (const c of curs) {
      m[c.cpu.at + CPU.task] = c.task.at;
      c.hrtimerFns[3] = (_cur, data) => {
        called.push({ data, cpu: c.cpu.id, us: clock.us });
        inFunction(data);
      };
    }
    cur = curs[0];
  });

  function newTimer(data: number): number {
    const timer = kmalloc(cur.m, HRTIMER.SIZE);
    hrtimerSetup(cur.m, timer, 3, data);
    return timer;
  }

  /** Runs what has expired on both CPUs, as their threads do. */
  function runAll(): void {
    for (const c of curs) while (hrtimerRunQueues(c) === 0);
  }

  const calledData = () => called.map((call) => call.data);

  it('answers how long the CPU may sleep', () => {
    expect(hrtimerRunQueues(cur)).toBe(-1);
    hrtimerStart(cur, newTimer(1), 50);
    hrtimerStart(cur, newTimer(2), 20);
    expect(hrtimerRunQueues(cur)).toBe(20);
    clock.us += 15;
    expect(hrtimerRunQueues(cur)).toBe(5);
    clock.us += 5;
    expect(hrtimerRunQueues(cur)).toBe(0);
    expect(calledData()).toEqual([2]);
    expect(hrtimerRunQueues(cur)).toBe(30);
    clock.us += 30;
    expect([hrtimerRunQueues(cur), hrtimerRunQueues(cur)]).toEqual([0, -1]);
    expect(calledData()).toEqual([2, 1]);
  });

  it.each([1_000_000, 0x7fffffff - 500, 0xffffffff - 500])(
    'run in order of expiry and never early, from %i us on',
    (us) => {
      fc.assert(
        fc.property(
          fc.array(fc.nat(1000), { minLength: 1, maxLength: 30 }),
          fc.integer({ min: 1, max: 300 }),
          (delays, step) => {
            clock.us = us;
            called = [];
            delays.forEach((delay, i) => {
              hrtimerStart(cur, newTimer(i), delay);
            });
            for (let t = 0; t <= 1000 + step; t += step) {
              runAll();
              clock.us += step;
            }
            // Timers of the same expiry run in the order they were started.
            const order = delays
              .map((delay, i) => ({ delay, i }))
              .toSorted((a, b) => a.delay - b.delay || a.i - b.i);
            expect(calledData()).toEqual(order.map(({ i }) => i));
            for (const { data, us: at } of called) {
              expect(at - us).toBeGreaterThanOrEqual(delays[data]);
              expect(at - us).toBeLessThan(delays[data] + step);
            }
          },
        ),
      );
    },
  );

  it('started again are moved, to earlier and to later', () => {
    const [a, b] = [newTimer(1), newTimer(2)];
    hrtimerStart(cur, a, 100);
    hrtimerStart(cur, b, 200);
    hrtimerStart(cur, a, 300);
    hrtimerStart(cur, b, 150);
    clock.us += 299;
    runAll();
    expect(calledData()).toEqual([2]);
    clock.us += 1;
    runAll();
    expect(calledData()).toEqual([2, 1]);
  });

  it('cancelled are not called, and may be started again', () => {
    const [a, b, c] = [newTimer(1), newTimer(2), newTimer(3)];
    for (const timer of [a, b, c]) hrtimerStart(cur, timer, 10);
    expect([hrtimerCancel(cur, b), hrtimerCancel(cur, b)]).toEqual([true, false]);
    clock.us += 10;
    runAll();
    expect(calledData()).toEqual([1, 3]);
    expect(hrtimerCancel(cur, a)).toBe(false);
    hrtimerStart(cur, b, 5);
    clock.us += 5;
    runAll();
    expect(calledData()).toEqual([1, 3, 2]);
  });

  it('wake the thread of their CPU when it would look too late by itself, and only then', () => {
    const [a, b] = [newTimer(1), newTimer(2)];
    const [{ task }, other] = curs;
    /** Whether the start wakes the CPU, which has looked at its timers and sleeps. */
    const wakes = (timer: number, delayUs: number): boolean => {
      while (hrtimerRunQueues(cur) === 0);
      setCurrentState(task, TASK_INTERRUPTIBLE);
      hrtimerStart(other, timer, delayUs, cur.cpu);
      return Atomics.load(task.m, task.state) === TASK_RUNNING;
    };
    expect(wakes(a, 100)).toBe(true); // it slept without a limit
    expect(wakes(b, 50)).toBe(true); // earlier than the first
    expect(wakes(b, 200)).toBe(false); // it looks for b at 50, and finds a
    expect(wakes(b, 100)).toBe(false);
    expect(wakes(a, 99)).toBe(true);
    clock.us += 99;
    expect(wakes(a, 10)).toBe(false); // behind b
    clock.us += 10;
    expect(wakes(b, 0)).toBe(true); // none is left: it sleeps without a limit again
    expect(calledData()).toEqual([1, 2, 1]);
  });

  it('run on the CPU that is asked for, and stay where their function is being called', () => {
    const timer = newTimer(7);
    hrtimerStart(cur, timer, 10, curs[1].cpu);
    clock.us += 10;
    runAll();
    hrtimerStartAt(curs[1], timer, (clock.us + 5) | 0, cur.cpu);
    clock.us += 5;
    runAll();
    expect(called.map(({ cpu, us }) => [cpu, us])).toEqual([
      [1, 1_000_010],
      [0, 1_000_015],
    ]);
  });

  it('may start themselves and others from their functions', () => {
    const timers = [0, 1, 2].map(newTimer);
    inFunction = (data) => {
      if (data === 0 && called.length < 5) hrtimerStart(cur, timers[0], 10);
      if (data === 0 && called.length === 1) hrtimerStart(cur, timers[1], 0);
      if (data === 1) expect(hrtimerCancel(cur, timers[2])).toBe(true);
    };
    hrtimerStart(cur, timers[0], 0);
    hrtimerStart(cur, timers[2], 1);
    for (let i = 0; i < 10; i++) {
      runAll();
      clock.us += 10;
    }
    expect(calledData()).toEqual([0, 1, 0, 0, 0]);
  });

  it('belong to the CPU that started them last', () => {
    const timer = newTimer(7);
    hrtimerStart(curs[0], timer, 10);
    hrtimerStart(curs[1], timer, 10);
    clock.us += 10;
    expect(hrtimerRunQueues(curs[0])).toBe(-1);
    runAll();
    expect(called).toEqual([{ data: 7, cpu: 1, us: clock.us }]);
    hrtimerStart(curs[1], timer, 10);
    expect(hrtimerCancel(curs[0], timer)).toBe(true);
    expect(hrtimerRunQueues(curs[1])).toBe(-1);
  });

  it('of delays that the clock cannot hold wait as long as it can', () => {
    hrtimerStart(cur, newTimer(1), 3_000_000_000);
    hrtimerStart(cur, newTimer(2), HRTIMER_MAX_US);
    clock.us += HRTIMER_MAX_US - 1;
    runAll();
    expect(called).toEqual([]);
    clock.us += 1;
    runAll();
    expect(calledData()).toEqual([1, 2]);
  });

  it('do what an ordered list does, whatever the order of calls', () => {
    const step = fc.record({
      op: fc.constantFrom('start', 'start', 'cancel', 'advance'),
      timer: fc.nat(5),
      cpu: fc.nat(1),
      us: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const timers = Array.from({ length: 6 }, (_, i) => newTimer(i));
        const due = new Map<number, { us: number; cpu: number }>();
        called = [];
        const want: { data: number; cpu: number; us: number }[] = [];
        for (const { op, timer, cpu, us } of steps) {
          if (op === 'start') {
            hrtimerStart(curs[cpu], timers[timer], us);
            due.delete(timer);
            due.set(timer, { us: clock.us + us, cpu });
          } else if (op === 'cancel') {
            expect(hrtimerCancel(curs[cpu], timers[timer])).toBe(due.delete(timer));
          } else {
            clock.us += us;
            runAll();
            const expired = [...due].filter(([, t]) => t.us <= clock.us);
            expired.sort(([, a], [, b]) => a.cpu - b.cpu || a.us - b.us);
            for (const [data, t] of expired) {
              want.push({ data, cpu: t.cpu, us: clock.us });
              due.delete(data);
            }
          }
          expect(called).toEqual(want);
        }
        for (const timer of timers) hrtimerCancel(cur, timer);
      }),
    );
  });
});

describe('timers, between threads', { timeout: HANG_MS }, () => {
  let lab: KernelLab;
  let args: { timer: number; other: number };

  beforeEach(async () => {
    lab = new KernelLab('hrtimer_scenarios.mjs', { shake: 100 });
    lab.m[SCRATCH_AT] = lab.words(STATE_WORDS);
    args = { timer: lab.words(HRTIMER.SIZE), other: lab.words(HRTIMER.SIZE) };
    await lab.run('bootCpus', { ksoftirqd: false });
  });
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') expect(await lab.run('stopCpus')).toEqual([0, 0]);
    await stopLabs();
  });

  it('are called once each, in the thread of their CPU, and never early', async () => {
    expect(await lab.run('startAndWait', { ...args, rounds: 150 }, 1)).toEqual({
      calls: 150,
      overlaps: 0,
      early: 0,
      cpus: [0, 150],
    });
  });

  it('wake a CPU that sleeps until a later one', async () => {
    const far = lab.words(HRTIMER.SIZE);
    const got = await lab.run('startNearer', { ...args, far }, 1);
    expect(got).toMatchObject({ calls: 1, early: 0, farLeft: true });
  });

  it('hrtimerCancel waits for the function that runs', async () => {
    await lab.run('startHeld', { ...args, rearmUs: 0 });
    const [cancelled] = await Promise.all([lab.run('cancel', args), lab.run('releaseWhenCancelled')]);
    expect(cancelled).toEqual({ was: false, inside: 0, later: 0 });
  });

  it('hrtimerCancel stops a timer whose function starts it again', async () => {
    await lab.run('startHeld', { ...args, rearmUs: 500 });
    const [cancelled] = await Promise.all([lab.run('cancel', args), lab.run('releaseWhenCancelled')]);
    expect(cancelled).toMatchObject({ inside: 0, later: 0 });
  });

  it('started on another CPU while their function runs do not run twice at a time', async () => {
    await lab.run('startHeld', { ...args, rearmUs: 0 }, 0);
    await lab.run('startAgain', args, 1);
    const [cancelled] = await Promise.all([
      lab.run('cancel', { ...args, other: lab.words(HRTIMER.SIZE) }, 1),
      lab.run('releaseWhenCancelled'),
    ]);
    expect.soft(cancelled).toMatchObject({ inside: 0, later: 0 });
    expect(await lab.run('result')).toMatchObject({ overlaps: 0 });
  });

  it('are not called after a cancel, however often they move between CPUs', async () => {
    const gate = lab.words(1);
    const common = { ...args, gate, count: 2, rounds: 800 };
    const late = await Promise.all([1, 2].map((id) => lab.run('startAndCancel', { ...common, id }, id - 1)));
    expect.soft(late).toEqual([0, 0]);
    expect(await lab.run('cleanUp', args)).toBe(true);
    const { cpus, overlaps } = await lab.run<{ cpus: number[]; overlaps: number }>('result');
    expect(overlaps).toBe(0);
    for (const calls of cpus) expect(calls).toBeGreaterThan(0);
  });
});

it('the views of CPUs name the timer base of each', () => {
  const m = layOutKernel(2);
  const [a, b] = cpuViews(m);
  expect(b.timerFirst - a.timerFirst).toBe(CPU.SIZE);
});
