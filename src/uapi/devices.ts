// SPDX-License-Identifier: GPL-2.0-only
/**
 * Devices, their queues and instances, as every part of the control surface looks them up. A device that was found
 * stays for the length of a request: operations that free devices run alone.
 */
import { LOOPBACK } from '../drivers/net/loopback.js';
import { NIC_QUEUE, nicQueueAt, SIM_NIC } from '../drivers/net/sim_nic.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import { TASK } from '../kernel/task.js';
import { DRIVER_LOOPBACK } from '../net/core/ids.js';
import { NAPI } from '../net/core/napi.js';
import { NAPI_THREAD_NODE } from '../net/core/napi_thread.js';
import type { NetContext } from '../net/core/net_context.js';
import { IFF_UP, NET_DEVICE, netdevName } from '../net/core/net_device.js';
import { MAX_NETDEVS, NET } from '../net/core/softnet_data.js';

/** @returns all devices, by ifindex */
export function allDevices(net: NetContext): number[] {
  const { m, at } = net;
  const devs: number[] = [];
  for (let i = 0; i < MAX_NETDEVS; i++) {
    const dev = Atomics.load(m, at + NET.netdevs + i);
    if (dev !== 0) devs.push(dev);
  }
  return devs.sort((a, b) => m[a + NET_DEVICE.ifindex] - m[b + NET_DEVICE.ifindex]);
}

/** @returns the device of that name, or 0 */
export function deviceByName(net: NetContext, name: string): number {
  return allDevices(net).find((dev) => netdevName(net.m, dev) === name) ?? 0;
}

/** @returns the device of that number, or 0 */
export function deviceByIndex(net: NetContext, ifindex: number): number {
  return allDevices(net).find((dev) => net.m[dev + NET_DEVICE.ifindex] === ifindex) ?? 0;
}

/** Runs `fn` with the device mutex held. */
export function withDevice<T>(net: NetContext, dev: number, fn: () => T): T {
  sleepOnMutex(net.cur, dev + NET_DEVICE.lock);
  try {
    return fn();
  } finally {
    releaseMutex(net.cur, dev + NET_DEVICE.lock);
  }
}

/** @returns the instances of a device, newest first. Device mutex held. */
export function napisOf(net: NetContext, dev: number): number[] {
  const { m } = net;
  const list: number[] = [];
  for (let at = m[dev + NET_DEVICE.napiFirst]; at !== 0; at = m[at + NAPI.devNext]) list.push(at);
  return list;
}

/** @returns the kernel's id of an instance's thread, or null without one. Device mutex held. */
export function napiPid(m: Int32Array, at: number): number | null {
  const node = m[at + NAPI.threadNode];
  return node === 0 ? null : m[m[node + NAPI_THREAD_NODE.task] + TASK.tid];
}

/** @returns true while its link is up */
export function isUp(m: Int32Array, dev: number): boolean {
  return (m[dev + NET_DEVICE.flags] & IFF_UP) !== 0;
}

/** @returns true while its wire is plugged in */
export function hasCarrier(m: Int32Array, dev: number): boolean {
  return m[dev + NET_DEVICE.carrier] !== 0;
}

/** @returns true for the loopback device: it has a receive queue, but no hardware behind it */
export function isLoopback(m: Int32Array, dev: number): boolean {
  return m[dev + NET_DEVICE.driver] === DRIVER_LOOPBACK;
}

/** @returns its hardware queues' structs: all it can have, or those in use */
export function queuesOf(m: Int32Array, dev: number, which: 'all' | 'used'): number[] {
  if (isLoopback(m, dev)) return [];
  const n = m[dev + (which === 'all' ? NET_DEVICE.maxQueues : NET_DEVICE.queues)];
  return Array.from({ length: n }, (_, i) => nicQueueAt(m, m[dev + NET_DEVICE.priv], i));
}

/** Counters of one queue, or of a device. Packets, misses and interrupts wrap at 2^32. */
export interface Counters {
  /** Frames and bytes that were put into the ring. */
  readonly packets: number;
  readonly bytes: number;
  /** Frames for which no buffer was posted. */
  readonly missed: number;
  readonly interrupts: number;
}

/** Reads a queue's counters. Racy against the NIC's thread, as counters are. */
export function queueCounters(net: NetContext, q: number): Counters {
  const { m, f } = net;
  return {
    packets: m[q + NIC_QUEUE.rxFramesTotal] >>> 0,
    bytes: f[(q + NIC_QUEUE.rxBytes) >> 1],
    missed: m[q + NIC_QUEUE.rxMissed] >>> 0,
    interrupts: m[q + NIC_QUEUE.interrupts] >>> 0,
  };
}

/** What a device counted: sums of its queues, also of those not in use now; `dropped`: the link was down, or no ring could hold it. */
export function deviceCounters(net: NetContext, dev: number): Counters & { readonly dropped: number } {
  const { m } = net;
  if (isLoopback(m, dev)) return loopbackCounters(m, m[dev + NET_DEVICE.priv]);
  const sum = { packets: 0, bytes: 0, missed: 0, interrupts: 0 };
  for (const q of queuesOf(m, dev, 'all')) {
    const c = queueCounters(net, q);
    sum.packets += c.packets;
    sum.bytes += c.bytes;
    sum.missed += c.missed;
    sum.interrupts += c.interrupts;
  }
  return { ...sum, dropped: m[m[dev + NET_DEVICE.priv] + SIM_NIC.rxDropped] >>> 0 };
}

/** What a device sent; packets and `dropped` wrap at 2^32. */
export interface TxCounters {
  readonly packets: number;
  readonly bytes: number;
  /** Frames not sent: the link was down, or no buffer could hold them. */
  readonly dropped: number;
}

/** Reads a device's counters of the sending side. What the loopback device received it had sent. */
export function txCounters(m: Int32Array, dev: number): TxCounters {
  const priv = m[dev + NET_DEVICE.priv];
  if (isLoopback(m, dev)) {
    const { packets, bytes } = loopbackCounters(m, priv);
    return { packets, bytes, dropped: 0 };
  }
  const count = (word: number): number => Atomics.load(m, priv + word) >>> 0;
  return {
    packets: count(SIM_NIC.txPackets),
    bytes: count(SIM_NIC.txKib) * 1024 + count(SIM_NIC.txRestBytes),
    dropped: count(SIM_NIC.txDropped),
  };
}

function loopbackCounters(m: Int32Array, priv: number): Counters & { readonly dropped: number } {
  const count = (word: number): number => Atomics.load(m, priv + word) >>> 0;
  return {
    packets: count(LOOPBACK.packets),
    bytes: count(LOOPBACK.kib) * 1024 + count(LOOPBACK.restBytes),
    missed: 0,
    interrupts: 0,
    dropped: count(LOOPBACK.dropped),
  };
}

/** Numbers below are those of no device (Linux: the legacy interrupts). */
const FIRST_IRQ = 24;

/** @returns the number of a queue's interrupt: devices in turn, by ifindex */
export function irqNumber(net: NetContext, dev: number, index: number): number {
  const { m } = net;
  let first = FIRST_IRQ;
  for (const other of allDevices(net)) {
    if (other === dev) break;
    first += queuesOf(m, other, 'all').length;
  }
  return first + index;
}

/** @returns its hardware address: made from its number; the loopback device has none */
export function deviceAddress(m: Int32Array, dev: number): string {
  if (isLoopback(m, dev)) return '00:00:00:00:00:00';
  const ifindex = m[dev + NET_DEVICE.ifindex];
  return `02:00:00:00:00:${(ifindex & 0xff).toString(16).padStart(2, '0')}`;
}
