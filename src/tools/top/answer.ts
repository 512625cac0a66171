// SPDX-License-Identifier: GPL-2.0-only
/** The machine's side of `softnet top`: its counters. */
import { NodePlatform } from '../../kernel/platform.js';
import type { Machine } from '../../machine.js';
import type { ThreadStats } from '../../statistics.js';
import type { TopAnswer } from './sample.js';

const clock = new NodePlatform();

/** @returns CPU time of threads of one name, those that ended too; null where it is not available */
function cpuNs(threads: readonly ThreadStats[], names: readonly string[]): number | null {
  let ns: number | null = null;
  for (const t of threads) {
    if (t.cpuNs !== null && names.includes(t.name)) ns = (ns ?? 0) + t.cpuNs;
  }
  return ns;
}

/** @returns the counters as they are */
export async function topAnswer(machine: Machine): Promise<TopAnswer> {
  const lists = machine.netDevices().map(async (d) => (await d.napis()).map((n) => ({ dev: d.name, n })));
  const napis = (await Promise.all(lists)).flat();
  const threads = machine.threads();
  const cpus = machine.softnetStat().map((s, cpu) => ({
    cpu,
    online: s.online,
    softirq_ns: cpuNs(threads, [`cpu/${cpu}`, `ksoftirqd/${cpu}`]),
    processed: s.processed,
    dropped: s.dropped,
    time_squeeze: s.timeSqueeze,
  }));
  return {
    now_ns: clock.nowNs(),
    cpus,
    napis: napis.map(({ dev, n }) => {
      const own = n.tid === null ? undefined : threads.find((t) => t.running && t.tid === n.tid);
      return {
        dev,
        id: n.id,
        state: n.state,
        mode: n.mode,
        thread: n.tid === null ? null : (own?.name ?? String(n.tid)),
        thread_ns: own?.cpuNs ?? null,
        polls: n.polls,
        packets: n.packets,
      };
    }),
    drops: machine.drops(),
  };
}
