// SPDX-License-Identifier: GPL-2.0-only
/** A NAPI instance whose poll function takes frames from an array: for tests of what lies between driver and socket. */
import { expect } from 'vitest';
import type { Wire } from '../../dist/drivers/net/sim_nic_wire.js';
import { doSoftirq } from '../../dist/kernel/softirq.js';
import { dissect } from '../../dist/net/core/flow_dissector.js';
import { MAX_GRO_SKBS, napiGroReceive } from '../../dist/net/core/gro.js';
import { GRO_HASH_BUCKETS, NAPI, type Napi } from '../../dist/net/core/napi.js';
import { napiEnable, netifNapiAdd } from '../../dist/net/core/napi_control.js';
import { napiCompleteDone, napiSchedule } from '../../dist/net/core/napi_schedule.js';
import { NET_DEVICE } from '../../dist/net/core/net_device.js';
import { SKB, SKB_DATA_BYTES, SKB_F_FRAGMENT, SKB_F_IP, skbData } from '../../dist/net/core/skbuff.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { BareMachine } from './bare_machine.js';
import { BareApp, BareNic, type NicOptions, type Received } from './bare_nic.js';

export class GroRig {
  readonly bm = new BareMachine({ memoryBytes: 8 << 20 });
  readonly ctx: ThreadContext = this.bm.thread(0);
  readonly nic: BareNic;
  readonly n: Napi;
  readonly app: BareApp;
  /** Frames that the next polls take. */
  readonly input: Uint8Array[] = [];
  /** Times the stack looked a socket up: once for each frame or chain. */
  lookups = 0;
  /** What each poll returned to its caller: whether the interrupt is to be unmasked. */
  readonly unmasked: boolean[] = [];
  private readonly wire: Wire;
  private seq = 0;

  constructor(options: NicOptions = {}) {
    const { bm, ctx } = this;
    this.nic = new BareNic(bm, ctx, { ringSize: 16, poolSize: 1024, ...options });
    this.wire = this.nic.wire();
    ctx.net.napiPollFns[1] = (_net, _n, budget) => this.poll(budget);
    ctx.net.sockLookups.unshift(() => {
      this.lookups++;
      return null;
    });
    this.n = ctx.net.napi(netifNapiAdd(ctx.net, this.nic.dev, 1, this.nic.queues[0].at, 64, 0));
    napiEnable(ctx.net, this.n);
    this.app = new BareApp(bm, [this.nic.packetSocket()]);
  }

  /** Frames come, and the softirq polls until the instance completes. */
  receive(...frames: Uint8Array[]): void {
    this.input.push(...frames);
    napiSchedule(this.ctx.net, this.n);
    this.softirq();
  }

  softirq(): void {
    for (let i = 0; this.bm.softirqPending(0); i++) {
      expect(i).toBeLessThan(1000);
      doSoftirq(this.ctx.cur);
    }
  }

  /** Bytes of the frames that the application gets. */
  drain(): Received[] {
    return this.app.drain();
  }

  /** The receive hash of a frame. */
  hash(frame: Uint8Array): number {
    return this.wire.hash(this.nic.stage(frame), frame.length);
  }

  private poll(budget: number): number {
    const { net } = this.ctx;
    const taken = this.input.splice(0, budget);
    for (const frame of taken) {
      napiGroReceive(net, this.n, this.skb(frame), this.bm.m[this.nic.dev + NET_DEVICE.features]);
      this.check();
    }
    if (taken.length < budget) this.unmasked.push(napiCompleteDone(net, this.n, taken.length));
    return taken.length;
  }

