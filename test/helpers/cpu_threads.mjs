// SPDX-License-Identifier: GPL-2.0-only
//
// The CPUs of a bare kernel, for scenarios that need softirqs or timers: as src/threads/control_cpus.ts boots them.

import { CPU } from '../../dist/kernel/cpu.js';
import { kthreadRun, kthreadStop } from '../../dist/kernel/kthread.js';
import {
  smpbootCreateThread,
  smpbootDestroyThread,
  smpbootThreadFn,
  smpbootUnparkThread,
} from '../../dist/kernel/smpboot.js';
import { cpuIdleLoop, KSOFTIRQD } from '../../dist/kernel/softirq.js';

/** The thread functions of CPUs, for a scenario module's `kthreadFns`. */
export const cpuThreadFns = [cpuIdleLoop, (cur, cpu) => smpbootThreadFn(cur, KSOFTIRQD, cpu)];

/** Starts the threads of every CPU, ksoftirqd unless told not to. */
export function bootCpus(cur, { ksoftirqd = true } = {}) {
  for (const cpu of cur.cpus) {
    const t = kthreadRun(cur, 0, cpu.id, cpu.id, 1, `cpu/${cpu.id}`);
    Atomics.store(cur.m, cpu.at + CPU.task, t);
    if (!ksoftirqd) continue;
    smpbootCreateThread(cur, cpu.at + CPU.ksoftirqd, 1, 2, cpu.id, `ksoftirqd/${cpu.id}`);
    smpbootUnparkThread(cur, cpu.at + CPU.ksoftirqd);
  }
}

/** Stops them. @returns what the CPUs' own threads returned */
export function stopCpus(cur) {
  return cur.cpus.map((cpu) => {
    smpbootDestroyThread(cur, cpu.at + CPU.ksoftirqd);
    const t = Atomics.exchange(cur.m, cpu.at + CPU.task, 0);
    return kthreadStop(cur, t);
  });
}
