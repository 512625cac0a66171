// SPDX-License-Identifier: GPL-2.0-only
/**
 * A thread that serves a CPU in place of the CPU's own, and runs tasks on it: process context, softirqs and interrupts of
 * one CPU in one thread, as in a kernel. What a task leaves undone for a softirq's sake is lost to it, and the other way
 * round.
 *
 * States of a CPU: served by its own thread (`task` = `ownTask`) ⇄ served by another. In between nobody serves it, and what
 * comes waits.
 *
 * Owners: `task` belongs to the holder of the cpuHotplug mutex; anybody loads it.
 *
 * Invariants
 *   - One thread at a time serves: the other one rests, or has not begun.
 *   - No wake-up is lost: whoever wakes the thread that serves has stored what it is to see before it loaded `task`; the one
 *     that takes over looks at everything behind the store of `task`.
 *
 * Ordering
 *   C3 waker: store of its condition, then load of `task`                       pairs with  C4
 *   C4 take, give back: store of `task`, then the new one looks at everything   pairs with  C3
 *   C5 take: task, then dying = 1, then waits for idleDead                      pairs with  C6
 *   C6 own thread: load of `task`, then takes dying, completes idleDead         pairs with  C5
 */
import { localBhDisable } from './bh.js';
import { CPU, type Cpu, cpuOnline, cpuTask } from './cpu.js';
import { type Current, KERNEL, KERNEL_AT } from './current.js';
import { EBUSY } from './errno.js';
import { hrtimerRunQueues } from './hrtimer.js';
import { rcuQuiescentState, rcuReadLock, rcuReadUnlock } from './rcu.js';
import { releaseMutex, sleepOnCompletion, sleepOnMutex } from './sched.js';
import { cpuIdle, cpuRunsSoftirq, doSoftirq, localBhEnableSoftirq } from './softirq.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING, wakeUpProcess } from './task.js';

const HOTPLUG = KERNEL_AT + KERNEL.cpuHotplug;

/** The tasks of a CPU. */
export interface CpuTasks {
  /** @returns true if a task can go on */
  runnable(): boolean;
  /** Lets a task go on, in its own code and in system calls (systemCallBegin), for a short while. */
  step(): void;
  /** @returns true once no task is left */
  ended(): boolean;
}

/**
 * The calling thread serves `cpu` from now on. Process context.
 * @returns 0, or -EBUSY if the CPU is offline, or another thread stands in already
 */
export function cpuTake(cur: Current, cpu: Cpu): number {
  const { m } = cur;
  sleepOnMutex(cur, HOTPLUG);
  const own = m[cpu.at + CPU.ownTask];
  if (!cpuOnline(cpu) || cpuTask(cpu) !== own) {
    releaseMutex(cur, HOTPLUG);
    return -EBUSY;
  }
  Atomics.store(m, cpu.at + CPU.task, cur.task.at); // C4
  Atomics.store(m, cpu.at + CPU.dying, 1); // C5
  wakeUpProcess(m, own);
  sleepOnCompletion(cur, cpu.at + CPU.idleDead); // C5
  releaseMutex(cur, HOTPLUG);
  return 0;
}

/** The CPU's own thread serves it again. */
export function cpuGiveBack(cur: Current, cpu: Cpu): void {
  const { m } = cur;
  sleepOnMutex(cur, HOTPLUG);
  const own = m[cpu.at + CPU.ownTask];
  Atomics.store(m, cpu.at + CPU.task, own); // C4
  wakeUpProcess(m, own);
  releaseMutex(cur, HOTPLUG);
}

/**
 * Serves the running thread's CPU, which it has taken, until its tasks have ended. Interrupts (timers) are looked at between two
 * steps of a task; softirqs run at their end and at the end of system calls, up to the limits of doSoftirq, then ksoftirqd
 * competes for the host's core as a thread.
 */
export function cpuTaskLoop(cur: Current, tasks: CpuTasks): void {
  const { task } = cur;
  rcuReadLock(cur);
  let interrupted = true;
  for (;;) {
    setCurrentState(task, TASK_INTERRUPTIBLE); // Q2 of softirq.ts
    if (cpuRunsSoftirq(cur, interrupted)) {
      setCurrentState(task, TASK_RUNNING);
      doSoftirq(cur);
    }
    interrupted = false;
    if (tasks.runnable()) {
      setCurrentState(task, TASK_RUNNING);
      rcuReadUnlock(cur);
      tasks.step();
      rcuReadLock(cur);
      interrupted = hrtimerRunQueues(cur) === 0;
    } else if (tasks.ended()) {
      break;
    } else {
      cpuIdle(cur);
      interrupted = true;
    }
    rcuQuiescentState(cur);
  }
  setCurrentState(task, TASK_RUNNING);
  rcuReadUnlock(cur);
}

/** A task enters the kernel: bottom halves are off until systemCallEnd. */
export function systemCallBegin(cur: Current): void {
  localBhDisable(cur);
}

/** It leaves it: softirqs that are pending run now, unless they are left to ksoftirqd. */
export function systemCallEnd(cur: Current): void {
  localBhEnableSoftirq(cur);
}
