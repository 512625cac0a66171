// SPDX-License-Identifier: GPL-2.0-only
/**
 * AF_XDP sockets (Linux: struct xdp_sock, struct xsk_buff_pool, net/xdp/): frames that a driver and an application
 * share, and four rings through which they pass them to each other. Nothing is copied.
 *
 *   fill         application → driver   frames to receive into: an address a slot
 *   rx           driver → application   received frames: a descriptor a slot
 *   tx           application → driver   frames to send: a descriptor a slot
 *   completion   driver → application   sent frames: an address a slot
 *
 * The UMEM is an area of frames with the shape of packet buffers (skbuff.ts): a line of headroom, then the bytes; so the
 * ring of a NIC holds them as it holds those of a page pool. An address is the byte offset of a frame's data in it.
 *
 * States of a socket: unbound (`queue` is 0) ⇄ bound to a queue; closed, when it is unbound: nothing more is put into the rx ring. States of
 * a frame: with the application; in the fill ring; owned by the driver (posted, filled, or spare); in the rx ring; in the
 * tx ring; in the completion ring.
 *
 * Owners
 *   driver's ends of the rings, `owned`, `spare`, counters, needWakeup
 *                          owner of SCHED of the queue's NAPI instance; while the socket is bound or unbound, who does so
 *   application's ends     the application thread that the socket was given to
 *   dev, queue             holder of the device mutex; `queue` is read under RCU
 *   flags                  any thread, atomically
 *   its options            any thread, atomically; read once a call
 *   waiter                 the application thread
 *
 * Invariants
 *   - The driver takes only what is a frame of the UMEM, once: `owned` says which ones it has. Whatever an application
 *     writes into its rings, no other memory is touched.
 *   - A frame is in one place; frames with the driver are at most all.
 *   - While needWakeup lacks a bit the driver will look at that ring again by itself.
 *
 * Ordering
 *   Y1 driver: descriptors (plain), publish in rx, then load of the waiter's state      pairs with  Y2
 *   Y2 application: store of its sleeping state, then load of the rx ring's producer    pairs with  Y1
 *   W1 driver: store of needWakeup, then load of the fill (tx) ring's producer          pairs with  W2
 *   W2 application: publish in fill (tx), then load of needWakeup                       pairs with  W1
 *   V1 unbind: store of queue = 0, then a grace period                                  pairs with  V2
 *   V2 application: in a read section of RCU, load of queue                             pairs with  V1
 */
import { type Current, newObjectId } from '../../kernel/current.js';
import { TASK, TASK_RUNNING, wakeUpProcess } from '../../kernel/task.js';
import { RingConsumer, RingProducer, ringWords } from '../../mm/ring.js';
import { kfree, kmalloc } from '../../mm/slab.js';
import { line, struct, word } from '../../mm/struct.js';
import { SKB, SKB_STRIDE } from '../core/skbuff.js';
import type { BusyPollOptions } from '../core/sock_busy.js';

/** Bit of `flags`: nothing more is received or sent. */
export const XSK_CLOSED = 1;

/** Bits of needWakeup (Linux: XDP_WAKEUP_RX, XDP_WAKEUP_TX). */
export const XDP_WAKEUP_RX = 1;
export const XDP_WAKEUP_TX = 2;

/** Words of a descriptor of the rx and tx rings: 16 bytes. `seq` is the wire's number of a received frame. */
export const XDP_DESC = Object.freeze({ addr: 0, len: 1, options: 2, seq: 3, WORDS: 4 });

/** Bytes from one frame to the next, and of its headroom. */
export const XSK_FRAME_BYTES = SKB_STRIDE * 4;
export const XSK_HEADROOM_BYTES = SKB.SIZE * 4;

