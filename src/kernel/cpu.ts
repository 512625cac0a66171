// SPDX-License-Identifier: GPL-2.0-only
/**
 * The per-CPU area of the kernel proper: locks that stand for local_bh_disable and local_irq_save, softirq bits,
 * timer base.
 */
import { line, struct, word } from '../mm/struct.js';

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
  line('boot and hotplug, under the CPU hotplug mutex', {
    online: word('1 while it takes interrupts'),
    task: word('task_struct of the CPU’s own thread'),
    ksoftirqd: word('task_struct of ksoftirqd/N'),
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

  constructor(m: Int32Array, at: number, id: number) {
    this.m = m;
    this.at = at;
    this.id = id;
    this.softirqPending = at + CPU.softirqPending;
    this.bhLock = at + CPU.bhLock;
    this.irqLock = at + CPU.irqLock;
    this.timerLock = at + CPU.timerLock;
    this.timerFirst = at + CPU.timerFirst;
  }
}
