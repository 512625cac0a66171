// SPDX-License-Identifier: GPL-2.0-only
/**
 * Scheduling and completing a NAPI instance (Linux: net/core/dev.c).
 *
 * Transitions of `state`
 *   idle → SCHED                       napiSchedulePrep
 *   SCHED → SCHED|MISSED               napiSchedulePrep while owned
 *   SCHED → SCHED|SCHED_THREADED       napiScheduleOn, when THREADED and there is a thread
 *   SCHED[|SCHED_THREADED] → idle      napiCompleteDone
 *   SCHED|MISSED → SCHED               napiCompleteDone, which then schedules again
 *   idle → SCHED, never MISSED         napiWatchdog
 * While IN_BUSY_POLL stands (napi_poll.ts, busy_poll.ts) napiCompleteDone leaves the instance with its owner.
 *
 * Invariants
 *   - Who wins SCHED schedules exactly once: onto one poll list, or by waking the thread.
 *   - SCHED_THREADED is set on every schedule of a threaded instance, whether its thread sleeps or not (seed 001):
 *     a wake-up alone never means ownership.
 *   - An event that comes while the instance is owned leaves MISSED, and MISSED always leads to another poll.
 *
 * Ordering
 *   N1 device: descriptors (published), then CAS of state       pairs with  N2
 *   N2 complete: CAS clears SCHED, or sees MISSED; the poll after it looks at the ring   pairs with  N1
 *   N3 scheduler: or of SCHED_THREADED, then load of the thread's state   pairs with  N4
 *   N4 thread: store of its sleeping state, then load of `state`          pairs with  N3
 *   N5 starting a thread: store of `threadNode`, then or of THREADED (napi_thread.ts)  pairs with  N6
 *   N6 scheduler: load of THREADED, then load of `threadNode`             pairs with  N5
 */
import type { Cpu } from '../../kernel/cpu.js';
import { hrtimerStart } from '../../kernel/hrtimer.js';
import { tryToWakeUp } from '../../kernel/sched.js';
import { TP_NAPI_STATE, trace } from '../../kernel/trace.js';
import { groFlushNormal } from './gro.js';
import {
  NAPI,
  NAPIF_STATE_DISABLE,
  NAPIF_STATE_IN_BUSY_POLL,
  NAPIF_STATE_MISSED,
  NAPIF_STATE_NPSVC,
  NAPIF_STATE_PREFER_BUSY_POLL,
  NAPIF_STATE_SCHED,
  NAPIF_STATE_SCHED_THREADED,
  NAPIF_STATE_THREADED,
  type Napi,
} from './napi.js';
import { NAPI_THREAD_NODE } from './napi_thread.js';
import type { NetContext } from './net_context.js';
import { napiPollListAdd } from './poll_list.js';

/**
 * Tries to take the instance for a poll (Linux: napi_schedule_prep).
 * @returns true if the caller must now call napiScheduleOn; false if it is owned (MISSED is set) or being disabled
 */
export function napiSchedulePrep(n: Napi): boolean {
  const { m, state } = n;
  let val = Atomics.load(m, state);
  for (;;) {
    if ((val & NAPIF_STATE_DISABLE) !== 0) return false;
    let next = val | NAPIF_STATE_SCHED;
    if ((val & NAPIF_STATE_SCHED) !== 0) next |= NAPIF_STATE_MISSED;
    const was = Atomics.compareExchange(m, state, val, next); // N1
    if (was === val) return (val & NAPIF_STATE_SCHED) === 0;
    val = was;
  }
}

/**
 * Schedules an instance whose SCHED the caller holds, on behalf of `cpu` (Linux: ____napi_schedule). The caller is in
 * an RCU read section: the thread may be on its way out.
 */