export const XDP_SOCK = struct(
  'xdp_sock',
  line('creator', {
    frames: word('frames of the UMEM'),
    txFrames: word(
      'the last ones of them, which the application begins with; the others begin in the fill ring',
    ),
    umem: word('first frame; the others follow, SKB_STRIDE words apart'),
    fillRing: word('fill ring, one word a slot'),
    fillSize: word('its slots, a power of two'),
    rxRing: word('rx ring, four words a slot'),
    rxSize: word('its slots, a power of two'),
    txRing: word('tx ring, four words a slot'),
    txSize: word('its slots, a power of two'),
    compRing: word('completion ring, one word a slot'),
    compSize: word('its slots, a power of two'),
    steerPort: word('UDP port whose frames it takes, 0: every frame of its queue'),
    owned: word('a word for each frame: 1 while the driver has it'),
    spare: word('stack of frames that the driver posts next, `frames` words'),
    id: word('serial number: a view with another one is stale'),
  }),
  line('holder of the device mutex', {
    dev: word('net_device it is bound to, 0: none'),
    queue: word('receive queue of the driver it is bound to, 0: none; read under RCU'),
  }),
  line('any thread, atomically', {
    flags: word('XSK_CLOSED'),
    llUsec: word('SO_BUSY_POLL, us; 0: calls do not poll'),
    preferBusyPoll: word('SO_PREFER_BUSY_POLL: 1: calls poll and never kick'),
    busyPollBudget: word('SO_BUSY_POLL_BUDGET: packets of one poll, 0: BUSY_POLL_BUDGET'),
  }),
  line('owner of SCHED; read by the application', {
    needWakeup: word('XDP_WAKEUP_*: rings at which the driver does not look unless it is asked to'),
  }),
  line('owner of SCHED', {
    spareCount: word('frames in `spare`'),
    rxFrames: word('frames put into the rx ring (wraps)'),
    rxPassed: word('frames that went up the stack instead (wraps)'),
    txSent: word('frames handed to the device (wraps)'),
    rxDropped: word('frames dropped because they were longer than a frame of the UMEM (wraps)'),
    rxInvalidDescs: word('slots of the fill ring that name no frame, or one that the driver has (wraps)'),
    txInvalidDescs: word('descriptors of the tx ring that name no frame, or too many bytes of one (wraps)'),
    rxRingFull: word('frames dropped because the rx ring was full (wraps)'),
    rxFillRingEmptyDescs: word('times the fill ring had less than was wanted (wraps)'),
    txRingEmptyDescs: word('times the tx ring was found empty (wraps)'),
  }),
  line('application thread', {
    waiter: word('task_struct to wake when frames come, 0: none'),
    delivered: word('frames that the application has given back or taken over (wraps)'),
    completed: word('completions that it has collected (wraps)'),
  }),
);

/** Sizes of a socket: `frames` up to 2^17, the others powers of two. */
export interface XskSizes {
  readonly frames: number;
  readonly txFrames: number;
  readonly fillSize: number;
  readonly rxSize: number;
  readonly txSize: number;
  readonly compSize: number;
  readonly steerPort: number;
}

/**
 * Makes a socket, unbound: its receive frames are in the fill ring, as far as it has room.
 * @returns its word index, or 0 (ENOMEM)
 */
export function xskCreate(m: Int32Array, s: XskSizes): number {
  const at = kmalloc(m, XDP_SOCK.SIZE);
  if (at === 0) return 0;
  m[at + XDP_SOCK.frames] = s.frames;
  m[at + XDP_SOCK.txFrames] = s.txFrames;
  m[at + XDP_SOCK.fillSize] = s.fillSize;
  m[at + XDP_SOCK.rxSize] = s.rxSize;
  m[at + XDP_SOCK.txSize] = s.txSize;
  m[at + XDP_SOCK.compSize] = s.compSize;
  m[at + XDP_SOCK.steerPort] = s.steerPort;
  m[at + XDP_SOCK.id] = newObjectId(m);
  m[at + XDP_SOCK.umem] = kmalloc(m, s.frames * SKB_STRIDE);
  m[at + XDP_SOCK.fillRing] = kmalloc(m, ringWords(s.fillSize, 1));
  m[at + XDP_SOCK.rxRing] = kmalloc(m, ringWords(s.rxSize, XDP_DESC.WORDS));
  m[at + XDP_SOCK.txRing] = kmalloc(m, ringWords(s.txSize, XDP_DESC.WORDS));
  m[at + XDP_SOCK.compRing] = kmalloc(m, ringWords(s.compSize, 1));
  m[at + XDP_SOCK.owned] = kmalloc(m, s.frames);
  m[at + XDP_SOCK.spare] = kmalloc(m, s.frames);
  const whole =
    m[at + XDP_SOCK.umem] !== 0 &&
    m[at + XDP_SOCK.fillRing] !== 0 &&
    m[at + XDP_SOCK.rxRing] !== 0 &&
    m[at + XDP_SOCK.txRing] !== 0 &&
    m[at + XDP_SOCK.compRing] !== 0 &&
    m[at + XDP_SOCK.owned] !== 0 &&
    m[at + XDP_SOCK.spare] !== 0;
  if (!whole) {
    xskDestroy(m, at);
    return 0;
  }
  const fill = new RingProducer(m, m[at + XDP_SOCK.fillRing], s.fillSize, 1);
  const n = Math.min(s.frames - s.txFrames, s.fillSize);
  for (let i = 0; i < n; i++) m[fill.slot(i)] = xskFrameAddr(i);
  fill.publish(n);
  // Whoever has nothing to do at first is to be asked: for a driver that is idle.
  Atomics.store(m, at + XDP_SOCK.needWakeup, XDP_WAKEUP_RX | XDP_WAKEUP_TX);
  return at;
}

