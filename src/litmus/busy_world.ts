// SPDX-License-Identifier: GPL-2.0-only
/**
 * What the litmus tests of busy polling share: a device whose interrupt is masked from the moment it is raised until a
 * driver unmasks it, and is raised at once if there are events by then.
 */
import type { Label } from '../check/index.js';
import { must } from '../check/index.js';
import { hrtimerRunQueues } from '../kernel/hrtimer.js';
import type { Platform } from '../kernel/platform.js';
import { rcuQuiescentState } from '../kernel/rcu.js';
import { schedule } from '../kernel/sched.js';
import { doSoftirq } from '../kernel/softirq.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { NAPI, type Napi } from '../net/core/napi.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiCompleteDone, napiSchedule } from '../net/core/napi_schedule.js';
import type { NetContext } from '../net/core/net_context.js';
import { type NetSetup, netFor, netSetup, nodeOf } from './net_world.js';
import { addWord, ownCpu, STILL } from './world.js';

/** What an instance is to be like. */
export interface BusyOptions {
  readonly threaded?: boolean;
  readonly weight?: number;
  /** Empty polls for which the interrupt stays masked; the watchdog is set, too. */
  readonly defer?: number;
  readonly persist?: number;
  /** Count what is polled; off where traffic never ends. */
  readonly counting?: boolean;
  /** The application has a CPU of its own, whose timers nobody runs: two polls at once share no BH lock. */
  readonly ownCpu?: boolean;
}

export interface BusySetup extends NetSetup {
  /** CPU that the application counts as running on. */
  readonly appCpu: number;
  /** The instance's id, by which sockets know it. */
  readonly id: number;
  /** 1 while the interrupt is masked. */
  readonly masked: number;
  /** Tells loops that their time is up. */
  readonly over: number;
}

/** A clock that is ahead: a timer of microseconds may fire as soon as it is started, or at any time after. */
export const LATER: Platform = Object.freeze({ ...STILL, nowUs: () => 10_000 });

/** Timers of this length fire on a CPU whose clock is LATER; those of LONG_NS do not. */
export const SHORT_NS = 1000;
export const LONG_NS = 1_000_000_000;

export function busySetup(arena: Arena, label: Label, o: BusyOptions = {}): BusySetup {
  const { m } = arena;
  const s = netSetup(
    arena,
    label,
    o.threaded ?? false,
    o.weight ?? 4,
    o.counting ?? true,
    o.persist,
    o.ownCpu === true ? 2 : 1,
  );
  // It runs the softirqs of its CPU itself.
  if (o.ownCpu === true) ownCpu(m, 1, s.irqB);
  m[s.napi + NAPI.deferHardIrqs] = o.defer ?? 0;
  if (o.defer !== undefined) m[s.napi + NAPI.groFlushTimeoutNs] = SHORT_NS;
  return {
    ...s,
    appCpu: o.ownCpu === true ? 1 : 0,
    id: m[s.napi + NAPI.napiId],
    masked: addWord(m, label, 'masked'),
    over: addWord(m, label, 'over'),
  };
}

/** The interrupt: masked by its handler, which schedules the instance. */
export function raise(net: NetContext, s: BusySetup): void {
  if (Atomics.exchange(net.m, s.masked, 1) === 0) napiSchedule(net, net.napi(s.napi));
}

/** The device has something, and raises its interrupt. */
export function busyEvent(net: NetContext, s: BusySetup): void {
  Atomics.add(net.m, s.ring, 1);
  raise(net, s);
}

/** What was polled, and a word that belongs to whoever polls: who touches it beside, races. */
export function take(net: NetContext, n: Napi, budget: number, s: BusySetup): number {
  const { m } = net;
  m[n.at + NAPI.groBitmask] = 0;
  let work = 0;
  while (work < budget && Atomics.load(m, s.ring) > 0) {
    Atomics.sub(m, s.ring, 1);
    m[s.polled] = s.counting ? m[s.polled] + 1 : 0;
    work++;
  }
  return work;
}

/** The driver's poll function: completes if the ring ran dry, and unmasks if complete says so. */
function poll(net: NetContext, n: Napi, budget: number, s: BusySetup): number {
  const work = take(net, n, budget, s);
  if (work < budget && napiCompleteDone(net, n, work)) {
    Atomics.store(net.m, s.masked, 0);
    if (Atomics.load(net.m, s.ring) > 0) raise(net, s);
  }
  return work;
}

/** A thread's context, with the driver. */
export function busyFor(
  arena: Arena,
  s: BusySetup,
  task: number,
  platform: Platform = STILL,
  cpu = 0,
): NetContext {
  const net = netFor(arena, s, task, platform, cpu);
  net.napiPollFns[0] = (c, n, budget) => poll(c, n, budget, s);
  // As applications do.
  net.cur.runsSoftirqs = task === s.irqB;
  return net;
}

/** Body of the CPU's own thread: softirqs, and timers that may fire at any time. */
export function busyCpu(arena: Arena, s: BusySetup): void {
  const { cur } = busyFor(arena, s, s.cpu);
  const late = busyFor(arena, s, s.cpu, LATER).cur;
  for (;;) {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE);
    if (Atomics.load(cur.m, cur.cpu.softirqPending) !== 0) {
      setCurrentState(cur.task, TASK_RUNNING);
      doSoftirq(cur);
      rcuQuiescentState(cur);
    } else if (hrtimerRunQueues(late) !== 0) {
      schedule(cur);
    }
  }
}

/** Body of the instance's thread. */
export function busyThread(arena: Arena, s: BusySetup): void {
  napiThreadedPoll(busyFor(arena, s, s.thread), nodeOf(arena, s));
}

/** Body of a device that raises its interrupt for what is in the ring; then no more comes. */
export function device(arena: Arena, s: BusySetup): void {
  raise(busyFor(arena, s, s.irqA), s);
  Atomics.store(arena.m, s.over, 1);
}

/** At rest nothing is left over, and the device can raise its interrupt. */
export function restful(events: number): (arena: Arena, s: BusySetup) => void {
  return ({ m }, s) => {
    must(m[s.ring] === 0, `${m[s.ring]} events are left in the ring`);
    must(m[s.polled] === events, `${m[s.polled]} events of ${events} were polled`);
    must(m[s.masked] === 0, 'the interrupt is masked at rest');
  };
}
