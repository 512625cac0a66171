// SPDX-License-Identifier: GPL-2.0-only
/**
 * The poll loops: softirq and threaded (Linux: __napi_poll, net_rx_action, napi_threaded_poll in net/core/dev.c).
 *
 * States of a scheduled instance: in a CPU's poll list; in a round's list; being polled; in the repoll list. A
 * threaded one is in no list: SCHED_THREADED says that its thread owns it. IN_BUSY_POLL belongs to the owner of SCHED.
 *
 * Owners: as in softnet_data.ts; an instance taken from the poll list belongs to the round until it completes or goes
 * back to the list. SCHED is held all the while.
 *
 * Invariants
 *   - A poll runs under the BH lock of its CPU, by the owner of SCHED.
 *   - A poll that returns its whole weight has not completed; one that returns less has, unless IN_BUSY_POLL is set: then
 *     its owner polls it again, until it takes IN_BUSY_POLL away, which it does when somebody wants to disable it, stop
 *     its thread, or have it complete as others do.
 *   - An instance added while inNetRxAction is set is seen before net_rx_action ends.
 *
 * Ordering
 *   N4 thread: store of its sleeping state, then load of `state`  pairs with  N3 (napi_schedule.ts)
 *   P3 thread: leaves kthreadParkme, then load of the node's `napi`  pairs with  P1, P2 (napi_thread.ts)
 *   N14 busy thread: load of `state` in each turn   pairs with  N9 (napi_control.ts), the CAS of napiStopKthread
 *   N8 net_rx_action: store inNetRxAction = 0, then look at the poll list under irqLock  pairs with  N7 (poll_list.ts)
 */
import { condResched, irqLockCpu, irqUnlockCpu, localBhDisable, localBhEnable } from '../../kernel/bh.js';
import { cpuOnline } from '../../kernel/cpu.js';
import type { Current } from '../../kernel/current.js';
import {
  kthreadParkme,
  kthreadShouldPark,
  kthreadShouldParkOrStop,
  kthreadShouldStop,
} from '../../kernel/kthread.js';
import { SPIN_FREE } from '../../kernel/locking/spinlock.js';
import { rcuQuiescentState } from '../../kernel/rcu.js';
import { schedule } from '../../kernel/sched.js';
import { NET_RX_SOFTIRQ, raiseSoftirqNoWake } from '../../kernel/softirq.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../../kernel/task.js';
import { TP_NAPI_POLL, TP_NAPI_POLL_BEGIN, trace } from '../../kernel/trace.js';
import { listAddTail, listDelInit, listEmpty, listSpliceTailInit } from '../../mm/list.js';
import { netRpsAction } from './backlog_queue.js';
import { skbDeferFreeFlush, skbDeferKick } from './defer_free.js';
import { groFlushNormal } from './gro.js';
import {
  NAPI,
  NAPIF_STATE_DISABLE,
  NAPIF_STATE_IN_BUSY_POLL,
  NAPIF_STATE_SCHED_THREADED,
  NAPIF_STATE_THREADED_BUSY_POLL,
  type Napi,
  napiDisablePending,
  napiIsScheduled,
  napiPreferBusyPoll,
} from './napi.js';
import { napiCompleteDone, napiSchedule } from './napi_schedule.js';
import { NAPI_THREAD_NODE } from './napi_thread.js';
import type { NetContext } from './net_context.js';
import { wakeSockets } from './rx.js';
import { NET, SOFTNET_DATA } from './softnet_data.js';

/** A thread that polls without end wakes the readers of what it queued every so many polls. */
const POLLS_PER_WAKE = 4;

/**
 * A thread that polls without end polls so many times in one turn, unless it finds something: what stands around a poll (the
 * CPU's lock, wake-ups, quiescent states) takes longer than a poll that finds nothing, and a packet waits for it.
 */
const BUSY_POLLS = 8;

/** What a poll left to do. */
export const POLL_COMPLETED = 0;
export const POLL_REPOLL = 1;

/**
 * Polls an instance once; the caller holds SCHED and the BH lock (Linux: __napi_poll).
 * @param net its `polled` receives the number of packets taken
 * @returns POLL_REPOLL if the instance used its whole weight and is still owned by the caller
 */
export function napiPollOnce(net: NetContext, n: Napi): number {
  const { m, at } = n;
  const weight = m[at + NAPI.weight];
  const work = napiIsScheduled(n) ? napiCallPoll(net, n, weight) : 0;
  net.polled = work;
  // Less than the weight: it completed, and may be somebody else's by now.
  if (work < weight) return POLL_COMPLETED;
  if (napiDisablePending(n)) {
    napiCompleteDone(net, n, work);
    return POLL_COMPLETED;
  }
  if (napiPreferBusyPoll(n)) {
    // A socket busy polls it and takes the rest; without a timer to fall back on it is scheduled at once.
    if (napiCompleteDone(net, n, work)) napiSchedule(net, n);
    return POLL_COMPLETED;
  }
  m[at + NAPI.work] += work;
  // Frames that GRO has held since an earlier round of the clock go now.
  groFlushNormal(net, n, true);
  return POLL_REPOLL;
}

