// SPDX-License-Identifier: GPL-2.0-only
/** /proc: the counters of CPUs, interrupts and devices, in the kernel's own formats; /proc/sys is in sysctl.ts. */
import { NIC_QUEUE } from '../drivers/net/sim_nic.js';
import { CPU } from '../kernel/cpu.js';
import { IRQ_DESC } from '../kernel/irq.js';
import type { NetContext } from '../net/core/net_context.js';
import { netdevName } from '../net/core/net_device.js';
import { cpuNumbers } from './cpumask.js';
import { allDevices, deviceCounters, irqNumber, queuesOf, txCounters } from './devices.js';
import { softnetStatLine, softnetStatOf } from './softnet_stat.js';
import { sysctlNode } from './sysctl.js';
import { directory, file, type VfsNode } from './vfs_node.js';

/** The tree below /proc. */
export function procNode(net: NetContext): VfsNode {
  return directory({
    interrupts: () => file(() => interrupts(net)),
    softirqs: () => file(() => softirqs(net)),
    net: () =>
      directory({
        dev: () => file(() => netDev(net)),
        softnet_stat: () => file(() => softnetStat(net)),
      }),
    sys: () => sysctlNode(net),
  });
}

/** The headings of the columns, one a CPU. */
function cpuHeads(net: NetContext): string {
  return net.cur.cpus.map(({ id }) => `CPU${String(id).padEnd(8)}`).join('');
}

/**
 * One line an interrupt. An interrupt is counted as a whole and shown for the CPU it goes to now.
 */
function interrupts(net: NetContext): string {
  const { m } = net;
  let text = `${' '.repeat(11)}${cpuHeads(net)}\n`;
  for (const dev of allDevices(net)) {
    const name = netdevName(m, dev);
    queuesOf(m, dev, 'all').forEach((q, i) => {
      const irq = m[q + NIC_QUEUE.irq];
      const cpu = Atomics.load(m, irq + IRQ_DESC.affinity);
      const counts = net.cur.cpus.map(({ id }) => {
        const count = id === cpu ? Atomics.load(m, irq + IRQ_DESC.count) >>> 0 : 0;
        return String(count).padStart(10);
      });
      const source = ` SIM-MSI ${String(i).padStart(3)}-edge      ${name}-rx-${i}`;
      text += `${String(irqNumber(net, dev, i)).padStart(3)}: ${counts.join(' ')} ${source}\n`;
    });
  }
  return text;
}

/** The kernel's softirqs in its order; only NET_RX is raised here. */
const SOFTIRQS = [
  'HI',
  'TIMER',
  'NET_TX',
  'NET_RX',
  'BLOCK',
  'IRQ_POLL',
  'TASKLET',
  'SCHED',
  'HRTIMER',
  'RCU',
];

function softirqs(net: NetContext): string {
  const { m } = net;
  let text = `${' '.repeat(20)}${cpuHeads(net)}\n`;
  for (const name of SOFTIRQS) {
    const counts = net.cur.cpus.map(({ at }) =>
      String(name === 'NET_RX' ? Atomics.load(m, at + CPU.softirqRuns) >>> 0 : 0).padStart(10),
    );
    text += `${name.padStart(12)}: ${counts.join(' ')}\n`;
  }
  return text;
}

/** A line for each online CPU. */
function softnetStat(net: NetContext): string {
  return cpuNumbers(net.cur, 'online')
    .map((id) => `${softnetStatLine(softnetStatOf(net.m, net.at, id))}\n`)
    .join('');
}

const NET_DEV_HEAD =
  'Inter-|   Receive                                                |  Transmit\n' +
  ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n';

function netDev(net: NetContext): string {
  let text = NET_DEV_HEAD;
  for (const dev of allDevices(net)) {
    const c = deviceCounters(net, dev);
    const receive = [c.bytes, c.packets, 0, c.dropped + c.missed, 0, 0, 0, 0];
    const widths = [7, 7, 4, 4, 4, 5, 10, 9, 8, 7, 4, 4, 4, 5, 7, 10];
    const sent = txCounters(net.m, dev);
    const columns = [...receive, sent.bytes, sent.packets, 0, sent.dropped, 0, 0, 0, 0];
    text += `${netdevName(net.m, dev).padStart(6)}: ${columns.map((n, i) => String(n).padStart(widths[i])).join(' ')}\n`;
  }
  return text;
}
