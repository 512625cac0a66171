// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of the simulated NIC's driver: link down against interrupts and polls under way, and up again. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { NIC_QUEUE, nicQueueAt, nicQueueView, RX_DESC, simNicCreate } from '../drivers/net/sim_nic.js';
import { SimNicDriver, simNicInterrupt, simNicPoll } from '../drivers/net/sim_nic_driver.js';
import { simNicOpen, simNicProbe, simNicStop } from '../drivers/net/sim_nic_main.js';
import { IRQ_DESC, raiseIrq } from '../kernel/irq.js';
import { kthread } from '../kernel/kthread.js';
import { rcuReadLock } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { cpuIdleLoop, doSoftirq, NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { NAPI, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import { napiThreadedPoll, netRxAction } from '../net/core/napi_poll.js';
import { netContext } from '../net/core/net_context.js';
import { allocNetdev, NAPI_CONFIG, NET_DEVICE } from '../net/core/net_device.js';
import { PAGE_POOL } from '../net/core/page_pool.js';
import { DROP_NO_SOCKET, NET } from '../net/core/softnet_data.js';
import { addNode, listTasks, type NetTasks, netBoot, netMemory, nodeOf } from './net_world.js';
import { addWord, currentOf } from './world.js';

const RING = 1;
const POOL = 2;
const FRAME_BYTES = 60;

interface NicSetup extends NetTasks {
  readonly dev: number;
  readonly queue: number;
  readonly pool: number;
  readonly napi: number;
  /** Root of the network layer. */
  readonly net: number;
  /** What the controller counts. */
  readonly seen: number;
}

/** The driver's part of a thread, with the tables that lead to it. */
function driverFor(arena: Arena, task: number): SimNicDriver {
  const net = netContext(currentOf(arena.m, task), arena);
  const driver = new SimNicDriver(net);
  net.cur.irqHandlers.push((cur, queueAt) => simNicInterrupt(driver, cur, queueAt));
  net.napiPollFns.push((c, n, budget) => simNicPoll(driver, c, n, budget));
  net.cur.softirqVec[NET_RX_SOFTIRQ] = () => netRxAction(net);
  return driver;
}

/** A device with one queue, up: in softirq mode with its first poll to come, or at rest with a thread. */
function nicSetup(arena: Arena, label: Label, threaded: boolean, atRest = threaded): NicSetup {
  const { m } = arena;
  const tasks = netBoot(arena, label);
  const dev = allocNetdev(m, 'eth0', 0, 1);
  label(m, dev, NET_DEVICE, 'dev');
  const nic = simNicCreate(m, dev, 1, RING, POOL);
  must(nic !== 0, 'the arena of the test is too small');
  m[dev + NET_DEVICE.priv] = nic;
  m[dev + NET_DEVICE.queues] = 1;
  m[dev + NET_DEVICE.rxPending] = RING;
  const queue = nicQueueAt(m, nic, 0);
  const pool = m[queue + NIC_QUEUE.pool];
  label(m, queue, NIC_QUEUE, 'queue');
  label(m, m[queue + NIC_QUEUE.irq], IRQ_DESC, 'irq');
  label(m, pool, PAGE_POOL, 'pool');
  const driver = driverFor(arena, tasks.control);
  simNicProbe(driver, nic, 0, 1);
  must(simNicOpen(driver, dev) === 0, 'the link cannot be brought up');
  const napi = m[queue + NIC_QUEUE.napi];
  label(m, napi, NAPI, 'napi');
  if (atRest) doSoftirq(driver.net.cur); // the poll that open asks for
  if (threaded) {
    m[napi + NAPI.threadNode] = addNode(m, label, tasks.thread, napi);
    m[m[napi + NAPI.config] + NAPI_CONFIG.threaded] = 1;
    m[napi + NAPI.state] |= NAPIF_STATE_THREADED;
  }
  listTasks(m, [tasks.cpu, tasks.irqA, tasks.control]);
  return { ...tasks, dev, queue, pool, napi, net: driver.net.at, seen: addWord(m, label, 'seen') };
}

/** The hardware: puts `count` frames into the ring, each with an interrupt, as soon as there is a buffer for it. */
function wire(count: number): (arena: Arena, s: NicSetup) => void {
  return (arena, s) => {
    const { m } = arena;
    const { cur } = driverFor(arena, s.irqA).net;
    const q = nicQueueView(m, s.queue);
    q.fillConsumer.begin();
    q.rxProducer.begin();
    for (let i = 0; i < count; i++) {
      while (q.fillConsumer.available(1) === 0);
      must(q.rxProducer.reserve(1) === 1, 'there is a buffer, but no room to report the frame');
      const desc = q.rxProducer.slot(0);
      m[desc + RX_DESC.skb] = m[q.fillConsumer.slot(0)];
      m[desc + RX_DESC.len] = FRAME_BYTES;
      q.rxProducer.publish(1); // D1, D5
      q.fillConsumer.release(1);
      raiseIrq(cur, q.irq);
    }
  };
}

function idleCpu(arena: Arena, s: NicSetup): void {
  const { cur } = driverFor(arena, s.cpu).net;
  rcuReadLock(cur);
  cpuIdleLoop(cur);
}

/** Frames that went all the way up: there is no socket for them. */
function delivered(m: Int32Array, s: NicSetup): number {
  return m[s.net + NET.drops + DROP_NO_SOCKET];
}

/** What polls own, after stop: no poll may be under way. */
function ownPool(m: Int32Array, s: NicSetup): void {
  m[s.seen] = m[s.pool + PAGE_POOL.cacheCount];
  m[s.pool + PAGE_POOL.cacheCount] = m[s.seen];
}

export const nicInterrupts: Litmus = litmus({
  name: 'nic-interrupts',
  memory: netMemory,
  setup: (arena, label) => nicSetup(arena, label, false),
  threads: { wire: wire(2), cpu: idleCpu },
  daemons: ['cpu'],
  final({ m }, s) {
    must(delivered(m, s) === 2, `${delivered(m, s)} frames of 2 were delivered`);
  },
  forbids: 'a frame left in the ring with the CPU asleep, or a buffer for which the receive ring has no room',
  why: 'a poll that completes unmasks; buffers posted and frames not yet read are a ring together (D1, D2, D5, D6)',
});

export const nicDownUp: Litmus = litmus({
  name: 'nic-down-up',
  memory: netMemory,
  // The frame alone asks for a poll: with that of the first open the test is four times as large.
  setup: (arena, label) => nicSetup(arena, label, false, true),
  threads: {
    wire: wire(1),
    control(arena, s) {
      const driver = driverFor(arena, s.control);
      simNicStop(driver, s.dev);
      ownPool(arena.m, s);
      must(simNicOpen(driver, s.dev) === 0, 'the link cannot be brought up');
    },
    cpu: idleCpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(delivered(m, s) === 1, `${delivered(m, s)} frames of 1 were delivered`);
  },
  forbids:
    'a poll of an instance that is gone, or a frame that came while the link was down and is left in the ring',
  why: 'stop disables interrupt and instance before it frees; open unmasks and raises once the instance can be found',
});

export const nicDownThreaded: Litmus = litmus({
  name: 'nic-down-threaded',
  memory: netMemory,
  setup: (arena, label) => nicSetup(arena, label, true),
  threads: {
    wire: wire(1),
    control(arena, s) {
      const driver = driverFor(arena, s.control);
      sleepOnCompletion(driver.net.cur, s.thread + TASK.created);
      wakeUpProcess(arena.m, s.thread);
      simNicStop(driver, s.dev);
      ownPool(arena.m, s);
      must(arena.m[s.queue + NIC_QUEUE.napi] === 0, 'the instance is still published');
    },
    napi(arena, s) {
      const { net } = driverFor(arena, s.thread);
      kthread(net.cur, () => napiThreadedPoll(net, nodeOf(arena, s)));
    },
  },
  final({ m }, s) {
    must(delivered(m, s) <= 1, 'a frame was delivered twice');
  },
  forbids: 'a link that cannot be brought down while its thread polls, or a poll afterwards',
  why: 'disable waits for the poll under way; the thread is stopped once it owns nothing',
});
