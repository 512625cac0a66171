// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of applications that busy poll before they sleep: net/core/eventpoll.ts, sock_busy.ts, and who flushes and wakes for them. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import type { Platform } from '../kernel/platform.js';
import { schedule } from '../kernel/sched.js';
import { doSoftirq } from '../kernel/softirq.js';
import { setCurrentState, TASK, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import type { Arena } from '../mm/arena.js';
import { BUSY_POLL_BUDGET, NAPI_F_PREFER_BUSY_POLL, napiBusyLoop } from '../net/core/busy_poll.js';
import { type EpollParams, EventPoll } from '../net/core/eventpoll.js';
import { NAPI, type Napi } from '../net/core/napi.js';
import { napiThreadedPoll } from '../net/core/napi_poll.js';
import { napiCompleteDone } from '../net/core/napi_schedule.js';
import type { NetContext } from '../net/core/net_context.js';
import { PAGE_POOL, pagePoolCreate } from '../net/core/page_pool.js';
import { groNormalOne } from '../net/core/rx.js';
import { SockBusyLoop } from '../net/core/sock_busy.js';
import { AF_INET, SOCK, type SockReader, sockCreate, sockReaderView } from '../net/core/sock_queue.js';
import { busyPolled } from './busy_threads.js';
import { type BusySetup, busyEvent, busyFor, busySetup, LONG_NS, raise } from './busy_world.js';
import { netMemory, nodeOf } from './net_world.js';
import { addRunningTask, addWord, STILL } from './world.js';

const FRAMES = 2;
/** Room for them, and for those of the tests that send more. */
const ROOM = 4;

export interface WaitSetup extends BusySetup {
  readonly pool: number;
  readonly sock: number;
  readonly reader: number;
  /** Frames that the reader got. */
  readonly got: number;
}

export function waiting(arena: Arena, label: Label, s: BusySetup): WaitSetup {
  const { m } = arena;
  const pool = pagePoolCreate(m, ROOM);
  must(pool !== 0, 'the arena is too small for the pool');
  label(m, pool, PAGE_POOL, 'pool');
  m[pool + PAGE_POOL.napiId] = s.id;
  const sock = sockCreate(m, AF_INET, 7, ROOM, ROOM);
  label(m, sock, SOCK);
  const reader = addRunningTask(m, label, 'reader');
  m[sock + SOCK.waiter] = reader;
  m[sock + SOCK.napiId] = s.id;
  return { ...s, pool, sock, reader, got: addWord(m, label, 'got') };
}

/** The driver's poll function: frames go the way of all frames. */
function poll(net: NetContext, n: Napi, budget: number, s: WaitSetup): number {
  const { m } = net;
  const pool = net.pool(s.pool);
  let work = 0;
  while (work < budget && Atomics.load(m, s.ring) > 0) {
    must(pool.take(1) === 1, 'the pool is empty');
    const skb = m[pool.taken];
    Atomics.sub(m, s.ring, 1);
    groNormalOne(net, n, skb, 1);
    work++;
  }
  if (work < budget && napiCompleteDone(net, n, work)) {
    Atomics.store(m, s.masked, 0);
    if (Atomics.load(m, s.ring) > 0) raise(net, s);
  }
  return work;
}

/** A thread's context. */
export function waitFor(arena: Arena, s: WaitSetup, task: number, platform: Platform = STILL): NetContext {
  const net = busyFor(arena, s, task, platform);
  net.napiPollFns[0] = (c, n, budget) => poll(c, n, budget, s);
  net.sockLookups.push((c) => c.sock(s.sock));
  return net;
}

/** A clock that goes on a long way with each look, round and round: a loop ends behind its first poll. */
function hasty(): Platform {
  let nowUs = 0;
  return {
    ...STILL,
    nowUs() {
      nowUs = (nowUs + 0x40000000) | 0;
      return nowUs;
    },
  };
}

/** Body of the CPU's own thread: softirqs only, timers never fire. */
function cpu(arena: Arena, s: WaitSetup): void {
  const { cur } = waitFor(arena, s, s.cpu);
  for (;;) {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE);
    if (Atomics.load(cur.m, cur.cpu.softirqPending) === 0) schedule(cur);
    setCurrentState(cur.task, TASK_RUNNING);
    doSoftirq(cur);
  }
}

/** Takes what is there; the buffers stay with the reader: there is one for each frame. */
function read(m: Int32Array, r: SockReader, s: WaitSetup): number {
  const n = r.consumer.available(FRAMES);
  if (n > 0) r.consumer.release(n);
  m[s.got] += n;
  return n;
}

