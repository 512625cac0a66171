// SPDX-License-Identifier: GPL-2.0-only
/** Receiving tasks that share a CPU: each has its slice of time, whoever takes it. */
import { describe, expect, it } from 'vitest';
import { CPU } from '../../dist/kernel/cpu.js';
import { ReceivingTasks } from '../../dist/threads/app_cpu.js';
import { BareMachine } from '../helpers/bare_machine.js';

/** @returns how many system calls each task made, turn by turn, until so many were made */
function turns(
  calls: number,
  stepUs: number,
  softirq: boolean,
  has: (socket: number) => boolean = () => true,
) {
  const bm = new BareMachine({ memoryBytes: 16 << 20 });
  const { cur } = bm.thread(0);
  const seen: [socket: number, calls: number][] = [];
  const sockets = {
    count: 4,
    available: has,
    take(i: number): boolean {
      bm.clock.us += stepUs;
      if (softirq) bm.m[cur.cpu.at + CPU.softirqRuns]++;
      const last = seen.at(-1);
      if (last?.[0] === i) last[1]++;
      else seen.push([i, 1]);
      return true;
    },
    allClosed: () => false,
  };
  const tasks = new ReceivingTasks(cur, sockets, 1, () => {});
  for (let n = 0; n < calls; n++) {
    expect(tasks.runnable()).toBe(true);
    tasks.step();
  }
  return seen;
}

describe('receiving tasks', () => {
  it('take turns after their slice, however little of it they got themselves', () => {
    // A softirq of 2 ms at the end of each call: two calls are a slice of 3 ms.
    expect(turns(16, 2000, true).slice(1, 7)).toEqual([
      [1, 2],
      [2, 2],
      [3, 2],
      [0, 2],
      [1, 2],
      [2, 2],
    ]);
  });

  it('look at the clock seldom while nothing else runs', () => {
    // 100 us a call: the slice is seen to be over at the second look, 16 calls each.
    for (const [, calls] of turns(200, 100, false).slice(1, -1)) expect(calls).toBe(32);
  });

  it('pass over sockets that have nothing', () => {
    expect(turns(8, 4000, true, (i) => i % 2 === 1).map(([i]) => i)).toEqual([1, 3, 1, 3, 1, 3, 1, 3]);
  });
});
