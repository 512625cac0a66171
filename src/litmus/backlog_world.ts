// SPDX-License-Identifier: GPL-2.0-only
/** Two CPUs with their backlogs, a pool whose frames are all out, and a socket without a reader: `final` looks into it. */
import { type Label, must } from '../check/index.js';
import { localBhDisable, localBhEnable } from '../kernel/bh.js';
import { CPU } from '../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import type { Platform } from '../kernel/platform.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { smpbootThreadFn } from '../kernel/smpboot.js';
import { cpuIdleLoop, NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import { TASK, TASK_RUNNING } from '../kernel/task.js';
import { Arena } from '../mm/arena.js';
import { initListHead, listEmpty } from '../mm/list.js';
import { allocPercpu, perCpuPtr } from '../mm/percpu.js';
import { kmalloc } from '../mm/slab.js';
import { processBacklog } from '../net/core/backlog.js';
import { flushBacklogs, netRpsAction, stageBacklog } from '../net/core/backlog_queue.js';
import { backlogInit, backlogThreads } from '../net/core/backlog_threads.js';
import { skbDeferKick } from '../net/core/defer_free.js';
import { NAPI, NAPIF_STATE_SCHED, NAPIF_STATE_THREADED, type Napi } from '../net/core/napi.js';
import { napiThreadedPoll, netRxAction } from '../net/core/napi_poll.js';
import { napiCompleteDone } from '../net/core/napi_schedule.js';
import { type NetContext, netContext } from '../net/core/net_context.js';
import { PAGE_POOL, pagePoolCreate, pagePoolView } from '../net/core/page_pool.js';
import { RPS_PLACE } from '../net/core/rps_map.js';
import { SKB, SKB_STRIDE } from '../net/core/skbuff.js';
import { AF_INET, SOCK, sockCreate, sockReaderView } from '../net/core/sock_queue.js';
import {
  GRO_NORMAL_BATCH,
  NET,
  NETDEV_BUDGET,
  NETDEV_BUDGET_USECS,
  NETDEV_MAX_BACKLOG,
  SKB_DEFER_MAX,
  SOFTNET_DATA,
  THREAD_BACKLOG_NAPI_OFF,
  THREAD_BACKLOG_NAPI_ON,
} from '../net/core/softnet_data.js';
import { addNode, listTasks } from './net_world.js';
import { ARENA_WORDS, addRunningTask, boot, currentOf, ownCpu, STILL } from './world.js';

/** How the backlogs are run. */
export const BY_INTERRUPT = 0;
export const BY_THREAD_RUN_TIME = 1;
export const BY_THREAD_BOOT_TIME = 2;

/** Frames there are. */
export const FRAMES = 4;

export interface BacklogSetup {
  /** The CPUs' own threads. */
  readonly cpu0: number;
  readonly cpu1: number;
  /** The thread of CPU 1's backlog. */
  readonly thread: number;
  readonly irqA: number;
  readonly irqB: number;
  readonly control: number;
  /** struct softnet_data of CPU 0 and CPU 1. */
  readonly sd0: number;
  readonly sd1: number;
  /** The first of FRAMES skbs, SKB_STRIDE apart; their `seq` are 1, 2, … */
  readonly frames: number;
  readonly pool: number;
  readonly sock: number;
}

/** The test's memory. */
export function backlogMemory(): Arena {
  return new Arena(new SharedArrayBuffer(2 * ARENA_WORDS * 4));
}

/**
 * Boots two CPUs, or more: those have no threads. CPU 1's backlog has a thread, if any has; that of CPU 0 never has one.
 */
export function backlogSetup({ m }: Arena, label: Label, mode = BY_INTERRUPT, nrCpus = 2): BacklogSetup {
  boot(m, label, nrCpus);
  const at = kmalloc(m, NET.SIZE);
  m[KERNEL_AT + KERNEL.net] = at;
  m[at + NET.softnetData] = allocPercpu(m, SOFTNET_DATA, nrCpus);
  m[at + NET.netdevBudget] = NETDEV_BUDGET;
  m[at + NET.netdevBudgetUsecs] = NETDEV_BUDGET_USECS;
  m[at + NET.groNormalBatch] = GRO_NORMAL_BATCH;
  m[at + NET.devWeight] = FRAMES * 2;
  m[at + NET.devWeightRxBias] = 1;
  m[at + NET.netdevMaxBacklog] = NETDEV_MAX_BACKLOG;
  m[at + NET.skbDeferMax] = SKB_DEFER_MAX;
  m[at + NET.rpsCpuMask] = 1;
  m[at + NET.threadBacklogNapi] =
    mode === BY_THREAD_BOOT_TIME ? THREAD_BACKLOG_NAPI_ON : THREAD_BACKLOG_NAPI_OFF;
  label(m, at, NET);
  const s = {
    cpu0: addRunningTask(m, label, 'cpu/0', 0),
    cpu1: addRunningTask(m, label, 'cpu/1', 1),
    thread: addRunningTask(m, label, 'backlog', 1),
    irqA: addRunningTask(m, label, 'irqA'),
    irqB: addRunningTask(m, label, 'irqB'),
    control: addRunningTask(m, label, 'control'),
    sd0: softnetData(m, label, 0),
    sd1: softnetData(m, label, 1),
    pool: pagePoolCreate(m, FRAMES),
    sock: sockCreate(m, AF_INET, 7, FRAMES, FRAMES),
  };
  ownCpu(m, 0, s.cpu0);
  ownCpu(m, 1, s.cpu1);
  for (let id = 2; id < nrCpus; id++) {
    softnetData(m, label, id);
    ownCpu(m, id, addRunningTask(m, label, `cpu/${id}`, id));
  }
  must(s.pool !== 0 && s.sock !== 0, 'the arena is too small');
  label(m, s.pool, PAGE_POOL, 'pool');
  label(m, s.sock, SOCK, 'sock');
  pagePoolView(m, s.pool).take(FRAMES);
  const frames = m[s.pool + PAGE_POOL.buffers];
  for (let i = 0; i < FRAMES; i++) {
    m[frames + i * SKB_STRIDE + SKB.seq] = i + 1;
    label(m, frames + i * SKB_STRIDE, SKB, `skb${i + 1}`);
  }
  if (mode !== BY_INTERRUPT) {
    m[s.sd1 + SOFTNET_DATA.backlogTask] = s.thread;
    m[s.sd1 + SOFTNET_DATA.backlogNode] = addNode(m, label, s.thread, s.sd1 + SOFTNET_DATA.backlog);
    m[s.sd1 + SOFTNET_DATA.backlog + NAPI.state] = NAPIF_STATE_THREADED;
  }
  return { ...s, frames };
}

/** Makes a CPU's softnet_data ready. @returns its word index */
function softnetData(m: Int32Array, label: Label, id: number): number {
  const sd = perCpuPtr(m[m[KERNEL_AT + KERNEL.net] + NET.softnetData], SOFTNET_DATA, id);
  for (const list of [SOFTNET_DATA.pollList, SOFTNET_DATA.roundList, SOFTNET_DATA.repollList])
    initListHead(m, sd + list);
  label(m, sd, SOFTNET_DATA, `softnet_data${id}`);
  label(m, sd + SOFTNET_DATA.backlog, NAPI, `backlog${id}`);
  backlogInit(m, sd, id);
  return sd;
}

/** @returns frame number `seq`, from 1 on */
export function frameOf(s: BacklogSetup, seq: number): number {
  return s.frames + (seq - 1) * SKB_STRIDE;
}

/** A device's poll without work. */
function pollNothing(net: NetContext, n: Napi): number {
  napiCompleteDone(net, n, 0);
  return 0;
}

/** Makes a thread's context. */
export function backlogNet(
  arena: Arena,
  s: BacklogSetup,
  task: number,
  cpu: number,
  platform: Platform = STILL,
): NetContext {
  const net = netContext(currentOf(arena.m, task, cpu, platform), arena);
  net.napiPollFns.push(pollNothing, processBacklog);
  net.sockLookups.push((c) => c.sock(s.sock));
  net.cur.softirqVec.push(() => netRxAction(net));
  return net;
}

/** Body of CPU 0's own thread. */
export function cpu0(arena: Arena, s: BacklogSetup): void {
  idle(backlogNet(arena, s, s.cpu0, 0));
}

/** Body of CPU 1's own thread. */
export function cpu1(arena: Arena, s: BacklogSetup): void {
  idle(backlogNet(arena, s, s.cpu1, 1));
}

/** A CPU's thread from here on. */
export function idle(net: NetContext): void {
  rcuReadLock(net.cur);
  cpuIdleLoop(net.cur);
}

/** Body of the thread of CPU 1's backlog, made at run time. */
export function runTimeThread(arena: Arena, s: BacklogSetup): void {
  const net = backlogNet(arena, s, s.thread, 1);
  net.floating = true;
  rcuReadLock(net.cur);
  napiThreadedPoll(net, arena.m[s.thread + TASK.data]);
}

/** Body of the thread of CPU 1's backlog, made at boot. */
export function bootTimeThread(arena: Arena, s: BacklogSetup): void {
  const net = backlogNet(arena, s, s.thread, 1);
  rcuReadLock(net.cur);
  smpbootThreadFn(net.cur, backlogThreads(net), 1);
}

/** Queues a frame for a CPU's backlog from an interrupt: what it owes to others is this CPU's softirq's. */
export function sendFromIrq(net: NetContext, cpu: number, skb: number, place = 0): void {
  stageBacklog(net, cpu, skb, place);
  flushBacklogs(net);
}

/** The same where there are grace periods. */
export function sendUnderRcu(net: NetContext, cpu: number, skb: number): void {
  rcuReadLock(net.cur);
  sendFromIrq(net, cpu, skb);
  rcuReadUnlock(net.cur);
}

/** Queues frames, each for the backlog of a CPU, from a poll loop, which sends the interrupts itself when it ends. */
export function sendFromPoll(net: NetContext, ...frames: readonly (readonly [number, number])[]): void {
  const { cur } = net;
  localBhDisable(cur);
  net.sendsIpis = true;
  for (let i = 0; i < frames.length; i++) {
    stageBacklog(net, frames[i][0], frames[i][1], 0);
    flushBacklogs(net);
  }
  net.sendsIpis = false;
  netRpsAction(net, cur.cpu);
  skbDeferKick(net);
  localBhEnable(cur);
}

/** @returns numbers of the frames in the socket, oldest first. For `final` */
export function received(m: Int32Array, s: BacklogSetup): number[] {
  const { consumer } = sockReaderView(m, s.sock);
  consumer.begin();
  const n = consumer.available(FRAMES);
  const seqs: number[] = [];
  for (let i = 0; i < n; i++) seqs.push(m[m[consumer.slot(i)] + SKB.seq]);
  return seqs;
}

/**
 * For `final`: frames 1 to `count` are in the socket, and nothing is left of what brought them.
 * @param state of CPU 1's backlog
 * @param ordered frames from 1 on that one sender sent: they are in order
 */
export function mustHaveReceived(
  m: Int32Array,
  s: BacklogSetup,
  count: number,
  state = 0,
  ordered = count,
  state0 = 0,
): void {
  const seqs = received(m, s);
  must(seqs.length === count, `${seqs.length} frames of ${count} are in the socket`);
  const mine = seqs.filter((seq) => seq <= ordered);
  for (let i = 0; i < ordered; i++) must(mine[i] === i + 1, `the socket has frames ${seqs.join(', ')}`);
  mustBeIdle(m, s, state, state0);
}

/** For `final`: all frames that went to a place are through, so the next one may go elsewhere. */
export function mustBeFree(m: Int32Array, s: BacklogSetup, place: number): void {
  must(m[place + RPS_PLACE.staged] === 0, 'a frame is staged for ever: its flow can never move');
  const cpu = m[place + RPS_PLACE.cpu];
  if (cpu === 0) return;
  const head = m[(cpu === 1 ? s.sd0 : s.sd1) + SOFTNET_DATA.inputQueueHead];
  must(((head - m[place + RPS_PLACE.lastQtail]) | 0) >= 0, 'a flow waits for frames that are through');
}

/** For `final`: nobody owns a backlog, and no list holds one. */
export function mustBeIdle(m: Int32Array, s: BacklogSetup, state1 = 0, state0 = 0): void {
  must(m[s.sd0 + SOFTNET_DATA.backlog + NAPI.state] === state0, 'the backlog of CPU 0 is not as it was');
  must(m[s.sd1 + SOFTNET_DATA.backlog + NAPI.state] === state1, 'the backlog of CPU 1 is not as it was');
  for (const sd of [s.sd0, s.sd1]) {
    must(listEmpty(m, sd + SOFTNET_DATA.pollList), 'a poll list is not empty');
    must(m[sd + SOFTNET_DATA.rpsIpiList] === 0, 'a CPU is left on a list of those to interrupt');
    must(m[sd + SOFTNET_DATA.deferList] === 0, 'frames are left that nobody frees');
  }
}

/**
 * For `final` where CPU 0's thread takes no part: what is not in the socket waits where that will find it, and it is woken.
 * @param sd the backlog all `count` frames went to
 * @param state of CPU 1's backlog at rest
 * @param ids the CPUs whose threads take no part
 */
export function mustBeLeftToCpu(
  m: Int32Array,
  s: BacklogSetup,
  sd: number,
  count: number,
  state = 0,
  ids: readonly number[] = [0],
): void {
  const seqs = received(m, s);
  if (seqs.length === count) {
    mustHaveReceived(m, s, count, state);
    return;
  }
  for (let i = 0; i < seqs.length; i++) must(seqs[i] === i + 1, `the socket has frames ${seqs.join(', ')}`);
  const left = m[sd + SOFTNET_DATA.inputQlen] + m[sd + SOFTNET_DATA.processQlen];
  must(
    seqs.length + left === count,
    `${seqs.length} frames are in the socket, ${left} in queues, of ${count}`,
  );
  const scheduled = NAPIF_STATE_SCHED | (sd === s.sd1 ? state : 0);
  must(
    m[sd + SOFTNET_DATA.backlog + NAPI.state] === scheduled,
    'the backlog is not scheduled as it should be',
  );
  const on = ids.find((id) => isListed(m, id === 0 ? s.sd0 : s.sd1, sd));
  must(on !== undefined, 'the backlog is on no list of a CPU that will look');
  const cpu = cpuArea(m, on ?? 0);
  must((m[cpu + CPU.softirqPending] & (1 << NET_RX_SOFTIRQ)) !== 0, 'its CPU has no softirq to run');
  must(m[m[cpu + CPU.task] + TASK.state] === TASK_RUNNING, 'its CPU sleeps');
}

function isListed(m: Int32Array, by: number, sd: number): boolean {
  const entry = sd + SOFTNET_DATA.backlog + NAPI.pollList;
  return m[by + SOFTNET_DATA.pollList] === entry || m[by + SOFTNET_DATA.rpsIpiList] === sd;
}

/** @returns a CPU's area */
export function cpuArea(m: Int32Array, id: number): number {
  return perCpuPtr(m[KERNEL_AT + KERNEL.cpus], CPU, id);
}

/** The tasks whose read sections grace periods wait for. */
export function listAll(m: Int32Array, s: BacklogSetup): void {
  listTasks(m, [s.cpu0, s.cpu1, s.thread, s.irqA, s.irqB, s.control]);
}
