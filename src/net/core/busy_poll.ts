// SPDX-License-Identifier: GPL-2.0-only
/**
 * Busy polling by sockets (Linux: __napi_busy_loop, busy_poll_stop, napi_suspend_irqs in net/core/dev.c): the thread that
 * wants packets polls the instance they come by, instead of waiting for its interrupt.
 *
 * Transitions of `state`
 *   idle → SCHED|IN_BUSY_POLL                  busyPollTake, by CAS
 *   SCHED|IN_BUSY_POLL → SCHED                 busyPollStop, which polls once more: that poll completes, or does not
 *   SCHED → SCHED, onto a poll list            busyPollStop, when that poll used its whole budget
 *   SCHED → idle, the watchdog started         the same, with PREFER_BUSY_POLL and deferral
 *   any → PREFER_BUSY_POLL                     busyPollTake, when somebody else owns it or disables it
 *
 * Owners: whoever set SCHED and IN_BUSY_POLL together polls, under the BH lock of the CPU it counts as running on, and
 * gives the instance up by busyPollStop. The instance is valid for as long as the read section lasts in which it was found.
 *
 * Invariants
 *   - While IN_BUSY_POLL is set nobody but its owner polls, and complete does nothing.
 *   - An interrupt that came while it was owned left MISSED; MISSED is cleared only when a poll follows.
 *   - Its interrupt is masked only while the watchdog, a poll list or an owner will see to it again.
 *   - After the last poll of busyPollStop the instance may be somebody else's: nothing of it is touched then.
 *
 * Ordering
 *   N11 stop: and of MISSED, then the poll looks at the ring                pairs with  N1 (napi_schedule.ts)
 *   N12 take: CAS from neither SCHED nor DISABLE                            pairs with  N9 (napi_control.ts), N1
 *   N13 suspend: the watchdog moved, later; napiWatchdog: or of SCHED       pairs with  each other: it fires once, at the end
 */
import { condResched, localBhDisable, needResched } from '../../kernel/bh.js';
import { cpuRelax } from '../../kernel/cpu_relax.js';
import { hrtimerStart } from '../../kernel/hrtimer.js';
import { rcuReadLock, rcuReadUnlock } from '../../kernel/rcu.js';
import { localBhEnableSoftirq } from '../../kernel/softirq.js';
import { skbDeferFreeFlush } from './defer_free.js';
import { groFlushNormal } from './gro.js';
import {
  NAPI,
  NAPIF_STATE_DISABLE,
  NAPIF_STATE_IN_BUSY_POLL,
  NAPIF_STATE_MISSED,
  NAPIF_STATE_PREFER_BUSY_POLL,
  NAPIF_STATE_SCHED,
  type Napi,
} from './napi.js';
import { napiById } from './napi_id.js';
import { endRound, napiCallPoll } from './napi_poll.js';
import { napiSchedule, napiScheduleOwned } from './napi_schedule.js';
import type { NetContext } from './net_context.js';
import { BUSY_POLL_STOP_LINUX, NET } from './softnet_data.js';

/** SO_PREFER_BUSY_POLL: the interrupt stays deferred between two loops. */
export const NAPI_F_PREFER_BUSY_POLL = 1;
/** The loop ends, instead of beginning again, when others want the CPU. */
export const NAPI_F_END_ON_RESCHED = 2;
/** Packets of one poll, unless the socket says otherwise (Linux: BUSY_POLL_BUDGET). */
export const BUSY_POLL_BUDGET = 8;

/** Asked after each poll whether the loop is to end. @param startUs when it began, CLOCK_MONOTONIC, wrapping */
export type BusyLoopEnd = (startUs: number) => boolean;

/**
 * Polls the instance of that id until `loopEnd` says so (Linux: napi_busy_loop), or until there is none. While somebody
 * else owns it the loop goes on without it.
 * @param loopEnd null: polls once (a socket call that may not block)
 * @param flags NAPI_F_*
 * @param budget most packets of one poll
 */
export function napiBusyLoop(
  net: NetContext,
  napiId: number,
  loopEnd: BusyLoopEnd | null,
  flags: number,
  budget: number,
): void {
  const { cur } = net;
  const startUs = loopEnd === null ? 0 : cur.platform.nowUs();
  for (;;) {
    rcuReadLock(cur);
    const at = napiById(net, napiId);
    const again = at !== 0 && busyLoopOn(net, net.napi(at), loopEnd, startUs, flags, budget);
    rcuReadUnlock(cur);
    if (!again) return;
    condResched(cur);
    if (loopEnd?.(startUs)) return;
  }
}

