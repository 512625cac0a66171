// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of what a poll loop owes to others when it ends, and of where one that is bound to no CPU polls: napi_poll.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { CPU } from '../kernel/cpu.js';
import { KTHREAD_SHOULD_PARK } from '../kernel/kthread.js';
import { SPIN_FREE, SPIN_LOCKED, spinUnlock } from '../kernel/locking/spinlock.js';
import { NET_RX_SOFTIRQ } from '../kernel/softirq.js';
import { TASK, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { flushBacklogs, stageBacklog } from '../net/core/backlog_queue.js';
import { skbAttemptDeferFree } from '../net/core/defer_free.js';
import { NAPI, NAPIF_STATE_SCHED } from '../net/core/napi.js';
import { endRound, napiThreadedPollLoop } from '../net/core/napi_poll.js';
import type { NetContext } from '../net/core/net_context.js';
import { PAGE_POOL, pagePoolInside } from '../net/core/page_pool.js';
import { flushSockets, receiveSkb } from '../net/core/rx.js';
import { SOCK } from '../net/core/sock_queue.js';
import { SOFTNET_DATA } from '../net/core/softnet_data.js';
import {
  type BacklogSetup,
  backlogMemory,
  backlogNet,
  backlogSetup,
  cpuArea,
  FRAMES,
  frameOf,
} from './backlog_world.js';

const POLL_TEST = 0;
const WEIGHT = 2;

/** A thread that owns CPU 0's backlog, which stands for an instance: its poll function is the test's. */
function owner(arena: Arena, s: BacklogSetup, work: number, poll: (net: NetContext) => void): NetContext {
  const { m } = arena;
  const net = backlogNet(arena, s, s.irqA, 0);
  const at = s.sd0 + SOFTNET_DATA.backlog;
  m[at + NAPI.pollFn] = POLL_TEST;
  m[at + NAPI.weight] = WEIGHT;
  Atomics.store(m, at + NAPI.state, NAPIF_STATE_SCHED);
  net.napiPollFns[POLL_TEST] = (c) => {
    poll(c);
    return work;
  };
  return net;
}

/** Something that a poll leaves to somebody else, who sleeps. */
interface Debt {
  readonly name: string;
  readonly leave: (net: NetContext, s: BacklogSetup) => void;
  readonly settled: (m: Int32Array, s: BacklogSetup) => boolean;
}

function isTold(m: Int32Array): boolean {
  return (m[cpuArea(m, 1) + CPU.softirqPending] & (1 << NET_RX_SOFTIRQ)) !== 0;
}

const DEBTS: readonly Debt[] = [
  {
    name: 'frees',
    leave: (net, s) => skbAttemptDeferFree(net, frameOf(s, 1)),
    settled: (m, s) => isTold(m) && m[s.sd1 + SOFTNET_DATA.deferCount] === 1,
  },
  {
    name: 'interrupts',
    leave(net, s) {
      stageBacklog(net, 1, frameOf(s, 1), 0);
      flushBacklogs(net);
    },
    settled: (m, s) => isTold(m) && m[s.sd0 + SOFTNET_DATA.rpsIpiList] === 0,
  },
  {
    name: 'wakes',
    leave(net, s) {
      receiveSkb(net, frameOf(s, 1));
      flushSockets(net);
    },
    settled: (m, s) => m[s.control + TASK.state] === TASK_RUNNING,
  },
  {
    name: 'frees-own',
    leave() {},
    settled: (m, s) => pagePoolInside(m, s.pool) === 1,
  },
];

type Ending = readonly [name: string, end: (arena: Arena, s: BacklogSetup, d: Debt) => void];

const ENDINGS: readonly Ending[] = [
  [
    'loop',
    (arena, s, d) => {
      const net = owner(arena, s, 0, (c) => d.leave(c, s));
      napiThreadedPollLoop(net, net.napi(s.sd0 + SOFTNET_DATA.backlog));
    },
  ],
  [
    // It is to park behind the first of several polls: those that are left are another's.
    'parked',
    (arena, s, d) => {
      let polls = 0;
      const net = owner(arena, s, WEIGHT, (c) => {
        must(++polls === 1, 'it polls on though it is to park');
        d.leave(c, s);
      });
      Atomics.or(arena.m, s.irqA + TASK.kthreadFlags, KTHREAD_SHOULD_PARK);
      napiThreadedPollLoop(net, net.napi(s.sd0 + SOFTNET_DATA.backlog), true);
    },
  ],
  [
    'round',
    (arena, s, d) => {
      const net = backlogNet(arena, s, s.irqA, 0);
      net.sendsIpis = true;
      d.leave(net, s);
      endRound(net);
    },
  ],
];

function owes([ending, end]: Ending, d: Debt): Litmus {
  return litmus({
    name: `poll-${ending}-${d.name}`,
    memory: backlogMemory,
    setup(arena, label) {
      const { m } = arena;
      const s = backlogSetup(arena, label);
      m[s.pool + PAGE_POOL.cpu] = 1;
      m[s.cpu1 + TASK.state] = TASK_INTERRUPTIBLE;
      m[s.control + TASK.state] = TASK_INTERRUPTIBLE;
      m[s.sock + SOCK.waiter] = s.control;
      if (d.name === 'frees-own') {
        m[s.sd0 + SOFTNET_DATA.deferList] = frameOf(s, FRAMES);
        m[s.sd0 + SOFTNET_DATA.deferCount] = 1;
      }
      return s;
    },
    threads: { irqA: (arena, s) => end(arena, s, d) },
    final: ({ m }, s) => must(d.settled(m, s), 'it ends, and somebody who has something to do is not told'),
    forbids: 'a poll loop that ends with others asleep who have something to do because of it',
    why: 'it interrupts, has frames freed and wakes readers before it rests',
  });
}

export const pollLoopOwes: readonly Litmus[] = Object.freeze(
  ENDINGS.flatMap((e) =>
    DEBTS.filter((d) => e[0] !== 'round' || d.name !== 'frees-own').map((d) => owes(e, d)),
  ),
);

export const pollLoopGoesOn: Litmus = litmus({
  name: 'poll-loop-goes-on',
  memory: backlogMemory,
  setup: backlogSetup,
  threads: {
    irqA(arena, s) {
      let polls = 0;
      const net = owner(arena, s, WEIGHT, () => {});
      net.napiPollFns[POLL_TEST] = () => (++polls < 3 ? WEIGHT : 0);
      napiThreadedPollLoop(net, net.napi(s.sd0 + SOFTNET_DATA.backlog), true);
      must(polls === 3, `it ends behind ${polls} polls of 3`);
    },
  },
  forbids: 'a loop that leaves an instance it owns, though nobody wants the thread parked',
  why: 'it polls until the instance completes',
});

/** Where a thread polls that is bound to no CPU, at home on CPU 0. */
function selects(
  name: string,
  o: { readonly taken: readonly number[]; readonly offline?: boolean; readonly expect: number },
  why: string,
): Litmus {
  return litmus({
    name,
    memory: backlogMemory,
    setup(arena, label) {
      const { m } = arena;
      const s = backlogSetup(arena, label);
      for (let i = 0; i < o.taken.length; i++) m[cpuArea(m, o.taken[i]) + CPU.bhLock] = SPIN_LOCKED;
      if (o.offline === true) m[cpuArea(m, 1) + CPU.online] = 0;
      return s;
    },
    threads: {
      thread(arena, s) {
        const { m } = arena;
        const net = owner(arena, s, 0, (c) => {
          must(c.cur.cpu.id === o.expect && c.cur.home.id === o.expect, 'it polls on another CPU');
          must(m[cpuArea(m, o.expect) + CPU.bhLock] !== SPIN_FREE, 'it polls without the lock of its CPU');
        });
        net.floating = true;
        napiThreadedPollLoop(net, net.napi(s.sd0 + SOFTNET_DATA.backlog));
      },
      // Whoever has the lock that the thread is going to wait for.
      holder({ m }) {
        if (o.taken.includes(o.expect)) spinUnlock(m, cpuArea(m, o.expect) + CPU.bhLock);
      },
    },
    final({ m }) {
      const left = m[cpuArea(m, o.expect) + CPU.bhLock];
      must(left === SPIN_FREE, 'the lock of the CPU is kept');
    },
    forbids: 'a thread that polls where others poll though a CPU is free, or on one that is offline',
    why,
  });
}

export const pollLoopSelects: readonly Litmus[] = Object.freeze([
  selects('poll-stays-home', { taken: [1], expect: 0 }, 'nobody is in its way there'),
  selects('poll-stays-though-others-free', { taken: [], expect: 0 }, 'nobody is in its way there'),
  selects('poll-goes-where-free', { taken: [0], expect: 1 }, 'it goes where nobody polls'),
  selects('poll-stays-if-all-taken', { taken: [0, 1], expect: 0 }, 'one CPU is as good as another'),
  selects(
    'poll-shuns-offline',
    { taken: [0], offline: true, expect: 0 },
    'nobody polls on a CPU that is offline',
  ),
]);