  /** What the driver's poll makes of a frame. */
  private skb(frame: Uint8Array): number {
    const { net, arena } = this.ctx;
    const { m, b } = arena;
    const pool = net.pool(this.nic.queues[0].pool);
    const hash = this.hash(frame);
    let head = 0;
    let last = 0;
    for (let at = 0; at < frame.length; at += SKB_DATA_BYTES) {
      if (pool.take(1) === 0) throw new Error('the pool is empty: read the socket in between');
      const buffer = m[pool.taken];
      b.set(frame.subarray(at, at + SKB_DATA_BYTES), skbData(buffer));
      if (head === 0) head = buffer;
      else m[last + SKB.frags] = buffer;
      last = buffer;
    }
    const off = skbData(head);
    // Only a frame of one buffer lies in one piece; the tests of the driver are in sim_nic.test.ts.
    const { keys } = net;
    if (m[head + SKB.frags] === 0) dissect(b, off, frame.length, keys);
    else dissect(b, this.nic.stage(frame), frame.length, keys);
    const base = m[head + SKB.frags] === 0 ? off : this.nic.stage(frame);
    const flags =
      keys.status !== 0 || keys.ipVersion === 0 ? 0 : SKB_F_IP | (keys.isFragment ? SKB_F_FRAGMENT : 0);
    m[head + SKB.len] = frame.length;
    m[head + SKB.hash] = hash;
    m[head + SKB.seq] = this.seq++;
    ctxTime(this.ctx, head, this.bm.clock.us);
    m[head + SKB.headers] = ((keys.l4Off - base) << 16) | ((keys.l3Off - base) & 0xffff);
    m[head + SKB.payload] = (keys.payloadLen << 16) | ((keys.payloadOff - base) & 0xffff);
    m[head + SKB.ports] = (keys.srcPort << 16) | keys.dstPort;
    m[head + SKB.proto] = (flags << 24) | (keys.ipProto << 16) | (keys.ethType & 0xffff);
    m[head + SKB.vlan] = keys.vlanTci;
    m[head + SKB.segs] = 1;
    m[head + SKB.fragList] = 0;
    return head;
  }

  /** Frames of each chain GRO holds. */
  chains(): number[] {
    const { m } = this.bm;
    const out: number[] = [];
    for (let b = 0; b < GRO_HASH_BUCKETS; b++) {
      for (let s = m[this.n.at + NAPI.groHead + b]; s !== 0; s = m[s + SKB.next]) out.push(m[s + SKB.segs]);
    }
    return out;
  }

  /** Frames GRO holds. */
  held(): number {
    return this.chains().reduce((sum, segs) => sum + segs, 0);
  }

  /** Frames in the receive list, not yet handed to the stack. */
  get rxCount(): number {
    return this.ctx.net.rxFrames;
  }

  /** What must hold after every frame: bits, counts, limits, links. */
  check(): void {
    const { m } = this.bm;
    const { at } = this.n;
    let mask = 0;
    for (let bucket = 0; bucket < GRO_HASH_BUCKETS; bucket++) {
      let chains = 0;
      for (let head = m[at + NAPI.groHead + bucket]; head !== 0; head = m[head + SKB.next]) {
        chains++;
        let segs = 0;
        let last = 0;
        for (let s = head; s !== 0; s = m[s + SKB.fragList]) {
          segs++;
          last = s;
          if (m[s + SKB.hash] !== m[head + SKB.hash]) expect.unreachable('a chain of two flows');
        }
        if (segs !== m[head + SKB.segs]) expect(segs).toBe(m[head + SKB.segs]);
        if (last !== m[head + SKB.gro]) expect(last).toBe(m[head + SKB.gro]);
      }
      if (chains > 0) mask |= 1 << bucket;
      if (chains !== m[at + NAPI.groCount + bucket]) expect(chains).toBe(m[at + NAPI.groCount + bucket]);
      if (chains > MAX_GRO_SKBS) expect(chains).toBeLessThanOrEqual(MAX_GRO_SKBS);
    }
    if (mask !== m[at + NAPI.groBitmask]) expect(m[at + NAPI.groBitmask]).toBe(mask);
  }
}

function ctxTime(ctx: ThreadContext, skb: number, us: number): void {
  ctx.arena.f[(skb + SKB.tstampNs) >> 1] = us * 1e3;
}