export function napiScheduleOn(net: NetContext, cpu: Cpu, n: Napi): void {
  const { m } = n;
  const val = Atomics.load(m, n.state);
  trace(net.cur, TP_NAPI_STATE, n.at, val & ~NAPIF_STATE_SCHED, val);
  if ((val & NAPIF_STATE_THREADED) !== 0) {
    const node = Atomics.load(m, n.at + NAPI.threadNode); // N6
    if (node !== 0) {
      Atomics.or(m, n.state, NAPIF_STATE_SCHED_THREADED); // N3
      tryToWakeUp(net.cur, m[node + NAPI_THREAD_NODE.task]);
      return;
    }
  }
  napiPollListAdd(net, cpu, n);
}

/** Schedules an instance the caller owns, on the CPU it runs on or acts for (Linux: __napi_schedule). */
export function napiScheduleOwned(net: NetContext, n: Napi): void {
  napiScheduleOn(net, net.cur.cpu, n);
}

/** Schedules it unless it is owned or disabled (Linux: napi_schedule). @returns true if this call scheduled it */
export function napiSchedule(net: NetContext, n: Napi): boolean {
  if (!napiSchedulePrep(n)) return false;
  napiScheduleOwned(net, n);
  return true;
}

/**
 * Gives the instance up after a poll that took `workDone`, less than its budget (Linux: napi_complete_done).
 * @returns true if the driver is to unmask the interrupt; false if it stays masked (deferral), or the instance was
 *   scheduled again, or is out of service
 */
export function napiCompleteDone(net: NetContext, n: Napi, workDone: number): boolean {
  const { m, at, state } = n;
  // Whoever polls took it off its list first; the counters are ours until the compare-and-swap.
  m[at + NAPI.work] += workDone;
  if (workDone === 0) m[at + NAPI.emptyPolls]++;
  if ((Atomics.load(m, state) & (NAPIF_STATE_NPSVC | NAPIF_STATE_IN_BUSY_POLL)) !== 0) return false;

  let ret = true;
  let timeoutNs = 0;
  if (workDone > 0) {
    if (m[at + NAPI.groBitmask] !== 0) timeoutNs = m[at + NAPI.groFlushTimeoutNs];
    m[at + NAPI.deferHardIrqsCount] = m[at + NAPI.deferHardIrqs];
  }
  if (m[at + NAPI.deferHardIrqsCount] > 0) {
    m[at + NAPI.deferHardIrqsCount]--;
    timeoutNs = m[at + NAPI.groFlushTimeoutNs];
    if (timeoutNs > 0) ret = false;
  }
  // A timer bounds how long GRO may hold what is left; without one everything goes now.
  groFlushNormal(net, n, timeoutNs > 0);
  m[at + NAPI.completions]++;

  let val = Atomics.load(m, state);
  for (;;) {
    let next =
      val &
      ~(NAPIF_STATE_MISSED | NAPIF_STATE_SCHED | NAPIF_STATE_SCHED_THREADED | NAPIF_STATE_PREFER_BUSY_POLL);
    if ((val & NAPIF_STATE_MISSED) !== 0) next |= NAPIF_STATE_SCHED;
    const was = Atomics.compareExchange(m, state, val, next); // N2
    if (was === val) {
      trace(net.cur, TP_NAPI_STATE, at, val, next);
      break;
    }
    val = was;
  }
  if ((val & NAPIF_STATE_MISSED) !== 0) {
    napiScheduleOwned(net, n);
    return false;
  }
  if (timeoutNs > 0) hrtimerStart(net.cur, at + NAPI.timer, Math.ceil(timeoutNs / 1000));
  return ret;
}

/**
 * The watchdog: polls an instance whose interrupt stays masked, or whose GRO holds packets (Linux: napi_watchdog).
 * It never sets MISSED (there was no event) and leaves an instance alone that is being disabled.
 */
export function napiWatchdog(net: NetContext, n: Napi): void {
  const { m, state } = n;
  if ((Atomics.load(m, state) & NAPIF_STATE_DISABLE) !== 0) return;
  if ((Atomics.or(m, state, NAPIF_STATE_SCHED) & NAPIF_STATE_SCHED) !== 0) return;
  Atomics.and(m, state, ~NAPIF_STATE_PREFER_BUSY_POLL);
  napiScheduleOwned(net, n);
}
