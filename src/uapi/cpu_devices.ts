// SPDX-License-Identifier: GPL-2.0-only
/** /sys/devices/system/cpu (Linux: drivers/base/cpu.c): which CPUs there are, and taking them offline. */
import { type Cpu, cpuOnline } from '../kernel/cpu.js';
import type { NetContext } from '../net/core/net_context.js';
import { cpulistText, cpuNumbers } from './cpumask.js';
import type { UapiHost } from './host.js';
import { kstrtobool } from './kstrtoul.js';
import { check } from './refuse.js';
import { directory, file, type VfsNode } from './vfs_node.js';

/** The tree: every CPU there can be is present, and each of them can go. */
export function cpuDevicesNode(net: NetContext, host: UapiHost): VfsNode {
  const { cur } = net;
  const list = (cpus: () => number[]) => (): VfsNode => file(() => `${cpulistText(cpus())}\n`);
  const all = (): number[] => cpuNumbers(cur, 'all');
  const entries: { [name: string]: () => VfsNode } = {
    offline: list(() => all().filter((id) => !cpuOnline(cur.cpus[id]))),
    online: list(() => cpuNumbers(cur, 'online')),
    possible: list(all),
    present: list(all),
  };
  for (const cpu of cur.cpus) entries[`cpu${cpu.id}`] = () => cpuNode(cpu, host);
  return directory(entries);
}

function cpuNode(cpu: Cpu, host: UapiHost): VfsNode {
  const online = (): VfsNode =>
    file(
      () => `${cpuOnline(cpu) ? 1 : 0}\n`,
      (text) => check(host.setCpuOnline(cpu.id, kstrtobool(text))),
    );
  return directory({ online });
}
