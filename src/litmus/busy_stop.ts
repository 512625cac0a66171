// SPDX-License-Identifier: GPL-2.0-only
/**
 * Litmus tests of single steps of busy polling, by one thread: what a socket's options do, and what becomes of the
 * deferral when a loop ends (net.core's busyPollStop, of which Linux has one value only).
 */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { HRTIMER } from '../kernel/hrtimer.js';
import type { Platform } from '../kernel/platform.js';
import { TASK, TASK_RUNNING } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import {
  NAPI_F_END_ON_RESCHED,
  NAPI_F_PREFER_BUSY_POLL,
  napiBusyLoop,
  napiResumeIrqs,
  napiSuspendIrqs,
} from '../net/core/busy_poll.js';
import { EventPoll } from '../net/core/eventpoll.js';
import { NAPI, NAPIF_STATE_PREFER_BUSY_POLL, NAPIF_STATE_SCHED } from '../net/core/napi.js';
import { napiSchedulePrep } from '../net/core/napi_schedule.js';
import { SockBusyLoop, setSockBusyPoll } from '../net/core/sock_busy.js';
import { AF_INET, SOCK, sockCreate, sockReaderView, sockShutdown } from '../net/core/sock_queue.js';
import { BUSY_POLL_STOP_COUNTED, BUSY_POLL_STOP_LINUX, NET } from '../net/core/softnet_data.js';
import { queued, type WaitSetup, waiting } from './busy_waits.js';
import { type BusySetup, busyFor, busySetup, LONG_NS, SHORT_NS } from './busy_world.js';
import { netMemory } from './net_world.js';
import { STILL } from './world.js';

const DEFER = 2;

/** The interrupt is masked, as a watchdog leaves it; loops come without a gap: the watchdog is moved again and again. */
function gapless(arena: Arena, label: Label, stop: number): BusySetup {
  const { m } = arena;
  const s = busySetup(arena, label, { defer: DEFER });
  m[m[KERNEL_AT + KERNEL.net] + NET.busyPollStop] = stop;
  m[s.masked] = 1;
  return s;
}

export const gaplessLinux: Litmus = litmus({
  name: 'busy-poll-gapless-linux',
  memory: netMemory,
  setup: (arena, label) => gapless(arena, label, BUSY_POLL_STOP_LINUX),
  threads: {
    app(arena, s) {
      const net = busyFor(arena, s, s.irqB);
      for (;;) {
        napiBusyLoop(net, s.id, null, NAPI_F_PREFER_BUSY_POLL, 2);
        must(Atomics.load(arena.m, s.masked) === 1, 'the interrupt is unmasked: not what Linux does');
      }
    },
  },
  goal: false,
  forbids: 'an interrupt that comes again though a socket busy polls without a pause',
  why: 'each stop counts the empty polls anew: the open bug of Linux, kept as it is (BUSY_POLL_STOP_LINUX)',
});

export const gaplessCounted: Litmus = litmus({
  name: 'busy-poll-gapless-counted',
  memory: netMemory,
  setup: (arena, label) => gapless(arena, label, BUSY_POLL_STOP_COUNTED),
  threads: {
    app(arena, s) {
      const { m } = arena;
      const net = busyFor(arena, s, s.irqB);
      m[s.ring] = 1;
      napiBusyLoop(net, s.id, null, NAPI_F_PREFER_BUSY_POLL, 2);
      for (let empty = 1; empty <= DEFER; empty++) {
        must(m[s.masked] === 1, 'it is unmasked too early');
        napiBusyLoop(net, s.id, null, NAPI_F_PREFER_BUSY_POLL, 2);
      }
      must(
        m[s.masked] === 0,
        'the interrupt stays masked behind as many empty stops as it is to be deferred for',
      );
    },
  },
  forbids: 'an interrupt that never comes again because a socket busy polls without a pause',
  why: 'only a loop that found packets counts anew (BUSY_POLL_STOP_COUNTED)',
});

function timerUs({ m }: Arena, s: BusySetup): number {
  return m[s.napi + NAPI.timer + HRTIMER.enqueued] === 0 ? -1 : m[s.napi + NAPI.timer + HRTIMER.expiresUs];
}

