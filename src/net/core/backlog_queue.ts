// SPDX-License-Identifier: GPL-2.0-only
/**
 * Into the backlog of a CPU (Linux: enqueue_to_backlog, napi_schedule_rps, net_rps_action_and_irq_enable in
 * net/core/dev.c). Out of it: backlog.ts.
 *
 * A poll stages what it finds to be another CPU's and queues it when it ends: one lock for a batch (Linux: one a frame).
 *
 * Ways to have a backlog run, once its SCHED is won
 *   interrupt  the remote CPU goes onto the list of this CPU (rpsIpiList), and is interrupted when this CPU's softirq or
 *              poll loop ends: one interrupt a batch
 *   run time   its thread is woken (backlog_threaded, seed 002), whichever CPU it is for
 *   boot time  the remote CPU's thread is woken (thread_backlog_napi, seed 001); for this CPU the softirq does it
 *   local      onto this CPU's poll list
 *
 * Owners
 *   input queue         inputLock
 *   rpsIpiList          irqLock of the CPU whose list it is; rpsIpiNext: the owner of that backlog's SCHED
 *   staged frames       this thread
 *
 * Invariants
 *   - An input queue that is not empty has SCHED set, and whoever set it sees that the backlog is run.
 *   - SCHED_THREADED is set by the owner of SCHED alone, and then only the thread polls.
 *   - A backlog is on at most one list of interrupts, and only if no thread runs it.
 *   - Frames that one instance queues for one CPU keep their order.
 *
 * Ordering
 *   R1 enqueuer: queue (under inputLock), then or of SCHED      pairs with  R2 (backlog.ts)
 *   R3 enqueuer: or of SCHED_THREADED, then wakes the thread    pairs with  N4, M1 (napi_poll.ts, smpboot.ts)
 *   R4 sender: rpsIpiList under irqLock, looks at online there  pairs with  R5
 *   R5 hotplug: online = 0, then takes rpsIpiList under irqLock (cpu_dead.ts)   pairs with  R4
 *   R6 scheduler: loads online in a read section of RCU, then or of SCHED_THREADED   pairs with  R7
 *   R7 hotplug: online = 0, grace period, then looks for SCHED_THREADED (cpu_dead.ts)   pairs with  R6
 *   R8 toggle: or of THREADED after backlogTask is stored (backlog_threads.ts)    pairs with  R9
 *   R9 scheduler: load of THREADED, then of backlogTask         pairs with  R8
 */
import { irqLockCpu, irqUnlockCpu } from '../../kernel/bh.js';
import { type Cpu, cpuOnline } from '../../kernel/cpu.js';
import type { Current } from '../../kernel/current.js';
import { spinLock, spinUnlock } from '../../kernel/locking/spinlock.js';
import { tryToWakeUp } from '../../kernel/sched.js';
import { smpCallFunctionSingleAsync } from '../../kernel/smp.js';
import { NET_RX_SOFTIRQ, raiseSoftirq } from '../../kernel/softirq.js';
import { skbFlowLimit } from './flow_limit.js';
import { NAPI, NAPIF_STATE_SCHED, NAPIF_STATE_SCHED_THREADED, NAPIF_STATE_THREADED } from './napi.js';
import { BACKLOG_STAGE_SLOTS, type BacklogStage, type NetContext } from './net_context.js';
import { lockOnline, napiPollListAdd } from './poll_list.js';
import { RPS_PLACE } from './rps_map.js';
import { dropChain } from './skb_free.js';
import { SKB } from './skbuff.js';
import {
  DROP_CPU_BACKLOG,
  DROP_FLOW_LIMIT,
  NET,
  SOFTNET_DATA,
  type SoftnetData,
  THREAD_BACKLOG_NAPI_NO_BYPASS,
  THREAD_BACKLOG_NAPI_OFF,
} from './softnet_data.js';

/**
 * Stages a frame for the backlog of `cpu`.
 * @param place struct rps_place that is told where the frame stands in the queue, 0: none
 */
export function stageBacklog(net: NetContext, cpu: number, skb: number, place: number): void {
  const stage = net.stage(cpu);
  if (stage.count === 0) net.staged.push(stage);
  else if (stage.count === BACKLOG_STAGE_SLOTS) enqueueToBacklog(net, stage);
  stage.skbs[stage.count] = skb;
  stage.places[stage.count++] = place;
  if (place !== 0) net.m[place + RPS_PLACE.staged] = 1;
}

/** Queues everything staged. Before SCHED of the instance that was polled is given up. */
export function flushBacklogs(net: NetContext): void {
  const { staged } = net;
  for (let i = 0; i < staged.length; i++) enqueueToBacklog(net, staged[i]);
  staged.length = 0;
}

