// SPDX-License-Identifier: GPL-2.0-only
/**
 * The simulated NIC's driver, the control path: probe, open, stop, channels, ring size. Device mutex held throughout,
 * but for probe. Who owns what is said in sim_nic.ts.
 *
 * Channels change in one of three ways that drivers have (NET_DEVICE.reconfig): delete all and add all; add or delete
 * only the difference; add the new ones before the old ones are deleted. In each of them frames are first steered away
 * from queues that go, and what these still hold is polled: a change of channels loses nothing but what overruns a ring.
 */
import { EBUSY, EINVAL, ENOMEM, EOPNOTSUPP } from '../../kernel/errno.js';
import { IRQ_DESC, irqDisable, irqEnable, irqUnmask, raiseIrq, requestIrq } from '../../kernel/irq.js';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '../../kernel/rcu.js';
import { ringLength } from '../../mm/ring.js';
import type { NetDevOps } from '../../net/core/dev.js';
import { IRQ_SIM_NIC_RX, POLL_SIM_NIC } from '../../net/core/ids.js';
import { NAPI, NAPI_POLL_WEIGHT } from '../../net/core/napi.js';
import {
  napiDisable,
  napiEnable,
  netifNapiAdd,
  netifNapiFree,
  netifNapiUnlist,
} from '../../net/core/napi_control.js';
import { napiScheduleOn, napiSchedulePrep } from '../../net/core/napi_schedule.js';
import type { NetContext } from '../../net/core/net_context.js';
import {
  IFF_UP,
  NET_DEVICE,
  RECONFIG_DELTA,
  RECONFIG_REBUILD,
  RECONFIG_SAFE_SWITCH,
} from '../../net/core/net_device.js';
import { PAGE_POOL } from '../../net/core/page_pool.js';
import { pagePoolRetire } from '../../net/core/page_pool_retire.js';
import { countDrops } from '../../net/core/skb_free.js';
import { SKB } from '../../net/core/skbuff.js';
import { DROP_DEV_READY, NET } from '../../net/core/softnet_data.js';
import { NIC_CHANGE, NIC_QUEUE, NIC_STOP, nicQueueAt, RX_DESC, SIM_NIC, simNicDestroy } from './sim_nic.js';
import { claimFrame, countBadDesc, recoverLost } from './sim_nic_claim.js';
import { refill, type SimNicDriver } from './sim_nic_driver.js';
import { openNetifRx, stopNetifRx } from './sim_nic_netif_rx.js';
import { TIMED_WIRE } from './sim_nic_timed.js';
import { timedDetach, timedLinkDown, timedLinkUp, timedWireOf } from './sim_nic_timed_main.js';
import { simNicXmit, waitForTransmitters } from './sim_nic_tx.js';
import { xskLost } from './sim_nic_xsk.js';

/** Sleep between two looks at a word that the NIC or a poll changes, us. */
const LOOK_US = 50;

/** @returns the driver's operations, for the table of the thread whose queue views `driver` holds */
export function simNicOps(driver: SimNicDriver): NetDevOps {
  return {
    open: (_net, dev) => simNicOpen(driver, dev),
    stop: (_net, dev) => simNicStop(driver, dev),
    setChannels: (_net, dev, combined) => simNicSetChannels(driver, dev, combined),
    setRing: (_net, dev, rx) => simNicSetRing(driver, dev, rx),
    xmit: (_net, dev, queueAt, n) => simNicXmit(driver, dev, queueAt, n),
    uninit: (_net, dev) => simNicUninit(driver, dev),
  };
}

/** Posts the first buffers and sets the interrupts up. Before the device is in the list. */
export function simNicProbe(driver: SimNicDriver, nic: number, rxUsecs: number, rxFrames: number): void {
  const { net } = driver;
  const { m } = net;
  for (let i = 0; i < m[nic + SIM_NIC.nrQueues]; i++) {
    const at = nicQueueAt(m, nic, i);
    const q = driver.queue(at);
    m[at + NIC_QUEUE.rxUsecs] = rxUsecs;
    m[at + NIC_QUEUE.rxFrames] = rxFrames;
    // Interrupts spread over the CPUs, whichever device they belong to.
    const cpu = Atomics.add(m, net.at + NET.nextIrqCpu, 1) % net.cur.cpus.length;
    requestIrq(q.irq, IRQ_SIM_NIC_RX, at, cpu);
    m[q.pool + PAGE_POOL.cpu] = cpu;
    refill(net, q);
  }
}