export const suspendSteps: Litmus = litmus({
  name: 'busy-suspend-steps',
  memory: netMemory,
  setup: (arena, label) => busySetup(arena, label, { defer: DEFER }),
  threads: {
    app(arena, s) {
      const { m } = arena;
      const net = busyFor(arena, s, s.irqB);
      m[s.masked] = 1;
      napiSuspendIrqs(net, s.id);
      must(timerUs(arena, s) === -1, 'suspended without a time-out');
      napiResumeIrqs(net, s.id);
      must(m[s.masked] === 1, 'resumed without a time-out');
      m[s.napi + NAPI.irqSuspendTimeoutNs] = LONG_NS;
      m[s.ring] = 1;
      napiBusyLoop(net, s.id, null, NAPI_F_PREFER_BUSY_POLL, 2);
      must(timerUs(arena, s) === SHORT_NS / 1000, 'the watchdog is not started');
      napiSuspendIrqs(net, s.id);
      must(timerUs(arena, s) === LONG_NS / 1000, 'the watchdog is not moved');
      m[s.ring] = 1;
      napiResumeIrqs(net, s.id);
      must(m[s.ring] === 0, 'resumed, and not polled');
      must(net.cur.rcuNesting === 0 && net.cur.bhCount === 0, 'a section does not end');
    },
  },
  forbids: 'interrupts suspended for another time than irq-suspend-timeout, or not resumed at once',
  why: 'suspend moves the watchdog; resume schedules the instance',
});

export const stopValues: Litmus = litmus({
  name: 'busy-poll-stop-values',
  memory: netMemory,
  setup: (arena, label) => busySetup(arena, label, { defer: 1 }),
  threads: {
    app(arena, s) {
      const { m } = arena;
      const net = busyFor(arena, s, s.irqB);
      // Not preferred: what is deferred is complete's business.
      m[s.ring] = 2;
      m[s.masked] = 1;
      napiBusyLoop(net, s.id, null, NAPI_F_END_ON_RESCHED, 1);
      must(
        m[s.ring] === 0 && m[s.polled] === 2,
        'a loop that may not block polls once, and once more to stop',
      );
      must(m[s.masked] === 0 && timerUs(arena, s) === -1, 'deferred, though nobody prefers that');
      // Preferred: what the last poll leaves is the watchdog's, or, with nothing to defer, a softirq's.
      m[s.ring] = 3;
      napiBusyLoop(net, s.id, null, NAPI_F_PREFER_BUSY_POLL, 1);
      must(m[s.ring] === 1 && timerUs(arena, s) === SHORT_NS / 1000, 'it is not left to the watchdog');
      m[s.napi + NAPI.deferHardIrqs] = 0;
      m[s.ring] = 3;
      napiBusyLoop(net, s.id, null, NAPI_F_PREFER_BUSY_POLL, 1);
      must(m[s.ring] === 0, 'it is not left to a softirq');
      m[s.ring] = 1;
      napiBusyLoop(net, s.id, null, NAPI_F_PREFER_BUSY_POLL, 2);
      must(m[s.masked] === 0, 'masked, though nothing is to be deferred');
      // Another one has it: nothing is polled, but it hears of the wish.
      const n = net.napi(s.napi);
      must(napiSchedulePrep(n), 'owned by nobody, it cannot be had');
      m[s.ring] = 1;
      napiBusyLoop(net, s.id, null, NAPI_F_END_ON_RESCHED, 1);
      must((Atomics.load(m, n.state) & NAPIF_STATE_PREFER_BUSY_POLL) === 0, 'a wish that nobody has');
      napiBusyLoop(net, s.id, null, NAPI_F_PREFER_BUSY_POLL, 1);
      must((Atomics.load(m, n.state) & NAPIF_STATE_PREFER_BUSY_POLL) !== 0, 'the wish is not told');
      must(m[s.ring] === 1, 'polled, though another one owns it');
    },
  },
  forbids: 'a loop that polls more or less than it is to, or defers what it is not to',
  why: 'flags and budget are the caller’s',
});

/** A clock that goes on by a microsecond with each look, and comes round: a loop without end is seen to be one. */
function ticking(): Platform {
  let nowUs = 0;
  return {
    ...STILL,
    nowUs() {
      nowUs = (nowUs + 1) & 0xff;
      return nowUs;
    },
  };
}

