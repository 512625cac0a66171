// SPDX-License-Identifier: GPL-2.0-only
/**
 * Softirqs, the CPU's idle loop and ksoftirqd (Linux: kernel/softirq.c, kernel/sched/idle.c).
 *
 * States of a CPU: idle (its thread sleeps), in softirq (its thread or ksoftirqd holds bhLock and runs handlers).
 *
 * Owners
 *   softirqPending  anybody sets bits; whoever runs softirqs takes them all by exchange, under bhLock
 *   handlers        whoever holds bhLock
 *   ksoftirqdActive ksoftirqd
 * While ksoftirqd is active and running it has taken over: the CPU's own thread leaves pending bits to it, unless an
 * interrupt came and softirqs are to run inline (KERNEL.softirqInline: as before 2016 and since 2023; Linux 4cd13c21b207,
 * d15121be7485). One that is about to be parked or stopped before it is active, or once it no longer is, tells nobody: it is not relied on.
 *
 * Invariant: a pending bit is always followed by a run: the raiser wakes the CPU's thread, and nobody goes to sleep
 * without looking at the bits after setting its sleeping state.
 *
 * Ordering
 *   Q1 raiser: or of softirqPending, then wakeUpProcess (loads state)       pairs with  Q2
 *   Q2 CPU thread, ksoftirqd: store sleeping state, then load softirqPending pairs with  Q1
 *   Q3 CPU thread: load softirqPending, then load ksoftirqd's state          pairs with  Q2
 *      (if it sees ksoftirqd running, ksoftirqd will look at the bits before it sleeps)
 *   Q4 CPU thread: store its sleeping state, then load ksoftirqdActive       pairs with  Q5
 *   Q5 ksoftirqd, to park or stop: ksoftirqdActive off, then wakes the CPU's thread   pairs with  Q4
 */
import { condResched, localBhDisable, localBhEnable } from './bh.js';
import { complete } from './completion.js';
import { CPU, type Cpu, cpuOnline, cpuTask } from './cpu.js';
import { type Current, KERNEL, KERNEL_AT } from './current.js';
import { hrtimerRunQueues } from './hrtimer.js';
import { kthreadShouldStop } from './kthread.js';
import { rcuQuiescentState } from './rcu.js';
import { schedule, scheduleUntil, tryToWakeUp } from './sched.js';
import type { SmpHotplugThread } from './smpboot.js';
import { setCurrentState, TASK, TASK_INTERRUPTIBLE, TASK_RUNNING } from './task.js';
import { TP_SOFTIRQ_ENTRY, TP_SOFTIRQ_EXIT, TP_SOFTIRQ_RAISE, trace } from './trace.js';

export const NET_RX_SOFTIRQ = 0;

/** Softirqs run this long before ksoftirqd takes over (Linux: MAX_SOFTIRQ_TIME, 2 ms). */
export const MAX_SOFTIRQ_TIME_US = 2000;
/** Softirqs restart this often before ksoftirqd takes over (Linux: MAX_SOFTIRQ_RESTART). */
export const MAX_SOFTIRQ_RESTART = 10;

/** Marks softirq `nr` pending on `cpu` and sees that it will run (Linux: raise_softirq_irqoff). */
export function raiseSoftirq(cur: Current, cpu: Cpu, nr: number): void {
  const { m } = cur;
  const was = Atomics.or(m, cpu.softirqPending, 1 << nr); // Q1
  if ((was & (1 << nr)) !== 0) return; // who set it has seen to it
  trace(cur, TP_SOFTIRQ_RAISE, nr, cpu.id);
  if (cur.runsSoftirqs && cur.bhCount > 0 && cur.bhCpu === cpu) return; // localBhEnableSoftirq runs it
  const t = cpuTask(cpu);
  if (t !== cur.task.at) tryToWakeUp(cur, t);
}

/** Marks it pending from within a softirq, which looks again before it ends (Linux: __raise_softirq_irqoff). */
export function raiseSoftirqNoWake(cur: Current, cpu: Cpu, nr: number): void {
  Atomics.or(cur.m, cpu.softirqPending, 1 << nr);
}

/**
 * Runs the pending softirqs of the running thread's CPU, again and again within the limits, then hands over
 * (Linux: __do_softirq).
 */
export function doSoftirq(cur: Current): void {
  const { m } = cur;
  localBhDisable(cur);
  const cpu = cur.bhCpu;
  // Offline: what is pending has been taken over by another CPU.
  let pending = cpuOnline(cpu) ? Atomics.exchange(m, cpu.softirqPending, 0) : 0;
  if (pending !== 0) {
    m[cpu.at + CPU.softirqRuns]++;
    const endUs = (cur.platform.nowUs() + MAX_SOFTIRQ_TIME_US) | 0;
    let maxRestart = MAX_SOFTIRQ_RESTART;
    trace(cur, TP_SOFTIRQ_ENTRY, pending);
    for (;;) {
      for (let nr = 0; pending >>> nr !== 0; nr++) {
        if (((pending >>> nr) & 1) !== 0) cur.softirqVec[nr](cur);
      }
      if (Atomics.load(m, cpu.softirqPending) === 0) break;
      maxRestart--;
      if (maxRestart === 0 || ((cur.platform.nowUs() - endUs) | 0) >= 0) {
        wakeupSoftirqd(cur, cpu);
        break;
      }
      pending = Atomics.exchange(m, cpu.softirqPending, 0);
    }
    trace(cur, TP_SOFTIRQ_EXIT, pending);
  }
  localBhEnable(cur);
}

