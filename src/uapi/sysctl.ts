// SPDX-License-Identifier: GPL-2.0-only
/** The sysctls: a table of words of struct net (Linux: net/core/sysctl_net_core.c). Files below /proc/sys. */
import { type NetContext, RX_LIST_SLOTS } from '../net/core/net_context.js';
import { NET } from '../net/core/softnet_data.js';
import { dointvec } from './kstrtoul.js';
import { directory, file, type VfsNode } from './vfs_node.js';

/** One sysctl: a whole number in a word. */
export interface Sysctl {
  /** Path below /proc/sys. */
  readonly path: string;
  /** Offset in struct net. */
  readonly word: number;
  readonly min: number;
  readonly max: number;
}

const INT_MAX = 0x7fffffff;
const INT_MIN = -INT_MAX - 1;

/** Ranges are Linux's, but gro_normal_batch: a receive list holds so many frames and no more. */
export const SYSCTLS: readonly Sysctl[] = [
  { path: 'net/core/dev_weight', word: NET.devWeight, min: INT_MIN, max: INT_MAX },
  { path: 'net/core/gro_normal_batch', word: NET.groNormalBatch, min: 1, max: RX_LIST_SLOTS },
  { path: 'net/core/netdev_budget', word: NET.netdevBudget, min: INT_MIN, max: INT_MAX },
  { path: 'net/core/netdev_budget_usecs', word: NET.netdevBudgetUsecs, min: 0, max: INT_MAX },
];

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
  return SYSCTLS.map((s) => ({
    name: s.path.replaceAll('/', '.'),
    value: String(Atomics.load(net.m, net.at + s.word)),
  })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function sysctlFile(net: NetContext, s: Sysctl): VfsNode {
  const at = net.at + s.word;
  return file(
    () => `${Atomics.load(net.m, at)}\n`,
    (text) => {
      Atomics.store(net.m, at, dointvec(text, s.min, s.max));
    },
  );
}
