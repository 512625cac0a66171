// SPDX-License-Identifier: GPL-2.0-only
/**
 * A machine without threads: the arena laid out as src/machine.ts does it, and contexts that a test uses in turn as if
 * each were a thread. The clock stands still unless the test moves it; sleeping calls a hook, so that what "another
 * thread" does meanwhile happens at a place of the test's choice.
 */

import {
  buffersFreed,
  SimNicDriver,
  simNicInterrupt,
  simNicPoll,
} from '../../dist/drivers/net/sim_nic_driver.js';
import { simNicOps } from '../../dist/drivers/net/sim_nic_main.js';
import { timedTimer } from '../../dist/drivers/net/sim_nic_timed.js';
import { xskPoll } from '../../dist/drivers/net/sim_nic_xsk.js';
import { Toeplitz } from '../../dist/drivers/net/toeplitz.js';
import { CPU } from '../../dist/kernel/cpu.js';
import { Current, cpuViews, KERNEL, KERNEL_AT } from '../../dist/kernel/current.js';
import { allocTask } from '../../dist/kernel/kthread.js';
import type { Platform } from '../../dist/kernel/platform.js';
import { rcuInit } from '../../dist/kernel/rcu.js';
import { NET_RX_SOFTIRQ } from '../../dist/kernel/softirq.js';
import { TASK, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../../dist/kernel/task.js';
import { Arena } from '../../dist/mm/arena.js';
import { initListHead } from '../../dist/mm/list.js';
import { allocPercpu, perCpuPtr } from '../../dist/mm/percpu.js';
import { kmalloc, mmInit } from '../../dist/mm/slab.js';
import { backlogInit } from '../../dist/net/core/backlog_threads.js';
import {
  DRIVER_SIM_NIC,
  HRTIMER_IP_FRAGMENTS,
  HRTIMER_NAPI_WATCHDOG,
  HRTIMER_TIMED_WIRE,
  IRQ_SIM_NIC_RX,
  POLL_SIM_NIC,
  TASK_KIND_CPU,
  TASK_KIND_NAPI,
} from '../../dist/net/core/ids.js';
import { NAPI, type Napi, napiStateText } from '../../dist/net/core/napi.js';
import { netRxAction } from '../../dist/net/core/napi_poll.js';
import { napiWatchdog } from '../../dist/net/core/napi_schedule.js';
import { NAPI_THREAD_NODE } from '../../dist/net/core/napi_thread.js';
import { netContext } from '../../dist/net/core/net_context.js';
import { allocNetdev, listNetdevice } from '../../dist/net/core/net_device.js';
import {
  DROP_REASON_NAMES,
  GRO_NORMAL_BATCH,
  IPFRAG_HIGH_THRESH,
  IPFRAG_TIME,
  NAPI_KTHREAD_PERSIST_OFF,
  NET,
  NETDEV_BUDGET,
  NETDEV_BUDGET_USECS,
  NR_PORTS,
  SOFTNET_DATA,
} from '../../dist/net/core/softnet_data.js';
import { FQDIR, fqdirInit, fragTimer } from '../../dist/net/ipv4/inet_fragment.js';
import { ipDefrag } from '../../dist/net/ipv4/ip_fragment.js';
import { udpLookup } from '../../dist/net/ipv4/udp.js';
import { packetLookup } from '../../dist/net/packet/af_packet.js';
import type { ThreadContext } from '../../dist/threads/context.js';

/** Sleeps after which a wait is taken to last for ever. */
const ENDLESS = 10_000;

/** A clock that the test moves. */
export class FakePlatform implements Platform {
  /** Microseconds since some start. */
  us = 1_000_000;
  /** How far each look at the clock moves it. */
  stepUs = 0;
  /** Sleeps so far. */
  sleeps = 0;
  /** What happens elsewhere while somebody sleeps in usleep. */
  onSleep: () => void = () => {};
  /** What happens elsewhere just before somebody gets the time. */
  onRead: () => void = () => {};

  nowNs(): number {
    return this.nowUs() * 1e3;
  }

  nowUs(): number {
    this.onRead();
    this.us += this.stepUs;
    return this.us | 0;
  }

  setComm(): void {}

  usleep(us: number): void {
    this.us += us;
    this.sleeps++;
    if (this.sleeps > ENDLESS) throw new Error('waits for ever: nobody changes what it waits for');
    this.onSleep();
  }
}

export interface BareOptions {
  readonly cpus?: number;
  readonly memoryBytes?: number;
  readonly netdevBudget?: number;
  readonly netdevBudgetUsecs?: number;
  /** Fragments are put together. */
  readonly ipDefrag?: boolean;
}

export class BareMachine {
  readonly arena: Arena;
  readonly m: Int32Array;
  readonly clock = new FakePlatform();
  /** Root of the network layer. */
  readonly at: number;
  /** The CPUs' own tasks: nobody runs them, they are there to be woken. */
  readonly cpuTasks: number[] = [];
  readonly cpus: number;

  constructor(options: BareOptions = {}) {
    this.cpus = options.cpus ?? 2;
    this.arena = new Arena(new SharedArrayBuffer(options.memoryBytes ?? 32 << 20));
    const { m } = this.arena;
    this.m = m;
    mmInit(m);
    rcuInit(m);
    m[KERNEL_AT + KERNEL.nrCpus] = this.cpus;
    m[KERNEL_AT + KERNEL.cpus] = allocPercpu(m, CPU, this.cpus);
    this.at = kmalloc(m, NET.SIZE);
    m[KERNEL_AT + KERNEL.net] = this.at;
    m[this.at + NET.softnetData] = allocPercpu(m, SOFTNET_DATA, this.cpus);
    m[this.at + NET.udpTable] = kmalloc(m, NR_PORTS);
    m[this.at + NET.netdevBudget] = options.netdevBudget ?? NETDEV_BUDGET;
    m[this.at + NET.netdevBudgetUsecs] = options.netdevBudgetUsecs ?? NETDEV_BUDGET_USECS;
    m[this.at + NET.groNormalBatch] = GRO_NORMAL_BATCH;
    if (options.ipDefrag === true) m[this.at + NET.fqdir] = fqdirInit(m);
    m[this.at + NET.ipfragHighThresh] = IPFRAG_HIGH_THRESH;
    m[this.at + NET.ipfragTime] = IPFRAG_TIME;
    m[this.at + NET.napiKthreadPersist] = NAPI_KTHREAD_PERSIST_OFF;
    for (let i = 0; i < this.cpus; i++) {
      initListHead(m, this.softnet(i) + SOFTNET_DATA.pollList);
      initListHead(m, this.softnet(i) + SOFTNET_DATA.roundList);
      initListHead(m, this.softnet(i) + SOFTNET_DATA.repollList);
      const task = allocTask(m, 0, 0, i, TASK_KIND_CPU, `cpu/${i}`);
      m[task + TASK.state] = TASK_INTERRUPTIBLE;
      m[this.cpuArea(i) + CPU.task] = task;
      m[this.cpuArea(i) + CPU.online] = 1;
      backlogInit(m, this.softnet(i), i);
      this.cpuTasks.push(task);
    }
  }

  /** The context of one more thread, which counts as running on `cpu`. */
  thread(cpu = 0): ThreadContext {
    const { m, arena } = this;
    const task = allocTask(m, 0, 0, cpu, TASK_KIND_CPU, 'test');
    m[task + TASK.state] = TASK_RUNNING;
    const cur = new Current(m, this.clock, task, cpuViews(m), cpu);
    const net = netContext(cur, arena);
    const driver = new SimNicDriver(net);
    driver.xskPoll = xskPoll;
    const rss = new Toeplitz();
    driver.receiveHash = (b, keys) => rss.rssHashWord(b, keys);
    cur.softirqVec[NET_RX_SOFTIRQ] = () => netRxAction(net);
    cur.hrtimerFns[HRTIMER_NAPI_WATCHDOG] = (_cur, napiAt) => napiWatchdog(net, net.napi(napiAt));
    cur.hrtimerFns[HRTIMER_TIMED_WIRE] = (c, wireAt) => timedTimer(driver, c, wireAt);
    cur.hrtimerFns[HRTIMER_IP_FRAGMENTS] = () => fragTimer(net);
    cur.irqHandlers[IRQ_SIM_NIC_RX] = (c, queueAt) => simNicInterrupt(driver, c, queueAt);
    net.netDevOps[DRIVER_SIM_NIC] = simNicOps(driver);
    net.poolFreed = (nc, pool) => buffersFreed(driver, nc, pool);
    net.napiPollFns[POLL_SIM_NIC] = (nc, n, budget) => simNicPoll(driver, nc, n, budget);
    net.sockLookups.push(udpLookup, packetLookup);
    if (m[this.at + NET.fqdir] !== 0) net.ipDefrag = ipDefrag;
    return { arena, cur, net, driver };
  }

  /** A device of no driver, for instances with poll functions of the test's own. */
  netdev(ctx: ThreadContext, name = 'test0', maxQueues = 8): number {
    const dev = allocNetdev(this.m, name, 0, maxQueues);
    listNetdevice(ctx.net, dev);
    return dev;
  }

  /** Gives an instance a thread that nobody runs: it sleeps, and counts as exited for whoever stops it. */
  giveThread(n: Napi): number {
    const { m } = this;
    const node = kmalloc(m, NAPI_THREAD_NODE.SIZE);
    const task = allocTask(m, 0, node, m[n.at + NAPI.cpu], TASK_KIND_NAPI, 'napi/test');
    m[task + TASK.state] = TASK_INTERRUPTIBLE;
    m[task + TASK.exited] = 1;
    m[node + NAPI_THREAD_NODE.task] = task;
    m[node + NAPI_THREAD_NODE.napi] = n.at;
    Atomics.store(m, n.at + NAPI.threadNode, node);
    return task;
  }

  /** Word index of a CPU's kernel area. */
  cpuArea(cpu: number): number {
    return perCpuPtr(this.m[KERNEL_AT + KERNEL.cpus], CPU, cpu);
  }

  /** Word index of a CPU's softnet_data. */
  softnet(cpu: number): number {
    return perCpuPtr(this.m[this.at + NET.softnetData], SOFTNET_DATA, cpu);
  }

  /** true if NET_RX_SOFTIRQ is pending on the CPU. */
  softirqPending(cpu: number): boolean {
    return (this.m[this.cpuArea(cpu) + CPU.softirqPending] & (1 << NET_RX_SOFTIRQ)) !== 0;
  }

  /** true if somebody woke the CPU's own thread. */
  cpuWoken(cpu: number): boolean {
    return this.m[this.cpuTasks[cpu] + TASK.state] === TASK_RUNNING;
  }

  /** Instances in a CPU's poll list, in order. */
  pollList(cpu: number): number[] {
    const head = this.softnet(cpu) + SOFTNET_DATA.pollList;
    const found: number[] = [];
    for (let e = this.m[head]; e !== head; e = this.m[e]) found.push(e - NAPI.pollList);
    return found;
  }

  /** The word `inNetRxAction` of a CPU. */
  inNetRxAction(cpu: number): number {
    return this.m[this.softnet(cpu) + SOFTNET_DATA.inNetRxAction];
  }

  /** Timers in a CPU's base. */
  timers(cpu: number): number {
    return this.m[this.cpuArea(cpu) + CPU.timerFirst] === 0 ? 0 : 1;
  }

  /** A word of the table of fragments (FQDIR). */
  fragWord(offset: number): number {
    return this.m[this.m[this.at + NET.fqdir] + offset];
  }

  /** Datagrams that wait for fragments, and the bytes that are held for them. */
  fragsHeld(): { queues: number; mem: number } {
    return { queues: this.fragWord(FQDIR.nrQueues), mem: this.fragWord(FQDIR.mem) };
  }

  /** Frames dropped so far, by reason. */
  drops(): { [reason: string]: number } {
    const out: { [reason: string]: number } = {};
    DROP_REASON_NAMES.forEach((name, i) => {
      if (this.m[this.at + NET.drops + i] > 0) out[name] = this.m[this.at + NET.drops + i];
    });
    return out;
  }
}

/** An instance's state in words. */
export function stateOf(n: Napi): string {
  return napiStateText(Atomics.load(n.m, n.state));
}