/** Queues the frames staged for one CPU and sees that its backlog is run. */
function enqueueToBacklog(net: NetContext, stage: BacklogStage): void {
  const { m } = net;
  const { count, skbs, places } = stage;
  const sd = net.softnet[stage.cpu];
  const max = m[net.at + NET.netdevMaxBacklog] >>> 0; // below 0: no limit, as in Linux
  stage.count = 0;
  spinLock(m, sd.inputLock);
  const before = m[sd.at + SOFTNET_DATA.inputQlen];
  let qlen = before;
  let last = m[sd.at + SOFTNET_DATA.inputTail];
  let tail = m[sd.at + SOFTNET_DATA.inputQueueTail];
  let dropped = 0;
  for (let i = 0; i < count; i++) {
    const skb = skbs[i];
    let reason = -1;
    if (qlen > max) reason = DROP_CPU_BACKLOG;
    else if (qlen >= max >>> 1 && skbFlowLimit(net, m[skb + SKB.hash])) reason = DROP_FLOW_LIMIT;
    const place = places[i];
    if (place !== 0) m[place + RPS_PLACE.staged] = 0;
    if (reason >= 0) {
      // Kept at the front of the same arrays, to be freed outside the lock.
      skbs[dropped] = skb;
      places[dropped++] = reason;
      continue;
    }
    if (qlen === 0) m[sd.at + SOFTNET_DATA.inputHead] = skb;
    else m[last + SKB.next] = skb;
    last = skb;
    qlen++;
    tail = (tail + 1) | 0;
    if (place !== 0) m[place + RPS_PLACE.lastQtail] = tail;
  }
  m[sd.at + SOFTNET_DATA.inputTail] = last;
  m[sd.at + SOFTNET_DATA.inputQueueTail] = tail;
  m[sd.at + SOFTNET_DATA.inputQlen] = qlen;
  if (dropped > 0) m[sd.at + SOFTNET_DATA.dropped] += dropped;
  let mine = false;
  // A queue that held something has somebody who runs it.
  if (before === 0 && qlen > 0) {
    const state = sd.backlog + NAPI.state;
    mine = (Atomics.or(m, state, NAPIF_STATE_SCHED) & NAPIF_STATE_SCHED) === 0; // R1
  }
  spinUnlock(m, sd.inputLock);
  if (mine) napiScheduleRps(net, sd);
  for (let i = 0; i < dropped; i++) dropChain(net, skbs[i], places[i]);
}

/** Has a backlog run whose SCHED the caller has just won (Linux: napi_schedule_rps). */
export function napiScheduleRps(net: NetContext, sd: SoftnetData): void {
  const { m, cur } = net;
  const { cpu } = cur;
  const state = sd.backlog + NAPI.state;
  if ((Atomics.load(m, state) & NAPIF_STATE_THREADED) !== 0 && usesThread(net, sd)) {
    Atomics.or(m, state, NAPIF_STATE_SCHED_THREADED); // R3
    tryToWakeUp(cur, Atomics.load(m, sd.at + SOFTNET_DATA.backlogTask)); // R9
  } else if (sd.cpu === cpu.id) {
    napiPollListAdd(net, cpu, net.napi(sd.backlog));
  } else {
    rpsIpiAdd(net, cpu, sd);
  }
}

/** With a thread: is it the thread's turn? */
function usesThread(net: NetContext, sd: SoftnetData): boolean {
  const { m, cur } = net;
  const mode = m[net.at + NET.threadBacklogNapi];
  if (mode === THREAD_BACKLOG_NAPI_OFF) return true; // run time: always
  // Boot time: its thread is parked while the CPU is offline; what is for this CPU is the softirq's (seed 001).
  if (!cpuOnline(cur.cpus[sd.cpu])) return false; // R6
  return sd.cpu !== cur.cpu.id || mode === THREAD_BACKLOG_NAPI_NO_BYPASS;
}

/** Puts a remote backlog onto the list of those to interrupt, and sees that they are. */
function rpsIpiAdd(net: NetContext, cpu: Cpu, sd: SoftnetData): void {
  const { m, cur } = net;
  const on = lockOnline(net, cpu); // R4
  const mine = net.softnet[on.id];
  m[sd.at + SOFTNET_DATA.rpsIpiNext] = Atomics.load(m, mine.rpsIpiList);
  Atomics.store(m, mine.rpsIpiList, sd.at);
  irqUnlockCpu(on);
  if (!net.sendsIpis || cur.bhCpu !== on) raiseSoftirq(cur, on, NET_RX_SOFTIRQ);
}

/** Interrupts the remote CPUs on the list of `cpu` (Linux: net_rps_action_and_irq_enable). */
export function netRpsAction(net: NetContext, cpu: Cpu): void {
  const { m } = net;
  const mine = net.softnet[cpu.id];
  if (Atomics.load(m, mine.rpsIpiList) === 0) return;
  irqLockCpu(cpu);
  let at = Atomics.load(m, mine.rpsIpiList);
  Atomics.store(m, mine.rpsIpiList, 0);
  irqUnlockCpu(cpu);
  while (at !== 0) {
    const next = m[at + SOFTNET_DATA.rpsIpiNext];
    sendIpi(net, at);
    at = next;
  }
}

function sendIpi(net: NetContext, at: number): void {
  const { cur } = net;
  const cpu = cur.cpus[net.m[at + SOFTNET_DATA.backlog + NAPI.index]];
  const csd = at + SOFTNET_DATA.rpsCsd;
  net.rpsTriggerSoftirq ??= (c, sdAt) => rpsTriggerSoftirq(net, c, sdAt);
  const err = smpCallFunctionSingleAsync(cur, cpu, csd, net.rpsTriggerSoftirq, at);
  if (err !== 0) throw new Error(`the backlog of CPU ${cpu.id} was interrupted twice`);
}

/** The interrupt’s handler, on behalf of the remote CPU (Linux: rps_trigger_softirq). */
function rpsTriggerSoftirq(net: NetContext, cur: Current, at: number): void {
  const { m } = net;
  m[at + SOFTNET_DATA.receivedRps]++;
  napiPollListAdd(net, cur.cpu, net.napi(at + SOFTNET_DATA.backlog));
}
