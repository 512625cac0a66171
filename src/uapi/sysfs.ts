// SPDX-License-Identifier: GPL-2.0-only
/** /sys: of devices /sys/class/net (Linux: net/core/net-sysfs.c). Text of a number is read before anything else is looked at. */
import { EINVAL, EOPNOTSUPP, ERANGE } from '../kernel/errno.js';
import {
  devClose,
  devOpen,
  netdevSetDeferHardIrqs,
  netdevSetGroFlushTimeout,
  netdevThreadedStore,
} from '../net/core/dev.js';
import type { NetContext } from '../net/core/net_context.js';
import { IFF_UP, NET_DEVICE, netdevName } from '../net/core/net_device.js';
import { cpuDevicesNode } from './cpu_devices.js';
import {
  allDevices,
  deviceAddress,
  deviceByName,
  deviceCounters,
  hasCarrier,
  isLoopback,
  isUp,
  txCounters,
  withDevice,
} from './devices.js';
import type { UapiHost } from './host.js';
import { kstrtoul } from './kstrtoul.js';
import { check, Refusal } from './refuse.js';
import { broadcastAddress, ifFlags, mtuOf, operstate } from './rtnl.js';
import { rxQueueNode } from './rx_queue.js';
import { directory, file, type VfsNode } from './vfs_node.js';

/** Kinds of hardware. */
const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;

/** A value that ends up in a word. */
const WORD_MAX = 0x7fffffffn;

interface Attribute {
  readonly read: (net: NetContext, dev: number) => string | number;
  /** Called with the device mutex held. */
  readonly write?: (net: NetContext, dev: number, value: bigint) => number;
}

const field =
  (word: number): Attribute['read'] =>
  (net, dev) =>
    net.m[dev + word];

/** Files that hold a number and are set by one, and those that only tell. */
const ATTRIBUTES: { readonly [name: string]: Attribute } = {
  addr_len: { read: () => 6 },
  address: { read: (net, dev) => deviceAddress(net.m, dev) },
  broadcast: { read: (net, dev) => broadcastAddress(net.m, dev) },
  carrier: {
    read: (net, dev) => {
      if (!isUp(net.m, dev)) throw new Refusal(-EINVAL);
      return hasCarrier(net.m, dev) ? 1 : 0;
    },
    write: () => -EOPNOTSUPP,
  },
  flags: { read: (net, dev) => `0x${ifFlags(net.m, dev).toString(16)}`, write: writeFlags },
  gro_flush_timeout: { read: field(NET_DEVICE.groFlushTimeoutNs), write: writeGroFlushTimeout },
  ifindex: { read: field(NET_DEVICE.ifindex) },
  iflink: { read: field(NET_DEVICE.ifindex) },
  mtu: {
    read: (net, dev) => mtuOf(net.m, dev),
    write: (net, dev, v) => (v === BigInt(mtuOf(net.m, dev)) ? 0 : -EOPNOTSUPP),
  },
  napi_defer_hard_irqs: { read: field(NET_DEVICE.deferHardIrqs), write: writeDeferHardIrqs },
  operstate: { read: (net, dev) => operstate(net.m, dev).toLowerCase() },
  threaded: { read: field(NET_DEVICE.threaded), write: writeThreaded },
  type: { read: (net, dev) => (isLoopback(net.m, dev) ? ARPHRD_LOOPBACK : ARPHRD_ETHER) },
};

/** Linux: modify_napi_threaded. Whatever is above 1 is refused alike. */
function writeThreaded(net: NetContext, dev: number, value: bigint): number {
  return netdevThreadedStore(net, dev, value > 1n ? 2 : Number(value));
}

function writeDeferHardIrqs(net: NetContext, dev: number, value: bigint): number {
  return value > WORD_MAX ? -ERANGE : netdevSetDeferHardIrqs(net, dev, Number(value));
}

/** Linux takes 64 bits; here a timer runs 2^31 - 1 ns at most. */
function writeGroFlushTimeout(net: NetContext, dev: number, value: bigint): number {
  return value > WORD_MAX ? -ERANGE : netdevSetGroFlushTimeout(net, dev, Number(value));
}

/** Of the flags only "up" is the user's to change. */
function writeFlags(net: NetContext, dev: number, value: bigint): number {
  if ((value & BigInt(IFF_UP)) !== 0n) return devOpen(net, dev);
  devClose(net, dev);
  return 0;
}

/** What the device counts; the others are there, and 0. */
function statistics(net: NetContext, dev: number): { readonly [name: string]: number } {
  const c = deviceCounters(net, dev);
  const sent = txCounters(net.m, dev);
  return {
    collisions: 0,
    multicast: 0,
    rx_bytes: c.bytes,
    rx_compressed: 0,
    rx_crc_errors: 0,
    rx_dropped: c.dropped,
    rx_errors: 0,
    rx_fifo_errors: 0,
    rx_frame_errors: 0,
    rx_length_errors: 0,
    rx_missed_errors: c.missed,
    rx_nohandler: 0,
    rx_over_errors: 0,
    rx_packets: c.packets,
    tx_aborted_errors: 0,
    tx_bytes: sent.bytes,
    tx_carrier_errors: 0,
    tx_compressed: 0,
    tx_dropped: sent.dropped,
    tx_errors: 0,
    tx_fifo_errors: 0,
    tx_heartbeat_errors: 0,
    tx_packets: sent.packets,
    tx_window_errors: 0,
  };
}

/** The tree below /sys. */
export function sysfsNode(net: NetContext, host: UapiHost): VfsNode {
  return directory({
    class: () => directory({ net: () => classNet(net) }),
    devices: () => directory({ system: () => directory({ cpu: () => cpuDevicesNode(net, host) }) }),
  });
}

function classNet(net: NetContext): VfsNode {
  return {
    kind: 'directory',
    names: () => allDevices(net).map((dev) => netdevName(net.m, dev)),
    get: (name) => {
      const dev = deviceByName(net, name);
      return dev === 0 ? null : deviceNode(net, dev);
    },
  };
}

function deviceNode(net: NetContext, dev: number): VfsNode {
  const entries: { [name: string]: () => VfsNode } = {};
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    entries[name] = () => attributeFile(net, dev, attribute);
  }
  entries.statistics = () => {
    const files: { [name: string]: () => VfsNode } = {};
    for (const [name, value] of Object.entries(statistics(net, dev)))
      files[name] = () => file(() => `${value}\n`);
    return directory(files);
  };
  entries.queues = () => {
    const queues: { [name: string]: () => VfsNode } = {};
    for (let i = 0; i < net.m[dev + NET_DEVICE.queues]; i++)
      queues[`rx-${i}`] = () => rxQueueNode(net, dev, i);
    return directory(queues);
  };
  return directory(entries);
}

function attributeFile(net: NetContext, dev: number, a: Attribute): VfsNode {
  const read = (): string => withDevice(net, dev, () => `${a.read(net, dev)}\n`);
  const { write } = a;
  if (write === undefined) return file(read);
  return file(read, (text) => {
    const value = kstrtoul(text);
    check(withDevice(net, dev, () => write(net, dev, value)));
  });
}
