// SPDX-License-Identifier: GPL-2.0-only
/** What the main thread sees of a device's queues: their counters, and whether they have come to rest. */
import { NIC_QUEUE, nicQueueAt, POLL_SIZES } from './drivers/net/sim_nic.js';
import { IRQ_DESC } from './kernel/irq.js';
import { ringLength } from './mm/ring.js';
import { NAPI, NAPIF_STATE_IN_BUSY_POLL, NAPIF_STATE_SCHED } from './net/core/napi.js';
import { NET_DEVICE } from './net/core/net_device.js';
import { pagePoolInside } from './net/core/page_pool.js';

/** Counters of one queue. */
export interface QueueStats {
  readonly interrupts: number;
  readonly handled: number;
  readonly frames: number;
  /** Buffers that are in the pool or posted; the others are on their way or with applications. */
  readonly buffersFree: number;
  /** Polls that took 0, 1, 2 to 3, 4 to 7, 8 to 15, 16 to 31, 32 to 63, 64 and more frames (each wraps at 2^32). */
  readonly pollSizes: readonly number[];
  /** Descriptors dropped because they reported what the device cannot have received (wraps); drops() has them as rx_bad_desc. */
  readonly badDescs: number;
  /** Looks at a ring whose index the device had set wrong (wraps). */
  readonly badIndices: number;
  /** Interrupts and descriptors that injected faults swallowed and made up (wrap). */
  readonly lostInterrupts: number;
  readonly madeUpDescs: number;
}

/** @returns the counters of each queue of a device, those not in use too */
export function queueStats(m: Int32Array, dev: number): QueueStats[] {
  const nic = m[dev + NET_DEVICE.priv];
  return Array.from({ length: m[dev + NET_DEVICE.maxQueues] }, (_, i) => {
    const q = nicQueueAt(m, nic, i);
    const fill = m[q + NIC_QUEUE.fillRing];
    return {
      interrupts: m[q + NIC_QUEUE.interrupts] >>> 0,
      handled: m[m[q + NIC_QUEUE.irq] + IRQ_DESC.count] >>> 0,
      frames: m[q + NIC_QUEUE.rxFramesTotal] >>> 0,
      buffersFree: pagePoolInside(m, m[q + NIC_QUEUE.pool]) + ringLength(m, fill),
      pollSizes: Array.from({ length: POLL_SIZES }, (_, k) => m[q + NIC_QUEUE.pollSizes + k] >>> 0),
      badDescs: m[q + NIC_QUEUE.badDescs] >>> 0,
      badIndices: m[q + NIC_QUEUE.badIndices] >>> 0,
      lostInterrupts: m[q + NIC_QUEUE.lostIrqs] >>> 0,
      madeUpDescs: m[q + NIC_QUEUE.madeUp] >>> 0,
    };
  });
}

/** Looks at a device again and again until it rests. */
export class DeviceRest {
  private readonly m: Int32Array;
  private readonly dev: number;
  /** What it saw of instances that are polled without end. */
  private readonly looks = new Map<number, { readonly work: number; readonly emptyPolls: number }>();

  constructor(m: Int32Array, dev: number) {
    this.m = m;
    this.dev = dev;
  }

  /** @returns true if the rings are empty, no instance is owned and GRO holds nothing */
  idle(): boolean {
    const { m } = this;
    const nic = m[this.dev + NET_DEVICE.priv];
    const queues = m[this.dev + NET_DEVICE.maxQueues];
    for (let i = 0; i < queues; i++) if (!this.queueIdle(nicQueueAt(m, nic, i))) return false;
    return true;
  }

  private queueIdle(q: number): boolean {
    const { m } = this;
    const napi = Atomics.load(m, q + NIC_QUEUE.napi);
    // Link down: what is in the ring waits for the link.
    if (napi === 0 && Atomics.load(m, q + NIC_QUEUE.service) === 0) return true;
    if (ringLength(m, m[q + NIC_QUEUE.rxRing]) > 0) return false;
    if (napi === 0) return true;
    if (Atomics.load(m, napi + NAPI.groBitmask) !== 0) return false;
    const state = Atomics.load(m, napi + NAPI.state);
    if ((state & NAPIF_STATE_IN_BUSY_POLL) !== 0) return this.pollsInVain(napi);
    return (state & NAPIF_STATE_SCHED) === 0;
  }

  /** One that is polled without end never rests: @returns true if it took nothing since the look before, in two polls */
  private pollsInVain(napi: number): boolean {
    const { m } = this;
    const before = this.looks.get(napi);
    const work = Atomics.load(m, napi + NAPI.work);
    const emptyPolls = Atomics.load(m, napi + NAPI.emptyPolls);
    this.looks.set(napi, { work, emptyPolls });
    return before !== undefined && before.work === work && ((emptyPolls - before.emptyPolls) | 0) >= 2;
  }
}
