// SPDX-License-Identifier: GPL-2.0-only
/** What softnet_data counts, as /proc/net/softnet_stat tells it (Linux: softnet_seq_show in net/core/net-procfs.c). */
import { perCpuPtr } from '../mm/percpu.js';
import { SD_FLOW_LIMIT } from '../net/core/flow_limit.js';
import { NET, SOFTNET_DATA } from '../net/core/softnet_data.js';

/** Counters of one CPU (they wrap at 2^32), and how much waits in its backlog. */
export interface SoftnetStat {
  readonly cpu: number;
  /** Frames handed to the protocols. */
  readonly processed: number;
  /** Frames for its backlog that were dropped: the input queue was full, or flow limit had it so. */
  readonly dropped: number;
  /** Rounds of the softirq that ran out of budget or time. */
  readonly timeSqueeze: number;
  /** Interrupts of other CPUs that had queued for its backlog. */
  readonly receivedRps: number;
  /** Frames that flow limit dropped on this CPU, for whichever backlog; since it was switched on. */
  readonly flowLimit: number;
  /** Both queues of its backlog. */
  readonly backlogLength: number;
  readonly inputQlen: number;
  readonly processQlen: number;
}

/** Reads a CPU's counters; racy while it works, as counters are. @param net struct net */
export function softnetStatOf(m: Int32Array, net: number, cpu: number): SoftnetStat {
  const sd = perCpuPtr(m[net + NET.softnetData], SOFTNET_DATA, cpu);
  const count = (word: number): number => Atomics.load(m, sd + word) >>> 0;
  const inputQlen = count(SOFTNET_DATA.inputQlen);
  const processQlen = count(SOFTNET_DATA.processQlen);
  return {
    cpu,
    processed: count(SOFTNET_DATA.processed),
    dropped: count(SOFTNET_DATA.dropped),
    timeSqueeze: count(SOFTNET_DATA.timeSqueeze),
    receivedRps: count(SOFTNET_DATA.receivedRps),
    flowLimit: flowLimitOf(m, sd + SOFTNET_DATA.flowLimit),
    backlogLength: inputQlen + processQlen,
    inputQlen,
    processQlen,
  };
}

/** The table is freed a grace period after the pointer was taken away: a pointer that is still there was valid. */
function flowLimitOf(m: Int32Array, slot: number): number {
  for (;;) {
    const fl = Atomics.load(m, slot);
    if (fl === 0) return 0;
    const count = Atomics.load(m, fl + SD_FLOW_LIMIT.count) >>> 0;
    if (Atomics.load(m, slot) === fl) return count;
  }
}

/** @returns the CPU's line: fifteen columns of eight hexadecimal digits */
export function softnetStatLine(s: SoftnetStat): string {
  const { processed, dropped, timeSqueeze, receivedRps, flowLimit, backlogLength, inputQlen, processQlen } =
    s;
  const gone = [0, 0, 0, 0, 0, 0]; // fast routes and collisions, once
  const columns = [processed, dropped, timeSqueeze, ...gone, receivedRps, flowLimit, backlogLength, s.cpu];
  return [...columns, inputQlen, processQlen].map((n) => n.toString(16).padStart(8, '0')).join(' ');
}
