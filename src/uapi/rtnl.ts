// SPDX-License-Identifier: GPL-2.0-only
/** Links: what `ip link` shows and sets (Linux: net/core/rtnetlink.c). */
import { EINVAL, ENODEV } from '../kernel/errno.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import { devChangeName, devClose, devOpen } from '../net/core/dev.js';
import type { NetContext } from '../net/core/net_context.js';
import { NET_DEVICE, netdevName } from '../net/core/net_device.js';
import { SKB_DATA_BYTES } from '../net/core/skbuff.js';
import { NET } from '../net/core/softnet_data.js';
import {
  allDevices,
  deviceAddress,
  deviceByName,
  hasCarrier,
  isLoopback,
  isUp,
  withDevice,
} from './devices.js';
import { check, Refusal } from './refuse.js';

/** Bytes of a frame's payload: what the generator and the captures use; what fits into one buffer of a sender. */
const MTU = 1500;
const LOOPBACK_MTU = SKB_DATA_BYTES - 14;
const BROADCAST_ADDRESS = 'ff:ff:ff:ff:ff:ff';

const IFF_UP = 0x1;
const IFF_BROADCAST = 0x2;
const IFF_LOOPBACK = 0x8;
const IFF_MULTICAST = 0x1000;

/** One link, in the words of `ip -j link`. */
export interface LinkInfo {
  readonly ifindex: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly qdisc: string;
  readonly operstate: string;
  readonly linkmode: string;
  readonly group: string;
  readonly txqlen: number;
  readonly link_type: string;
  readonly address: string;
  readonly broadcast: string;
}

/** @returns IFF_* as SIOCGIFFLAGS has them, without those that follow from the wire */
export function ifFlags(m: Int32Array, dev: number): number {
  const kind = isLoopback(m, dev) ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST;
  return kind | (isUp(m, dev) ? IFF_UP : 0);
}

/** @returns most bytes of a frame behind its Ethernet header */
export function mtuOf(m: Int32Array, dev: number): number {
  return isLoopback(m, dev) ? LOOPBACK_MTU : MTU;
}

/** @returns the address for all: the loopback device has none */
export function broadcastAddress(m: Int32Array, dev: number): string {
  return isLoopback(m, dev) ? deviceAddress(m, dev) : BROADCAST_ADDRESS;
}

/** @returns RFC 2863's state, as `ip` writes it; of the loopback device nothing but down is known */
export function operstate(m: Int32Array, dev: number): string {
  if (!isUp(m, dev) || !hasCarrier(m, dev)) return 'DOWN';
  return isLoopback(m, dev) ? 'UNKNOWN' : 'UP';
}

function linkInfo(net: NetContext, dev: number): LinkInfo {
  const { m } = net;
  const flags = isLoopback(m, dev) ? ['LOOPBACK'] : ['BROADCAST', 'MULTICAST'];
  if (isUp(m, dev)) {
    if (!hasCarrier(m, dev)) flags.unshift('NO-CARRIER');
    flags.push('UP');
    if (hasCarrier(m, dev)) flags.push('LOWER_UP');
  }
  return {
    ifindex: m[dev + NET_DEVICE.ifindex],
    ifname: netdevName(m, dev),
    flags,
    mtu: mtuOf(m, dev),
    qdisc: isLoopback(m, dev) ? 'noqueue' : 'noop',
    operstate: operstate(m, dev),
    linkmode: 'DEFAULT',
    group: 'default',
    txqlen: 1000,
    link_type: isLoopback(m, dev) ? 'loopback' : 'ether',
    address: deviceAddress(m, dev),
    broadcast: broadcastAddress(m, dev),
  };
}

function byName(net: NetContext, name: string): number {
  const dev = deviceByName(net, name);
  if (dev === 0) throw new Refusal(-ENODEV);
  return dev;
}

/** RTM_GETLINK. @param name of one device, or '' for all @throws Refusal -ENODEV */
export function linkGet(net: NetContext, name: string): LinkInfo[] {
  const devs = name === '' ? allDevices(net) : [byName(net, name)];
  return devs.map((dev) => withDevice(net, dev, () => linkInfo(net, dev)));
}

/**
 * RTM_NEWLINK on an existing device: first the name, then up or down, as the kernel's do_setlink has it.
 * @throws Refusal -ENODEV, -EINVAL for a name that cannot be, -EEXIST for one that is taken, -ENOMEM
 */
export function linkSet(net: NetContext, dev: string, change: { up?: boolean; name?: string }): void {
  const at = byName(net, dev);
  if (change.name !== undefined && change.name !== dev) {
    if (!isName(change.name)) throw new Refusal(-EINVAL);
    check(devChangeName(net, at, change.name));
  }
  const { up } = change;
  if (up === undefined) return;
  sleepOnMutex(net.cur, net.at + NET.rtnl);
  try {
    check(withDevice(net, at, () => setUp(net, at, up)));
  } finally {
    releaseMutex(net.cur, net.at + NET.rtnl);
  }
}

function setUp(net: NetContext, dev: number, up: boolean): number {
  if (up) return devOpen(net, dev);
  devClose(net, dev);
  return 0;
}

/** @returns true if a device may be called so (Linux: dev_valid_name) */
export function isName(name: string): boolean {
  return /^[\x21-\x2e\x30-\x39\x3b-\x7e]{1,15}$/.test(name) && name !== '.' && name !== '..';
}
