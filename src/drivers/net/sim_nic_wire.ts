// SPDX-License-Identifier: GPL-2.0-only
/**
 * The simulated NIC's hardware side, driven by a thread of its own: takes frames from a source, spreads them over the
 * queues (RSS), writes them into posted buffers, raises interrupts with moderation. Who owns what is said in
 * sim_nic.ts.
 *
 * A frame's latency counts from its stamp, the clock when the batch it belongs to was begun: one clock read a batch.
 */
import type { Current } from '../../kernel/current.js';
import { raiseIrq } from '../../kernel/irq.js';
import { dissect, FlowKeys } from '../../net/core/flow_dissector.js';
import type { NetContext } from '../../net/core/net_context.js';
import { NET_DEVICE } from '../../net/core/net_device.js';
import { countDrops } from '../../net/core/skb_free.js';
import { SKB, SKB_DATA_BYTES, skbBuffersFor, skbData } from '../../net/core/skbuff.js';
import { DROP_DEV_READY, DROP_PKT_TOO_BIG, DROP_RX_MISSED } from '../../net/core/softnet_data.js';
import { XDP_SOCK } from '../../net/xdp/xsk.js';
import { copyFrame } from './copy_frame.js';
import { RssIndirection } from './rss_indirection.js';
import { NIC_QUEUE, NIC_STOP, type NicQueue, nicQueueAt, nicQueueView, RX_DESC, SIM_NIC } from './sim_nic.js';
import { Toeplitz } from './toeplitz.js';

/** Frames of a queue that are published at once at most. */
const BATCH = 64;
/** A NIC without buffers looks again this often, whoever may have forgotten it. */
const WAIT_MS = 1;

/** What to do with a frame when no buffer is posted. */
export type WhenFull = 'wait' | 'drop';

class WireQueue {
  readonly q: NicQueue;
  /** Buffers taken from the fill ring's view and not yet used. */
  avail = 0;
  used = 0;
  /** Descriptors written and not yet published. */
  written = 0;
  /** Frames published since the last interrupt, and when the first of them was. */
  unsignalled = 0;
  firstUs = 0;
  bytes = 0;
  /** The rings are the driver's for now: there is nothing to be had. */
  away = false;

  constructor(q: NicQueue) {
    this.q = q;
  }

  /** Takes the hardware's ends of the rings over as they are. */
  begin(): void {
    this.q.fillConsumer.begin();
    this.q.rxProducer.begin();
    this.avail = 0;
  }
}

/** The receive side of the NIC's hardware. One thread makes and uses it. */
export class Wire {
  readonly net: NetContext;
  readonly cur: Current;
  private readonly nic: number;
  private readonly queues: WireQueue[] = [];
  private readonly keys = new FlowKeys();
  private readonly rss = new Toeplitz();
  private readonly indirection: RssIndirection;
  private readonly whenFull: WhenFull;
  /** The doorbell as it was acted upon. */
  bell = 0;
  private linkUp = false;
  private nowNs = 0;
  private seq = 0;
  private sinceFlush = 0;

  constructor(net: NetContext, nic: number, whenFull: WhenFull) {
    this.net = net;
    this.cur = net.cur;
    this.nic = nic;
    this.whenFull = whenFull;
    this.indirection = new RssIndirection(1);
  }

  /** Takes the hardware's ends of the rings over. Before the first frame. */
  begin(): void {
    const { m } = this.net;
    const nrQueues = m[this.nic + SIM_NIC.nrQueues];
    for (let i = 0; i < nrQueues; i++) {
      const wq = new WireQueue(nicQueueView(m, nicQueueAt(m, this.nic, i)));
      this.queues.push(wq);
    }
    this.seq = Atomics.load(m, this.nic + SIM_NIC.seq);
    this.nowNs = this.cur.platform.nowNs();
    this.resume();
  }

  /** The source may take its time: until `resume` the rings are not touched, and nobody waits for this thread. */
  rest(): void {
    this.flush();
    Atomics.store(this.net.m, this.nic + SIM_NIC.running, 0);
  }

  /** Goes on after `rest`. */
  resume(): void {
    Atomics.store(this.net.m, this.nic + SIM_NIC.running, 1); // D10
    this.bell = Atomics.load(this.net.m, this.nic + SIM_NIC.doorbell);
    // The driver may have had the rings meanwhile.
    for (const wq of this.queues) wq.begin();
    this.configure();
  }

  /** Acts on changes of the device: where frames go, whether the link is up. @returns true if there were any */
  private look(): boolean {
    const bell = Atomics.load(this.net.m, this.nic + SIM_NIC.doorbell); // D10
    if (bell === this.bell) return false;
    // What was written under the old settings goes out under them.
    for (const wq of this.queues) {
      this.publish(wq);
      this.signal(wq, true);
    }
    this.bell = bell;
    this.configure();
    return true;
  }