/** A frame that the reader has not taken, from a poll before. */
export function queued(arena: Arena, s: WaitSetup): void {
  const net = waitFor(arena, s, s.control);
  const q = net.sock(s.sock);
  net.pool(s.pool).take(1);
  q.stage[q.staged++] = arena.m[net.pool(s.pool).taken];
  q.flush();
}

const PLAIN: EpollParams = { busyPollUsecs: 1, busyPollBudget: 0, preferBusyPoll: false };
const PREFER: EpollParams = { ...PLAIN, preferBusyPoll: true };

function epollReader(arena: Arena, s: WaitSetup, params: EpollParams): void {
  const net = waitFor(arena, s, s.reader, hasty());
  const r = sockReaderView(arena.m, s.sock);
  const ep = new EventPoll(net, [r], params);
  for (;;) {
    must(ep.wait(-1) === 1, 'it ends before its time');
    must(Atomics.load(arena.m, s.reader + TASK.state) === TASK_RUNNING, 'it returns as one that sleeps');
    must(ep.ready[0] === 0 && read(arena.m, r, s) > 0, 'a socket is ready that is not');
  }
}

function allRead({ m }: Arena, s: WaitSetup): void {
  must(m[s.got] === FRAMES && m[s.ring] === 0, 'a frame is left');
  must(m[s.masked] === 0, 'the interrupt is masked at rest');
}

export const epollPlain: Litmus = litmus({
  name: 'busy-epoll',
  memory: netMemory,
  setup(arena, label) {
    const s = waiting(arena, label, busySetup(arena, label));
    queued(arena, s);
    // The interrupt came: the instance is on the CPU's list.
    busyEvent(waitFor(arena, s, s.irqA), s);
    return s;
  },
  threads: {
    reader: (arena, s) => epollReader(arena, s, PLAIN),
    cpu,
  },
  daemons: ['reader', 'cpu'],
  final: allRead,
  forbids: 'a reader asleep with frames queued, or behind an interrupt that stays masked',
  why: 'it sleeps once it saw the queue empty behind its sleeping state (Y1, Y2)',
});

export const epollPrefer: Litmus = litmus({
  name: 'busy-epoll-prefer',
  memory: netMemory,
  setup(arena, label) {
    const s = waiting(arena, label, busySetup(arena, label, { defer: 1 }));
    const { m } = arena;
    queued(arena, s);
    m[s.masked] = 1;
    m[s.napi + NAPI.groFlushTimeoutNs] = LONG_NS;
    m[s.napi + NAPI.irqSuspendTimeoutNs] = LONG_NS;
    return s;
  },
  threads: { reader: (arena, s) => epollReader(arena, s, PREFER), cpu },
  daemons: ['reader', 'cpu'],
  final({ m }, s) {
    must(m[s.got] === 1, 'a frame is left');
    must(m[s.masked] === 0, 'the interrupt is masked at rest');
  },
  forbids: 'a reader asleep behind interrupts that were suspended, until the watchdog comes',
  why: 'a loop that found nothing resumes them before it sleeps',
});

/** A reader that nobody else disturbs: it gets the frame that is there, and its next wait is over when its time is up. */
function epollAlone(name: string, params: EpollParams): Litmus {
  return litmus({
    name,
    memory: netMemory,
    setup(arena, label) {
      const s = waiting(arena, label, busySetup(arena, label));
      queued(arena, s);
      return s;
    },
    threads: {
      reader(arena, s) {
        const net = waitFor(arena, s, s.reader, hasty());
        const r = sockReaderView(arena.m, s.sock);
        const ep = new EventPoll(net, [r], params);
        must(ep.wait(-1) === 1, 'it ends before its time');
        must(read(arena.m, r, s) === 1, 'a socket is ready that is not');
        must(ep.wait(1) === 0, 'a socket is ready that is not');
      },
    },
    forbids: 'a wait that goes on though a frame is there, or its time is up',
    why: 'a loop that found nothing is followed by a sleep, which has an end',
  });
}

export const epollAlonePlain: Litmus = epollAlone('busy-epoll-alone', PLAIN);
export const epollAlonePrefer: Litmus = epollAlone('busy-epoll-prefer-alone', PREFER);