/** Busy polls one instance. Read section. @returns true if it gave the instance up only because others want the CPU */
function busyLoopOn(
  net: NetContext,
  n: Napi,
  loopEnd: BusyLoopEnd | null,
  startUs: number,
  flags: number,
  budget: number,
): boolean {
  const { cur } = net;
  let owned = false;
  let found = false;
  let resched = false;
  for (;;) {
    localBhDisable(cur);
    net.sendsIpis = true;
    if (!owned) owned = busyPollTake(n, flags);
    if (owned) {
      if (napiCallPoll(net, n, budget) > 0) found = true;
      // It does not complete: what it took goes up now, what GRO holds when it is old enough.
      groFlushNormal(net, n, true);
    }
    skbDeferFreeFlush(net, net.softnet[cur.cpu.id]);
    endRound(net);
    localBhEnableSoftirq(cur);
    if (loopEnd === null || loopEnd(startUs)) break;
    resched = needResched(cur);
    if (resched) break;
    cpuRelax();
  }
  if (owned) busyPollStop(net, n, flags, budget, found);
  return resched && (flags & NAPI_F_END_ON_RESCHED) === 0;
}

/** Tries to own the instance; others are told that it would be better left to sockets. */
function busyPollTake(n: Napi, flags: number): boolean {
  const { m, state } = n;
  const val = Atomics.load(m, state);
  // Several may want it: the word is left alone as far as it can be.
  if ((val & (NAPIF_STATE_DISABLE | NAPIF_STATE_SCHED | NAPIF_STATE_IN_BUSY_POLL)) === 0) {
    const next = val | NAPIF_STATE_IN_BUSY_POLL | NAPIF_STATE_SCHED;
    if (Atomics.compareExchange(m, state, val, next) === val) return true; // N12
  }
  if ((flags & NAPI_F_PREFER_BUSY_POLL) !== 0 && (val & NAPIF_STATE_PREFER_BUSY_POLL) === 0)
    Atomics.or(m, state, NAPIF_STATE_PREFER_BUSY_POLL);
  return false;
}

/**
 * Gives the instance up, with its interrupt unmasked again, or deferred, or itself scheduled (Linux: busy_poll_stop).
 * @param found packets were found since it was taken
 */
function busyPollStop(net: NetContext, n: Napi, flags: number, budget: number, found: boolean): void {
  const { m, at, state } = n;
  const { cur } = net;
  // An interrupt that came meanwhile is answered by the poll that follows.
  Atomics.and(m, state, ~(NAPIF_STATE_MISSED | NAPIF_STATE_IN_BUSY_POLL)); // N11
  localBhDisable(cur);
  net.sendsIpis = true;
  let deferred = false;
  if ((flags & NAPI_F_PREFER_BUSY_POLL) !== 0) {
    if (found || m[net.at + NET.busyPollStop] === BUSY_POLL_STOP_LINUX)
      m[at + NAPI.deferHardIrqsCount] = m[at + NAPI.deferHardIrqs];
    const timeoutNs = m[at + NAPI.groFlushTimeoutNs];
    if (m[at + NAPI.deferHardIrqsCount] > 0 && timeoutNs > 0) {
      hrtimerStart(cur, at + NAPI.timer, Math.ceil(timeoutNs / 1000));
      deferred = true;
    }
  }
  // It completes here, and by that unmasks the interrupt or leaves it to the watchdog; then it is not ours any more.
  const work = napiCallPoll(net, n, budget);
  if (work === budget) {
    m[at + NAPI.work] += work;
    groFlushNormal(net, n, true);
    if (deferred) Atomics.and(m, state, ~NAPIF_STATE_SCHED);
    else napiScheduleOwned(net, n);
  }
  endRound(net);
  localBhEnableSoftirq(cur);
}

/**
 * The application busy polls and has packets to work on: the interrupt of the instance of that id stays deferred for
 * irq-suspend-timeout at most, whatever gro-flush-timeout says (Linux: napi_suspend_irqs). Nothing happens without one.
 */
export function napiSuspendIrqs(net: NetContext, napiId: number): void {
  const { m, cur } = net;
  rcuReadLock(cur);
  const at = napiById(net, napiId);
  const timeoutNs = at === 0 ? 0 : m[at + NAPI.irqSuspendTimeoutNs];
  if (timeoutNs > 0) hrtimerStart(cur, at + NAPI.timer, Math.ceil(timeoutNs / 1000)); // N13
  rcuReadUnlock(cur);
}

/** The application found nothing and sleeps: interrupts are to come again, at once (Linux: napi_resume_irqs). */
export function napiResumeIrqs(net: NetContext, napiId: number): void {
  const { m, cur } = net;
  rcuReadLock(cur);
  const at = napiById(net, napiId);
  if (at !== 0 && m[at + NAPI.irqSuspendTimeoutNs] > 0) {
    localBhDisable(cur);
    napiSchedule(net, net.napi(at));
    localBhEnableSoftirq(cur);
  }
  rcuReadUnlock(cur);
}
