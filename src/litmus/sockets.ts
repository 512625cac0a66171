// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of socket queues: net/core/sock_queue.ts, several producers and the reader that sleeps. */
import { type Label, type Litmus, litmus, must } from '../check/index.js';
import { schedule } from '../kernel/sched.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import { RING } from '../mm/ring.js';
import {
  AF_INET,
  SOCK,
  SOCK_CLOSED,
  type SockQueue,
  sockCreate,
  sockQueueLength,
  sockQueueView,
  sockReaderView,
  sockShutdown,
  sockWake,
} from '../net/core/sock_queue.js';
import { addRunningTask, addWord, arena, boot, currentOf } from './world.js';

interface SockSetup {
  readonly reader: number;
  readonly sock: number;
  /** Sum of what was read. */
  readonly sum: number;
}

function sockSetup(m: Int32Array, label: Label): SockSetup {
  boot(m, label, 1);
  const sock = sockCreate(m, AF_INET, 7, 2, 2);
  label(m, sock, SOCK);
  label(m, m[sock + SOCK.ring], RING, 'queue');
  const reader = addRunningTask(m, label, 'reader');
  m[sock + SOCK.waiter] = reader;
  return { reader, sock, sum: addWord(m, label, 'sum') };
}

/** Queues one frame (its number) and wakes the reader. */
function produce(q: SockQueue, frame: number): void {
  q.stage[q.staged++] = frame;
  q.flush();
  sockWake(q.m, q.at);
}

export const sockQueue: Litmus = litmus({
  name: 'sock-queue-two-producers',
  memory: arena,
  setup: sockSetup,
  threads: {
    pollA: (m, s) => produce(sockQueueView(m, s.sock), 1),
    pollB: (m, s) => produce(sockQueueView(m, s.sock), 2),
    closer: (m, s) => sockShutdown(m, s.sock),
    reader(m, s) {
      const cur = currentOf(m, s.reader);
      const r = sockReaderView(m, s.sock);
      for (;;) {
        setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Y2
        // Closed is looked at first: what was queued before it is still read.
        const closed = r.closed();
        const n = r.consumer.available(2);
        if (n === 0 && closed) break;
        if (n === 0) {
          schedule(cur);
          continue;
        }
        setCurrentState(cur.task, TASK_RUNNING);
        for (let i = 0; i < n; i++) m[s.sum] = m[s.sum] + m[r.consumer.slot(i)];
        r.consumer.release(n);
      }
      setCurrentState(cur.task, TASK_RUNNING);
    },
  },
  final(m, s) {
    must(m[s.sum] <= 3, `the reader got ${m[s.sum]}: a frame twice`);
    must((m[s.sock + SOCK.flags] & SOCK_CLOSED) !== 0, 'the socket is open at the end');
  },
  forbids:
    'a reader asleep with frames queued or the socket closed; a frame twice; two producers in the queue at once',
  why: 'frames are published before the reader’s state is looked at (Y1, Y2); producers hold the lock',
});

/** The last index before the indices of a ring wrap as numbers. */
const LAST_INDEX = 0x7fffffff;
const FRAMES = 4;