/** Link up: adds and enables an instance a channel (Linux: ndo_open). @returns 0 or -ENOMEM */
export function simNicOpen(driver: SimNicDriver, dev: number): number {
  const { net } = driver;
  const { m } = net;
  const nic = m[dev + NET_DEVICE.priv];
  const queues = m[dev + NET_DEVICE.queues];
  if (m[nic + SIM_NIC.netifRx] !== 0) {
    openNetifRx(driver, dev);
    steer(net, nic, queues, 1);
    return 0;
  }
  const added = addInstances(driver, dev, 0, queues);
  if (added === null) return -ENOMEM;
  timedLinkUp(driver, dev);
  enableInstances(driver, dev, 0, added);
  steer(net, nic, queues, 1);
  return 0;
}

/** Link down: disables and deletes the instances (Linux: ndo_stop). What is in the rings waits for the link. */
export function simNicStop(driver: SimNicDriver, dev: number): void {
  const { net } = driver;
  const { m } = net;
  const nic = m[dev + NET_DEVICE.priv];
  steer(net, nic, m[dev + NET_DEVICE.queues], 0);
  if (m[nic + SIM_NIC.netifRx] !== 0) stopNetifRx(driver, dev);
  else closeInstances(driver, dev, 0, m[dev + NET_DEVICE.queues]);
  timedLinkDown(driver, dev);
}

/**
 * ethtool -L. @returns 0; -ENOMEM: then the channels are as before, or the link is down; -EOPNOTSUPP: a driver without
 * NAPI, which cannot; of a queue that would go: -EBUSY: a timed wire feeds it; -EINVAL: it has an AF_XDP socket
 */
function simNicSetChannels(driver: SimNicDriver, dev: number, combined: number): number {
  const { net } = driver;
  const { m } = net;
  const nic = m[dev + NET_DEVICE.priv];
  if (m[nic + SIM_NIC.netifRx] !== 0) return -EOPNOTSUPP;
  const timed = timedWireOf(m, dev);
  if (timed !== 0 && m[m[timed + TIMED_WIRE.queue] + NIC_QUEUE.index] >= combined) return -EBUSY;
  const old = m[dev + NET_DEVICE.queues];
  for (let i = combined; i < old; i++) if (m[nicQueueAt(m, nic, i) + NIC_QUEUE.xsk] !== 0) return -EINVAL;
  if (m[dev + NET_DEVICE.napiFirst] === 0) {
    m[dev + NET_DEVICE.queues] = combined;
    for (let i = combined; i < old; i++) purge(driver, nicQueueAt(m, nic, i));
    return 0;
  }
  if (combined < old) {
    steer(net, nic, combined, 1);
    for (let i = combined; i < old; i++) drain(driver, nicQueueAt(m, nic, i));
  }
  const err = reopen(driver, dev, old, combined);
  if (err === 0) m[dev + NET_DEVICE.queues] = combined;
  if (m[dev + NET_DEVICE.napiFirst] !== 0) steer(net, nic, m[dev + NET_DEVICE.queues], 1);
  return err;
}

/** ethtool -G: drivers other than those that change only the difference open their channels anew for it. */
function simNicSetRing(driver: SimNicDriver, dev: number, rx: number): number {
  const { m } = driver.net;
  const queues = m[dev + NET_DEVICE.queues];
  if (m[m[dev + NET_DEVICE.priv] + SIM_NIC.netifRx] !== 0) return -EOPNOTSUPP;
  const was = m[dev + NET_DEVICE.rxPending];
  Atomics.store(m, dev + NET_DEVICE.rxPending, rx);
  if (m[dev + NET_DEVICE.napiFirst] === 0 || m[dev + NET_DEVICE.reconfig] === RECONFIG_DELTA) return 0;
  const err = reopen(driver, dev, queues, queues);
  if (err !== 0) Atomics.store(m, dev + NET_DEVICE.rxPending, was);
  return err;
}

/** Neither the instances wanted nor those there were could be had: the link is down. */
function lostAll(driver: SimNicDriver, dev: number): void {
  const { net } = driver;
  const { m } = net;
  m[dev + NET_DEVICE.flags] &= ~IFF_UP;
  m[dev + NET_DEVICE.carrier] = 0;
  steer(net, m[dev + NET_DEVICE.priv], m[dev + NET_DEVICE.queues], 0);
  timedLinkDown(driver, dev);
}