  private configure(): void {
    const { m } = this.net;
    this.indirection.setDefault(Math.max(1, Atomics.load(m, this.nic + SIM_NIC.rxActive)));
    this.linkUp = Atomics.load(m, this.nic + SIM_NIC.linkUp) !== 0;
    for (const wq of this.queues) keepOff(m, wq);
    Atomics.store(m, this.nic + SIM_NIC.seen, this.bell); // D10
  }

  /** @returns true once the main thread wants the run to end */
  stopped(): boolean {
    return (Atomics.load(this.net.m, this.nic + SIM_NIC.doorbell) & NIC_STOP) !== 0;
  }

  /** The RSS hash of the frame at byte `off` of the arena. */
  hash(off: number, len: number): number {
    const { keys } = this;
    dissect(this.net.b, off, len, keys);
    return this.rss.rssHashWord(this.net.b, keys);
  }

  /**
   * A frame arrives: `len` bytes at byte `off` of the arena, which it may be copied from.
   * Published with its batch; call `flush` when the source pauses.
   */
  receive(off: number, len: number, hash: number): void {
    const { m } = this.net;
    if (this.sinceFlush === BATCH) {
      this.sinceFlush = 0;
      this.nowNs = this.cur.platform.nowNs();
      this.look();
    }
    this.sinceFlush++;
    const seq = this.seq;
    this.seq = (seq + 1) | 0;
    const need = skbBuffersFor(len);
    let wq = this.queues[this.indirection.queue(hash)];
    while (!this.linkUp || wq.avail - wq.used < need) {
      if (!this.takeBuffers(wq, need)) return;
      // The device may have been changed while the frame waited for a buffer: then it is steered again.
      wq = this.queues[this.indirection.queue(hash)];
    }
    const head = this.copyIn(wq, off, len, need);
    const rx = wq.q.rxProducer;
    this.net.f[wq.q.stamps + rx.index(wq.written)] = this.nowNs;
    const desc = rx.slot(wq.written);
    m[desc + RX_DESC.skb] = head;
    m[desc + RX_DESC.len] = len;
    m[desc + RX_DESC.hash] = hash;
    m[desc + RX_DESC.seq] = seq;
    wq.written++;
    wq.bytes += len;
    if (wq.written === BATCH) {
      this.publish(wq);
      this.signal(wq, false);
    }
  }

  /** Publishes everything written and sees to the interrupts that are due. Between two frames. */
  flush(): void {
    this.look();
    this.flushQueues();
  }

  private flushQueues(): void {
    for (const wq of this.queues) {
      this.publish(wq);
      this.signal(wq, false);
    }
    Atomics.store(this.net.m, this.nic + SIM_NIC.seq, this.seq);
  }

  /** Reads the clock: before frames that arrive after a pause. */
  tick(): number {
    this.nowNs = this.cur.platform.nowNs();
    this.sinceFlush = 0;
    return this.nowNs;
  }

  /** @returns microseconds until a moderated interrupt is due, or -1 */
  nextInterruptUs(): number {
    let next = -1;
    for (const wq of this.queues) {
      if (wq.unsignalled === 0) continue;
      const rxUsecs = this.net.m[wq.q.at + NIC_QUEUE.rxUsecs];
      if (rxUsecs === 0 && this.net.m[wq.q.at + NIC_QUEUE.rxFrames] > 1) continue; // only a count bounds it
      const left = rxUsecs === 0 ? 0 : (wq.firstUs + rxUsecs - this.cur.platform.nowUs()) | 0;
      if (next < 0 || left < next) next = Math.max(left, 0);
    }
    return next;
  }

  /** The source has ended: publishes, and raises what moderation still holds back. */
  finish(): void {
    for (const wq of this.queues) {
      this.publish(wq);
      this.signal(wq, true);
      // Buffers taken and not used stay posted: only what was used is given back to the ring.
      this.giveBackTaken(wq);
    }
    Atomics.store(this.net.m, this.nic + SIM_NIC.seq, this.seq);
    Atomics.store(this.net.m, this.nic + SIM_NIC.running, 0);
  }

  private copyIn(wq: WireQueue, off: number, len: number, need: number): number {
    const { m, b } = this.net;
    const fill = wq.q.fillConsumer;
    const head = m[fill.slot(wq.used++)];
    if (need === 1) {
      copyFrame(m, b, head, off, len);
      return head;
    }
    b.copyWithin(skbData(head), off, off + SKB_DATA_BYTES);
    let last = head;
    for (let i = 1; i < need; i++) {
      const frag = m[fill.slot(wq.used++)];
      m[last + SKB.frags] = frag;
      last = frag;
      const from = off + i * SKB_DATA_BYTES;
      const to = i === need - 1 ? off + len : from + SKB_DATA_BYTES;
      b.copyWithin(skbData(frag), from, to);
    }
    return head;
  }

