// SPDX-License-Identifier: GPL-2.0-only
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { NodePlatform } from '../../dist/kernel/platform.js';
import { endWorkers, KernelLab, stopLabs } from '../helpers/kernel_lab.js';

/** How far two clocks may stand apart: more than a measurement costs, less than a time slice. */
const APART_NS = 200_000;

afterEach(async () => {
  vi.restoreAllMocks();
  await stopLabs();
});
afterAll(endWorkers);

function monotonicNs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e9 + nanos;
}

/** Reads a clock between two readings of the monotonic clock. @returns how far it lies outside, in ns */
function errorNs(clock: () => number): number {
  const before = monotonicNs();
  const read = clock();
  const after = monotonicNs();
  return Math.max(before - read, read - after, 0);
}

describe('NodePlatform', () => {
  it('tells CLOCK_MONOTONIC', () => {
    const platform = new NodePlatform();
    for (let i = 0; i < 100; i++) expect(errorNs(() => platform.nowNs())).toBeLessThan(APART_NS);
  });

  it('tells it in whole microseconds too, wrapping at 32 bits', () => {
    const platform = new NodePlatform();
    for (let i = 0; i < 100; i++) {
      const first = platform.nowUs();
      const between = Math.floor(platform.nowNs() / 1e3) | 0;
      const last = platform.nowUs();
      expect(first).toBe(first | 0);
      expect((between - first) | 0).toBeGreaterThanOrEqual(0);
      expect((last - between) | 0).toBeGreaterThanOrEqual(0);
    }
  });

  it('tells it right though its thread lost the core while the clock was set', () => {
    const now = performance.now.bind(performance);
    const hrtime = process.hrtime;
    const loseCore = () => {
      const start = now();
      while (now() < start + 5);
    };
    vi.spyOn(process, 'hrtime').mockImplementationOnce(() => {
      const time = hrtime();
      loseCore();
      return time;
    });
    const late = new NodePlatform();
    vi.restoreAllMocks();
    vi.spyOn(performance, 'now').mockImplementationOnce(() => {
      const time = now();
      loseCore();
      return time;
    });
    const early = new NodePlatform();
    vi.restoreAllMocks();
    expect.soft(errorNs(() => late.nowNs())).toBeLessThan(APART_NS);
    expect.soft(errorNs(() => early.nowNs())).toBeLessThan(APART_NS);
  });

  it('tells the same in every thread', { timeout: 20_000 }, async () => {
    const lab = new KernelLab('platform_scenarios.mjs');
    for (let i = 0; i < 5; i++) {
      const before = monotonicNs();
      const [a, b] = await Promise.all([lab.run<number>('now'), lab.run<number>('now')]);
      const after = monotonicNs();
      for (const read of [a, b]) {
        expect(read).toBeGreaterThan(before - APART_NS);
        expect(read).toBeLessThan(after + APART_NS);
      }
    }
  });

  it('sleeps for as long as it was told', () => {
    const platform = new NodePlatform();
    const start = platform.nowNs();
    platform.usleep(2000);
    expect(platform.nowNs() - start).toBeGreaterThan(1.9e6);
  });
});
