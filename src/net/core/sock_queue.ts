// SPDX-License-Identifier: GPL-2.0-only
/**
 * Sockets: the receive queue between NAPI instances and an application (Linux: struct sock, sk_receive_queue).
 *
 * States: open; closed (nothing more is queued; a reader gets the rest, then the end).
 *
 * Owners
 *   queue, producer's end   any NAPI context, under `lock`
 *   queue, consumer's end   the application thread that opened it
 *   drops                   holder of `lock`
 *   flags                   any thread, atomically; `waiter` the application thread
 * A NAPI context stages frames per socket and queues them once a poll: one lock, one publication. What is staged must
 * be queued before the instance is given up (napiCompleteDone), or a later poll elsewhere could overtake. The reader
 * is woken by the same thread when its poll loop ends, and every few polls of a loop that does not (rx.ts).
 *
 * Invariant: frames of one NAPI instance are queued in the order it took them.
 *
 * Ordering
 *   Y1 producer: skbs (plain), publish, then load the waiter's state   pairs with  Y2
 *   Y2 reader: store its sleeping state, then load the queue's index   pairs with  Y1
 */
import { type Current, newObjectId } from '../../kernel/current.js';
import { spinLock, spinUnlock } from '../../kernel/locking/spinlock.js';
import { TASK, TASK_RUNNING, wakeUpProcess } from '../../kernel/task.js';
import { RingConsumer, RingProducer, ringLength, ringWords } from '../../mm/ring.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { line, struct, word } from '../../mm/struct.js';

export const SOCK_CLOSED = 1;

export const SOCK = struct(
  'sock',
  line('creator', {
    family: word('AF_*: what it receives'),
    port: word('UDP port, 0: any'),
    capacity: word('slots of the queue, a power of two'),
    rcvbuf: word('most frames queued; more are dropped'),
    ring: word('queue of skbs, one word a slot'),
    id: word('serial number: a view with another one is stale'),
  }),
  line('any thread, atomically', { flags: word('SOCK_CLOSED') }),
  line('lock holders', { lock: word('spin lock of the producers') }),
  line('lock', { drops: word('frames dropped because the queue was full') }),
  line('NAPI context that queues, atomically', {
    napiId: word('SO_INCOMING_NAPI_ID: instance that received the latest frame, 0: none yet'),
  }),
  line('control threads and the application, atomically', {
    llUsec: word('SO_BUSY_POLL: how long a reader busy polls before it sleeps, us; 0: not'),
    preferBusyPoll: word('SO_PREFER_BUSY_POLL: 1: interrupts stay deferred while it polls'),
    busyPollBudget: word('SO_BUSY_POLL_BUDGET: most packets of one poll, 0: BUSY_POLL_BUDGET'),
  }),
  line('application thread', {
    waiter: word('task_struct to wake when frames come, 0: none'),
    delivered: word('frames read by the application (wraps)'),
  }),
);

export const AF_INET = 2;
export const AF_PACKET = 17;

/** Frames staged for one socket before they are queued. */
const STAGE_SLOTS = 256;

/** Makes a socket. @returns its word index, or 0 (ENOMEM) */
export function sockCreate(
  m: Int32Array,
  family: number,
  port: number,
  capacity: number,
  rcvbuf: number,
): number {
  const at = kmalloc(m, SOCK.SIZE);
  const ring = kmalloc(m, ringWords(capacity, 1));
  if (at === 0 || ring === 0) {
    kfree(m, ring, ringWords(capacity, 1));
    kfree(m, at, SOCK.SIZE);
    return 0;
  }
  m[at + SOCK.family] = family;
  m[at + SOCK.port] = port;
  m[at + SOCK.capacity] = capacity;
  m[at + SOCK.rcvbuf] = rcvbuf;
  m[at + SOCK.ring] = ring;
  m[at + SOCK.id] = newObjectId(m);
  return at;
}

/** Frees a closed socket that no producer can see any more. */
export function sockDestroy(m: Int32Array, at: number): void {
  kfree(m, m[at + SOCK.ring], ringWords(m[at + SOCK.capacity], 1));
  kfree(m, at, SOCK.SIZE);
}

