// SPDX-License-Identifier: GPL-2.0-only
/**
 * What the machine under the bench is, and whether it was busy with something else while a row was measured. Linux
 * only, through /proc; elsewhere the numbers are null and nothing is said about them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, type } from 'node:os';

/** Ticks a second of /proc/stat (USER_HZ, the same on every Linux). */
const TICKS_PER_S = 100;

/** Figures of the host, once at the start: the bench itself raises the load average later. */
export function hostFacts() {
  const [one, five, fifteen] = loadavg();
  return {
    cpu_model: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    kernel: `${type()} ${release()}`,
    node: process.versions.node,
    v8: process.versions.v8,
    load_average_1min: one,
    load_average_5min: five,
    load_average_15min: fifteen,
  };
}

/** Watches the host from its making until `stop`. */
export class HostWatch {
  constructor() {
    this.startNs = process.hrtime.bigint();
    this.own = process.cpuUsage();
    this.hostS = hostCpuSeconds();
    this.delays = runDelays();
  }

  /** @returns what happened meanwhile; call it while the row's threads still live */
  stop() {
    const wallS = Number(process.hrtime.bigint() - this.startNs) / 1e9;
    const own = process.cpuUsage(this.own);
    const ownS = (own.user + own.system) / 1e6;
    const hostS = hostCpuSeconds();
    const delays = runDelays();
    return {
      wall_s: wallS,
      own_cpu_s: ownS,
      /** Cores that others used, on the average. */
      others_cores: hostS === null ? null : Math.max(0, hostS - this.hostS - ownS) / wallS,
      /** Time the process's threads could have run but had no core, in thread-seconds. */
      run_delay_s: delays === null ? null : sumOfGrowth(this.delays, delays) / 1e9,
    };
  }
}

/**
 * CPU time spent by everybody since boot, what the hypervisor took included; null where it is not known, or where it is
 * about more cores than this process may use.
 */
function hostCpuSeconds() {
  if (availableParallelism() !== cpus().length) return null;
  try {
    const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0];
    const [user, nice, system, , , irq, softirq, steal] = line.split(/\s+/).slice(1).map(Number);
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S;
  } catch {
    return null;
  }
}

/** Run delay of each thread of this process so far, ns by thread id; null where it is not known. */
function runDelays() {
  try {
    const delays = new Map();
    for (const tid of readdirSync('/proc/self/task')) {
      try {
        delays.set(tid, Number(readFileSync(`/proc/self/task/${tid}/schedstat`, 'utf8').split(' ')[1]));
      } catch {
        // The thread has ended since.
      }
    }
    return delays;
  } catch {
    return null;
  }
}

function sumOfGrowth(before, after) {
  let sum = 0;
  for (const [tid, ns] of after) sum += ns - (before.get(tid) ?? 0);
  return sum;
}