/** Goes from `old` to `now` instances in the device's own way. @returns 0 or -ENOMEM: then there are `old`, or none */
function reopen(driver: SimNicDriver, dev: number, old: number, now: number): number {
  const { m } = driver.net;
  switch (m[dev + NET_DEVICE.reconfig]) {
    case RECONFIG_SAFE_SWITCH: {
      const added = addInstances(driver, dev, 0, now);
      if (added === null) return -ENOMEM;
      closeInstances(driver, dev, 0, old);
      enableInstances(driver, dev, 0, added);
      return 0;
    }
    case RECONFIG_REBUILD: {
      closeInstances(driver, dev, 0, old);
      const added = addInstances(driver, dev, 0, now);
      const there = added ?? addInstances(driver, dev, 0, old);
      if (there === null) lostAll(driver, dev);
      else enableInstances(driver, dev, 0, there);
      return added === null ? -ENOMEM : 0;
    }
    default: {
      if (now < old) {
        closeInstances(driver, dev, now, old);
        return 0;
      }
      const added = addInstances(driver, dev, old, now);
      if (added === null) return -ENOMEM;
      enableInstances(driver, dev, old, added);
      return 0;
    }
  }
}

/** Adds an instance for each of the queues from `first` to before `end`. @returns them, or null: then none was added */
function addInstances(driver: SimNicDriver, dev: number, first: number, end: number): number[] | null {
  const { net } = driver;
  const { m } = net;
  const nic = m[dev + NET_DEVICE.priv];
  const added: number[] = [];
  for (let i = first; i < end; i++) {
    const q = nicQueueAt(m, nic, i);
    const cpu = Atomics.load(m, m[q + NIC_QUEUE.irq] + IRQ_DESC.affinity);
    const at = netifNapiAdd(net, dev, POLL_SIM_NIC, q, NAPI_POLL_WEIGHT, i, cpu);
    if (at < 0) {
      deleteInstances(net, added);
      return null;
    }
    m[at + NAPI.irq] = m[q + NIC_QUEUE.irq];
    added.push(at);
  }
  return added;
}

/** Puts instances into service, the first one at queue `first`. */
function enableInstances(driver: SimNicDriver, dev: number, first: number, added: readonly number[]): void {
  const { net } = driver;
  const { m } = net;
  const nic = m[dev + NET_DEVICE.priv];
  for (let i = 0; i < added.length; i++) {
    const q = nicQueueAt(m, nic, first + i);
    napiEnable(net, net.napi(added[i]));
    Atomics.store(m, m[q + NIC_QUEUE.pool] + PAGE_POOL.napiId, m[added[i] + NAPI.napiId]);
    Atomics.store(m, q + NIC_QUEUE.napi, added[i]);
    // Frames may have come, or the mask may stand, from before.
    const { irq } = driver.queue(q);
    irqUnmask(net.cur, irq);
    raiseIrq(net.cur, irq);
  }
}

/** Takes the instances of the queues from `first` to before `end` out of service and deletes them. */
function closeInstances(driver: SimNicDriver, dev: number, first: number, end: number): void {
  const { net } = driver;
  const { m } = net;
  const nic = m[dev + NET_DEVICE.priv];
  const closed: number[] = [];
  for (let i = first; i < end; i++) {
    const at = nicQueueAt(m, nic, i);
    const napiAt = Atomics.load(m, at + NIC_QUEUE.napi);
    if (napiAt === 0) continue;
    const { irq } = driver.queue(at);
    irqDisable(net.cur, irq);
    napiDisable(net, net.napi(napiAt));
    const polls = m[napiAt + NAPI.polls];
    m[at + NIC_QUEUE.pollsBefore] += polls;
    Atomics.store(m, at + NIC_QUEUE.napi, 0);
    irqEnable(net.cur, irq);
    closed.push(napiAt);
  }
  deleteInstances(net, closed);
}

/** Deletes disabled instances that nothing points to any more: one grace period for all. */
function deleteInstances(net: NetContext, list: readonly number[]): void {
  if (list.length === 0) return;
  for (const at of list) netifNapiUnlist(net, net.napi(at));
  synchronizeRcu(net.cur);
  for (const at of list) netifNapiFree(net, net.napi(at));
}

