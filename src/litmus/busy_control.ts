// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of sockets that busy poll an instance which is disabled, deleted, suspended; and of giving way. */
import { type Litmus, litmus, must } from '../check/index.js';
import { CPU } from '../kernel/cpu.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { hrtimerRunQueues } from '../kernel/hrtimer.js';
import { synchronizeRcu } from '../kernel/rcu.js';
import {
  BUSY_POLL_BUDGET,
  NAPI_F_END_ON_RESCHED,
  NAPI_F_PREFER_BUSY_POLL,
  napiBusyLoop,
  napiResumeIrqs,
  napiSuspendIrqs,
} from '../net/core/busy_poll.js';
import { NAPI, NAPIF_STATE_DISABLE, NAPIF_STATE_SCHED } from '../net/core/napi.js';
import { napiDisable, napiEnable, netifNapiDel } from '../net/core/napi_control.js';
import { napiSchedule } from '../net/core/napi_schedule.js';
import type { NetContext } from '../net/core/net_context.js';
import { app, overAt } from './busy_sockets.js';
import { type BusySetup, busyCpu, busyFor, busySetup, LATER, LONG_NS, restful } from './busy_world.js';
import { listTasks, netMemory } from './net_world.js';
import { addWord } from './world.js';

export const busyDisable: Litmus = litmus({
  name: 'busy-poll-disable',
  memory: netMemory,
  setup(arena, label) {
    const s = busySetup(arena, label, { ownCpu: true });
    arena.m[s.ring] = 2;
    arena.m[s.masked] = 1;
    return { ...s, long: true, budget: 1 };
  },
  threads: {
    app,
    time: ({ m }, s) => Atomics.store(m, s.over, 1),
    control(arena, s) {
      const net = busyFor(arena, s, s.control);
      const n = net.napi(s.napi);
      must(napiDisable(net, n) === 0, 'disable was refused');
      arena.m[s.polled] += 100; // nobody polls: the data is ours
      arena.m[s.napi + NAPI.groBitmask] = 0;
      must(napiEnable(net, n) === 0, 'enable was refused');
      napiSchedule(net, n);
    },
    cpu: busyCpu,
  },
  daemons: ['cpu'],
  final: restful(102),
  forbids: 'a poll while disabled, or a disable that never ends',
  why: 'disable waits for SCHED, which a socket has while it polls, and no socket takes it from a disabled instance',
});

export const busyDisablePending: Litmus = litmus({
  name: 'busy-poll-disable-pending',
  memory: netMemory,
  setup: (arena, label) => ({ ...busySetup(arena, label), late: addWord(arena.m, label, 'late') }),
  threads: {
    app(arena, s) {
      if ((Atomics.load(arena.m, s.napi + NAPI.state) & NAPIF_STATE_DISABLE) === 0) return;
      Atomics.store(arena.m, s.late, 1);
      Atomics.add(arena.m, s.ring, 1);
      app(arena, s);
    },
    control(arena, s) {
      const net = busyFor(arena, s, s.control);
      must(napiDisable(net, net.napi(s.napi)) === 0, 'disable was refused');
    },
  },
  final({ m }, s) {
    must(m[s.ring] === m[s.late], 'polled, though disable had begun and nobody owned the instance');
  },
  forbids: 'a loop that takes an instance which is being disabled, again and again',
  why: 'it looks at DISABLE before it takes SCHED (N12)',
});

export const busyDelete: Litmus = litmus({
  name: 'busy-poll-delete',
  memory: netMemory,
  setup(arena, label) {
    const s = busySetup(arena, label, { defer: 1 });
    listTasks(arena.m, [s.control, s.irqB, s.cpu]);
    arena.m[s.ring] = 2;
    return {
      ...s,
      flags: NAPI_F_PREFER_BUSY_POLL,
      budget: 1,
      freed: addWord(arena.m, label, 'freed'),
    };
  },
  threads: {
    app,
    control(arena, s) {
      const net = busyFor(arena, s, s.control);
      const n = net.napi(s.napi);
      must(napiDisable(net, n) === 0, 'disable was refused');
      must(netifNapiDel(net, n) === 0, 'delete was refused');
      Atomics.store(arena.m, s.freed, 1);
    },
    cpu(arena, s) {
      const late = busyFor(arena, s, s.cpu, LATER);
      late.cur.hrtimerFns[0] = () => {
        must(Atomics.load(arena.m, s.freed) === 0, 'the watchdog of a deleted instance fires');
      };
      for (;;) hrtimerRunQueues(late.cur);
    },
  },
  goal: (_arena, _s, threads) => threads.ended('control') && threads.ended('app'),
  forbids: 'a socket that polls an instance which is freed, or starts its watchdog',
  why: 'it is found and polled within one read section; the last cancel comes behind a grace period',
});

export const busyGone: Litmus = litmus({
  name: 'busy-poll-gone',
  memory: netMemory,
  setup(arena, label) {
    const s = busySetup(arena, label, { threaded: true, defer: 1 });
    const { m } = arena;
    m[s.napi + NAPI.irqSuspendTimeoutNs] = LONG_NS;
    listTasks(m, [s.irqA, s.irqB]);
    return s;
  },
  threads: {
    app(arena, s) {
      const net = busyFor(arena, s, s.irqA);
      const id = s.id + 1;
      napiBusyLoop(net, id, overAt(net, s.over), 0, BUSY_POLL_BUDGET);
      napiSuspendIrqs(net, id);
      napiResumeIrqs(net, id);
      must(net.cur.rcuNesting === 0, 'a read section does not end');
    },
  },
  final({ m }) {
    must(m[m[KERNEL_AT + KERNEL.cpus] + CPU.timerFirst] === 0, 'a timer of nobody was started');
  },
  forbids: 'a loop that goes on though there is no instance of that id',
  why: 'there is nothing to wait for; the caller sleeps instead',
});