/** Counts polls; the frames stay where they are. */
function counted(arena: Arena, s: WaitSetup) {
  const net = busyFor(arena, s, s.reader, ticking());
  const seen = { polls: 0, budget: 0, arrives: false, closes: 0 };
  net.napiPollFns[0] = (_c, n, budget) => {
    seen.polls++;
    seen.budget = budget;
    if (seen.arrives) queued(arena, s);
    seen.arrives = false;
    if (seen.closes !== 0) sockShutdown(arena.m, seen.closes);
    seen.closes = 0;
    Atomics.and(n.m, n.state, ~NAPIF_STATE_SCHED);
    return 0;
  };
  return { net, seen };
}

/** Whoever sets options: at any time, here to what they are. */
function others({ m }: Arena, s: WaitSetup): void {
  Atomics.or(m, s.sock + SOCK.napiId, 0);
  Atomics.or(m, s.sock + SOCK.llUsec, 0);
  Atomics.or(m, s.sock + SOCK.preferBusyPoll, 0);
  Atomics.or(m, s.sock + SOCK.busyPollBudget, 0);
  Atomics.or(m, s.napi + NAPI.irqSuspendTimeoutNs, 0);
  Atomics.or(m, m[KERNEL_AT + KERNEL.net] + NET.busyPoll, 0);
}

export const sockOptions: Litmus = litmus({
  name: 'busy-sock-options',
  memory: netMemory,
  setup: (arena, label) => ({
    ...waiting(arena, label, busySetup(arena, label)),
    open: sockCreate(arena.m, AF_INET, 8, 1, 1),
  }),
  threads: {
    reader(arena, s) {
      const { m } = arena;
      const { net, seen } = counted(arena, s);
      const r = sockReaderView(m, s.sock);
      const loop = new SockBusyLoop(net, [r]);
      must(!loop.run(false) && seen.polls === 0, 'it busy polls without SO_BUSY_POLL');
      setSockBusyPoll(m, s.sock, { busyPollUs: 4 });
      Atomics.store(m, s.sock + SOCK.napiId, 0);
      must(!loop.run(false) && seen.polls === 0, 'it busy polls without an instance');
      Atomics.store(m, s.sock + SOCK.napiId, s.id);
      must(loop.run(true) && seen.polls === 2, 'a call that may not block polls once, and once to stop');
      must(seen.budget === 8, 'the budget is not the usual one');
      must(loop.run(false) && seen.polls === 8, 'the loop ends early or late');
      setSockBusyPoll(m, s.sock, { busyPollBudget: 3, preferBusyPoll: true });
      must(Atomics.load(m, s.sock + SOCK.llUsec) === 4, 'what is not given changes');
      must(loop.run(true) && seen.budget === 3, 'the budget is not that of the socket');
      must(napiSchedulePrep(net.napi(s.napi)), 'owned by nobody, it cannot be had');
      seen.polls = 0;
      must(loop.run(true) && seen.polls === 0, 'polled, though another one owns it');
      must(
        (Atomics.load(m, s.napi) & NAPIF_STATE_PREFER_BUSY_POLL) !== 0,
        'SO_PREFER_BUSY_POLL is not heeded',
      );
      setSockBusyPoll(m, s.sock, { preferBusyPoll: false });
      Atomics.and(m, s.napi, ~NAPIF_STATE_PREFER_BUSY_POLL);
      must(loop.run(true) && seen.polls === 0, 'polled, though another one owns it');
      must((Atomics.load(m, s.napi) & NAPIF_STATE_PREFER_BUSY_POLL) === 0, 'SO_PREFER_BUSY_POLL stays set');
      Atomics.and(m, s.napi, ~NAPIF_STATE_SCHED);
      seen.closes = s.sock;
      must(loop.run(false) && seen.polls === 2, 'a closed socket does not end the loop');
      must(!loop.run(false) && seen.polls === 2, 'it busy polls for a socket that is closed');
      setSockBusyPoll(m, s.open, { busyPollUs: 4 });
      Atomics.store(m, s.open + SOCK.napiId, s.id);
      const both = new SockBusyLoop(net, [r, sockReaderView(m, s.open)]);
      must(both.run(false) && seen.polls === 8, 'a closed socket ends the loop for one that is open');
    },
    others,
  },
  forbids: 'a loop that goes by other values than those of the socket',
  why: 'they are read anew for each loop',
});

