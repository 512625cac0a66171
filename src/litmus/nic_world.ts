// SPDX-License-Identifier: GPL-2.0-only
/** A simulated NIC as small as it gets: one queue with a ring of one descriptor and two buffers. */
import { type Label, must } from '../check/index.js';
import { NIC_QUEUE, nicQueueAt, simNicCreate } from '../drivers/net/sim_nic.js';
import { SimNicDriver, simNicInterrupt, simNicPoll } from '../drivers/net/sim_nic_driver.js';
import { simNicOpen, simNicProbe } from '../drivers/net/sim_nic_main.js';
import { timedTimer } from '../drivers/net/sim_nic_timed.js';
import { IRQ_DESC } from '../kernel/irq.js';
import type { Platform } from '../kernel/platform.js';
import { rcuReadLock } from '../kernel/rcu.js';
import { cpuIdleLoop, doSoftirq, NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import type { Arena } from '../mm/arena.js';
import { HRTIMER_NAPI_WATCHDOG, HRTIMER_TIMED_WIRE } from '../net/core/ids.js';
import { NAPI, NAPIF_STATE_THREADED } from '../net/core/napi.js';
import { netRxAction } from '../net/core/napi_poll.js';
import { napiWatchdog } from '../net/core/napi_schedule.js';
import { netContext } from '../net/core/net_context.js';
import { allocNetdev, NAPI_CONFIG, NET_DEVICE } from '../net/core/net_device.js';
import { PAGE_POOL } from '../net/core/page_pool.js';
import { DROP_NO_SOCKET, NAPI_KTHREAD_PERSIST_OFF, NET } from '../net/core/softnet_data.js';
import { addNode, listTasks, type NetTasks, netBoot } from './net_world.js';
import { addWord, currentOf, STILL } from './world.js';

const RING = 1;
const POOL = 2;

export interface NicSetup extends NetTasks {
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
export function driverFor(arena: Arena, task: number, platform: Platform = STILL, cpu = 0): SimNicDriver {
  const net = netContext(currentOf(arena.m, task, cpu, platform), arena);
  const driver = new SimNicDriver(net);
  net.cur.irqHandlers.push((cur, queueAt) => simNicInterrupt(driver, cur, queueAt));
  net.napiPollFns.push((c, n, budget) => simNicPoll(driver, c, n, budget));
  net.cur.hrtimerFns[HRTIMER_NAPI_WATCHDOG] = (_cur, at) => napiWatchdog(net, net.napi(at));
  net.cur.hrtimerFns[HRTIMER_TIMED_WIRE] = (cur, at) => timedTimer(driver, cur, at);
  net.cur.softirqVec[NET_RX_SOFTIRQ] = () => netRxAction(net);
  return driver;
}

/** A device with one queue, up: in softirq mode with its first poll to come, or at rest with a thread. */
export function nicSetup(
  arena: Arena,
  label: Label,
  threaded: boolean,
  atRest = threaded,
  nrCpus: 1 | 2 = 1,
): NicSetup {
  const { m } = arena;
  const tasks = netBoot(arena, label, NAPI_KTHREAD_PERSIST_OFF, nrCpus);
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

/** CPU 0's own thread. */
export function idleCpu(arena: Arena, s: NicSetup, platform: Platform = STILL): void {
  const { cur } = driverFor(arena, s.cpu, platform).net;
  rcuReadLock(cur);
  cpuIdleLoop(cur);
}

/** Frames that went all the way up: there is no socket for them. */
export function delivered(m: Int32Array, s: NicSetup): number {
  return m[s.net + NET.drops + DROP_NO_SOCKET];
}

/** What polls own, after stop: no poll may be under way. */
export function ownPool(m: Int32Array, s: NicSetup): void {
  m[s.seen] = m[s.pool + PAGE_POOL.cacheCount];
  m[s.pool + PAGE_POOL.cacheCount] = m[s.seen];
}
