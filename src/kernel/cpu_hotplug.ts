// SPDX-License-Identifier: GPL-2.0-only
/**
 * CPUs that come and go (Linux: kernel/cpu.c).
 *
 * States of a CPU: online; offline (its thread rests, its smpboot threads are parked, its queues are empty). Down: the
 * threads are parked, `online` is cleared under its bhLock, its thread reports that it rests, a grace period passes, then
 * timers and what the layers above keep for it move to another CPU. Up: the other way round.
 *
 * Owners: everything here belongs to the holder of the cpuHotplug mutex. Process context.
 *
 * Invariants
 *   - At least one CPU is online.
 *   - Whoever adds to a queue of a CPU looks at `online` under the lock of that queue: it finds the CPU online and is
 *     followed by the one who moves the queue, or goes elsewhere.
 *   - Once the `dead` steps run, no read section of RCU is left that saw the CPU online.
 *
 * Ordering
 *   B3 lock, online = 0, unlock  pairs with  B4 (bh.ts)
 *   H6 online = 0, then the timers under timerLock  pairs with  H5 (hrtimer.ts)
 *   C1 CPU thread: sees online = 0, takes dying, completes idleDead   pairs with  C2
 *   C2 online = 0, dying = 1, waits for idleDead, then moves the queues   pairs with  C1
 */
import { localBhDisable, localBhEnable } from './bh.js';
import { CPU, type Cpu, cpuOnline, cpuTask, onlineInstead } from './cpu.js';
import { type Current, KERNEL, KERNEL_AT } from './current.js';
import { EBUSY } from './errno.js';
import { hrtimersCpuDead } from './hrtimer.js';
import { synchronizeRcu } from './rcu.js';
import { releaseMutex, sleepOnCompletion, sleepOnMutex, tryToWakeUp } from './sched.js';

/** What a layer does when a CPU comes or goes (Linux: struct cpuhp_step). */
export interface CpuhpStep {
  /** The CPU is up. */
  startup?(cur: Current, cpu: Cpu): void;
  /** The CPU is about to go; it still takes interrupts. */
  teardown?(cur: Current, cpu: Cpu): void;
  /** It is gone: what it has left goes to `to`. */
  dead?(cur: Current, cpu: Cpu, to: Cpu): void;
}

const HOTPLUG = KERNEL_AT + KERNEL.cpuHotplug;

function onlineCpus(cur: Current): number {
  let n = 0;
  for (let i = 0; i < cur.cpus.length; i++) if (cpuOnline(cur.cpus[i])) n++;
  return n;
}

/**
 * Takes a CPU offline (Linux: cpu_down). Process context.
 * @param steps in the order of startup; teardown and dead go backwards
 * @returns 0, also if it is offline, or -EBUSY for the last one, and for one that an application serves
 */
export function cpuDown(cur: Current, cpu: Cpu, steps: readonly CpuhpStep[]): number {
  const { m } = cur;
  sleepOnMutex(cur, HOTPLUG);
  if (!cpuOnline(cpu) || onlineCpus(cur) === 1 || cpuTask(cpu) !== m[cpu.at + CPU.ownTask]) {
    const err = cpuOnline(cpu) ? -EBUSY : 0;
    releaseMutex(cur, HOTPLUG);
    return err;
  }
  for (let i = steps.length - 1; i >= 0; i--) steps[i].teardown?.(cur, cpu);
  takeCpuDown(cur, cpu);
  Atomics.store(m, cpu.at + CPU.dying, 1); // C2
  tryToWakeUp(cur, cpuTask(cpu));
  sleepOnCompletion(cur, cpu.at + CPU.idleDead); // C2
  synchronizeRcu(cur);
  const to = onlineInstead(cur.cpus, cpu);
  hrtimersCpuDead(cur, cpu, to); // H6
  for (let i = steps.length - 1; i >= 0; i--) steps[i].dead?.(cur, cpu, to);
  releaseMutex(cur, HOTPLUG);
  return 0;
}

/** Clears `online` while nobody is in a softirq or a poll of that CPU (Linux: take_cpu_down). */
function takeCpuDown(cur: Current, cpu: Cpu): void {
  const { cpu: was, home, pinned } = cur;
  cur.cpu = cpu;
  cur.home = cpu;
  cur.pinned = true;
  localBhDisable(cur);
  Atomics.store(cur.m, cpu.online, 0); // B3
  localBhEnable(cur);
  cur.cpu = was;
  cur.home = home;
  cur.pinned = pinned;
}

/** Brings a CPU online (Linux: cpu_up). Process context. @returns 0, also if it is online */
export function cpuUp(cur: Current, cpu: Cpu, steps: readonly CpuhpStep[]): number {
  const { m } = cur;
  sleepOnMutex(cur, HOTPLUG);
  if (!cpuOnline(cpu)) {
    Atomics.store(m, cpu.online, 1);
    tryToWakeUp(cur, cpuTask(cpu));
    for (let i = 0; i < steps.length; i++) steps[i].startup?.(cur, cpu);
  }
  releaseMutex(cur, HOTPLUG);
  return 0;
}
