// SPDX-License-Identifier: GPL-2.0-only
/** A network layer as small as it gets: one device with one NAPI instance, and a "ring" that is a count of events. */
import type { Label } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { kthread, taskListAdd } from '../kernel/kthread.js';
import type { Platform } from '../kernel/platform.js';
import { cpuIdleLoop, NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import { TASK } from '../kernel/task.js';
import { Arena } from '../mm/arena.js';
import { initListHead } from '../mm/list.js';
import { allocPercpu, perCpuPtr } from '../mm/percpu.js';
import { kmalloc } from '../mm/slab.js';
import { NAPI, type Napi } from '../net/core/napi.js';
import { napiEnable, netifNapiAdd } from '../net/core/napi_control.js';
import { napiThreadedPoll, netRxAction } from '../net/core/napi_poll.js';
import { napiCompleteDone, napiSchedule, napiWatchdog } from '../net/core/napi_schedule.js';
import { NAPI_THREAD_NODE } from '../net/core/napi_thread.js';
import { type NetContext, netContext } from '../net/core/net_context.js';
import { allocNetdev, NAPI_CONFIG, NET_DEVICE } from '../net/core/net_device.js';
import {
  GRO_NORMAL_BATCH,
  NAPI_KTHREAD_PERSIST_OFF,
  NET,
  NETDEV_BUDGET,
  NETDEV_BUDGET_USECS,
  SOFTNET_DATA,
} from '../net/core/softnet_data.js';
import { ARENA_WORDS, addRunningTask, addTask, addWord, boot, currentOf, ownCpu, STILL } from './world.js';

/** The small network's tasks. */
export interface NetTasks {
  /** CPU 0's own thread. */
  readonly cpu: number;
  /** The instance's thread. */
  readonly thread: number;
  /** Tasks of threads that raise events. */
  readonly irqA: number;
  readonly irqB: number;
  /** A control worker. */
  readonly control: number;
}

/** Where everything of the small network lies. */
export interface NetSetup extends NetTasks {
  readonly dev: number;
  readonly napi: number;
  /** Events the device has. */
  readonly ring: number;
  /** Events that polls took: plain, so two polls at once are a data race. */
  readonly polled: number;
  /** Count them; off where traffic never ends. */
  readonly counting: boolean;
}

/** The test's memory. */
export function netMemory(): Arena {
  return new Arena(new SharedArrayBuffer(ARENA_WORDS * 4));
}

/** Boots the network layer, without a device. A second CPU's own thread is `irqA`. */
export function netBoot(
  { m }: Arena,
  label: Label,
  persist = NAPI_KTHREAD_PERSIST_OFF,
  nrCpus: 1 | 2 = 1,
): NetTasks {
  boot(m, label, nrCpus);
  const at = kmalloc(m, NET.SIZE);
  m[KERNEL_AT + KERNEL.net] = at;
  m[at + NET.softnetData] = allocPercpu(m, SOFTNET_DATA, nrCpus);
  for (let i = 0; i < nrCpus; i++) {
    const sd = perCpuPtr(m[at + NET.softnetData], SOFTNET_DATA, i);
    for (const list of [SOFTNET_DATA.pollList, SOFTNET_DATA.roundList, SOFTNET_DATA.repollList])
      initListHead(m, sd + list);
    label(m, sd, SOFTNET_DATA, `softnet_data${i}`);
  }
  m[at + NET.netdevBudget] = NETDEV_BUDGET;
  m[at + NET.netdevBudgetUsecs] = NETDEV_BUDGET_USECS;
  m[at + NET.groNormalBatch] = GRO_NORMAL_BATCH;
  m[at + NET.napiKthreadPersist] = persist;
  label(m, at, NET);
  const tasks = {
    cpu: addRunningTask(m, label, 'cpu/0'),
    thread: addTask(m, label, 'napi'),
    irqA: addRunningTask(m, label, 'irqA', nrCpus - 1),
    irqB: addRunningTask(m, label, 'irqB'),
    control: addRunningTask(m, label, 'control'),
  };
  ownCpu(m, 0, tasks.cpu);
  if (nrCpus === 2) ownCpu(m, 1, tasks.irqA);
  return tasks;
}

/**
 * Makes the device and its instance, enabled.
 * @param threaded with a thread (which the test runs by `pollThread`), or in softirq mode
 * @param weight most events of one poll
 */
export function netSetup(
  arena: Arena,
  label: Label,
  threaded: boolean,
  weight: number,
  counting = true,
  persist = NAPI_KTHREAD_PERSIST_OFF,
  nrCpus: 1 | 2 = 1,
): NetSetup {
  const { m } = arena;
  const tasks = netBoot(arena, label, persist, nrCpus);
  const net = netContext(currentOf(m, tasks.control), arena);
  const dev = allocNetdev(m, 'eth0', 0, 2);
  label(m, dev, NET_DEVICE, 'dev');
  label(m, m[dev + NET_DEVICE.napiConfigs], NAPI_CONFIG, 'config');
  const napi = netifNapiAdd(net, dev, 0, 0, weight, 0);
  label(m, napi, NAPI, 'napi');
  if (threaded) {
    m[napi + NAPI.threadNode] = addNode(m, label, tasks.thread, napi);
    m[m[dev + NET_DEVICE.napiConfigs] + NAPI_CONFIG.threaded] = 1;
    m[tasks.thread + TASK.state] = 0;
  }
  napiEnable(net, net.napi(napi));
  return {
    ...tasks,
    dev,
    napi,
    ring: addWord(m, label, 'ring'),
    polled: addWord(m, label, 'polled'),
    counting,
  };
}

/** The poll function: takes events until the budget is used up, completes if the ring ran dry. */
function pollRing(net: NetContext, n: Napi, budget: number, s: NetSetup): number {
  const { m } = net;
  let work = 0;
  while (work < budget && Atomics.load(m, s.ring) > 0) {
    Atomics.sub(m, s.ring, 1);
    m[s.polled] = s.counting ? m[s.polled] + 1 : 0;
    work++;
  }
  if (work < budget) napiCompleteDone(net, n, work);
  return work;
}

/** Makes a thread's context, with the poll function and the softirq in their tables. */
export function netFor(
  arena: Arena,
  s: NetSetup,
  task: number,
  platform: Platform = STILL,
  cpu = 0,
): NetContext {
  const net = netContext(currentOf(arena.m, task, cpu, platform), arena);
  net.napiPollFns.push((c, n, budget) => pollRing(c, n, budget, s));
  net.cur.softirqVec[NET_RX_SOFTIRQ] = () => netRxAction(net);
  net.cur.hrtimerFns.push((_cur, at) => napiWatchdog(net, net.napi(at)));
  return net;
}

/** An event: the device has something, and its interrupt schedules the instance. */
export function event(net: NetContext, s: NetSetup): void {
  Atomics.add(net.m, s.ring, 1);
  napiSchedule(net, net.napi(s.napi));
}

/** Body of the instance's thread, from the creation of the task on. */
export function napiThread(arena: Arena, s: NetSetup): void {
  const net = netFor(arena, s, s.thread);
  kthread(net.cur, () => napiThreadedPoll(net, nodeOf(arena, s)));
}

/** Body of a thread that was woken before: without the handshake of its creation. */
export function pollThread(arena: Arena, s: NetSetup): void {
  const net = netFor(arena, s, s.thread);
  napiThreadedPoll(net, nodeOf(arena, s));
}

/** The node of the instance's thread; constant, so the thread may look it up at any time. */
export function nodeOf({ m }: Arena, s: NetTasks): number {
  return m[s.thread + TASK.data];
}

/** Makes the node between a task and an instance. @returns its word index */
export function addNode(m: Int32Array, label: Label, task: number, napi: number, name = 'node'): number {
  const node = kmalloc(m, NAPI_THREAD_NODE.SIZE);
  m[node + NAPI_THREAD_NODE.task] = task;
  m[node + NAPI_THREAD_NODE.napi] = napi;
  m[task + TASK.data] = node;
  label(m, node, NAPI_THREAD_NODE, name);
  return node;
}

/** Puts tasks into the list that grace periods look at. */
export function listTasks(m: Int32Array, tasks: readonly number[]): void {
  for (const t of tasks) taskListAdd(m, t);
}

/** Body of the thread of CPU 0. */
export function idleCpu(arena: Arena, s: NetSetup): void {
  cpuIdleLoop(netFor(arena, s, s.cpu).cur);
}