/** Frees an unbound socket that no thread uses. */
export function xskDestroy(m: Int32Array, at: number): void {
  const frames = m[at + XDP_SOCK.frames];
  kfree(m, m[at + XDP_SOCK.spare], frames);
  kfree(m, m[at + XDP_SOCK.owned], frames);
  kfree(m, m[at + XDP_SOCK.compRing], ringWords(m[at + XDP_SOCK.compSize], 1));
  kfree(m, m[at + XDP_SOCK.txRing], ringWords(m[at + XDP_SOCK.txSize], XDP_DESC.WORDS));
  kfree(m, m[at + XDP_SOCK.rxRing], ringWords(m[at + XDP_SOCK.rxSize], XDP_DESC.WORDS));
  kfree(m, m[at + XDP_SOCK.fillRing], ringWords(m[at + XDP_SOCK.fillSize], 1));
  kfree(m, m[at + XDP_SOCK.umem], frames * SKB_STRIDE);
  kfree(m, at, XDP_SOCK.SIZE);
}

/** @returns the address of frame `i` */
export function xskFrameAddr(i: number): number {
  return i * XSK_FRAME_BYTES + XSK_HEADROOM_BYTES;
}

/** Sets SO_BUSY_POLL, SO_PREFER_BUSY_POLL and SO_BUSY_POLL_BUDGET, those that are given. Any thread. */
export function setXskBusyPoll(m: Int32Array, at: number, o: BusyPollOptions): void {
  if (o.busyPollUs !== undefined) Atomics.store(m, at + XDP_SOCK.llUsec, o.busyPollUs);
  if (o.preferBusyPoll !== undefined)
    Atomics.store(m, at + XDP_SOCK.preferBusyPoll, o.preferBusyPoll ? 1 : 0);
  if (o.busyPollBudget !== undefined) Atomics.store(m, at + XDP_SOCK.busyPollBudget, o.busyPollBudget);
}

/** @returns true once the socket is closed */
export function xskClosed(m: Int32Array, at: number): boolean {
  return (Atomics.load(m, at + XDP_SOCK.flags) & XSK_CLOSED) !== 0;
}

/** Wakes the application, if it sleeps for frames (Linux: sock_def_readable). `by` as wakeUpState has it. */
export function xskWake(m: Int32Array, at: number, by: Current | null = null): void {
  const waiter = Atomics.load(m, at + XDP_SOCK.waiter);
  if (waiter === 0 || Atomics.load(m, waiter + TASK.state) === TASK_RUNNING) return; // Y1
  wakeUpProcess(m, waiter, by);
}

/** Closes it: nothing more is received or sent; an application that sleeps is woken. */
export function xskShutdown(m: Int32Array, at: number): void {
  Atomics.or(m, at + XDP_SOCK.flags, XSK_CLOSED);
  xskWake(m, at);
}

/** The driver's view of a socket. Make once a thread, keep. */
export class XdpSock {
  readonly m: Int32Array;
  readonly at: number;
  readonly id: number;
  readonly frames: number;
  /** Those of them that the application begins with. */
  readonly txFrames: number;
  /** First frame. */
  readonly umem: number;
  readonly steerPort: number;
  readonly fill: RingConsumer;
  readonly rx: RingProducer;
  readonly tx: RingConsumer;
  readonly comp: RingProducer;
  readonly needWakeup: number;
  private readonly owned: number;
  private readonly spare: number;
  private readonly spareCount: number;

  /** The numbers are the words of the same names, read by the caller. */
  constructor(
    m: Int32Array,
    at: number,
    w: {
      id: number;
      frames: number;
      txFrames: number;
      umem: number;
      steerPort: number;
      fillRing: number;
      fillSize: number;
      rxRing: number;
      rxSize: number;
      txRing: number;
      txSize: number;
      compRing: number;
      compSize: number;
      owned: number;
      spare: number;
    },
  ) {
    this.m = m;
    this.at = at;
    this.id = w.id;
    this.frames = w.frames;
    this.txFrames = w.txFrames;
    this.umem = w.umem;
    this.steerPort = w.steerPort;
    this.fill = new RingConsumer(m, w.fillRing, w.fillSize, 1);
    this.rx = new RingProducer(m, w.rxRing, w.rxSize, XDP_DESC.WORDS);
    this.tx = new RingConsumer(m, w.txRing, w.txSize, XDP_DESC.WORDS);
    this.comp = new RingProducer(m, w.compRing, w.compSize, 1);
    this.owned = w.owned;
    this.spare = w.spare;
    this.needWakeup = at + XDP_SOCK.needWakeup;
    this.spareCount = at + XDP_SOCK.spareCount;
  }

