// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of the way of a frame: pool, poll, socket, reader, pool (rx.ts, sock_queue.ts, page_pool.ts). */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { KERNEL, KERNEL_AT } from '../kernel/current.js';
import { rcuReadLock, synchronizeRcu } from '../kernel/rcu.js';
import { schedule } from '../kernel/sched.js';
import { cpuIdleLoop } from '../kernel/softirq.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import type { Napi } from '../net/core/napi.js';
import { napiThreadedPoll, netRxAction } from '../net/core/napi_poll.js';
import { napiCompleteDone } from '../net/core/napi_schedule.js';
import { type NetContext, netContext } from '../net/core/net_context.js';
import { PAGE_POOL, pagePoolCreate, pagePoolInside, pagePoolView } from '../net/core/page_pool.js';
import { groNormalOne } from '../net/core/rx.js';
import { SKB_STRIDE } from '../net/core/skbuff.js';
import { AF_INET, SOCK, sockCreate, sockReaderView } from '../net/core/sock_queue.js';
import { DROP_SOCKET_RCVBUFF, NET } from '../net/core/softnet_data.js';
import { event, listTasks, type NetSetup, netFor, netMemory, netSetup, nodeOf } from './net_world.js';
import { addRunningTask, addWord, currentOf } from './world.js';

const BUFFERS = 2;
/** A word of a buffer that whoever owns it may write plainly. */
const CONTENT = SKB_STRIDE - 1;

interface PathSetup extends NetSetup {
  readonly pool: number;
  readonly sock: number;
  readonly reader: number;
  /** Frames that came through. */
  readonly got: number;
}

function path(arena: Arena, label: Label, threaded: boolean, weight: number, rcvbuf = BUFFERS): PathSetup {
  const { m } = arena;
  const s = netSetup(arena, label, threaded, weight);
  const pool = pagePoolCreate(m, BUFFERS);
  label(m, pool, PAGE_POOL, 'pool');
  const sock = sockCreate(m, AF_INET, 7, BUFFERS, rcvbuf);
  label(m, sock, SOCK);
  const reader = addRunningTask(m, label, 'reader');
  m[sock + SOCK.waiter] = reader;
  return { ...s, pool, sock, reader, got: addWord(m, label, 'got') };
}

function poll(net: NetContext, n: Napi, budget: number, s: PathSetup): number {
  const { m } = net;
  const pool = net.pool(s.pool);
  let work = 0;
  while (work < budget && Atomics.load(m, s.ring) > 0) {
    must(pool.take(1) === 1, 'the pool is empty');
    const skb = m[pool.taken];
    Atomics.sub(m, s.ring, 1);
    m[skb + CONTENT] = 7;
    groNormalOne(net, n, skb, 1);
    work++;
  }
  if (work < budget) napiCompleteDone(net, n, work);
  return work;
}

function polling(arena: Arena, s: PathSetup, task: number): NetContext {
  const net = netContext(currentOf(arena.m, task), arena);
  net.napiPollFns.push((c, n, budget) => poll(c, n, budget, s));
  net.sockLookups.push((c) => c.sock(s.sock));
  net.cur.softirqVec.push(() => netRxAction(net));
  return net;
}

function napiThread(arena: Arena, s: PathSetup): void {
  const net = polling(arena, s, s.thread);
  napiThreadedPoll(net, nodeOf(arena, s));
}

function cpu(arena: Arena, s: PathSetup): void {
  cpuIdleLoop(polling(arena, s, s.cpu).cur);
}

function events(count: number): (arena: Arena, s: PathSetup) => void {
  return (arena, s) => {
    const net = netFor(arena, s, s.irqA);
    for (let i = 0; i < count; i++) event(net, s);
  };
}

function reader({ m }: Arena, s: PathSetup): void {
  const cur = currentOf(m, s.reader);
  const r = sockReaderView(m, s.sock);
  const pool = pagePoolView(m, s.pool);
  const list = new Int32Array(BUFFERS);
  for (;;) {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Y2
    const n = r.consumer.available(BUFFERS);
    if (n === 0) {
      schedule(cur);
      continue;
    }
    setCurrentState(cur.task, TASK_RUNNING);
    for (let i = 0; i < n; i++) {
      const skb = m[r.consumer.slot(i)];
      must(m[skb + CONTENT] === 7, 'a buffer was read before it was filled, or twice');
      m[skb + CONTENT] = 0;
      list[i] = skb;
    }
    r.consumer.release(n);
    pool.recycle(list, 0, n);
    m[s.got] += n;
  }
}

function allRead(count: number): (arena: Arena, s: PathSetup) => void {
  return ({ m }, s) => {
    must(m[s.ring] === 0 && m[s.got] === count, `${m[s.got]} frames of ${count} were read`);
    must(pagePoolInside(m, s.pool) === BUFFERS, 'a buffer did not come back to its pool');
    must(m[s.sock + SOCK.drops] === 0, 'a frame was dropped though there was room');
  };
}

const FORBIDS = 'a frame queued with its reader asleep, or a buffer lost or owned twice';

