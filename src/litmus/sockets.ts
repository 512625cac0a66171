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
