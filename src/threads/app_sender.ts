// SPDX-License-Identifier: GPL-2.0-only
/**
 * What an application thread sends UDP datagrams with, by the loopback device. A call of `send` is a system call: what it
 * raises is done within it, as in Linux.
 */
import { writeUdp4 } from '../drivers/net/frame_builder.js';
import { loopbackCount, loopbackXmit } from '../drivers/net/loopback.js';
import { Toeplitz } from '../drivers/net/toeplitz.js';
import { checkGivenInt, OptionError } from '../errors.js';
import { condResched } from '../kernel/bh.js';
import { cpuRelax } from '../kernel/cpu_relax.js';
import { schedule } from '../kernel/sched.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import { ringLength } from '../mm/ring.js';
import { dissect } from '../net/core/flow_dissector.js';
import { FlowKeys } from '../net/core/headers/flow_keys.js';
import { PAGE_POOL, type PagePool } from '../net/core/page_pool.js';
import { SKB_DATA_BYTES, SKB_F_IP } from '../net/core/skbuff.js';
import { type FrameTemplate, SENDER_CLOSED, UDP_SENDER, udpSend, type Xmit } from '../net/ipv4/udp_send.js';
import type { ThreadContext } from './context.js';
import { chargeSyscall } from './syscall_charge.js';

const ETH_IP_UDP_BYTES = 42;
/** Most bytes of payload: one buffer a frame. */
export const MAX_PAYLOAD_BYTES = SKB_DATA_BYTES - ETH_IP_UDP_BYTES;
/** Most frames of one system call. */
const MAX_BATCH = 64;
/** Looks at the pool before a sleep. */
const SPIN_LOOKS = 200;

/** A datagram to be sent again and again. */
export interface FlowOptions {
  readonly srcPort: number;
  readonly dstPort: number;
  /** Four bytes each; 127.0.0.1. */
  readonly srcIp?: Uint8Array;
  readonly dstIp?: Uint8Array;
  /** Its payload, or how many bytes of zeros; up to 2006. */
  readonly payload: Uint8Array | number;
}

function payloadOf(payload: unknown): Uint8Array {
  if (payload instanceof Uint8Array) {
    checkGivenInt('the length of payload', payload.length, 0, MAX_PAYLOAD_BYTES);
    return payload;
  }
  if (typeof payload !== 'number')
    throw new OptionError('payload', payload, 'a Uint8Array, or a number of bytes');
  return new Uint8Array(checkGivenInt('payload', payload, 0, MAX_PAYLOAD_BYTES));
}

export class UdpSender {
  private readonly ctx: ThreadContext;
  private readonly at: number;
  private readonly dev: number;
  private readonly pool: PagePool;
  private readonly rss = new Toeplitz();
  private dropped = 0;

  constructor(ctx: ThreadContext, at: number) {
    const { m } = ctx.arena;
    this.ctx = ctx;
    this.at = at;
    this.dev = m[at + UDP_SENDER.dev];
    this.pool = ctx.net.pool(m[at + UDP_SENDER.pool]);
  }

  /** Registers this thread as the one that waits for its buffers. */
  begin(): void {
    const { cur } = this.ctx;
    Atomics.store(cur.m, this.pool.at + PAGE_POOL.waiter, cur.task.at);
  }

  /** Unregisters it. */
  end(): void {
    Atomics.store(this.ctx.cur.m, this.pool.at + PAGE_POOL.waiter, 0);
  }

  /** Makes a datagram of a flow. */
  flow(options: FlowOptions): FrameTemplate {
    checkGivenInt('srcPort', options.srcPort, 0, 65535);
    checkGivenInt('dstPort', options.dstPort, 0, 65535);
    const payload = payloadOf(options.payload);
    const buffer = new Uint8Array(SKB_DATA_BYTES);
    const localhost = Uint8Array.of(127, 0, 0, 1);
    const len = writeUdp4(buffer, 0, {
      srcMac: new Uint8Array(6),
      dstMac: new Uint8Array(6),
      srcIp: options.srcIp ?? localhost,
      dstIp: options.dstIp ?? localhost,
      srcPort: options.srcPort,
      dstPort: options.dstPort,
      payload,
    });
    const keys = new FlowKeys();
    dissect(buffer, 0, len, keys);
    return {
      bytes: buffer.slice(0, len),
      hash: this.rss.rssHashWord(buffer, keys),
      headers: (keys.l4Off << 16) | keys.l3Off,
      payload: (keys.payloadLen << 16) | keys.payloadOff,
      ports: (keys.srcPort << 16) | keys.dstPort,
      proto: (SKB_F_IP << 24) | (keys.ipProto << 16) | keys.ethType,
    };
  }

  /**
   * Sends `n` copies of a datagram, waiting for buffers. Each call takes up to 64 to the backlog at once; call it with 1
   * for a system call a datagram.
   * @returns how many were sent: fewer than `n` once the sender is closed
   */
  send(frame: FrameTemplate, n = 1): number {
    const { cur } = this.ctx;
    const all = Math.max(0, Math.trunc(n) || 0);
    let sent = 0;
    while (sent < all) {
      const got = this.trySend(frame, all - sent);
      sent += got;
      if (got === 0 && !this.waitForBuffers()) break;
      condResched(cur);
    }
    return sent;
  }

  /** Sends up to `n` copies, at most 64, as many as there are buffers. @returns how many */
  trySend(frame: FrameTemplate, n = 1): number {
    const { ctx, dev } = this;
    chargeSyscall(this.ctx);
    if (this.closed) return 0;
    this.dropped = 0;
    const want = Math.max(0, Math.min(Math.trunc(n) || 0, MAX_BATCH));
    const now = ctx.cur.platform.nowNs();
    const got = udpSend(ctx.net, this.at, this.pool, frame, want, now, this.xmit);
    if (got > 0)
      loopbackCount(
        ctx.net,
        dev,
        got - this.dropped,
        (got - this.dropped) * frame.bytes.length,
        this.dropped,
      );
    return got;
  }

  /** true once nothing more is sent: the machine ends, or the sender was closed. */
  get closed(): boolean {
    return (Atomics.load(this.ctx.cur.m, this.at + UDP_SENDER.flags) & SENDER_CLOSED) !== 0;
  }

  private readonly xmit: Xmit = (net, dev, skb, place, flows) => {
    const sent = loopbackXmit(net, dev, skb, place, flows);
    if (!sent) this.dropped++;
    return sent;
  };

  /** @returns false once the sender is closed */
  private waitForBuffers(): boolean {
    const { cur } = this.ctx;
    const { m } = cur;
    const ring = m[this.pool.at + PAGE_POOL.ring];
    for (let look = 0; look < SPIN_LOOKS; look++) {
      if (this.closed) return false;
      if (ringLength(m, ring) > 0) return true;
      cpuRelax();
    }
    setCurrentState(cur.task, TASK_INTERRUPTIBLE); // Z2 of udp_send.ts
    if (ringLength(m, ring) === 0 && !this.closed) schedule(cur);
    setCurrentState(cur.task, TASK_RUNNING);
    return !this.closed;
  }
}
