// SPDX-License-Identifier: GPL-2.0-only
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KTHREAD_SHOULD_PARK } from '../../dist/kernel/kthread.js';
import { spinTryLock } from '../../dist/kernel/locking/spinlock.js';
import {
  doSoftirq,
  MAX_SOFTIRQ_RESTART,
  MAX_SOFTIRQ_TIME_US,
  raiseSoftirqNoWake,
} from '../../dist/kernel/softirq.js';
import { endWorkers, KernelLab, layOutKernel, loneCurrent, stopLabs } from '../helpers/kernel_lab.js';
import { SCRATCH_AT } from '../helpers/kernel_steps.mjs';
import { STATE_WORDS } from '../helpers/softirq_scenarios.mjs';

const HANG_MS = 10_000;

interface Log {
  readonly runs: { readonly cpu: number; readonly ksoftirqd: boolean }[];
  readonly overlaps: number;
  readonly counters: { readonly rounds: number; readonly handovers: number }[];
}

let lab: KernelLab;
let booted = false;

async function boot(ksoftirqd = true): Promise<void> {
  await lab.run('bootCpus', { ksoftirqd });
  booted = true;
}

beforeEach(() => {
  lab = new KernelLab('softirq_scenarios.mjs', { shake: 100 });
  lab.m[SCRATCH_AT] = lab.words(STATE_WORDS);
});
afterEach(async ({ task }) => {
  // Threads that have ended are used again; after a failure they may hang.
  if (booted && task.result?.state !== 'fail') expect(await lab.run('stopCpus')).toEqual([0, 0]);
  booted = false;
  await stopLabs();
});
afterAll(endWorkers);

describe('a softirq', { timeout: HANG_MS }, () => {
  it('that other threads raise always runs afterwards', async () => {
    await boot();
    await lab.runAll(3, 'raiseAndWait', { rounds: 1000, cpu: 1 });
    const { runs, overlaps } = await lab.run<Log>('log');
    expect(overlaps).toBe(0);
    expect(new Set(runs.map((run) => run.cpu))).toEqual(new Set([1]));
    expect(runs.some((run) => !run.ksoftirqd)).toBe(true);
  });

  it('runs on its CPU', async () => {
    await boot();
    for (const cpu of [1, 0, 1]) await lab.run('chain', { cpu });
    const { runs, counters } = await lab.run<Log>('log');
    expect(runs.map((run) => run.cpu)).toEqual([1, 0, 1]);
    expect(counters).toEqual([
      { rounds: 1, handovers: 0 },
      { rounds: 2, handovers: 0 },
    ]);
  });

  it('of lower number runs first, each once however often it was raised', () => {
    const cur = loneCurrent(layOutKernel(1));
    const ran: number[] = [];
    for (const nr of [0, 3, 9]) cur.softirqVec[nr] = () => ran.push(nr);
    for (const nr of [9, 3, 3, 0, 9]) raiseSoftirqNoWake(cur, cur.cpu, nr);
    doSoftirq(cur);
    doSoftirq(cur);
    expect(ran).toEqual([0, 3, 9]);
  });

  it('that is raised while others run is run in the same go, under the BH lock all the while', () => {
    const cur = loneCurrent(layOutKernel(1));
    const ran: number[] = [];
    cur.softirqVec[0] = () => {
      expect(spinTryLock(cur.m, cur.cpu.bhLock)).toBe(false);
      ran.push(0);
    };
    cur.softirqVec[2] = () => {
      ran.push(2);
      if (ran.length < 4) raiseSoftirqNoWake(cur, cur.cpu, 0);
      if (ran.length < 4) raiseSoftirqNoWake(cur, cur.cpu, 2);
    };
    raiseSoftirqNoWake(cur, cur.cpu, 2);
    doSoftirq(cur);
    expect(ran).toEqual([2, 0, 2, 0, 2]);
    expect(spinTryLock(cur.m, cur.cpu.bhLock)).toBe(true);
  });
});

describe('softirqs without an end', { timeout: HANG_MS }, () => {
  // The clock stands still: only the number of restarts counts.
  it('are handed to ksoftirqd after so many restarts, and all of them run', async () => {
    await boot();
    await lab.run('prepare', { again: 3 * MAX_SOFTIRQ_RESTART + 4, clockUs: 1000 });
    const { runs, overlaps, counters } = await lab.run<Log>('chain', { cpu: 0 });
    expect(runs.length).toBe(3 * MAX_SOFTIRQ_RESTART + 5);
    expect(overlaps).toBe(0);
    expect(counters[0]).toEqual({ rounds: 4, handovers: 3 });
    // A round is run by one thread from its beginning to its end.
    expect(new Set(runs.slice(0, MAX_SOFTIRQ_RESTART).map((run) => run.ksoftirqd)).size).toBe(1);
    expect(runs.some((run) => run.ksoftirqd)).toBe(true);
  });

  it('are handed to ksoftirqd after so much time, however few they are', async () => {
    await boot();
    const stepUs = MAX_SOFTIRQ_TIME_US / 4 + 1;
    // The clock passes 2^31 meanwhile.
    await lab.run('prepare', { again: 11, clockUs: 0x7fffffff - 3 * stepUs, stepUs });
    const { runs, counters } = await lab.run<Log>('chain', { cpu: 0 });
    expect(runs.length).toBe(12);
    expect(counters[0]).toEqual({ rounds: 3, handovers: 2 });
  });

  it('leave the CPU to its own thread again afterwards', async () => {
    await boot();
    for (let i = 0; i < 5; i++) {
      await lab.run('prepare', { again: 25 });
      await lab.run('chain', { cpu: 0 });
    }
    const before = (await lab.run<Log>('log')).runs.length;
    await lab.run('prepare', {});
    const { runs } = await lab.run<Log>('chain', { cpu: 0 });
    expect(runs.length).toBe(before + 1);
  });

  it('run without a ksoftirqd, too', async () => {
    await boot(false);
    await lab.run('prepare', { again: 100 });
    const { runs } = await lab.run<Log>('chain', { cpu: 1 });
    expect(runs.length).toBe(101);
  });

  it('run while ksoftirqd is parked, too', async () => {
    await boot();
    await lab.run('parkKsoftirqd', { cpu: 1 });
    await lab.run('prepare', { again: 100 });
    const { runs } = await lab.run<Log>('chain', { cpu: 1 });
    expect(runs.length).toBe(101);
    expect(runs.some((run) => run.ksoftirqd)).toBe(false);
  });

  it('are not lost between the two threads, in whichever direction they go', async () => {
    await boot();
    // Each round of the handler raises itself up to 14 times: now within the limit, now beyond it.
    await lab.run('prepare', { mostAgain: 15 });
    await lab.runAll(2, 'raiseAndWait', { rounds: 1000, cpu: 0 });
    const { overlaps, counters } = await lab.run<Log>('log');
    expect(overlaps).toBe(0);
    expect(counters[0].handovers).toBeGreaterThan(0);
  });

  it('are not lost when ksoftirqd is parked with some of them pending', { timeout: 4000 }, async () => {
    await boot();
    const cpu = 0;
    // ksoftirqd is asked to park in the middle of its ten runs, at the end of which there is one more to do.
    await lab.run('prepare', { again: 60, hold: 1, quiet: 1 });
    const chain = lab.run<Log>('chain', { cpu });
    await lab.run('reachHeld');
    const parked = lab.run('parkKsoftirqd', { cpu });
    await lab.run('releaseWhenAsked', { cpu, asked: KTHREAD_SHOULD_PARK });
    await parked;
    expect((await chain).runs.length).toBe(61);
  });
});
