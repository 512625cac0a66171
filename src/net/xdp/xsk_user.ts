// SPDX-License-Identifier: GPL-2.0-only
/**
 * The application's ends of an AF_XDP socket's rings (what libxdp's xsk.h is to Linux). Owners, states and ordering are
 * said in xsk.ts. Of the frames with the application those that it may send from are in `free`; those of the batch it
 * looks at stay in the rx ring until it gives the batch back.
 */
import type { Current } from '../../kernel/current.js';
import { schedule, scheduleTimeout } from '../../kernel/sched.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../../kernel/task.js';
import type { Arena } from '../../mm/arena.js';
import { RingConsumer, RingProducer } from '../../mm/ring.js';
import { SKB, SKB_DATA_BYTES } from '../core/skbuff.js';
import { XDP_DESC, XDP_SOCK, XSK_FRAME_BYTES, XSK_HEADROOM_BYTES, xskClosed, xskFrameAddr } from './xsk.js';

/** Most frames of a batch. */
const MAX_PEEK = 256;

/** Sizes and places, read by the caller: the words of the same names. */
export interface XskPlaces {
  readonly frames: number;
  readonly txFrames: number;
  readonly umem: number;
  readonly fillRing: number;
  readonly fillSize: number;
  readonly rxRing: number;
  readonly rxSize: number;
  readonly txRing: number;
  readonly txSize: number;
  readonly compRing: number;
  readonly compSize: number;
}

/** Reads them. */
export function xskPlaces(m: Int32Array, at: number): XskPlaces {
  return {
    frames: m[at + XDP_SOCK.frames],
    txFrames: m[at + XDP_SOCK.txFrames],
    umem: m[at + XDP_SOCK.umem],
    fillRing: m[at + XDP_SOCK.fillRing],
    fillSize: m[at + XDP_SOCK.fillSize],
    rxRing: m[at + XDP_SOCK.rxRing],
    rxSize: m[at + XDP_SOCK.rxSize],
    txRing: m[at + XDP_SOCK.txRing],
    txSize: m[at + XDP_SOCK.txSize],
    compRing: m[at + XDP_SOCK.compRing],
    compSize: m[at + XDP_SOCK.compSize],
  };
}

/** The rings of one socket, in the thread that it was given to. */
export class XskRings {
  /** The shared bytes: a frame's are those from `base` + its address on. */
  readonly bytes: Uint8Array;
  /** Byte offset of address 0. */
  readonly base: number;
  /** Most bytes of a frame. */
  readonly frameBytes = SKB_DATA_BYTES;
  protected readonly m: Int32Array;
  protected readonly at: number;
  private readonly f: Float64Array;
  private readonly txFrames: number;
  private readonly fill: RingProducer;
  private readonly rx: RingConsumer;
  private readonly tx: RingProducer;
  private readonly comp: RingConsumer;
  /** Frames to send from. */
  private readonly free: Int32Array;
  private nrFree = 0;
  private peeked = 0;
  /** Which of the batch were taken over. */
  private readonly kept = new Uint8Array(MAX_PEEK);
  private nrKept = 0;
  /** Descriptors written and not published. */
  private staged = 0;

  constructor(arena: Arena, at: number, w: XskPlaces) {
    const { m } = arena;
    this.m = m;
    this.bytes = arena.b;
    this.f = arena.f;
    this.at = at;
    this.base = w.umem << 2;
    this.txFrames = w.txFrames;
    this.free = new Int32Array(w.frames);
    for (let i = 0; i < w.txFrames; i++) this.free[this.nrFree++] = xskFrameAddr(w.frames - w.txFrames + i);
    this.fill = new RingProducer(m, w.fillRing, w.fillSize, 1);
    this.rx = new RingConsumer(m, w.rxRing, w.rxSize, XDP_DESC.WORDS);
    this.tx = new RingProducer(m, w.txRing, w.txSize, XDP_DESC.WORDS);
    this.comp = new RingConsumer(m, w.compRing, w.compSize, 1);
  }

  /** Takes the application's ends over. */
  begin(): void {
    this.fill.begin();
    this.rx.begin();
    this.tx.begin();
    this.comp.begin();
  }

  /** XDP_WAKEUP_* bits: the driver is to be asked (recvfrom, sendto, poll) before it looks at these rings. */
  needWakeup(): number {
    return Atomics.load(this.m, this.at + XDP_SOCK.needWakeup); // W2
  }

  /**
   * Looks at received frames; those of the last look that were not given back are, first.
   * @param max most frames, up to 256
   * @returns how many there are: 0 to `max`
   */
  rxPeek(max = 64): number {
    if (this.peeked > 0) this.rxRelease();
    const n = this.rx.available(Math.min(max, MAX_PEEK));
    this.peeked = n;
    return n;
  }

  /** Address of the `i`-th frame of the batch. */
  rxAddr(i: number): number {
    return this.m[this.rx.slot(i) + XDP_DESC.addr];
  }

  /** Its length in bytes. */
  rxLen(i: number): number {
    return this.m[this.rx.slot(i) + XDP_DESC.len];
  }

  /** Number the wire gave it (wraps). */
  rxSeq(i: number): number {
    return this.m[this.rx.slot(i) + XDP_DESC.seq];
  }

  /** When it arrived, CLOCK_MONOTONIC ns. */
  rxTstampNs(i: number): number {
    const skb = this.rxAddr(i) - XSK_HEADROOM_BYTES;
    return this.f[(this.base + skb + SKB.tstampNs * 4) >> 3];
  }

  /** Where it starts in `bytes`. */
  rxOffset(i: number): number {
    return this.base + this.rxAddr(i);
  }