export const socketThreaded: Litmus = litmus({
  name: 'napi-socket-threaded',
  memory: netMemory,
  setup: (arena, label) => path(arena, label, true, 4),
  threads: { irqA: events(2), napi: napiThread, reader },
  daemons: ['napi', 'reader'],
  final: allRead(2),
  forbids: FORBIDS,
  why: 'a poll loop queues before it gives the instance up, and wakes readers before it rests (Y1, Y2, P1, P2)',
});

export const socketThreadedFull: Litmus = litmus({
  name: 'napi-socket-threaded-weight-1',
  memory: netMemory,
  setup: (arena, label) => path(arena, label, true, 1),
  threads: {
    irqA: events(1),
    napi(arena, s) {
      const net = polling(arena, s, s.thread);
      // Traffic without end: every poll after the first uses its whole weight and finds nothing for this socket.
      net.napiPollFns[0] = (c, n, budget) => {
        if (Atomics.load(c.m, s.ring) > 0) poll(c, n, budget, s);
        return budget;
      };
      napiThreadedPoll(net, nodeOf(arena, s));
    },
    reader,
  },
  daemons: ['napi', 'reader'],
  goal: ({ m }, s, threads) => m[s.got] === 1 && threads.asleep('reader'),
  forbids: 'a reader that is never woken because the poll loop does not end',
  why: 'a loop that does not rest wakes readers every few polls',
});

export const socketSoftirq: Litmus = litmus({
  name: 'napi-socket-softirq',
  memory: netMemory,
  setup: (arena, label) => path(arena, label, false, 4),
  threads: { irqA: events(1), cpu, reader },
  daemons: ['cpu', 'reader'],
  final: allRead(1),
  forbids: FORBIDS,
  why: 'a round wakes readers when it ends, or before (Y1, Y2)',
});

export const socketSoftirqBudget: Litmus = litmus({
  name: 'napi-socket-budget',
  memory: netMemory,
  setup(arena, label) {
    const s = path(arena, label, false, 1);
    arena.m[arena.m[KERNEL_AT + KERNEL.net] + NET.netdevBudget] = 1;
    return s;
  },
  threads: {
    irqA: events(1),
    cpu(arena, s) {
      const net = polling(arena, s, s.cpu);
      net.napiPollFns[0] = (c, n, budget) => {
        if (Atomics.load(c.m, s.ring) > 0) poll(c, n, budget, s);
        return budget;
      };
      cpuIdleLoop(net.cur);
    },
    reader,
  },
  daemons: ['cpu', 'reader'],
  goal: ({ m }, s, threads) => m[s.got] === 1 && threads.asleep('reader'),
  forbids: 'a reader that is never woken because every round is cut by its budget',
  why: 'a round that is cut wakes readers, too',
});

export const socketFull: Litmus = litmus({
  name: 'napi-socket-full',
  memory: netMemory,
  setup: (arena, label) => path(arena, label, true, 4, 1),
  threads: { irqA: events(2), napi: napiThread, reader },
  daemons: ['napi', 'reader'],
  final({ m }, s) {
    const drops = m[s.sock + SOCK.drops];
    const counted = m[m[KERNEL_AT + KERNEL.net] + NET.drops + DROP_SOCKET_RCVBUFF];
    must(m[s.got] + drops === 2, `${m[s.got]} frames were read and ${drops} dropped, of 2`);
    must(counted === drops, `${counted} drops are counted of ${drops}`);
    must(pagePoolInside(m, s.pool) === BUFFERS, 'the buffer of a dropped frame did not come back');
  },
  forbids: 'a frame that is neither read nor dropped, or a dropped one whose buffer is lost',
  why: 'what a socket has no room for goes back to the pool of the instance that polls',
});

/** A socket that is unbound and freed while frames come for it. */
function unbind(threaded: boolean): Litmus {
  return litmus({
    name: `napi-socket-unbind-${threaded ? 'threaded' : 'softirq'}`,
    memory: netMemory,
    setup(arena, label) {
      const { m } = arena;
      const s = path(arena, label, threaded, 4);
      const bound = addWord(m, label, 'bound');
      m[bound] = s.sock;
      listTasks(m, [s.control, threaded ? s.thread : s.cpu]);
      return { ...s, bound };
    },
    threads: {
      irqA: events(1),
      owner(arena, s) {
        const net = polling(arena, s, threaded ? s.thread : s.cpu);
        net.sockLookups[0] = (c) => {
          const sock = Atomics.load(c.m, s.bound);
          return sock === 0 ? null : c.sock(sock);
        };
        rcuReadLock(net.cur);
        if (threaded) napiThreadedPoll(net, nodeOf(arena, s));
        else cpuIdleLoop(net.cur);
      },
      control({ m }, s) {
        Atomics.store(m, s.bound, 0);
        synchronizeRcu(currentOf(m, s.control));
        m[s.sock + SOCK.waiter] = -1; // freed
      },
    },
    daemons: ['owner'],
    final({ m }, s) {
      must(m[s.ring] === 0, 'an event is left in the ring');
    },
    forbids: 'a socket that is freed while a poll is about to wake its reader',
    why: 'whoever polls reports a quiescent state only behind the wake-ups',
  });
}

export const socketUnbind: readonly Litmus[] = Object.freeze([unbind(true), unbind(false)]);