export const busyFrames: Litmus = litmus({
  name: 'busy-thread-frames',
  memory: netMemory,
  setup: (arena, label) => waiting(arena, label, busyPolled(arena, label, { weight: 4 })),
  threads: {
    device: (arena, s) => busyEvent(waitFor(arena, s, s.irqA), s),
    napi(arena, s) {
      napiThreadedPoll(waitFor(arena, s, s.thread), nodeOf(arena, s));
    },
    reader(arena, s) {
      const { m } = arena;
      const { cur } = waitFor(arena, s, s.reader);
      const r = sockReaderView(m, s.sock);
      for (;;) {
        setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Y2
        if (read(m, r, s) === 0) schedule(cur);
        setCurrentState(cur.task, TASK_RUNNING);
      }
    },
  },
  goal: ({ m }, s, threads) => m[s.got] === 1 && threads.asleep('reader'),
  forbids: 'a frame that a busy thread took and keeps, or a reader that is not woken',
  why: 'complete does nothing while IN_BUSY_POLL is set: the thread itself flushes, and wakes readers',
});

export const sockBusyFrames: Litmus = litmus({
  name: 'busy-sock-frames',
  memory: netMemory,
  setup(arena, label) {
    const s = waiting(arena, label, busySetup(arena, label));
    arena.m[s.sock + SOCK.llUsec] = 1;
    return s;
  },
  threads: {
    device: (arena, s) => busyEvent(waitFor(arena, s, s.irqA), s),
    reader(arena, s) {
      const { m } = arena;
      const net = waitFor(arena, s, s.reader);
      const r = sockReaderView(m, s.sock);
      // Its time is never up: it ends because there is a frame.
      must(new SockBusyLoop(net, [r]).run(false), 'no socket is to busy poll');
      must(read(m, r, s) === 1, 'the loop ended without a frame');
    },
    cpu,
  },
  daemons: ['cpu'],
  final({ m }, s) {
    must(m[s.got] === 1 && m[s.masked] === 0, 'a frame is left, or the interrupt is masked at rest');
  },
  forbids: 'a frame that a busy loop took and keeps, or a loop that does not see it',
  why: 'what a poll took goes up before the loop looks at the queue, whoever polled',
});

export const busyOthersFrames: Litmus = litmus({
  name: 'busy-poll-others-frames',
  memory: netMemory,
  setup(arena, label) {
    const s = waiting(arena, label, busySetup(arena, label));
    arena.m[s.ring] = 1;
    arena.m[s.masked] = 1;
    return s;
  },
  threads: {
    app(arena, s) {
      const net = waitFor(arena, s, s.irqB);
      napiBusyLoop(net, s.id, () => Atomics.load(arena.m, s.got) !== 0, 0, BUSY_POLL_BUDGET);
    },
    reader(arena, s) {
      const { m } = arena;
      const { cur } = waitFor(arena, s, s.reader);
      const r = sockReaderView(m, s.sock);
      for (;;) {
        setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Y2
        if (r.consumer.available(1) !== 0) break;
        schedule(cur);
      }
      setCurrentState(cur.task, TASK_RUNNING);
      Atomics.store(m, s.got, 1);
    },
  },
  final({ m }, s) {
    must(m[s.ring] === 0 && m[s.masked] === 0, 'a frame is left, or the interrupt is masked at rest');
  },
  forbids: 'a reader that sleeps on for as long as another one busy polls its instance',
  why: 'each turn of the loop wakes the readers of what it took',
});

export const busyFullFrames: Litmus = litmus({
  name: 'busy-poll-full-frames',
  memory: netMemory,
  setup(arena, label) {
    const s = waiting(arena, label, busySetup(arena, label, { defer: 1 }));
    arena.m[s.ring] = 2;
    arena.m[s.masked] = 1;
    return s;
  },
  threads: {
    app(arena, s) {
      const { m } = arena;
      const net = waitFor(arena, s, s.irqB);
      const poll = net.napiPollFns[0];
      let polls = 0;
      net.napiPollFns[0] = (c, n, budget) => {
        // The reader sleeps again before the last poll.
        if (++polls === 2) Atomics.store(m, s.reader + TASK.state, TASK_INTERRUPTIBLE);
        return poll(c, n, budget);
      };
      napiBusyLoop(net, s.id, null, NAPI_F_PREFER_BUSY_POLL, 1);
      must(sockReaderView(m, s.sock).consumer.available(2) === 2, 'a frame of the last poll is kept');
      must(Atomics.load(m, s.reader + TASK.state) === TASK_RUNNING, 'its reader is not woken');
    },
  },
  forbids: 'frames that the last poll took and keeps, or whose reader sleeps on',
  why: 'a last poll that used its budget did not complete: what it took is sent up behind it',
});