/** The producers' view of a socket. Make once a thread, keep. */
export class SockQueue {
  readonly m: Int32Array;
  readonly at: number;
  readonly id: number;
  readonly stage = new Int32Array(STAGE_SLOTS);
  /** Frames staged. */
  staged = 0;
  /** In the thread's list of sockets whose readers are to be woken. */
  wakePending = false;
  private readonly lock: number;
  private readonly rcvbuf: number;
  private readonly producer: RingProducer;

  /** `id`, `capacity`, `rcvbuf` and `ring` are the words of the same names, read by the caller. */
  constructor(m: Int32Array, at: number, id: number, capacity: number, rcvbuf: number, ring: number) {
    this.m = m;
    this.at = at;
    this.id = id;
    this.lock = at + SOCK.lock;
    this.rcvbuf = Math.min(rcvbuf, capacity);
    this.producer = new RingProducer(m, ring, capacity, 1);
  }

  /** @returns true if nothing more can be staged before a flush */
  stageFull(): boolean {
    return this.staged === STAGE_SLOTS;
  }

  /**
   * Queues what is staged. The caller sees to it that the reader is woken (sockWake) before it rests.
   * @returns how many were queued; the others, from that place of `stage` on, are the caller's to drop
   */
  flush(): number {
    const { m, producer, stage, staged } = this;
    this.staged = 0;
    spinLock(m, this.lock);
    producer.begin();
    let room = 0;
    if ((Atomics.load(m, this.at + SOCK.flags) & SOCK_CLOSED) === 0) {
      room = this.rcvbuf - (producer.capacity - producer.reserve(producer.capacity));
      if (room > staged) room = staged;
      if (room < 0) room = 0;
    }
    for (let i = 0; i < room; i++) m[producer.slot(i)] = stage[i];
    if (room > 0) producer.publish(room); // Y1
    if (room < staged) m[this.at + SOCK.drops] += staged - room;
    spinUnlock(m, this.lock);
    return room;
  }
}

/** Wakes the thread that waits on a socket, if it sleeps (Linux: sock_def_readable). `by` as wakeUpState has it. */
export function sockWake(m: Int32Array, at: number, by: Current | null = null): void {
  const waiter = Atomics.load(m, at + SOCK.waiter);
  if (waiter === 0 || Atomics.load(m, waiter + TASK.state) === TASK_RUNNING) return;
  wakeUpProcess(m, waiter, by);
}

/** Closes it: nothing is queued from now on; a waiting reader is woken. */
export function sockShutdown(m: Int32Array, at: number): void {
  Atomics.or(m, at + SOCK.flags, SOCK_CLOSED);
  sockWake(m, at);
}

/** Makes a thread's producers' view. */
export function sockQueueView(m: Int32Array, at: number): SockQueue {
  return new SockQueue(m, at, m[at + SOCK.id], m[at + SOCK.capacity], m[at + SOCK.rcvbuf], m[at + SOCK.ring]);
}

/** The reader's view of a socket. Make once, in the thread that reads. */
export class SockReader {
  readonly m: Int32Array;
  readonly at: number;
  readonly consumer: RingConsumer;

  constructor(m: Int32Array, at: number, capacity: number, ring: number) {
    this.m = m;
    this.at = at;
    this.consumer = new RingConsumer(m, ring, capacity, 1);
  }

  /** @returns true once the socket is closed */
  closed(): boolean {
    return (Atomics.load(this.m, this.at + SOCK.flags) & SOCK_CLOSED) !== 0;
  }
}

/** Makes the reader's view. */
export function sockReaderView(m: Int32Array, at: number): SockReader {
  return new SockReader(m, at, m[at + SOCK.capacity], m[at + SOCK.ring]);
}

/** @returns frames queued and not read; racy unless everything rests */
export function sockQueueLength(m: Int32Array, at: number): number {
  return ringLength(m, m[at + SOCK.ring]);
}
