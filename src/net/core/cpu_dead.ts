// SPDX-License-Identifier: GPL-2.0-only
/**
 * What a CPU that went offline leaves to another one (Linux: dev_cpu_dead in net/core/dev.c).
 *
 * Linux queues the dead CPU's frames anew on the one that runs this, and frames that come meanwhile overtake them. Here
 * its backlog stays as it is and is served by another CPU: frames keep their order, and those who steer leave it as soon
 * as their latest frame there is through (rps.ts).
 *
 * Owner: the holder of the CPU hotplug mutex, after the CPU's thread rests, its per-CPU threads are parked, and a grace
 * period has passed since `online` was cleared: nobody is left who saw it online.
 *
 * Invariant: afterwards no list of the CPU holds anything, and none will until it comes back.
 *
 * Ordering
 *   L2 online = 0, then the poll list under irqLock           pairs with  L1 (poll_list.ts)
 *   R5 online = 0, then rpsIpiList under irqLock              pairs with  R4 (backlog_queue.ts)
 *   R7 online = 0, grace period, then SCHED_THREADED          pairs with  R6 (backlog_queue.ts)
 *   F4 online = 0, then the deferred frees under deferLock    pairs with  F3 (defer_free.ts)
 */
import { irqLockCpu, irqUnlockCpu } from '../../kernel/bh.js';
import type { Cpu } from '../../kernel/cpu.js';
import type { CpuhpStep } from '../../kernel/cpu_hotplug.js';
import { listDelInit, listEmpty, listSpliceTailInit } from '../../mm/list.js';
import { netRpsAction } from './backlog_queue.js';
import { skbDeferFreeAll } from './defer_free.js';
import { NAPI, NAPIF_STATE_SCHED_THREADED } from './napi.js';
import type { NetContext } from './net_context.js';
import { napiPollListAdd } from './poll_list.js';
import { NET, THREAD_BACKLOG_NAPI_OFF } from './softnet_data.js';

/** The network layer's part of CPU hotplug. */
export function devCpuDeadStep(net: NetContext): CpuhpStep {
  return { dead: (_cur, cpu, to) => devCpuDead(net, cpu, to) };
}

function devCpuDead(net: NetContext, cpu: Cpu, to: Cpu): void {
  const { m } = net;
  const sd = net.softnet[cpu.id];
  // A round that was cut short left it set; the one who would have gone on is at rest.
  Atomics.store(m, sd.inNetRxAction, 0);
  irqLockCpu(cpu);
  listSpliceTailInit(m, sd.pollList, sd.roundList); // L2
  irqUnlockCpu(cpu);
  while (!listEmpty(m, sd.roundList)) {
    const n = net.napi(m[sd.roundList] - NAPI.pollList);
    listDelInit(m, n.pollList);
    napiPollListAdd(net, to, n);
  }
  const backlog = net.napi(sd.backlog);
  if (
    m[net.at + NET.threadBacklogNapi] !== THREAD_BACKLOG_NAPI_OFF &&
    (Atomics.load(m, backlog.state) & NAPIF_STATE_SCHED_THREADED) !== 0 // R7
  ) {
    // Scheduled for a thread that is parked, or was in the middle of it: a softirq goes on.
    Atomics.and(m, backlog.state, ~NAPIF_STATE_SCHED_THREADED);
    napiPollListAdd(net, to, backlog);
  }
  netRpsAction(net, cpu); // R5
  skbDeferFreeAll(net, sd); // F4
}
