// SPDX-License-Identifier: GPL-2.0-only
/** What a machine's arena holds before its first thread starts: the roots of memory, kernel and network. */
import type { BootParams } from './boot_options.js';
import { SoftnetError } from './errors.js';
import { CPU } from './kernel/cpu.js';
import { KERNEL, KERNEL_AT } from './kernel/current.js';
import { ENOMEM } from './kernel/errno.js';
import { rcuInit } from './kernel/rcu.js';
import { initListHead } from './mm/list.js';
import { allocPercpu, perCpuPtr } from './mm/percpu.js';
import { kmalloc, mmInit } from './mm/slab.js';
import { backlogInit } from './net/core/backlog_threads.js';
import {
  DEV_WEIGHT,
  FLOW_LIMIT_TABLE_LEN,
  GRO_NORMAL_BATCH,
  IPFRAG_HIGH_THRESH,
  IPFRAG_MAX_DIST,
  IPFRAG_TIME,
  NET,
  NETDEV_MAX_BACKLOG,
  NR_PORTS,
  SKB_DEFER_MAX,
  SOFTNET_DATA,
} from './net/core/softnet_data.js';
import { fqdirInit } from './net/ipv4/inet_fragment.js';
import { CLOCK_SLOTS } from './threads/jumping_clock.js';

/**
 * Lays a machine's roots out in an empty arena. Before any thread starts.
 * @returns the network layer's root (struct net)
 * @throws SoftnetError (ENOMEM) if the arena is too small
 */
export function layOut(m: Int32Array, boot: BootParams): number {
  const { cpus } = boot;
  mmInit(m, boot.guardWords);
  rcuInit(m);
  m[KERNEL_AT + KERNEL.nrCpus] = cpus;
  m[KERNEL_AT + KERNEL.softirqInline] = boot.softirqInline;
  m[KERNEL_AT + KERNEL.cpus] = allocPercpu(m, CPU, cpus);
  const net = kmalloc(m, NET.SIZE);
  const softnetData = allocPercpu(m, SOFTNET_DATA, cpus);
  const udpTable = kmalloc(m, NR_PORTS);
  const fqdir = boot.ipDefrag ? fqdirInit(m) : 0;
  if (net === 0 || softnetData === 0 || udpTable === 0 || (boot.ipDefrag && fqdir === 0)) {
    throw new SoftnetError('laying out the machine', ENOMEM, 'boot with more memory (memoryBytes)');
  }
  m[KERNEL_AT + KERNEL.net] = net;
  if (boot.clockFaults) m[KERNEL_AT + KERNEL.clockJumps] = kmalloc(m, 2 * CLOCK_SLOTS);
  m[net + NET.softnetData] = softnetData;
  m[net + NET.udpTable] = udpTable;
  m[net + NET.netdevBudget] = boot.netdevBudget;
  m[net + NET.netdevBudgetUsecs] = boot.netdevBudgetUsecs;
  m[net + NET.syscallNs] = boot.syscallNs;
  m[net + NET.groNormalBatch] = GRO_NORMAL_BATCH;
  m[net + NET.devWeight] = DEV_WEIGHT;
  m[net + NET.devWeightRxBias] = 1;
  m[net + NET.devWeightTxBias] = 1;
  m[net + NET.netdevMaxBacklog] = NETDEV_MAX_BACKLOG;
  m[net + NET.skbDeferMax] = SKB_DEFER_MAX;
  m[net + NET.flowLimitTableLen] = FLOW_LIMIT_TABLE_LEN;
  m[net + NET.rpsCpuMask] = cpus === 1 ? 0 : (1 << (32 - Math.clz32(cpus - 1))) - 1;
  m[net + NET.fqdir] = fqdir;
  m[net + NET.ipfragHighThresh] = IPFRAG_HIGH_THRESH;
  m[net + NET.ipfragTime] = IPFRAG_TIME;
  m[net + NET.ipfragMaxDist] = IPFRAG_MAX_DIST;
  m[net + NET.busyPollStop] = boot.busyPollStop;
  m[net + NET.threadBacklogNapi] = boot.threadBacklogNapi;
  m[net + NET.napiKthreadPersist] = boot.napiKthreadPersist;
  for (let i = 0; i < cpus; i++) {
    const sd = perCpuPtr(softnetData, SOFTNET_DATA, i);
    initListHead(m, sd + SOFTNET_DATA.pollList);
    initListHead(m, sd + SOFTNET_DATA.roundList);
    initListHead(m, sd + SOFTNET_DATA.repollList);
    backlogInit(m, sd, i);
  }
  return net;
}
