// SPDX-License-Identifier: GPL-2.0-only
/**
 * Flow limit (Linux: skb_flow_limit in net/core/dev.c, flow_limit_cpu_sysctl): once the input queue of a backlog is half
 * full, frames of a flow that makes up most of the recent ones are dropped first.
 *
 * Owners: the table of a CPU belongs to its irqLock: whoever enqueues on that CPU, in a poll or in an interrupt. The
 * pointer is written under sysctlMutex and read under RCU.
 *
 * Invariant: a bucket counts how often its flows stand in the history; the sum of all buckets is its length, once it is
 * full.
 */
import { irqLockCpu, irqUnlockCpu } from '../../kernel/bh.js';
import { ENOMEM } from '../../kernel/errno.js';
import { synchronizeRcu } from '../../kernel/rcu.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { line, struct, word, words } from '../../mm/struct.js';
import type { NetContext } from './net_context.js';
import { NET, SOFTNET_DATA } from './softnet_data.js';

/** Packets remembered; half as many of one flow are too many (Linux: FLOW_LIMIT_HISTORY). */
export const FLOW_LIMIT_HISTORY = 128;

export const SD_FLOW_LIMIT = struct(
  'sd_flow_limit',
  line('sysctlMutex, before it is published', {
    logBuckets: word('binary logarithm of the number of buckets'),
    nrBuckets: word('buckets, a power of two'),
  }),
  line('irqLock of the CPU', {
    count: word('frames it had dropped (wraps)'),
    historyHead: word('place of the oldest entry of the history'),
    history: words(FLOW_LIMIT_HISTORY, 'buckets of the latest frames'),
  }),
);

/** Bucket of a hash: the upper bits of a product (Linux: hash_32). */
function bucketOf(hash: number, logBuckets: number): number {
  return logBuckets === 0 ? 0 : Math.imul(hash, 0x61c88647) >>> (32 - logBuckets);
}

/**
 * Asks whether a frame is one too many of its flow. The caller holds the lock of the target's input queue and has found
 * it at least half full.
 */
export function skbFlowLimit(net: NetContext, hash: number): boolean {
  const { m } = net;
  const { cpu } = net.cur;
  const sd = net.softnet[cpu.id];
  const fl = Atomics.load(m, sd.at + SOFTNET_DATA.flowLimit);
  if (fl === 0) return false;
  irqLockCpu(cpu);
  const buckets = fl + SD_FLOW_LIMIT.SIZE;
  const now = bucketOf(hash, m[fl + SD_FLOW_LIMIT.logBuckets]);
  const head = m[fl + SD_FLOW_LIMIT.historyHead];
  const old = m[fl + SD_FLOW_LIMIT.history + head];
  m[fl + SD_FLOW_LIMIT.history + head] = now;
  m[fl + SD_FLOW_LIMIT.historyHead] = (head + 1) & (FLOW_LIMIT_HISTORY - 1);
  if (m[buckets + old] > 0) m[buckets + old]--;
  m[buckets + now]++;
  const tooMany = m[buckets + now] > FLOW_LIMIT_HISTORY >>> 1;
  if (tooMany) m[fl + SD_FLOW_LIMIT.count]++;
  irqUnlockCpu(cpu);
  return tooMany;
}

/** @returns true if flow limit is on for a CPU */
export function flowLimitOn(net: NetContext, cpu: number): boolean {
  return Atomics.load(net.m, net.softnet[cpu].at + SOFTNET_DATA.flowLimit) !== 0;
}

/**
 * Switches flow limit on or off for a CPU; a table that is there stays as it is. Caller holds sysctlMutex.
 * @returns 0 or -ENOMEM
 */
export function setFlowLimit(net: NetContext, cpu: number, on: boolean): number {
  const { m } = net;
  const slot = net.softnet[cpu].at + SOFTNET_DATA.flowLimit;
  const old = Atomics.load(m, slot);
  if (on === (old !== 0)) return 0;
  if (!on) {
    Atomics.store(m, slot, 0);
    synchronizeRcu(net.cur);
    kfree(m, old, SD_FLOW_LIMIT.SIZE + m[old + SD_FLOW_LIMIT.nrBuckets]);
    return 0;
  }
  const nr = Atomics.load(m, net.at + NET.flowLimitTableLen);
  const fl = kmalloc(m, SD_FLOW_LIMIT.SIZE + nr);
  if (fl === 0) return -ENOMEM;
  m[fl + SD_FLOW_LIMIT.nrBuckets] = nr;
  m[fl + SD_FLOW_LIMIT.logBuckets] = 31 - Math.clz32(nr);
  Atomics.store(m, slot, fl);
  return 0;
}
