// SPDX-License-Identifier: GPL-2.0-only
/**
 * The per-CPU area of the kernel proper: locks that stand for local_bh_disable and local_irq_save, softirq bits,
 * timer base.
 */
import { line, struct, word, words } from '../mm/struct.js';
import { COMPLETION_WORDS } from './completion.js';

export const CPU = struct(
  'cpu',
  line('any thread, by atomic or; the CPU’s softirq by exchange', {
    softirqPending: word('softirqs to run, a bit each'),
  }),
  line('lock holders', {
    bhLock: word('spin lock: held for the length of a poll (local_bh_disable)'),
  }),
  line('threads that wait for bhLock, atomic add', {
    bhYield: word('threads that have waited for bhLock longer than a tick: whoever loops gives way'),
  }),
  line('lock holders', {
    irqLock: word('spin lock: held for a few instructions (local_irq_save); poll lists live under it'),
  }),
  line('lock holders', {
    timerLock: word('spin lock of the timer base'),
  }),
  line('timerLock', {
    timerFirst: word('hrtimer that expires first, 0: none'),
  }),
  line('the CPU’s own thread', {
    timerLook: word(
      'when it looks at its timers again at the latest (wrapping us, lowest bit set); 0: not by itself',
    ),
  }),
  line('holder of the CPU hotplug mutex; `online` also under the CPU’s bhLock', {
    online: word('1 while it takes interrupts, timers and softirqs'),
    task: word(
      'task_struct of the thread that serves it: its own, or one that stands in for that (cpu_stand_in.ts)',
    ),
    ownTask: word('task_struct of the CPU’s own thread'),
    ksoftirqd: word('task_struct of ksoftirqd/N'),
  }),
  line('holder of the CPU hotplug mutex (store 1), the CPU’s own thread (exchange with 0)', {
    dying: word('1: its own thread is to report that it rests'),
  }),
  line('the CPU’s own thread completes, the holder of the CPU hotplug mutex waits', {
    idleDead: words(
      COMPLETION_WORDS,
      'completion: its own thread has seen that it does not serve, and rests',
    ),
  }),
  line('ksoftirqd/N', {
    ksoftirqdActive: word('1 from the end of its setup or unpark to its park or cleanup'),
  }),
  line('whoever holds bhLock', {
    softirqRuns: word('times softirqs were run'),
    softirqHandovers: word('times the limits handed over to ksoftirqd'),
  }),
);

/** A view of a CPU's area. Make once a thread, keep. */
export class Cpu {
  readonly m: Int32Array;
  readonly at: number;
  readonly id: number;
  readonly softirqPending: number;
  readonly bhLock: number;
  readonly irqLock: number;
  readonly timerLock: number;
  readonly timerFirst: number;
  readonly timerLook: number;
  readonly online: number;

  constructor(m: Int32Array, at: number, id: number) {
    this.m = m;
    this.at = at;
    this.id = id;
    this.softirqPending = at + CPU.softirqPending;
    this.bhLock = at + CPU.bhLock;
    this.irqLock = at + CPU.irqLock;
    this.timerLock = at + CPU.timerLock;
    this.timerFirst = at + CPU.timerFirst;
    this.timerLook = at + CPU.timerLook;
    this.online = at + CPU.online;
  }
}

/** @returns the task_struct of the thread that serves it: load it behind the store of what it is to see */
export function cpuTask(cpu: Cpu): number {
  return Atomics.load(cpu.m, cpu.at + CPU.task);
}

/** @returns true while the CPU takes interrupts, timers and softirqs (Linux: cpu_online) */
export function cpuOnline(cpu: Cpu): boolean {
  return Atomics.load(cpu.m, cpu.online) !== 0;
}

/**
 * The CPU that stands in for one that is offline: the next one that is online, itself if it is.
 * @returns `cpu` if none is (a machine that is not booted)
 */
export function onlineInstead(cpus: readonly Cpu[], cpu: Cpu): Cpu {
  for (let i = 0; i < cpus.length; i++) {
    const other = cpus[(cpu.id + i) % cpus.length];
    if (cpuOnline(other)) return other;
  }
  return cpu;
}
