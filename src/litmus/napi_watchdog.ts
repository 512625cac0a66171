// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of the watchdog timer of an instance: against an owner, a disable under way, and its deletion. */
import { type Litmus, litmus, must } from '../check/index.js';
import { hrtimerRunQueues } from '../kernel/hrtimer.js';
import type { Platform } from '../kernel/platform.js';
import { rcuQuiescentState, rcuReadLock } from '../kernel/rcu.js';
import { sleepOnCompletion } from '../kernel/sched.js';
import { cpuIdleLoop, doSoftirq } from '../kernel/softirq.js';
import { TASK, wakeUpProcess } from '../kernel/task.js';
import { NAPI, NAPIF_STATE_DISABLE } from '../net/core/napi.js';
import { napiDisable, netifNapiDel } from '../net/core/napi_control.js';
import { napiCompleteDone, napiSchedulePrep, napiWatchdog } from '../net/core/napi_schedule.js';
import { event, listTasks, napiThread, netFor, netMemory, netSetup, pollThread } from './net_world.js';
import { addWord, STILL } from './world.js';

/** The clock of the CPU's thread is ahead: timers that others start have expired. */
const LATER: Platform = Object.freeze({ ...STILL, nowUs: () => 10 });

export const watchdogOwned: Litmus = litmus({
  name: 'napi-watchdog-owned',
  memory: netMemory,
  setup: (arena, label) => netSetup(arena, label, true, 4),
  threads: {
    timer(arena, s) {
      const net = netFor(arena, s, s.cpu);
      napiWatchdog(net, net.napi(s.napi));
    },
    owner(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      if (!napiSchedulePrep(n)) return;
      must(napiCompleteDone(net, n, 0), 'no event came, yet the interrupt is not to be unmasked');
    },
    napi: pollThread,
  },
  daemons: ['napi'],
  forbids: 'a watchdog that counts as an event: the owner polls again and leaves the interrupt masked',
  why: 'the watchdog never sets MISSED',
});

export const watchdogPending: Litmus = litmus({
  name: 'napi-watchdog-disable-pending',
  memory: netMemory,
  setup: (arena, label) => ({
    ...netSetup(arena, label, true, 4),
    late: addWord(arena.m, label, 'late'),
  }),
  threads: {
    timer(arena, s) {
      const net = netFor(arena, s, s.cpu);
      if ((Atomics.load(arena.m, s.napi + NAPI.state) & NAPIF_STATE_DISABLE) === 0) return;
      Atomics.store(arena.m, s.late, 1);
      Atomics.add(arena.m, s.ring, 1);
      napiWatchdog(net, net.napi(s.napi));
    },
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      must(napiDisable(net, net.napi(s.napi)) === 0, 'disable was refused');
    },
    napi: pollThread,
  },
  daemons: ['napi'],
  final({ m }, s) {
    must(m[s.ring] === m[s.late], 'polled, though disable had begun and nobody owned the instance');
  },
  forbids: 'a watchdog that schedules an instance which is being disabled, again and again',
  why: 'the watchdog looks at DISABLE before it takes SCHED',
});

export const watchdogDelete: Litmus = litmus({
  name: 'napi-watchdog-delete',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, true, 4);
    arena.m[s.napi + NAPI.groFlushTimeoutNs] = 1000;
    arena.m[s.napi + NAPI.deferHardIrqs] = 1;
    listTasks(arena.m, [s.control, s.cpu]);
    return s;
  },
  threads: {
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      sleepOnCompletion(net.cur, s.thread + TASK.created);
      wakeUpProcess(arena.m, s.thread);
      event(net, s);
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(netifNapiDel(net, n) === 0, 'delete was refused');
    },
    napi: napiThread,
    cpu(arena, s) {
      const net = netFor(arena, s, s.cpu, LATER);
      rcuReadLock(net.cur);
      cpuIdleLoop(net.cur);
    },
  },
  daemons: ['cpu'],
  forbids: 'a watchdog that fires on an instance which is freed',
  why: 'it is cancelled in disable, and once more behind the last poll that could have started it',
});

export const watchdogDeleteSoftirq: Litmus = litmus({
  name: 'napi-watchdog-delete-softirq',
  memory: netMemory,
  setup(arena, label) {
    const s = netSetup(arena, label, false, 4);
    arena.m[s.napi + NAPI.groFlushTimeoutNs] = 1000;
    arena.m[s.napi + NAPI.deferHardIrqs] = 1;
    listTasks(arena.m, [s.control, s.cpu]);
    return { ...s, freed: addWord(arena.m, label, 'freed') };
  },
  threads: {
    control(arena, s) {
      const net = netFor(arena, s, s.control);
      const n = net.napi(s.napi);
      event(net, s);
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(netifNapiDel(net, n) === 0, 'delete was refused');
      Atomics.store(arena.m, s.freed, 1);
    },
    cpu(arena, s) {
      const net = netFor(arena, s, s.cpu);
      const late = netFor(arena, s, s.cpu, LATER);
      const fire = late.cur.hrtimerFns[0];
      late.cur.hrtimerFns[0] = (cur, data) => {
        must(Atomics.load(arena.m, s.freed) === 0, 'the watchdog of a deleted instance fires');
        fire(cur, data);
      };
      rcuReadLock(net.cur);
      for (;;) {
        doSoftirq(net.cur);
        rcuQuiescentState(net.cur);
        hrtimerRunQueues(late.cur);
      }
    },
  },
  daemons: ['cpu'],
  goal: (_arena, _s, threads) => threads.ended('control'),
  forbids: 'a poll that starts the watchdog of an instance whose last cancel has passed',
  why: 'the cancel in delete comes behind the grace period that ends the last poll',
});