export const epollOptions: Litmus = litmus({
  name: 'busy-epoll-options',
  memory: netMemory,
  setup: (arena, label) => waiting(arena, label, busySetup(arena, label)),
  threads: {
    reader(arena, s) {
      const { m } = arena;
      const { net, seen } = counted(arena, s);
      const r = sockReaderView(m, s.sock);
      const busyPoll = m[KERNEL_AT + KERNEL.net] + NET.busyPoll;
      const plain = { busyPollUsecs: 0, busyPollBudget: 0, preferBusyPoll: false };
      const ep = new EventPoll(net, [r], plain);
      queued(arena, s);
      must(ep.wait(0) === 1 && ep.ready[0] === 0, 'a socket with a frame is not ready');
      r.consumer.release(r.consumer.available(1));
      must(ep.wait(0) === 0 && seen.polls === 0, 'it polls though it is not to wait');
      must(ep.wait(1) === 0 && seen.polls === 0, 'it busy polls though nobody said so');
      Atomics.store(m, busyPoll, 4);
      must(ep.wait(1) === 0 && seen.polls === 0, 'it busy polls an instance of which it got nothing');
      // Suspended when there are frames, only if interrupts are to be left to it.
      Atomics.store(m, s.napi + NAPI.irqSuspendTimeoutNs, LONG_NS);
      queued(arena, s);
      must(ep.wait(1) === 1 && timerUs(arena, s) === -1, 'interrupts are suspended though it is not to');
      // A socket that learned of no instance leaves what is known.
      Atomics.store(m, s.sock + SOCK.napiId, 0);
      must(ep.wait(0) === 1, 'a socket with a frame is not ready');
      r.consumer.release(r.consumer.available(1));
      must(ep.wait(1) === 0 && seen.polls === 6 && seen.budget === 8, 'it does not go by net.core.busy_poll');
      must(ep.wait(1) === 0 && seen.polls === 6, 'it busy polls again though nothing came');
      Atomics.store(m, s.sock + SOCK.napiId, s.id);
      queued(arena, s);
      must(ep.wait(0) === 1, 'a socket with a frame is not ready');
      r.consumer.release(r.consumer.available(1));
      seen.arrives = true;
      must(ep.wait(-1) === 1 && seen.polls === 8, 'a frame does not end the loop');
      must(Atomics.load(m, s.reader + TASK.state) === TASK_RUNNING, 'it returns as one that sleeps');
      ep.close();
    },
    others,
  },
  forbids: 'a wait that goes by other values than its own, or else those of the system',
  why: 'which instance to poll is learned from the latest ready socket, and forgotten when a loop found nothing',
});

export const epollPreferOptions: Litmus = litmus({
  name: 'busy-epoll-prefer-options',
  memory: netMemory,
  setup: (arena, label) => waiting(arena, label, busySetup(arena, label)),
  threads: {
    reader(arena, s) {
      const { m } = arena;
      const { net, seen } = counted(arena, s);
      const r = sockReaderView(m, s.sock);
      Atomics.store(m, s.napi + NAPI.irqSuspendTimeoutNs, LONG_NS);
      const ep = new EventPoll(net, [r], { busyPollUsecs: 2, busyPollBudget: 3, preferBusyPoll: true });
      queued(arena, s);
      must(ep.wait(0) === 1 && timerUs(arena, s) >= LONG_NS / 1000, 'interrupts are not suspended');
      r.consumer.release(r.consumer.available(1));
      must(ep.wait(1) === 0 && seen.budget === 4, 'what was resumed is not scheduled');
      // The loop of two microseconds and its stop, then the poll of the softirq.
      must(seen.polls === 5, 'the loop ends early or late');
      queued(arena, s);
      must(ep.wait(0) === 1, 'a socket with a frame is not ready');
      r.consumer.release(r.consumer.available(1));
      seen.arrives = true;
      must(ep.wait(-1) === 1 && seen.polls === 7, 'interrupts are resumed though there is a frame');
      r.consumer.release(r.consumer.available(1));
      seen.polls = 5;
      queued(arena, s);
      must(ep.wait(0) === 1, 'a socket with a frame is not ready');
      ep.close();
      must(seen.polls === 6, 'closed, and interrupts are not resumed');
      ep.close();
      must(seen.polls === 6, 'resumed once more');
      sockShutdown(m, s.sock);
      r.consumer.release(r.consumer.available(1));
      must(ep.wait(-1) === 1, 'a closed socket is not ready');
    },
    others,
  },
  forbids: 'interrupts that are suspended or resumed at the wrong time',
  why: 'suspended while frames are worked on, resumed by a loop that found nothing, and by the end of the instance',
});