function wakeupSoftirqd(cur: Current, cpu: Cpu): void {
  const { m } = cur;
  m[cpu.at + CPU.softirqHandovers]++;
  const t = Atomics.load(m, cpu.at + CPU.ksoftirqd);
  if (t !== 0 && t !== cur.task.at) tryToWakeUp(cur, t);
}

/** @returns true if ksoftirqd is at work and is left alone with it, also at the end of an interrupt or a system call */
function leftToKsoftirqd(m: Int32Array, cpu: Cpu): boolean {
  return m[KERNEL_AT + KERNEL.softirqInline] === 0 && ksoftirqdRunning(m, cpu);
}

/** @returns true if ksoftirqd will look at the pending bits before it sleeps, or wake the CPU's thread before it parks */
function ksoftirqdRunning(m: Int32Array, cpu: Cpu): boolean {
  const t = Atomics.load(m, cpu.at + CPU.ksoftirqd);
  if (t === 0) return false;
  if (Atomics.load(m, cpu.at + CPU.ksoftirqdActive) === 0) return false; // Q4
  return Atomics.load(m, t + TASK.state) === TASK_RUNNING; // Q3
}

/**
 * Enables bottom halves again in process context and runs the softirqs that were raised meanwhile
 * (Linux: __local_bh_enable_ip), unless they are left to ksoftirqd. For threads with `runsSoftirqs`.
 */
export function localBhEnableSoftirq(cur: Current): void {
  const { m, bhCpu: cpu } = cur;
  localBhEnable(cur);
  if (cur.bhCount > 0 || Atomics.load(m, cpu.softirqPending) === 0) return;
  if (leftToKsoftirqd(m, cpu)) return;
  if (cpu === cur.cpu) {
    doSoftirq(cur);
    if (cur.bhCpu === cpu) return;
  }
  // It counts as running elsewhere, maybe only since its own CPU came back: whoever raised them relied on this.
  tryToWakeUp(cur, cpuTask(cpu));
}

/** A CPU's own thread: takes interrupts' softirqs and timers, sleeps when idle (Linux: do_idle). */
export function cpuIdleLoop(cur: Current): number {
  const { m, cpu, task } = cur;
  cur.pinned = true;
  let interrupted = false;
  for (;;) {
    setCurrentState(task, TASK_INTERRUPTIBLE); // Q2
    if (kthreadShouldStop(cur)) break;
    if (!cpuOnline(cpu) || cpuTask(cpu) !== task.at) {
      // Linux: cpuhp_report_idle_dead. It is in no softirq and no timer's function. Asked each time it is taken down: it
      // may not have seen that it was online in between.
      if (Atomics.exchange(m, cpu.at + CPU.dying, 0) !== 0) complete(m, cpu.at + CPU.idleDead);
      schedule(cur);
      continue;
    }
    if (cpuRunsSoftirq(cur, interrupted)) {
      setCurrentState(task, TASK_RUNNING);
      doSoftirq(cur);
      rcuQuiescentState(cur);
      condResched(cur);
      // Timers and stop requests are looked at between rounds, too.
      interrupted = hrtimerRunQueues(cur) === 0;
      continue;
    }
    cpuIdle(cur);
    interrupted = true;
  }
  setCurrentState(task, TASK_RUNNING);
  return 0;
}

/**
 * @param interrupted something came since softirqs were run last
 * @returns true if the thread that serves the CPU is to run softirqs now
 */
export function cpuRunsSoftirq(cur: Current, interrupted: boolean): boolean {
  const { m, cpu } = cur;
  if (Atomics.load(m, cpu.softirqPending) === 0) return false; // Q2
  return !(interrupted ? leftToKsoftirqd(m, cpu) : ksoftirqdRunning(m, cpu));
}

/**
 * Runs the timers that are due; if there are none, sleeps until one is, or until it is woken: an interrupt has come then. The
 * sleeping state is set.
 */
export function cpuIdle(cur: Current): void {
  const nextUs = hrtimerRunQueues(cur);
  if (nextUs < 0) schedule(cur);
  // As promised: whatever holds this thread up before it sleeps does not make the sleep end later.
  else if (nextUs > 0) scheduleUntil(cur, cur.m[cur.cpu.timerLook]);
}

/** ksoftirqd/N: a per-CPU thread which runs when the limits were reached. */
export const KSOFTIRQD: SmpHotplugThread = {
  shouldRun(cur: Current): boolean {
    return Atomics.load(cur.m, cur.cpu.softirqPending) !== 0; // Q2
  },
  threadFn(cur: Current): void {
    doSoftirq(cur);
    rcuQuiescentState(cur);
    condResched(cur);
  },
  setup: takeOver,
  unpark: takeOver,
  // What is left is the CPU's own thread's again.
  park: handBack,
  cleanup: handBack,
};

function takeOver(cur: Current): void {
  Atomics.store(cur.m, cur.cpu.at + CPU.ksoftirqdActive, 1);
}

function handBack(cur: Current): void {
  const { m, cpu } = cur;
  Atomics.store(m, cpu.at + CPU.ksoftirqdActive, 0);
  tryToWakeUp(cur, cpuTask(cpu)); // Q5
}
