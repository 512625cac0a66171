// SPDX-License-Identifier: GPL-2.0-only
/** Devices, their queues and instances, as every part of the control surface looks them up. */
import { NIC_QUEUE, nicQueueAt } from '../drivers/net/sim_nic.js';
import { releaseMutex, sleepOnMutex } from '../kernel/sched.js';
import { TASK } from '../kernel/task.js';
import { NAPI } from '../net/core/napi.js';
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
  const thread = m[at + NAPI.thread];
  return thread === 0 ? null : m[thread + TASK.tid];
}

/** @returns true while its link is up */
export function isUp(m: Int32Array, dev: number): boolean {
  return (m[dev + NET_DEVICE.flags] & IFF_UP) !== 0;
}

/** @returns true while its wire is plugged in */
export function hasCarrier(m: Int32Array, dev: number): boolean {
  return isUp(m, dev);
}

/** @returns its queues' structs: all it can have, or those in use */
export function queuesOf(m: Int32Array, dev: number, which: 'all' | 'used'): number[] {
  const n = m[dev + (which === 'all' ? NET_DEVICE.maxQueues : NET_DEVICE.queues)];
  return Array.from({ length: n }, (_, i) => nicQueueAt(m, m[dev + NET_DEVICE.priv], i));
}

/** Counters of one queue. */
export interface QueueCounters {
  readonly packets: number;
  readonly bytes: number;
  readonly missed: number;
  readonly interrupts: number;
}

/** Reads a queue's counters. */
export function queueCounters(m: Int32Array, q: number): QueueCounters {
  return {
    packets: m[q + NIC_QUEUE.rxFramesTotal] >>> 0,
    bytes: 0,
    missed: 0,
    interrupts: m[q + NIC_QUEUE.interrupts] >>> 0,
  };
}

/** Sums of a device's queues. */
export function deviceCounters(m: Int32Array, dev: number): QueueCounters {
  let packets = 0;
  let bytes = 0;
  let missed = 0;
  let interrupts = 0;
  for (const q of queuesOf(m, dev, 'all')) {
    const c = queueCounters(m, q);
    packets += c.packets;
    bytes += c.bytes;
    missed += c.missed;
    interrupts += c.interrupts;
  }
  return { packets, bytes, missed, interrupts };
}

/** Numbers below are those of no device (Linux: the legacy interrupts). */
const FIRST_IRQ = 24;

/** @returns the number of a queue's interrupt: devices in turn, by ifindex */
export function irqNumber(net: NetContext, dev: number, index: number): number {
  const { m } = net;
  let first = FIRST_IRQ;
  for (const other of allDevices(net)) {
    if (other === dev) break;
    first += m[other + NET_DEVICE.maxQueues];
  }
  return first + index;
}

/** @returns its hardware address: made from its number */
export function deviceAddress(m: Int32Array, dev: number): string {
  const ifindex = m[dev + NET_DEVICE.ifindex];
  return `02:00:00:00:00:${(ifindex & 0xff).toString(16).padStart(2, '0')}`;
}
