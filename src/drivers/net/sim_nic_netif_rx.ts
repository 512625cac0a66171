// SPDX-License-Identifier: GPL-2.0-only
/**
 * The simulated NIC with a driver that has no NAPI: its interrupt takes every frame and hands it to netif_rx; the backlog
 * of the interrupt's CPU does the rest. As drivers were before 2002, and some still are.
 *
 * Owners: while `service` is set the receive ring and the pool belong to whoever runs the interrupt's handler (one at a
 * time: INPROGRESS of irq.ts); `place` likewise. `service` is written by the holder of the device mutex.
 */
import { irqDisable, irqEnable, irqUnmask, raiseIrq } from '../../kernel/irq.js';
import { NET_DEVICE, rxQueueAt } from '../../net/core/net_device.js';
import { netifRx, netifRxBegin, netifRxEnd } from '../../net/core/netif_rx.js';
import { SKB } from '../../net/core/skbuff.js';
import { NIC_QUEUE, nicQueueAt, RX_DESC } from './sim_nic.js';
import { claimFrame, countBadDesc, recoverLost, unreadDescs } from './sim_nic_claim.js';
import { readFrame, refill, type SimNicDriver } from './sim_nic_driver.js';

/** The interrupt's handler: takes what is in the ring, posts buffers again. */
export function simNicInterruptNetifRx(driver: SimNicDriver, queueAt: number): void {
  const { net } = driver;
  const { m, f } = net;
  const q = driver.queue(queueAt);
  const rxQueue = rxQueueAt(m, q.dev, m[queueAt + NIC_QUEUE.index]);
  const { ownPool } = net;
  net.ownPool = q.pool;
  netifRxBegin(net);
  const { rxConsumer: rx, ringSize, mark } = q;
  rx.begin();
  const work = unreadDescs(m, q, ringSize);
  for (let i = 0; i < work; i++) {
    const desc = rx.slot(i);
    if (!claimFrame(m, desc, mark)) {
      countBadDesc(net, queueAt);
      continue;
    }
    const skb = m[desc + RX_DESC.skb];
    m[skb + SKB.seq] = m[desc + RX_DESC.seq];
    f[(skb + SKB.tstampNs) >> 1] = f[q.stamps + rx.index(i)];
    readFrame(net, skb, m[desc + RX_DESC.len], m[desc + RX_DESC.hash]);
    netifRx(net, rxQueue, skb, queueAt + NIC_QUEUE.place, 0);
  }
  if (work > 0) rx.release(work);
  netifRxEnd(net);
  if (m[queueAt + NIC_QUEUE.suspect] !== 0) recoverLost(net, q);
  refill(net, q);
  net.ownPool = ownPool;
}

/** Link up. */
export function openNetifRx(driver: SimNicDriver, dev: number): void {
  forQueues(driver, dev, (at) => {
    const { cur } = driver.net;
    const { irq } = driver.queue(at);
    Atomics.store(cur.m, at + NIC_QUEUE.service, 1);
    irqUnmask(cur, irq);
    raiseIrq(cur, irq); // frames may have come before
  });
}

/** Link down: returns when no handler is at the rings. */
export function stopNetifRx(driver: SimNicDriver, dev: number): void {
  forQueues(driver, dev, (at) => {
    const { cur } = driver.net;
    const { irq } = driver.queue(at);
    irqDisable(cur, irq);
    Atomics.store(cur.m, at + NIC_QUEUE.service, 0);
    irqEnable(cur, irq);
  });
}

function forQueues(driver: SimNicDriver, dev: number, fn: (at: number) => void): void {
  const { m } = driver.net;
  for (let i = 0; i < m[dev + NET_DEVICE.queues]; i++) fn(nicQueueAt(m, m[dev + NET_DEVICE.priv], i));
}
