// SPDX-License-Identifier: GPL-2.0-only
/**
 * The receiving tasks of an application that serves a simulated CPU: one a socket, taking turns in one thread with that CPU's
 * interrupts and softirqs. A task goes on until its socket is empty or its slice is over, a system call at a time.
 */
import { CPU } from '../kernel/cpu.js';
import { type CpuTasks, systemCallBegin, systemCallEnd } from '../kernel/cpu_stand_in.js';
import type { Current } from '../kernel/current.js';

/** How long a task goes on while others wait, us (Linux: a slice of the fair scheduler, 3 ms). */
const SLICE_US = 3000;
/** System calls between two looks at the clock, if no softirq took the task's time meanwhile. */
const STEPS_A_LOOK = 16;

/** The sockets of the tasks, as the application's context has them. */
export interface TaskSockets {
  readonly count: number;
  /** @returns true if socket `i` has frames */
  available(i: number): boolean;
  /** Takes up to `max` frames of socket `i`, freeing those before. @returns true if there were some */
  take(i: number, max: number): boolean;
  allClosed(): boolean;
}

export class ReceivingTasks implements CpuTasks {
  private readonly cur: Current;
  private readonly sockets: TaskSockets;
  private readonly max: number;
  private readonly work: () => void;
  private current = 0;
  private steps = 0;
  /** How often softirqs had run on the CPU at the latest look at the clock. */
  private softirqRuns = 0;
  private sliceUs = 0;

  /**
   * @param max most frames of one system call
   * @param work what a task does with what it received, outside of the kernel
   */
  constructor(cur: Current, sockets: TaskSockets, max: number, work: () => void) {
    this.cur = cur;
    this.sockets = sockets;
    this.max = max;
    this.work = work;
  }

  runnable(): boolean {
    const { sockets } = this;
    if (sockets.available(this.current)) return true;
    for (let k = 1; k < sockets.count; k++) {
      const i = this.current + k < sockets.count ? this.current + k : this.current + k - sockets.count;
      if (!sockets.available(i)) continue;
      this.switchTo(i);
      return true;
    }
    return false;
  }

  step(): void {
    const { cur, sockets } = this;
    systemCallBegin(cur);
    const got = sockets.take(this.current, this.max);
    systemCallEnd(cur);
    if (got) this.work();
    const runs = cur.m[cur.cpu.at + CPU.softirqRuns];
    if (runs === this.softirqRuns && ++this.steps < STEPS_A_LOOK) return;
    this.softirqRuns = runs;
    this.steps = 0;
    const now = cur.platform.nowUs();
    if (((now - this.sliceUs) | 0) < SLICE_US) return;
    this.switchTo(this.current + 1 < sockets.count ? this.current + 1 : 0);
    this.sliceUs = now;
  }

  ended(): boolean {
    return this.sockets.allClosed();
  }

  private switchTo(i: number): void {
    this.current = i;
    this.steps = 0;
    this.sliceUs = this.cur.platform.nowUs();
  }
}
