// SPDX-License-Identifier: GPL-2.0-only
/**
 * Cores of the host for the threads of a stream: one for everything that runs on the virtual CPU, the others for the rest. A
 * hypervisor's CPU is a core, so its softirqs run on that one; its threads go where the host's scheduler has them go.
 */
import { readSchedAttributes } from '../../threads/os_sched.js';
import { coresOf, pinCores, pinThread } from '../rr/pin.js';

export interface Cores {
  /** The virtual CPU's. */
  readonly vcpu: number;
  /** Those of the hypervisor's CPUs, in their order. */
  readonly hypervisor: readonly number[];
}

/** @returns the cores; or why threads stay where the host puts them */
export function streamCores(): Cores | string {
  const two = pinCores('auto');
  if (typeof two !== 'string') return { vcpu: two[1], hypervisor: two };
  const allowed = coresOf(readSchedAttributes(process.pid)?.cpus ?? '');
  return allowed.length === 1 ? 'this process may use one core only, so everything shares it' : two;
}

/** A thread, as machines tell of it. */
interface Pinnable {
  readonly name: string;
  readonly tid: number;
  readonly running: boolean;
}

/** Threads of the guest that run on its virtual CPU. */
const OF_THE_VCPU = /^(app\/tasks|napi\/|ksoftirqd\/|cpu\/)/;

/** Pins the guest's threads that are not yet. @returns false if the host would not have it */
export function pinGuest(threads: readonly Pinnable[], cores: Cores, pinned: Set<number>): boolean {
  let ok = true;
  for (const { name, tid, running } of threads) {
    if (!running || !OF_THE_VCPU.test(name)) continue;
    // The application's worker is another one each time, and goes back to the pool as it came.
    if (!name.startsWith('app/')) {
      if (pinned.has(tid)) continue;
      pinned.add(tid);
    }
    ok = pinThread(tid, cores.vcpu) && ok;
  }
  return ok;
}

/** Pins each CPU of a hypervisor, and its ksoftirqd, to its core. @returns false if the host would not have it */
export function pinHypervisor(threads: readonly Pinnable[], cores: Cores): boolean {
  let ok = true;
  for (const { name, tid, running } of threads) {
    const cpu = /^(?:cpu|ksoftirqd)\/(\d+)$/.exec(name)?.[1];
    if (!running || cpu === undefined) continue;
    ok = pinThread(tid, cores.hypervisor[Number(cpu) % cores.hypervisor.length]) && ok;
  }
  return ok;
}