/** A loop that would go on until somebody else is through, who waits for it. */
function lets(name: string, wait: (net: NetContext, s: BusySetup) => void, why: string): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label) {
      const s = busySetup(arena, label);
      listTasks(arena.m, [s.control, s.irqB]);
      return s;
    },
    threads: {
      app(arena, s) {
        const net = busyFor(arena, s, s.irqB);
        napiBusyLoop(net, s.id, overAt(net, s.over), 0, BUSY_POLL_BUDGET);
      },
      control(arena, s) {
        wait(busyFor(arena, s, s.control), s);
        Atomics.store(arena.m, s.over, 1);
      },
    },
    goal: (_arena, _s, threads) => threads.ended('control') && threads.ended('app'),
    forbids: 'somebody who waits for a loop until its time is up',
    why,
  });
}

export const busyLets: readonly Litmus[] = Object.freeze([
  lets(
    'busy-poll-lets-grace-period',
    (net) => synchronizeRcu(net.cur),
    'a loop that a grace period waits for ends its read section, and begins again',
  ),
  lets(
    'busy-poll-lets-disable',
    (net, s) => must(napiDisable(net, net.napi(s.napi)) === 0, 'disable was refused'),
    'a loop gives an instance up that is to be disabled',
  ),
]);

/** A thread that waits for the BH lock longer than a tick asks loops to give way; here it never gets what it wants. */
function givesWay(name: string, flags: number, why: string): Litmus {
  const ends = (flags & NAPI_F_END_ON_RESCHED) !== 0;
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label) {
      const s = busySetup(arena, label);
      arena.m[arena.m[KERNEL_AT + KERNEL.cpus] + CPU.bhYield] = 1;
      arena.m[s.masked] = 1;
      return s;
    },
    threads: {
      app(arena, s) {
        const net = busyFor(arena, s, s.irqB);
        const poll = net.napiPollFns[0];
        let polls = 0;
        net.napiPollFns[0] = (c, n, budget) => {
          if (c.cur.yields !== 0) polls = 0;
          c.cur.yields = 0;
          // One in the loop, and the one that gives the instance up.
          must(++polls <= 2, 'it polls on though others want the CPU');
          return poll(c, n, budget);
        };
        if (ends) {
          napiBusyLoop(net, s.id, () => false, flags, BUSY_POLL_BUDGET);
          Atomics.store(arena.m, s.over, 1);
          return;
        }
        napiBusyLoop(net, s.id, overAt(net, s.over), flags, BUSY_POLL_BUDGET);
        must(Atomics.load(arena.m, s.over) === 1, 'the loop ends before its time');
      },
      time({ m }, s) {
        if (!ends) Atomics.store(m, s.over, 1);
      },
    },
    final({ m }, s) {
      must(m[s.over] === 1, 'the loop goes on');
    },
    forbids: 'a loop that keeps the CPU though others wait for it',
    why,
  });
}

export const busyGivesWay: readonly Litmus[] = Object.freeze([
  givesWay(
    'busy-poll-gives-way',
    NAPI_F_PREFER_BUSY_POLL,
    'it gives the instance up, lets others run, and begins again',
  ),
  givesWay('busy-poll-end-on-resched', NAPI_F_END_ON_RESCHED, 'a loop within a read section ends instead'),
]);

/** An application that suspends and resumes while its instance goes out of service; it runs its softirqs itself. */
function suspend(name: string, deleted: boolean, why: string): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label) {
      const s = busySetup(arena, label, { defer: 1 });
      arena.m[s.napi + NAPI.irqSuspendTimeoutNs] = LONG_NS;
      listTasks(arena.m, [s.control, s.irqB]);
      return s;
    },
    threads: {
      app(arena, s) {
        const net = busyFor(arena, s, s.irqB);
        napiSuspendIrqs(net, s.id);
        napiResumeIrqs(net, s.id);
      },
      control(arena, s) {
        const net = busyFor(arena, s, s.control);
        const n = net.napi(s.napi);
        must(napiDisable(net, n) === 0, 'disable was refused');
        if (!deleted) {
          must(napiEnable(net, n) === 0, 'enable was refused');
          return;
        }
        must(netifNapiDel(net, n) === 0, 'delete was refused');
        const cpu = arena.m[KERNEL_AT + KERNEL.cpus];
        must(
          Atomics.load(arena.m, cpu + CPU.timerFirst) === 0,
          'the watchdog of an instance that is freed is started',
        );
      },
    },
    final({ m }, s) {
      must(deleted || (m[s.napi + NAPI.state] & NAPIF_STATE_SCHED) === 0, 'owned at rest');
    },
    forbids: 'a watchdog started on an instance which is freed, or a disable that never ends',
    why,
  });
}

export const suspends: readonly Litmus[] = Object.freeze([
  suspend('busy-suspend-delete', true, 'it is found and its watchdog started within one read section'),
  suspend(
    'busy-suspend-disable',
    false,
    'a disabled instance is not scheduled; its values are words of their own',
  ),
]);
