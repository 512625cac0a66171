// SPDX-License-Identifier: GPL-2.0-only
/**
 * What an application thread sends UDP datagrams with, by the loopback device or by a NIC. A call of `send`, or of
 * `sendPayloads`, is a system call: what it raises is done within it, as in Linux.
 */
import { writeUdp4 } from '../drivers/net/frame_builder.js';
import { loopbackCount, loopbackXmit } from '../drivers/net/loopback.js';
import { nicQueueAt } from '../drivers/net/sim_nic.js';
import { nicTransmitBatch } from '../drivers/net/sim_nic_tx.js';
import { Toeplitz } from '../drivers/net/toeplitz.js';
import { checkGivenInt, OptionError } from '../errors.js';
import { condResched } from '../kernel/bh.js';
import { cpuRelax } from '../kernel/cpu_relax.js';
import { schedule } from '../kernel/sched.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING } from '../kernel/task.js';
import { ringLength } from '../mm/ring.js';
import { dissect } from '../net/core/flow_dissector.js';
import { FlowKeys } from '../net/core/headers/flow_keys.js';
import { TX_BATCH } from '../net/core/net_context.js';
import { NET_DEVICE } from '../net/core/net_device.js';
import { PAGE_POOL, type PagePool } from '../net/core/page_pool.js';
import { SKB, SKB_DATA_BYTES, SKB_F_IP } from '../net/core/skbuff.js';
import {
  type FrameTemplate,
  type Payloads,
  SENDER_CLOSED,
  UDP_SENDER,
  udpSend,
  udpSendByNic,
  type Xmit,
  type XmitBatch,
} from '../net/ipv4/udp_send.js';
import type { ThreadContext } from './context.js';
import { chargeSyscall } from './syscall_charge.js';

const ETH_IP_UDP_BYTES = 42;
/** Most bytes of payload: one buffer a frame. */
export const MAX_PAYLOAD_BYTES = SKB_DATA_BYTES - ETH_IP_UDP_BYTES;
/** Looks at the pool before a sleep. */
const SPIN_LOOKS = 200;

/** The template's own payload, for each datagram. */
const OWN: Payloads = Object.freeze({ list: null, first: 0 });

/** A datagram to be sent again and again, or the flow of datagrams with payloads of their own. */
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
  private readonly byNic: boolean;
  private readonly pool: PagePool;
  private readonly rss = new Toeplitz();
  private readonly payloads: Payloads = { list: null, first: 0 };
  private readonly single: Uint8Array[] = [];
  private dropped = 0;
  private bytes = 0;

  constructor(ctx: ThreadContext, at: number) {
    const { m } = ctx.arena;
    this.ctx = ctx;
    this.at = at;
    this.dev = m[at + UDP_SENDER.dev];
    this.byNic = m[at + UDP_SENDER.byNic] !== 0;
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
      header: buffer.slice(0, keys.payloadOff),
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
    return this.sendAll(frame, OWN, Math.max(0, Math.trunc(n) || 0));
  }

  /** Sends up to `n` copies, at most 64, as many as there are buffers. @returns how many */
  trySend(frame: FrameTemplate, n = 1): number {
    return this.trySome(frame, OWN, Math.max(0, Math.trunc(n) || 0));
  }

  /**
   * Sends datagrams of a flow with payloads of their own, waiting for buffers: up to 64 a system call (Linux: sendmmsg).
   * The payloads are copied: they are the caller's again when it returns.
   * @param n how many of them, from the first on
   * @returns how many were sent: fewer than `n` once the sender is closed
   * @throws OptionError for a payload that no frame holds
   */
  sendPayloads(frame: FrameTemplate, payloads: readonly Uint8Array[], n = payloads.length): number {
    const all = Math.max(0, Math.min(Math.trunc(n) || 0, payloads.length));
    for (let i = 0; i < all; i++) {
      if (payloads[i].length > MAX_PAYLOAD_BYTES) payloadOf(payloads[i]);
    }
    this.payloads.list = payloads;
    this.payloads.first = 0;
    return this.sendAll(frame, this.payloads, all);
  }

  /** Sends one datagram of a flow with a payload of its own. @returns false once the sender is closed */
  sendPayload(frame: FrameTemplate, payload: Uint8Array): boolean {
    this.single[0] = payload;
    return this.sendPayloads(frame, this.single) === 1;
  }

  private sendAll(frame: FrameTemplate, payloads: Payloads, all: number): number {
    const { cur } = this.ctx;
    let sent = 0;
    while (sent < all) {
      const got = this.trySome(frame, payloads, all - sent);
      sent += got;
      if (payloads.list !== null) payloads.first += got;
      if (got === 0 && !this.waitForBuffers()) break;
      condResched(cur);
    }
    return sent;
  }

  private trySome(frame: FrameTemplate, payloads: Payloads, n: number): number {
    const { ctx, at, pool } = this;
    chargeSyscall(ctx);
    if (this.closed) return 0;
    const want = Math.min(n, TX_BATCH);
    if (this.byNic) return udpSendByNic(ctx.net, at, pool, frame, payloads, want, this.xmitBatch);
    this.dropped = 0;
    this.bytes = 0;
    const got = udpSend(ctx.net, at, pool, frame, payloads, want, ctx.cur.platform.nowNs(), this.xmit);
    if (got > 0) loopbackCount(ctx.net, this.dev, got - this.dropped, this.bytes, this.dropped);
    return got;
  }

  /** true once nothing more is sent: the machine ends, or the sender was closed. */
  get closed(): boolean {
    return (Atomics.load(this.ctx.cur.m, this.at + UDP_SENDER.flags) & SENDER_CLOSED) !== 0;
  }

  private readonly xmit: Xmit = (net, dev, skb, place, flows) => {
    const len = net.m[skb + SKB.len];
    const sent = loopbackXmit(net, dev, skb, place, flows);
    if (sent) this.bytes += len;
    else this.dropped++;
    return sent;
  };

  private readonly xmitBatch: XmitBatch = (net, dev, hash, n) => {
    const { m } = net;
    // A flow leaves by one queue.
    const queue = (hash >>> 0) % m[dev + NET_DEVICE.queues];
    nicTransmitBatch(net, dev, nicQueueAt(m, m[dev + NET_DEVICE.priv], queue), n);
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
