// SPDX-License-Identifier: GPL-2.0-only
/**
 * The poll list of a CPU (Linux: the second half of ____napi_schedule in net/core/dev.c).
 *
 * Owner: the CPU's irqLock; an instance is put there by the owner of its SCHED, who then owns it no longer.
 *
 * Invariant: no instance is in the list of a CPU that is offline once its `dead` step is over.
 *
 * Ordering
 *   N7 scheduler: list add, load of inNetRxAction, under irqLock  pairs with  N8 (napi_poll.ts)
 *   L1 scheduler: holds irqLock, then loads online                pairs with  L2
 *   L2 hotplug: online = 0, then takes the list under irqLock (cpu_dead.ts)   pairs with  L1
 */
import { irqLockCpu, irqUnlockCpu } from '../../kernel/bh.js';
import { type Cpu, cpuOnline, onlineInstead } from '../../kernel/cpu.js';
import { NET_RX_SOFTIRQ, raiseSoftirq } from '../../kernel/softirq.js';
import { listAddTail } from '../../mm/list.js';
import { NAPI, type Napi } from './napi.js';
import type { NetContext } from './net_context.js';

/** Puts an instance whose SCHED the caller holds onto the poll list of `cpu`, or of another one if that is offline. */
export function napiPollListAdd(net: NetContext, cpu: Cpu, n: Napi): void {
  const { m } = n;
  const on = lockOnline(net, cpu);
  const sd = net.softnet[on.id];
  listAddTail(m, n.pollList, sd.pollList);
  m[n.at + NAPI.listOwner] = on.id + 1;
  const polling = Atomics.load(m, sd.inNetRxAction); // N7
  irqUnlockCpu(on);
  if (polling === 0) raiseSoftirq(net.cur, on, NET_RX_SOFTIRQ);
}

/** Takes the irqLock of `cpu`, or of the one that stands in for it. @returns which: to be unlocked by irqUnlockCpu */
export function lockOnline(net: NetContext, cpu: Cpu): Cpu {
  const { cpus } = net.cur;
  irqLockCpu(cpu);
  while (!cpuOnline(cpu)) {
    // L1
    irqUnlockCpu(cpu);
    cpu = onlineInstead(cpus, cpu);
    irqLockCpu(cpu);
  }
  return cpu;
}