/**
 * Tells the NIC, and who sends to it over a cable, over how many queues to spread frames, and whether the link is up;
 * returns when they do so.
 */
function steer(net: NetContext, nic: number, rxActive: number, linkUp: number): void {
  const { m } = net;
  Atomics.store(m, nic + SIM_NIC.rxActive, rxActive);
  Atomics.store(m, nic + SIM_NIC.linkUp, linkUp);
  tellNic(net, nic);
}

/** Has the NIC, or who does its work, act on what was changed; returns when they do so. */
export function tellNic(net: NetContext, nic: number): void {
  const { m, cur } = net;
  waitForTransmitters(m, nic); // C1 of sim_nic_tx.ts
  const bell = Atomics.add(m, nic + SIM_NIC.doorbell, NIC_CHANGE) + NIC_CHANGE; // D9
  Atomics.notify(m, nic + SIM_NIC.doorbell);
  while (Atomics.load(m, nic + SIM_NIC.running) !== 0) {
    if (((Atomics.load(m, nic + SIM_NIC.seen) ^ bell) & ~NIC_STOP) === 0) return;
    cur.platform.usleep(LOOK_US);
  }
}

/** Drops, and counts, what is in the ring of a queue that goes while the link is down: nobody polls it. */
export function purge(driver: SimNicDriver, at: number): void {
  const { net } = driver;
  const { m } = net;
  const q = driver.queue(at);
  const { rxConsumer: rx, ringSize, pool, mark } = q;
  const one = new Int32Array(1);
  rx.begin();
  const left = rx.available(ringSize);
  let dropped = 0;
  for (let i = 0; i < left; i++) {
    if (!claimFrame(m, rx.slot(i), mark)) {
      countBadDesc(net, at);
      continue;
    }
    dropped++;
    for (let skb = m[rx.slot(i) + RX_DESC.skb]; skb !== 0; ) {
      const next = m[skb + SKB.frags];
      m[skb + SKB.frags] = 0;
      one[0] = skb;
      net.pool(pool).recycle(one, 0, 1);
      skb = next;
    }
  }
  if (left === 0) return;
  rx.release(left);
  if (m[at + NIC_QUEUE.suspect] !== 0) recoverLost(net, q);
  if (dropped > 0) countDrops(net, DROP_DEV_READY, dropped);
}

/** The device goes away: what is in its rings goes back to its pools, which stay until the rest is back, too. */
function simNicUninit(driver: SimNicDriver, dev: number): void {
  const { net } = driver;
  const { m } = net;
  const nic = m[dev + NET_DEVICE.priv];
  timedDetach(driver, dev);
  for (let i = 0; i < m[nic + SIM_NIC.nrQueues]; i++) {
    const at = nicQueueAt(m, nic, i);
    if (m[at + NIC_QUEUE.xsk] !== 0) xskLost(driver, at);
    purge(driver, at);
    unpost(driver, at);
    pagePoolRetire(net, m[at + NIC_QUEUE.pool]);
  }
  simNicDestroy(m, nic);
}

/** Takes the empty buffers of a queue back that the NIC has not taken. It has stopped. */
export function unpost(driver: SimNicDriver, at: number): void {
  const { net } = driver;
  const { m } = net;
  const { fillConsumer: fill, ringSize, pool } = driver.queue(at);
  const list = new Int32Array(ringSize);
  fill.begin();
  const left = fill.available(ringSize);
  for (let i = 0; i < left; i++) {
    list[i] = m[fill.slot(i)];
    m[list[i] + SKB.next] = 0;
  }
  if (left === 0) return;
  fill.release(left);
  net.pool(pool).recycle(list, 0, left);
}

/** Has everything polled that is in the ring of a queue that gets no more frames. Its instance is enabled. */
export function drain(driver: SimNicDriver, at: number): void {
  const { net } = driver;
  const { m, cur } = net;
  const n = net.napi(Atomics.load(m, at + NIC_QUEUE.napi));
  // Not by the interrupt: deferral may keep that masked until a timer ends.
  rcuReadLock(cur);
  if (napiSchedulePrep(n)) napiScheduleOn(net, cur.cpus[m[n.at + NAPI.cpu]], n);
  rcuReadUnlock(cur);
  while (ringLength(m, m[at + NIC_QUEUE.rxRing]) > 0) cur.platform.usleep(LOOK_US);
}
