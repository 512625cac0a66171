// SPDX-License-Identifier: GPL-2.0-only
/**
 * The timed wire, the control path: attach, detach, link down and up. Device mutex held throughout. Who owns what, and
 * the ordering table, are in sim_nic_timed.ts.
 */
import { EBUSY, EINVAL, EOPNOTSUPP } from '../../kernel/errno.js';
import { hrtimerCancel, hrtimerStart } from '../../kernel/hrtimer.js';
import { IRQ_DESC, raiseIrq } from '../../kernel/irq.js';
import { synchronizeRcu } from '../../kernel/rcu.js';
import { kfree } from '../../mm/slab.js';
import type { NetContext } from '../../net/core/net_context.js';
import { NET_DEVICE } from '../../net/core/net_device.js';
import { NIC_QUEUE, nicQueueAt, SIM_NIC } from './sim_nic.js';
import type { SimNicDriver } from './sim_nic_driver.js';
import {
  DOWN_TICK_US,
  SCHEDULE_ECHO,
  TIMED_WIRE,
  timedAdvance,
  timedDrop,
  timedView,
} from './sim_nic_timed.js';

/** What came of a timed wire. */
export interface TimedCounts {
  readonly arrived: number;
  readonly missed: number;
  readonly dropped: number;
  readonly startNs: number;
  /** When the last arrival was taken, missed or dropped; 0: there is none yet. */
  readonly endNs: number;
}

/** @returns the wire that feeds a device, or 0 */
export function timedWireOf(m: Int32Array, dev: number): number {
  const nic = m[dev + NET_DEVICE.priv];
  for (let i = 0; i < m[nic + SIM_NIC.nrQueues]; i++) {
    const at = Atomics.load(m, nicQueueAt(m, nic, i) + NIC_QUEUE.timed);
    if (at !== 0) return at;
  }
  return 0;
}

/**
 * @returns 0 if a timed wire may be plugged into a queue; -EBUSY: something feeds the device; -EINVAL: no such queue;
 *   -EOPNOTSUPP: the driver has no NAPI
 */
export function timedMayAttach(m: Int32Array, dev: number, queue: number): number {
  const nic = m[dev + NET_DEVICE.priv];
  if (m[nic + SIM_NIC.netifRx] !== 0) return -EOPNOTSUPP;
  if (queue >= m[dev + NET_DEVICE.queues]) return -EINVAL;
  if (Atomics.load(m, nic + SIM_NIC.running) !== 0 || timedWireOf(m, dev) !== 0) return -EBUSY;
  return 0;
}

/** Plugs in a wire that was made for a queue (sim_nic_timed_make.ts); its schedule begins `startInNs` from now. */
export function timedAttach(driver: SimNicDriver, at: number, startInNs: number): void {
  const { net } = driver;
  const { m, f, cur } = net;
  const q = m[at + TIMED_WIRE.queue];
  const up = Atomics.load(m, q + NIC_QUEUE.napi) !== 0;
  Atomics.store(m, at + TIMED_WIRE.down, up ? 0 : 1);
  m[at + TIMED_WIRE.seqBase] = m[m[at + TIMED_WIRE.nic] + SIM_NIC.seq];
  f[(at + TIMED_WIRE.startNs) >> 1] = cur.platform.nowNs() + startInNs;
  Atomics.store(m, q + NIC_QUEUE.timed, at); // W5
  if (up) raiseIrq(cur, driver.queue(q).irq);
  else startCounting(net, at);
}

/** Frees a wire that nobody knows. */
export function timedFree(m: Int32Array, at: number): void {
  const flows = m[at + TIMED_WIRE.flows];
  const templates = flows * Math.max(1, m[at + TIMED_WIRE.train]);
  kfree(m, m[at + TIMED_WIRE.hashes], flows);
  kfree(m, m[at + TIMED_WIRE.template], m[at + TIMED_WIRE.stride] * templates);
  kfree(m, m[at + TIMED_WIRE.times], m[at + TIMED_WIRE.timesWords]);
  kfree(m, at, TIMED_WIRE.SIZE);
}

/** Unplugs the timed wire of a device: what it has put into the ring stays there. @returns null: there was none */
export function timedDetach(driver: SimNicDriver, dev: number): TimedCounts | null {
  const { net } = driver;
  const { m, f, cur } = net;
  const at = timedWireOf(m, dev);
  if (at === 0) return null;
  const nic = m[dev + NET_DEVICE.priv];
  Atomics.store(m, m[at + TIMED_WIRE.queue] + NIC_QUEUE.timed, 0); // W5
  synchronizeRcu(cur);
  hrtimerCancel(cur, at + TIMED_WIRE.timer);
  m[nic + SIM_NIC.seq] = (m[nic + SIM_NIC.seq] + m[at + TIMED_WIRE.next]) | 0;
  const counts = {
    arrived: m[at + TIMED_WIRE.arrived],
    missed: m[at + TIMED_WIRE.missed],
    dropped: m[at + TIMED_WIRE.dropped],
    startNs: f[(at + TIMED_WIRE.startNs) >> 1],
    endNs: f[(at + TIMED_WIRE.endNs) >> 1],
  };
  timedFree(m, at);
  return counts;
}

/** The link went down, the instances are deleted: what is due by now is in the rings, what comes is dropped. */
export function timedLinkDown(driver: SimNicDriver, dev: number): void {
  const { net } = driver;
  const { m } = net;
  const at = timedWireOf(m, dev);
  if (at === 0 || Atomics.load(m, at + TIMED_WIRE.down) !== 0) return;
  timedAdvance(driver, driver.queue(m[at + TIMED_WIRE.queue]), at);
  // From here on the wire is the timer's function's: one that is under way has not seen it, or takes it.
  Atomics.store(m, at + TIMED_WIRE.down, 1);
  startCounting(net, at);
}

/** The link is about to come up: what is due by now is dropped. Whoever calls raises the interrupts afterwards. */
export function timedLinkUp(driver: SimNicDriver, dev: number): void {
  const { net } = driver;
  const { m, cur } = net;
  const at = timedWireOf(m, dev);
  if (at === 0 || Atomics.load(m, at + TIMED_WIRE.down) === 0) return;
  hrtimerCancel(cur, at + TIMED_WIRE.timer);
  timedDrop(net, timedView(net, driver.queue(m[at + TIMED_WIRE.queue]), at));
  Atomics.store(m, at + TIMED_WIRE.down, 0);
}

/** The moderation was changed: has the queue polled, so that its timer is set anew. */
export function timedModerated(driver: SimNicDriver, dev: number): void {
  const { m, cur } = driver.net;
  const at = timedWireOf(m, dev);
  if (at !== 0) raiseIrq(cur, driver.queue(m[at + TIMED_WIRE.queue]).irq);
}

/** While the link is down a timer counts what is dropped; but for an echo, to which nothing can be sent then. */
function startCounting(net: NetContext, at: number): void {
  const { m, cur } = net;
  if (Atomics.load(m, at + TIMED_WIRE.done) !== 0 || m[at + TIMED_WIRE.schedule] === SCHEDULE_ECHO) return;
  const irq = m[m[at + TIMED_WIRE.queue] + NIC_QUEUE.irq];
  const cpu = cur.cpus[Atomics.load(m, irq + IRQ_DESC.affinity)];
  hrtimerStart(cur, at + TIMED_WIRE.timer, DOWN_TICK_US, cpu);
}