/** Calls the poll function; the caller holds SCHED and the BH lock. @returns packets taken */
export function napiCallPoll(net: NetContext, n: Napi, budget: number): number {
  const { m, at } = n;
  m[at + NAPI.polls]++;
  net.groNormalBatch = m[net.at + NET.groNormalBatch];
  net.rpsNeeded = Atomics.load(m, net.at + NET.rpsNeeded);
  trace(net.cur, TP_NAPI_POLL_BEGIN, at, budget);
  const work = net.napiPollFns[m[at + NAPI.pollFn]](net, n, budget);
  trace(net.cur, TP_NAPI_POLL, at, work, budget);
  return work;
}

/** NET_RX_SOFTIRQ: polls the instances of this CPU within budget and time (Linux: net_rx_action). */
export function netRxAction(net: NetContext): void {
  const { m, cur } = net;
  const cpu = cur.cpu;
  const sd = net.softnet[cpu.id];
  net.sendsIpis = true;
  skbDeferFreeFlush(net, sd);
  let budget = m[net.at + NET.netdevBudget];
  const limitUs = (cur.platform.nowUs() + m[net.at + NET.netdevBudgetUsecs]) | 0;
  takePollList(net);
  for (;;) {
    if (listEmpty(m, sd.roundList)) {
      if (!listEmpty(m, sd.repollList)) break;
      Atomics.store(m, sd.inNetRxAction, 0); // N8
      irqLockCpu(cpu);
      const empty = listEmpty(m, sd.pollList);
      irqUnlockCpu(cpu);
      if (empty) {
        endRound(net);
        return;
      }
      takePollList(net);
      continue;
    }
    const n = net.napi(m[sd.roundList] - NAPI.pollList);
    listDelInit(m, n.pollList);
    m[n.at + NAPI.listOwner] = 0;
    const left = napiPollOnce(net, n);
    budget -= net.polled;
    if (left === POLL_REPOLL) listAddTail(m, n.pollList, sd.repollList);
    else wakeSockets(net);
    if (budget <= 0 || ((cur.platform.nowUs() - limitUs) | 0) >= 0) {
      m[sd.at + SOFTNET_DATA.timeSqueeze]++;
      break;
    }
  }
  finishRound(net);
  endRound(net);
}

/** What a round, or a socket's loop, owes to others: wake-ups, interrupts to other CPUs, frames they are to free. */
export function endRound(net: NetContext): void {
  wakeSockets(net);
  net.sendsIpis = false;
  netRpsAction(net, net.cur.cpu);
  if (net.deferredTo.length > 0) skbDeferKick(net);
}

function takePollList(net: NetContext): void {
  const { m } = net;
  const cpu = net.cur.cpu;
  const sd = net.softnet[cpu.id];
  Atomics.store(m, sd.inNetRxAction, 1);
  irqLockCpu(cpu);
  listSpliceTailInit(m, sd.pollList, sd.roundList);
  irqUnlockCpu(cpu);
}

/** Puts what is left back: first the rest of the round, then what was added meanwhile, then what wants another poll. */
function finishRound(net: NetContext): void {
  const { m, cur } = net;
  const cpu = cur.cpu;
  const sd = net.softnet[cpu.id];
  irqLockCpu(cpu);
  listSpliceTailInit(m, sd.pollList, sd.roundList);
  listSpliceTailInit(m, sd.repollList, sd.roundList);
  listSpliceTailInit(m, sd.roundList, sd.pollList);
  if (listEmpty(m, sd.pollList)) Atomics.store(m, sd.inNetRxAction, 0);
  else raiseSoftirqNoWake(cur, cpu, NET_RX_SOFTIRQ);
  irqUnlockCpu(cpu);
}

/**
 * Polls until the instance completes (Linux: napi_threaded_poll_loop), or until the thread is to be parked: then it leaves
 * the instance as it is, and whoever parks it sees to that.
 * @param busyPoll IN_BUSY_POLL is set: the poll does not complete, so its loop is the caller's. What completing would
 *   have seen to is done here: GRO is flushed, readers are woken, others get their turn.
 */
