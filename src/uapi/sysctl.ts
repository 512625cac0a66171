// SPDX-License-Identifier: GPL-2.0-only
/** The sysctls (Linux: net/core/sysctl_net_core.c), files below /proc/sys: words of struct net, and what is more. */
import { EINVAL, ENOMEM } from '../kernel/errno.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import { flowLimitOn, setFlowLimit } from '../net/core/flow_limit.js';
import { type NetContext, RX_LIST_SLOTS } from '../net/core/net_context.js';
import {
  RPS_MAX_ENTRIES,
  rpsSockFlowEntries,
  setBacklogThreaded,
  setRpsSockFlowEntries,
} from '../net/core/rps_config.js';
import { NET } from '../net/core/softnet_data.js';
import { cpumaskText, cpuNumbers, parseCpumask } from './cpumask.js';
import { dointvec } from './kstrtoul.js';
import { check, Refusal } from './refuse.js';
import { directory, file, type VfsNode } from './vfs_node.js';

/** One sysctl. Its texts have no line end when they are read. */
interface Sysctl {
  /** Path below /proc/sys. */
  readonly path: string;
  readonly read: (net: NetContext) => string;
  /** @throws Refusal */
  readonly write: (net: NetContext, text: string) => void;
}

const INT_MAX = 0x7fffffff;
const INT_MIN = -INT_MAX - 1;
/** Above it the number of entries of the socket flow table is no number of entries. */
const MAX_SOCK_FLOW_ENTRIES = 1 << 29;

/** A whole number that is a word of struct net, and nothing else. */
function word(path: string, at: number, min: number, max: number): Sysctl {
  return {
    path,
    read: (net) => String(Atomics.load(net.m, net.at + at)),
    write: (net, text) => {
      Atomics.store(net.m, net.at + at, dointvec(text, min, max));
    },
  };
}

/** Ranges are Linux's; what differs is in docs/control.md. */
const SYSCTLS: readonly Sysctl[] = [
  { path: 'net/core/backlog_threaded', read: readBacklogThreaded, write: writeBacklogThreaded },
  word('net/core/busy_poll', NET.busyPoll, 0, INT_MAX),
  word('net/core/busy_read', NET.busyRead, 0, INT_MAX),
  word('net/core/dev_weight', NET.devWeight, 1, INT_MAX),
  word('net/core/dev_weight_rx_bias', NET.devWeightRxBias, 1, INT_MAX),
  word('net/core/dev_weight_tx_bias', NET.devWeightTxBias, 1, INT_MAX),
  { path: 'net/core/flow_limit_cpu_bitmap', read: readFlowLimitCpus, write: writeFlowLimitCpus },
  { ...word('net/core/flow_limit_table_len', NET.flowLimitTableLen, 1, INT_MAX), write: writeTableLen },
  // A receive list holds so many frames and no more.
  word('net/core/gro_normal_batch', NET.groNormalBatch, 1, RX_LIST_SLOTS),
  word('net/core/netdev_budget', NET.netdevBudget, INT_MIN, INT_MAX),
  word('net/core/netdev_budget_usecs', NET.netdevBudgetUsecs, 0, INT_MAX),
  word('net/core/netdev_max_backlog', NET.netdevMaxBacklog, INT_MIN, INT_MAX),
  {
    path: 'net/core/rps_sock_flow_entries',
    read: (net) => String(rpsSockFlowEntries(net)),
    write: writeRpsSockFlowEntries,
  },
  word('net/core/skb_defer_max', NET.skbDeferMax, 0, INT_MAX),
  word('net/ipv4/ipfrag_high_thresh', NET.ipfragHighThresh, 0, INT_MAX),
  word('net/ipv4/ipfrag_time', NET.ipfragTime, 0, INT_MAX),
  word('net/ipv4/ipfrag_max_dist', NET.ipfragMaxDist, 0, INT_MAX),
];

/** Runs `fn` with the mutex of the sysctls that are more than a word. */
function locked<T>(net: NetContext, fn: () => T): T {
  sleepOnMutex(net.cur, net.at + NET.sysctlMutex);
  try {
    return fn();
  } finally {
    releaseMutex(net.cur, net.at + NET.sysctlMutex);
  }
}

function readBacklogThreaded(net: NetContext): string {
  return String(Atomics.load(net.m, net.at + NET.backlogThreaded));
}

function writeBacklogThreaded(net: NetContext, text: string): void {
  check(setBacklogThreaded(net, dointvec(text, 0, 1) === 1));
}

/** Linux reads an int and takes it for unsigned: what is negative is too large. */
function writeRpsSockFlowEntries(net: NetContext, text: string): void {
  const entries = dointvec(text, INT_MIN, INT_MAX);
  if (entries < 0 || entries > MAX_SOCK_FLOW_ENTRIES) throw new Refusal(-EINVAL);
  if (entries > RPS_MAX_ENTRIES) throw new Refusal(-ENOMEM);
  check(setRpsSockFlowEntries(net, entries));
}

function readFlowLimitCpus(net: NetContext): string {
  const on = cpuNumbers(net.cur, 'all').filter((id) => flowLimitOn(net, id));
  return cpumaskText(on, net.cur.cpus.length);
}

/** Where a table cannot be had, those of the CPUs before stay as they were set. */
function writeFlowLimitCpus(net: NetContext, text: string): void {
  const on = new Set(parseCpumask(text, net.cur.cpus.length));
  locked(net, () => {
    for (const { id } of net.cur.cpus) check(setFlowLimit(net, id, on.has(id)));
  });
}

/** Takes effect for tables made from now on. */
function writeTableLen(net: NetContext, text: string): void {
  const len = dointvec(text, 1, INT_MAX);
  if ((len & (len - 1)) !== 0) throw new Refusal(-EINVAL);
  locked(net, () => Atomics.store(net.m, net.at + NET.flowLimitTableLen, len));
}

/** The tree below /proc/sys. */
export function sysctlNode(net: NetContext, prefix = ''): VfsNode {
  const below = SYSCTLS.filter(({ path }) => path.startsWith(prefix));
  const entries: { [name: string]: () => VfsNode } = {};
  for (const s of below) {
    const name = s.path.slice(prefix.length).split('/')[0];
    const path = `${prefix}${name}`;
    entries[name] = () => (s.path === path ? sysctlFile(net, s) : sysctlNode(net, `${path}/`));
  }
  return directory(entries);
}

/** @returns every sysctl by its dotted name */
export function allSysctls(net: NetContext): { name: string; value: string }[] {
  return SYSCTLS.map((s) => ({ name: s.path.replaceAll('/', '.'), value: s.read(net) })).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
}

function sysctlFile(net: NetContext, s: Sysctl): VfsNode {
  return file(
    () => `${s.read(net)}\n`,
    (text) => s.write(net, text),
  );
}