export const sockQueueWrap: Litmus = litmus({
  name: 'sock-queue-wrap',
  memory: arena,
  setup(m, label): SockSetup {
    const s = sockSetup(m, label);
    m[m[s.sock + SOCK.ring] + RING.prod] = LAST_INDEX;
    m[m[s.sock + SOCK.ring] + RING.cons] = LAST_INDEX;
    return s;
  },
  threads: {
    pollA(m, s) {
      const q = sockQueueView(m, s.sock);
      produce(q, 1);
      produce(q, 2);
    },
    pollB(m, s) {
      const q = sockQueueView(m, s.sock);
      produce(q, 4);
      produce(q, 8);
    },
    reader(m, s) {
      const cur = currentOf(m, s.reader);
      const { consumer } = sockReaderView(m, s.sock);
      consumer.begin();
      for (;;) {
        setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Y2
        if (consumer.available(1) < 1) {
          schedule(cur);
          continue;
        }
        setCurrentState(cur.task, TASK_RUNNING);
        const frame = m[consumer.slot(0)];
        const seen = m[s.sum];
        must((seen & frame) === 0, 'a frame came twice');
        must((frame !== 1 || (seen & 2) === 0) && (frame !== 4 || (seen & 8) === 0), 'a frame was overtaken');
        m[s.sum] = seen | frame;
        consumer.release(1);
      }
    },
  },
  daemons: ['reader'],
  final(m, s) {
    let got = 0;
    for (let i = 0; i < FRAMES; i++) got += (m[s.sum] >> i) & 1;
    must(sockQueueLength(m, s.sock) === 0, 'a frame is left in the queue');
    must(
      got + m[s.sock + SOCK.drops] === FRAMES,
      `${got} frames of ${FRAMES} read, ${m[s.sock + SOCK.drops]} dropped`,
    );
  },
  forbids:
    'a frame lost, twice, or overtaken by the next of its producer, when a queue of two slots goes round',
  why: 'each producer takes the role over under the lock, with the indices as they are (R1 to R4)',
});

export const sockClosed: Litmus = litmus({
  name: 'sock-closed',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const sock = sockCreate(m, AF_INET, 7, 2, 2);
    label(m, sock, SOCK);
    return { sock };
  },
  threads: {
    poll(m, s) {
      const q = sockQueueView(m, s.sock);
      q.stage[q.staged++] = 1;
      const queued = q.flush();
      must(queued + m[s.sock + SOCK.drops] === 1, 'a frame is neither queued nor dropped');
      // Closed by now or not: a frame that is queued behind the end is nobody's.
      const closed = sockReaderView(m, s.sock).closed();
      q.stage[q.staged++] = 2;
      must(q.flush() === 0 || !closed, 'a frame is queued to a closed socket');
    },
    closer(m, s) {
      must(!sockReaderView(m, s.sock).closed(), 'closed before anybody closed it');
      sockShutdown(m, s.sock);
      must(sockReaderView(m, s.sock).closed(), 'open though it was closed');
    },
  },
  final(m, s) {
    must(sockQueueLength(m, s.sock) + m[s.sock + SOCK.drops] === 2, 'a frame is gone');
  },
  forbids: 'a frame queued to a socket that is closed',
  why: 'producers look at the flag under the lock, behind which it is never cleared',
});

export const sockWaiter: Litmus = litmus({
  name: 'sock-waiter',
  memory: arena,
  setup(m, label): SockSetup {
    boot(m, label, 1);
    const sock = sockCreate(m, AF_INET, 7, 2, 1);
    label(m, sock, SOCK);
    return { reader: addRunningTask(m, label, 'reader'), sock, sum: addWord(m, label, 'sum') };
  },
  threads: {
    poll(m, s) {
      const q = sockQueueView(m, s.sock);
      q.stage[q.staged++] = 1;
      q.stage[q.staged++] = 2;
      must(q.flush() === 1, 'more frames are queued than the buffer of the socket may hold');
      sockWake(m, s.sock);
    },
    reader(m, s) {
      const cur = currentOf(m, s.reader);
      const r = sockReaderView(m, s.sock);
      Atomics.store(m, s.sock + SOCK.waiter, s.reader);
      for (;;) {
        setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Y2
        if (r.consumer.available(1) !== 0) break;
        schedule(cur);
      }
      setCurrentState(cur.task, TASK_RUNNING);
      m[s.sum] = m[r.consumer.slot(0)];
      r.consumer.release(1);
      Atomics.store(m, s.sock + SOCK.waiter, 0);
    },
  },
  final(m, s) {
    must(m[s.sum] === 1 && m[s.sock + SOCK.drops] === 1, 'a frame is neither read nor dropped');
  },
  forbids: 'a reader that came late and is not woken, or a queue longer than the socket’s buffer',
  why: 'the reader names itself before it looks at the queue; the producer looks for it behind the queue',
});