export function napiThreadedPollLoop(net: NetContext, n: Napi, untilPark = false, busyPoll = false): void {
  const { cur } = net;
  for (let polls = 1; ; polls++) {
    if (net.floating) selectCpu(cur);
    localBhDisable(cur);
    net.sendsIpis = true;
    net.busy = busyPoll;
    let left = napiPollOnce(net, n);
    if (busyPoll) {
      for (let vain = 1; net.polled === 0 && vain < BUSY_POLLS; vain++) left = napiPollOnce(net, n);
    }
    net.busy = false;
    net.sendsIpis = false;
    // As in Linux, of the CPU it polls on.
    netRpsAction(net, cur.cpu);
    skbDeferFreeFlush(net, net.softnet[cur.cpu.id]);
    if (net.deferredTo.length > 0) skbDeferKick(net);
    if (busyPoll) groFlushNormal(net, n, true);
    localBhEnable(cur);
    if (left === POLL_COMPLETED || polls % POLLS_PER_WAKE === 0) {
      // First the wake-ups, which hold sockets found under RCU; then: grace periods must not wait for a busy thread.
      wakeSockets(net);
      rcuQuiescentState(cur);
    }
    if (left === POLL_COMPLETED) {
      if (busyPoll) condResched(cur);
      return;
    }
    if (untilPark && kthreadShouldPark(cur)) {
      wakeSockets(net);
      return;
    }
    condResched(cur);
  }
}

/**
 * A thread that is bound to no CPU goes where nobody polls, as the scheduler would move it: it stays if its CPU's bottom
 * halves are free or those of all are taken.
 */
function selectCpu(cur: Current): void {
  const { m, cpus } = cur;
  if (Atomics.load(m, cur.home.bhLock) === SPIN_FREE) return;
  for (let i = 0; i < cpus.length; i++) {
    if (!cpuOnline(cpus[i]) || Atomics.load(m, cpus[i].bhLock) !== SPIN_FREE) continue;
    cur.home = cpus[i];
    cur.cpu = cpus[i];
    return;
  }
}

/**
 * Sleeps until this thread owns the instance that its node names (Linux: napi_thread_wait). Parks when asked to; the
 * instance may be another one afterwards.
 * @param last what it returned before, null: nothing yet
 * @returns the instance to poll, or null to stop
 */
export function napiThreadWait(net: NetContext, node: number, last: Napi | null = null): Napi | null {
  const { cur } = net;
  // One that polls without end has no state to set: the instance changes only while the thread is parked.
  if (last !== null && ownedByThread(last) && !kthreadShouldParkOrStop(cur)) return last;
  // Parked before it first ran, and woken to be stopped, it serves nobody.
  if (kthreadShouldStop(cur)) return null;
  let n = servedBy(net, node);
  setCurrentState(cur.task, TASK_INTERRUPTIBLE); // N4
  while (!kthreadShouldStop(cur)) {
    if (kthreadShouldPark(cur)) {
      kthreadParkme(cur);
      // Woken to be stopped, it serves nobody.
      if (!kthreadShouldStop(cur)) n = servedBy(net, node); // P3
    } else if (ownedByThread(n)) {
      setCurrentState(cur.task, TASK_RUNNING);
      return n;
    } else {
      schedule(cur);
    }
    setCurrentState(cur.task, TASK_INTERRUPTIBLE); // N4
  }
  setCurrentState(cur.task, TASK_RUNNING);
  return null;
}

/** SCHED alone would not do: disable or another poller may hold it. */
function ownedByThread(n: Napi): boolean {
  return (Atomics.load(n.m, n.state) & NAPIF_STATE_SCHED_THREADED) !== 0;
}

function servedBy(net: NetContext, node: number): Napi {
  const at = Atomics.load(net.m, node + NAPI_THREAD_NODE.napi);
  if (at === 0) throw new Error('a napi thread runs without an instance');
  return net.napi(at);
}

/** Body of an instance's thread (Linux: napi_threaded_poll). @returns 0 when stopped */
export function napiThreadedPoll(net: NetContext, node: number): number {
  let n: Napi | null = null;
  for (;;) {
    n = napiThreadWait(net, node, n);
    if (n === null) return 0;
    napiThreadedPollLoop(net, n, false, napiEnterBusyPoll(n));
  }
}

/**
 * Enters or leaves the busy loop, as THREADED_BUSY_POLL wants it; somebody who waits to disable the instance ends it. The
 * thread owns the instance.
 * @returns true if IN_BUSY_POLL is set
 */
function napiEnterBusyPoll(n: Napi): boolean {
  const { m, state } = n;
  const val = Atomics.load(m, state); // N14
  const want =
    (val & (NAPIF_STATE_THREADED_BUSY_POLL | NAPIF_STATE_DISABLE)) === NAPIF_STATE_THREADED_BUSY_POLL;
  if (want === ((val & NAPIF_STATE_IN_BUSY_POLL) !== 0)) return want;
  if (want) Atomics.or(m, state, NAPIF_STATE_IN_BUSY_POLL);
  else Atomics.and(m, state, ~NAPIF_STATE_IN_BUSY_POLL);
  return want;
}