  /** Takes the driver's ends over from whoever had them. */
  begin(): void {
    this.rx.begin();
    this.beginOthers();
  }

  /** The same but for rx: these the application writes to, so to look at them takes long. */
  beginOthers(): void {
    this.fill.begin();
    this.tx.begin();
    this.comp.begin();
  }

  /** Takes a spare frame. @returns the buffer, or 0 */
  takeSpare(): number {
    const { m, spareCount } = this;
    const n = m[spareCount];
    if (n === 0) return 0;
    m[spareCount] = n - 1;
    return m[this.spare + n - 1];
  }

  /** @returns true if the driver keeps frames to post */
  hasSpare(): boolean {
    return this.m[this.spareCount] !== 0;
  }

  /** Keeps a frame that the driver has, for the next time that it posts some. */
  putSpare(skb: number): void {
    const { m, spareCount } = this;
    const n = m[spareCount];
    m[this.spare + n] = skb;
    m[spareCount] = n + 1;
  }

  /** Takes the frame that a slot of the fill ring names. @returns the buffer, or 0: there is no such frame to be had */
  claim(addr: number): number {
    const { m } = this;
    const i = (addr - XSK_HEADROOM_BYTES) / XSK_FRAME_BYTES;
    if (i < 0 || i >= this.frames || i !== Math.trunc(i)) return 0;
    if (m[this.owned + i] !== 0) return 0;
    m[this.owned + i] = 1;
    return this.umem + i * SKB_STRIDE;
  }

  /** Gives a frame to the application. @returns its address */
  hand(skb: number): number {
    const rel = skb - this.umem;
    this.m[this.owned + rel / SKB_STRIDE] = 0;
    return (rel << 2) + XSK_HEADROOM_BYTES;
  }

  /** @returns true if `len` bytes at `addr` are within one frame's data, and the driver has not got that frame */
  sendable(addr: number, len: number): boolean {
    const i = Math.floor(addr / XSK_FRAME_BYTES);
    if (i < 0 || i >= this.frames) return false;
    const from = addr - i * XSK_FRAME_BYTES;
    if (from < XSK_HEADROOM_BYTES || len < 1 || len > XSK_FRAME_BYTES - from) return false;
    return this.m[this.owned + i] === 0;
  }

  /** Sets bits of needWakeup. @returns true if they were not set: then the rings have to be looked at once more */
  askFor(bits: number): boolean {
    const { m, needWakeup } = this;
    const was = m[needWakeup];
    if ((was & bits) === bits) return false;
    Atomics.store(m, needWakeup, was | bits); // W1
    return true;
  }

  /** Clears bits of needWakeup: the driver is going to look again by itself. */
  promise(bits: number): void {
    const { m, needWakeup } = this;
    const was = m[needWakeup];
    if ((was & bits) !== 0) Atomics.store(m, needWakeup, was & ~bits);
  }

  /** Takes back what the driver has, when nobody polls and nothing is posted any more. */
  forget(): void {
    const { m, owned, frames } = this;
    m.fill(0, owned, owned + frames);
    m[this.spareCount] = 0;
  }
}

/** Makes the driver's view. */
export function xdpSockView(m: Int32Array, at: number): XdpSock {
  return new XdpSock(m, at, {
    id: m[at + XDP_SOCK.id],
    frames: m[at + XDP_SOCK.frames],
    txFrames: m[at + XDP_SOCK.txFrames],
    umem: m[at + XDP_SOCK.umem],
    steerPort: m[at + XDP_SOCK.steerPort],
    fillRing: m[at + XDP_SOCK.fillRing],
    fillSize: m[at + XDP_SOCK.fillSize],
    rxRing: m[at + XDP_SOCK.rxRing],
    rxSize: m[at + XDP_SOCK.rxSize],
    txRing: m[at + XDP_SOCK.txRing],
    txSize: m[at + XDP_SOCK.txSize],
    compRing: m[at + XDP_SOCK.compRing],
    compSize: m[at + XDP_SOCK.compSize],
    owned: m[at + XDP_SOCK.owned],
    spare: m[at + XDP_SOCK.spare],
  });
}
