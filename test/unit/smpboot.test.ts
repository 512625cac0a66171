// SPDX-License-Identifier: GPL-2.0-only
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KERNEL, KERNEL_AT } from '../../dist/kernel/current.js';
import { ENOMEM } from '../../dist/kernel/errno.js';
import { TASK, TASK_INTERRUPTIBLE } from '../../dist/kernel/task.js';
import { endWorkers, KernelLab, stopLabs } from '../helpers/kernel_lab.js';
import { until } from '../helpers/lock_workers.js';

const HANG_MS = 20_000;
/** What the thread of smpboot_scenarios.mjs writes down. */
const [SETUP, UNPARK, RUN, PARK, CLEANUP] = [1, 2, 3, 4, 5];
/** Places in its list of thread functions. */
const [FULL, BARE] = [0, 1];

interface Outcome {
  readonly answers: number[];
  readonly log: number[];
  readonly left: number;
}

let lab: KernelLab;
let words: { words: number; store: number };

beforeEach(() => {
  lab = new KernelLab('smpboot_scenarios.mjs', { shake: 50 });
  words = { words: lab.words(256), store: lab.words(1) };
});
afterEach(stopLabs);
afterAll(endWorkers);

function hotplug(steps: (string | number)[], fn = FULL, cpu = 1): Promise<Outcome> {
  return lab.run<Outcome>('hotplug', { ...words, steps, fn, cpu });
}

describe('a per-CPU thread', { timeout: HANG_MS }, () => {
  it('is created parked and runs nothing until its CPU comes up; then it is set up', async () => {
    const { answers, log } = await hotplug(['create', 'wake', 'work while parked', 'unpark', 1, 2]);
    expect(answers.slice(0, 3)).toEqual([0, 0, 0]);
    expect(log).toEqual([SETUP, RUN]);
    expect(lab.created).toEqual(['test/1']);
  });

  it('is set up once, and told each time its CPU goes down and comes up', async () => {
    const down = ['park', 'unpark'];
    const { log } = await hotplug(['create', 'unpark', 1, ...down, 3, ...down, 5, 'destroy']);
    expect(log).toEqual([SETUP, PARK, UNPARK, PARK, UNPARK, CLEANUP]);
  });

  it('runs its function only when there is work', async () => {
    const { log } = await hotplug(['create', 'unpark', 1, 'wake', 'wake', 'work', 'wake', 'work', 'destroy']);
    expect(log).toEqual([SETUP, RUN, RUN, CLEANUP]);
  });

  it('sleeps while there is no work', async () => {
    await hotplug(['create', 'unpark', 1]);
    await until(() => Atomics.load(lab.m, lab.m[words.store] + TASK.state) === TASK_INTERRUPTIBLE);
  });

  it('does no work while its CPU is down, and does it when the CPU is up again', async () => {
    const { answers, log } = await hotplug(['create', 'unpark', 1, 'park', 'work while parked', 'unpark', 4]);
    expect(answers[4]).toBe(2);
    expect(log).toEqual([SETUP, PARK, UNPARK, RUN]);
  });

  it('that never came up has nothing to clean up', async () => {
    const { log, left } = await hotplug(['create', 'destroy']);
    expect(log).toEqual([]);
    expect(left).toBe(0);
    expect(Atomics.load(lab.m, KERNEL_AT + KERNEL.nrTasks)).toBe(0);
  });

  it('is cleaned up when it is destroyed while its CPU is down', async () => {
    const { log, left } = await hotplug(['create', 'unpark', 1, 'park', 'destroy']);
    expect(log).toEqual([SETUP, PARK, CLEANUP]);
    expect(left).toBe(0);
  });

  it('needs no callbacks but those that do the work', async () => {
    const { log } = await hotplug(['create', 'unpark', 'work', 'park', 'unpark', 'work', 'destroy'], BARE);
    expect(log).toEqual([RUN, RUN]);
  });

  it('may be parked, unparked and destroyed where there is none', async () => {
    const { log } = await hotplug(['park', 'unpark', 'destroy']);
    expect(log).toEqual([]);
  });

  it('may be parked twice and unparked twice', async () => {
    const { log } = await hotplug(['create', 'unpark', 'unpark', 1, 'park', 'park', 'unpark', 3, 'destroy']);
    expect(log).toEqual([SETUP, PARK, UNPARK, CLEANUP]);
  });

  it('that cannot be had is -ENOMEM, and nothing is stored', async () => {
    lab.refuse(1);
    const { answers, left } = await hotplug(['create']);
    expect(answers).toEqual([-ENOMEM]);
    expect(left).toBe(0);
  });

  it('loses no work however often it is parked', async () => {
    await hotplug(['create', 'unpark'], BARE);
    const args = { ...words, cpu: 1, gate: lab.words(1), ended: lab.words(1), count: 2, rounds: 1500 };
    const [, fed] = await Promise.all([
      lab.run('cycle', args),
      lab.run<{ pieces: number; written: number }>('feed', args),
    ]);
    expect(fed.pieces).toBeGreaterThan(0);
    expect(fed.written).toBe(fed.pieces);
  });
});
