// SPDX-License-Identifier: GPL-2.0-only
/** Steering of a receive queue: /sys/class/net/DEV/queues/rx-N (Linux: net/core/net-sysfs.c). */
import { cpuOnline } from '../kernel/cpu.js';
import { EINVAL, ENOMEM } from '../kernel/errno.js';
import type { NetContext } from '../net/core/net_context.js';
import {
  RPS_MAX_ENTRIES,
  rpsCpusOf,
  rpsCpusSet,
  rpsFlowCntOf,
  rpsFlowCntSet,
} from '../net/core/rps_config.js';
import { cpumaskText, parseCpumask } from './cpumask.js';
import { withDevice } from './devices.js';
import { kstrtoul } from './kstrtoul.js';
import { check } from './refuse.js';
import { directory, file, type VfsNode } from './vfs_node.js';

/** Most entries that a flow table's word for them can tell. */
const U32_ENTRIES = 2n ** 32n;

export function rxQueueNode(net: NetContext, dev: number, index: number): VfsNode {
  return directory({
    rps_cpus: () => rpsCpus(net, dev, index),
    rps_flow_cnt: () => rpsFlowCnt(net, dev, index),
  });
}

/** CPUs that are offline may be named, and are left out; one that goes offline later stays. */
function rpsCpus(net: NetContext, dev: number, index: number): VfsNode {
  const { cpus } = net.cur;
  return file(
    () =>
      `${cpumaskText(
        withDevice(net, dev, () => rpsCpusOf(net, dev, index)),
        cpus.length,
      )}\n`,
    (text) => {
      const online = parseCpumask(text, cpus.length).filter((id) => cpuOnline(cpus[id]));
      check(withDevice(net, dev, () => rpsCpusSet(net, dev, index, online)));
    },
  );
}

function rpsFlowCnt(net: NetContext, dev: number, index: number): VfsNode {
  return file(
    () => `${withDevice(net, dev, () => rpsFlowCntOf(net, dev, index))}\n`,
    (text) => {
      const entries = kstrtoul(text);
      if (entries > U32_ENTRIES) check(-EINVAL);
      if (entries > BigInt(RPS_MAX_ENTRIES)) check(-ENOMEM);
      check(withDevice(net, dev, () => rpsFlowCntSet(net, dev, index, Number(entries))));
    },
  );
}