  private publish(wq: WireQueue): void {
    if (wq.written === 0) return;
    const n = wq.written;
    const { m, f } = this.net;
    m[wq.q.at + NIC_QUEUE.rxFramesTotal] += n;
    f[(wq.q.at + NIC_QUEUE.rxBytes) >> 1] += wq.bytes;
    wq.bytes = 0;
    wq.q.rxProducer.publish(n); // D1, D5
    this.giveBackTaken(wq);
    wq.written = 0;
    if (wq.unsignalled === 0) wq.firstUs = this.cur.platform.nowUs();
    wq.unsignalled += n;
  }

  /** Tells the driver which posted buffers are used up. */
  private giveBackTaken(wq: WireQueue): void {
    if (wq.used > 0) wq.q.fillConsumer.release(wq.used);
    wq.avail = 0;
    wq.used = 0;
  }

  /** Raises the queue's interrupt if moderation lets it. */
  private signal(wq: WireQueue, force: boolean): void {
    if (wq.unsignalled === 0) return;
    const { m } = this.net;
    const rxUsecs = m[wq.q.at + NIC_QUEUE.rxUsecs];
    const rxFrames = m[wq.q.at + NIC_QUEUE.rxFrames];
    if (!force && (rxUsecs > 0 || rxFrames > 1)) {
      const enough = rxFrames > 0 && wq.unsignalled >= rxFrames;
      const late = rxUsecs > 0 && ((this.cur.platform.nowUs() - wq.firstUs - rxUsecs) | 0) >= 0;
      if (!enough && !late) return;
    }
    wq.unsignalled = 0;
    m[wq.q.at + NIC_QUEUE.interrupts]++;
    raiseIrq(this.cur, wq.q.irq); // D1
  }

  /**
   * Gets `need` posted buffers, waiting for them or not; or finds that the device was changed.
   * @returns false if the frame was dropped, and counted
   */
  private takeBuffers(wq: WireQueue, need: number): boolean {
    if (!this.linkUp) return this.drop(DROP_DEV_READY);
    const fill = wq.q.fillConsumer;
    wq.avail = wq.away ? 0 : fill.available(Math.max(wq.used + need, BATCH));
    if (wq.avail - wq.used >= need) return true;
    this.publish(wq);
    this.signal(wq, true);
    wq.avail = wq.away ? 0 : fill.available(Math.max(need, BATCH));
    while (wq.avail < need) {
      if (need > this.mostPosted(wq)) return this.drop(DROP_PKT_TOO_BIG);
      if (this.whenFull === 'drop' || this.stopped()) {
        this.net.m[wq.q.at + NIC_QUEUE.rxMissed]++;
        countDrops(this.net, DROP_RX_MISSED, 1);
        return false;
      }
      if (this.waitForBuffers(wq, need)) {
        wq.avail = 0;
        return true;
      }
      wq.avail = wq.away ? 0 : fill.available(Math.max(need, BATCH));
    }
    this.tick();
    return true;
  }

  /** @returns how many buffers the driver can have posted at once, if everybody gives back theirs */
  private mostPosted(wq: WireQueue): number {
    const { m } = this.net;
    const pending = Atomics.load(m, wq.q.dev + NET_DEVICE.rxPending);
    const xsk = wq.away ? 0 : m[wq.q.at + NIC_QUEUE.xsk]; // written while this keeps off
    return xsk === 0 ? pending : Math.min(pending, m[xsk + XDP_SOCK.frames]);
  }

  /** A frame is dropped at the wire, and counted. */
  private drop(reason: number): false {
    this.net.m[this.nic + SIM_NIC.rxDropped]++;
    countDrops(this.net, reason, 1);
    return false;
  }

  /**
   * Waits until the driver has posted half a ring. If nobody wakes it, it raises the interrupt for "few descriptors
   * left", and the driver looks for freed buffers.
   * @returns true if the device was changed meanwhile
   */
  private waitForBuffers(wq: WireQueue, need: number): boolean {
    const { m } = this.net;
    const word = wq.q.at + NIC_QUEUE.nicWaiting;
    // Frames for other queues must not wait for this one.
    this.flushQueues();
    if (this.look()) return true;
    Atomics.store(m, word, 1); // D8
    if (
      (wq.away || wq.q.fillConsumer.available(need) < need) &&
      Atomics.wait(m, word, 1, WAIT_MS) === 'timed-out'
    ) {
      raiseIrq(this.cur, wq.q.irq);
    }
    Atomics.store(m, word, 0);
    return this.look();
  }
}

/** Leaves the rings of a queue to the driver, or takes them over as it left them. What was written is published. */
function keepOff(m: Int32Array, wq: WireQueue): void {
  const away = Atomics.load(m, wq.q.at + NIC_QUEUE.away) !== 0;
  if (wq.away && !away) wq.begin();
  wq.away = away;
  if (away) wq.avail = 0;
}