  /** Its bytes, in place: valid until the batch is given back. Allocates; `rxOffset` does not. */
  rxData(i: number): Uint8Array {
    const off = this.rxOffset(i);
    return this.bytes.subarray(off, off + this.rxLen(i));
  }

  /** Takes the `i`-th frame over: rxRelease does not give it back. It is the caller's to send, or to give back by `fillFrame`. */
  rxKeep(i: number): number {
    if (i >= this.peeked) return -1;
    if (this.kept[i] === 0) this.nrKept++;
    this.kept[i] = 1;
    return this.rxAddr(i);
  }

  /** Gives the batch back: its descriptors to the rx ring, its frames to the fill ring. */
  rxRelease(): void {
    const { m, fill, rx, peeked, kept } = this;
    if (peeked === 0) return;
    let n = 0;
    // The fill ring holds every frame there is, unless the user made it smaller: then what does not fit is kept to send.
    const room = fill.reserve(peeked - this.nrKept);
    for (let i = 0; i < peeked; i++) {
      const addr = m[rx.slot(i) + XDP_DESC.addr];
      if (this.nrKept > 0 && kept[i] !== 0) kept[i] = 0;
      else if (n < room) m[fill.slot(n++)] = addr;
      else this.putFree(addr);
    }
    rx.release(peeked);
    if (n > 0) fill.publish(n); // W2
    m[this.at + XDP_SOCK.delivered] += peeked;
    this.peeked = 0;
    this.nrKept = 0;
  }

  /** Gives a frame that was taken over, or got by txFrame, to the driver to receive into. @returns false: no room */
  fillFrame(addr: number): boolean {
    const { m, fill } = this;
    if (fill.reserve(1) === 0) return false;
    m[fill.slot(0)] = addr;
    fill.publish(1); // W2
    return true;
  }

  /** Takes a frame to send from. @returns its address, or -1: none is free (txComplete may help) */
  txFrame(): number {
    if (this.nrFree === 0) return -1;
    return this.free[--this.nrFree];
  }

  /** Writes bytes into a frame, from its byte `from` on. */
  txWrite(addr: number, data: Uint8Array, from = 0): void {
    this.bytes.set(data, this.base + addr + from);
  }

  /**
   * Sends `len` bytes from `addr` on: a frame of txFrame or rxKeep, which is the driver's then.
   * @param more true: others follow at once, and go to the driver together with the last of them
   * @returns false: the ring is full; the frame stays the caller's
   */
  txSend(addr: number, len: number, more = false): boolean {
    const { m, tx } = this;
    const isRoom = tx.reserve(this.staged + 1) > this.staged;
    if (isRoom) {
      const slot = tx.slot(this.staged++);
      m[slot + XDP_DESC.addr] = addr;
      m[slot + XDP_DESC.len] = len;
      m[slot + XDP_DESC.options] = 0;
      m[slot + XDP_DESC.seq] = 0;
    }
    if (!more || !isRoom) this.txSubmit();
    return isRoom;
  }

  /** Hands descriptors over that `txSend` held back. */
  txSubmit(): void {
    if (this.staged === 0) return;
    this.tx.publish(this.staged); // W2
    this.staged = 0;
  }

  /**
   * Collects frames that were sent: as many as the socket began with are kept to send from, others (that were received
   * and sent on) go to the fill ring.
   * @returns how many
   */
  txComplete(): number {
    const { m, comp, fill } = this;
    const n = comp.available(MAX_PEEK);
    if (n === 0) return 0;
    const room = fill.reserve(n);
    let filled = 0;
    for (let i = 0; i < n; i++) {
      const addr = frameOf(m[comp.slot(i)]);
      if (this.nrFree < this.txFrames || filled === room) this.putFree(addr);
      else m[fill.slot(filled++)] = addr;
    }
    comp.release(n);
    if (filled > 0) fill.publish(filled); // W2
    m[this.at + XDP_SOCK.completed] += n;
    return n;
  }

  /** Frames that can be read. */
  rxReady(): number {
    return this.rx.available(MAX_PEEK);
  }

  /** @returns true if the driver has not taken all that was sent */
  txPending(): boolean {
    const { tx } = this;
    return tx.reserve(tx.capacity) < tx.capacity;
  }

  /** @returns true if there are frames to read, or there will be none any more */
  isReadable(): boolean {
    return this.rx.available(1) > 0 || xskClosed(this.m, this.at);
  }

  private putFree(addr: number): void {
    // An application that gives frames away twice has more of them than there are.
    if (this.nrFree < this.free.length) this.free[this.nrFree++] = addr;
  }
}

/** @returns the address of the frame that `addr` lies in */
function frameOf(addr: number): number {
  return addr - (addr % XSK_FRAME_BYTES) + XSK_HEADROOM_BYTES;
}

/** Makes the application's view. */
export function xskRings(arena: Arena, at: number): XskRings {
  return new XskRings(arena, at, xskPlaces(arena.m, at));
}

/**
 * Sleeps until there are frames to read or the socket is closed, or the time is up. Of those that the driver does not
 * look for by itself it was told before.
 * @param timeoutUs -1: no limit
 */
export function xskWaitReadable(cur: Current, rings: XskRings, timeoutUs: number): void {
  if (timeoutUs === 0) return;
  const untilUs = (cur.platform.nowUs() + timeoutUs) | 0;
  for (;;) {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Y2
    if (rings.isReadable()) break;
    if (timeoutUs < 0) {
      schedule(cur);
      continue;
    }
    const left = (untilUs - cur.platform.nowUs()) | 0;
    if (left <= 0 || !scheduleTimeout(cur, left)) break;
  }
  setCurrentState(cur.task, TASK_RUNNING);
}
