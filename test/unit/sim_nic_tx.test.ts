// SPDX-License-Identifier: GPL-2.0-only
/** The simulated NIC's sending side and cables: what becomes of every frame that is sent. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { writeUdp4 } from '../../dist/drivers/net/frame_builder.js';
import { NIC_QUEUE, SIM_NIC } from '../../dist/drivers/net/sim_nic.js';
import { cableConnect, cableDisconnect, cablePeer } from '../../dist/drivers/net/sim_nic_cable.js';
import { nicTransmit, nicTransmitBatch } from '../../dist/drivers/net/sim_nic_tx.js';
import { EBUSY, EINVAL, ENOENT } from '../../dist/kernel/errno.js';
import { rcuReadLock, rcuReadUnlock } from '../../dist/kernel/rcu.js';
import { kmalloc } from '../../dist/mm/slab.js';
import { ipv4HeaderChecksumOk } from '../../dist/net/core/headers/checksum.js';
import { NET_DEVICE } from '../../dist/net/core/net_device.js';
import { UDP_SENDER, udpSenderCreate, udpSenderShutdown } from '../../dist/net/ipv4/udp_send.js';
import { UdpSender } from '../../dist/threads/app_sender.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { txCounters } from '../../dist/uapi/devices.js';
import { BareMachine } from '../helpers/bare_machine.js';
import { BareApp, BareNic, type NicOptions, udpSocket } from '../helpers/bare_nic.js';
import { built, counting, FROM_4, get16 } from '../helpers/frames.js';
import { longFrame } from '../helpers/noise.js';

const STAGING_WORDS = 1 << 16;

let bm: BareMachine;
let ctx: ThreadContext;
let a: BareNic;
let b: BareNic;
let staging: number;

/** A UDP frame; flow and number tell it from others. */
function udp(i: number, flow = 0): Uint8Array {
  const payload = Uint8Array.of(i, i >>> 8, flow, ...counting(20));
  return built((bytes) => writeUdp4(bytes, 0, { ...FROM_4, srcPort: 4000 + flow, dstPort: 9, payload }));
}

function boot(options: NicOptions = {}): void {
  bm = new BareMachine({ memoryBytes: 16 << 20 });
  ctx = bm.thread(0);
  a = new BareNic(bm, ctx);
  b = new BareNic(bm, ctx, options);
  a.up();
  b.up();
  settle();
  staging = kmalloc(bm.m, STAGING_WORDS) * 4;
}

/** Sends frames at once. @returns how many left */
function send(from: BareNic, ...frames: readonly Uint8Array[]): number {
  const { net } = ctx;
  let off = staging;
  frames.forEach((frame, i) => {
    bm.arena.b.set(frame, off);
    net.txOff[i] = off;
    net.txLen[i] = frame.length;
    off += (frame.length + 3) & ~3;
  });
  rcuReadLock(net.cur);
  const left = nicTransmitBatch(net, from.dev, from.queues[0].at, frames.length);
  rcuReadUnlock(net.cur);
  return left;
}

/** Runs the softirqs of both CPUs until there are none. */
function settle(): void {
  b.settle([b.onCpu(0), b.onCpu(1)]);
}

function connect(): void {
  expect(cableConnect(ctx.net, a.dev, b.dev)).toBe(0);
}

function sent(nic: BareNic): number[] {
  const { packets, bytes, dropped } = txCounters(bm.m, nic.dev);
  return [packets, bytes, dropped];
}

function interrupts(nic: BareNic): number[] {
  return nic.queues.map((q) => bm.m[q.at + NIC_QUEUE.interrupts]);
}

beforeEach(() => boot());

describe('without a cable', () => {
  it('what is sent is counted and gone', () => {
    bm.arena.b.set(udp(1), staging);
    expect(nicTransmit(ctx.net, a.dev, a.queues[0].at, staging, 65)).toBe(true);
    expect(send(a, udp(2), udp(3))).toBe(2);
    expect(sent(a)).toEqual([3, 65 + 2 * udp(2).length, 0]);
    expect(bm.drops()).toEqual({});
  });

  it('nothing leaves while the link is down', () => {
    a.down();
    expect(send(a, udp(1), udp(2))).toBe(0);
    expect(sent(a)).toEqual([0, 0, 2]);
    expect(bm.drops()).toEqual({ dev_ready: 2 });
  });

  it('a frame that no buffer holds does not leave; the others do', () => {
    connect();
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    expect(send(a, udp(1), longFrame(2100), udp(2))).toBe(2);
    settle();
    expect(app.drain().map((r) => r.payload[0])).toEqual([1, 2]);
    expect(sent(a)).toEqual([2, 2 * udp(1).length, 1]);
    expect(bm.drops()).toEqual({ pkt_too_big: 1 });
  });

  it('bytes are counted beyond 1024', () => {
    for (let i = 0; i < 100; i++) send(a, udp(i), udp(i), udp(i));
    expect(sent(a)).toEqual([300, 300 * udp(0).length, 0]);
  });
});

describe('by a cable', () => {
  it('what one sends the other receives, in order, both ways', () => {
    connect();
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    const frames = Array.from({ length: 20 }, (_, i) => udp(i));
    expect(send(a, ...frames)).toBe(20);
    settle();
    expect(send(b, udp(77))).toBe(1);
    settle();
    const got = app.drain();
    expect(got.map((r) => r.bytes)).toEqual([...frames, udp(77)]);
    expect(got.slice(0, 20).map((r) => r.seq)).toEqual(frames.map((_, i) => i));
    expect([sent(a)[0], sent(b)[0]]).toEqual([20, 1]);
  });

  it('frames go to the queues that a wire would put them into, each batch with one interrupt a queue', () => {
    boot({ queues: 4 });
    connect();
    const flows = Array.from({ length: 40 }, (_, i) => i);
    send(a, ...flows.map((flow) => udp(flow, flow)));
    const byCable = [0, 1, 2, 3].map((q) => b.unread(q));
    expect(interrupts(b)).toEqual([1, 1, 1, 1]);
    boot({ queues: 4 });
    const wire = b.wire('drop');
    for (const flow of flows) b.send(wire, udp(flow, flow));
    wire.finish();
    expect([0, 1, 2, 3].map((q) => b.unread(q))).toEqual(byCable);
  });

  it('copies of one frame, given as one place again and again, all arrive', () => {
    connect();
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    bm.arena.b.set(udp(5), staging);
    ctx.net.txOff.fill(staging, 0, 30);
    ctx.net.txLen.fill(udp(5).length, 0, 30);
    expect(nicTransmitBatch(ctx.net, a.dev, a.queues[0].at, 30)).toBe(30);
    settle();
    expect(app.drain().map((r) => r.payload[0])).toEqual(Array(30).fill(5));
  });

  it('what finds no posted buffer is missed and counted, and later frames arrive again', () => {
    boot({ ringSize: 8 });
    connect();
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    expect(send(a, ...Array.from({ length: 20 }, (_, i) => udp(i)))).toBe(20);
    expect(bm.m[b.queues[0].at + NIC_QUEUE.rxMissed]).toBe(12);
    settle();
    send(a, udp(99));
    settle();
    expect(app.drain().map((r) => r.payload[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 99]);
    expect(bm.drops()).toEqual({ rx_missed: 12 });
  });

  it('what comes while the other link is down is dropped there', () => {
    connect();
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    b.down();
    expect(send(a, udp(1), udp(2))).toBe(2);
    expect(bm.m[b.nic + SIM_NIC.rxDropped]).toBe(2);
    b.up();
    send(a, udp(3));
    settle();
    expect(app.drain().map((r) => r.payload[0])).toEqual([3]);
    expect(bm.drops()).toEqual({ dev_ready: 2 });
  });

  it('frames follow a change of channels', () => {
    boot({ queues: 4 });
    connect();
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    b.setChannels(1);
    send(a, ...Array.from({ length: 16 }, (_, i) => udp(i, i)));
    expect([0, 1, 2, 3].map((q) => b.unread(q))).toEqual([16, 0, 0, 0]);
    b.setChannels(4);
    send(a, ...Array.from({ length: 32 }, (_, i) => udp(i, i)));
    expect([1, 2, 3].every((q) => b.unread(q) > 0)).toBe(true);
    settle();
    expect(app.drain()).toHaveLength(48);
  });

  it('an interrupt that is masked stays pending, and the poll under way takes the frame', () => {
    connect();
    send(a, udp(1));
    const before = interrupts(b);
    send(a, udp(2));
    expect(interrupts(b)).toEqual([before[0] + 1]);
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    settle();
    expect(app.drain()).toHaveLength(2);
  });

  it('is one a NIC, between two, and not where a thread feeds one', () => {
    expect(cableConnect(ctx.net, a.dev, a.dev)).toBe(-EINVAL);
    expect(cableDisconnect(ctx.net, a.dev)).toBe(-ENOENT);
    const wire = b.wire('drop');
    expect(cableConnect(ctx.net, a.dev, b.dev)).toBe(-EBUSY);
    wire.finish();
    connect();
    expect([cablePeer(bm.m, a.dev), cablePeer(bm.m, b.dev)]).toEqual([b.dev, a.dev]);
    expect(cableConnect(ctx.net, b.dev, a.dev)).toBe(-EBUSY);
    expect(cableDisconnect(ctx.net, b.dev)).toBe(0);
    expect(send(a, udp(1))).toBe(1);
    expect(b.unread()).toBe(0);
    connect();
    send(a, udp(2));
    expect(b.unread()).toBe(1);
  });

  it('after it a wire goes on where it ended, and the other way round', () => {
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    const wire = b.wire('drop');
    for (let i = 0; i < 5; i++) b.send(wire, udp(i));
    wire.finish();
    connect();
    send(a, udp(5), udp(6));
    cableDisconnect(ctx.net, a.dev);
    const again = b.wire('drop');
    b.send(again, udp(7));
    again.finish();
    settle();
    const got = app.drain();
    expect(got.map((r) => r.payload[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(got.map((r) => r.seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('every frame is delivered or counted as dropped, and every buffer is in one place', () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ do: fc.constant('send' as const), n: fc.integer({ min: 1, max: 64 }) }),
      },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('poll' as const), n: fc.constant(0) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constantFrom('down' as const, 'up' as const, 'plug' as const, 'channels' as const),
          n: fc.integer({ min: 1, max: 2 }),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(8, 32), (steps, ringSize) => {
        boot({ queues: 2, ringSize, poolSize: 4 * ringSize });
        connect();
        const app = new BareApp(bm, [udpSocket(ctx, 9)]);
        let isUp = true;
        let arrived = 0;
        let got = 0;
        for (const s of steps) {
          if (s.do === 'send') {
            expect(send(a, ...Array.from({ length: s.n }, (_, i) => udp(i, i % 7)))).toBe(s.n);
            if (cablePeer(bm.m, a.dev) !== 0) arrived += s.n;
          } else if (s.do === 'poll') {
            settle();
            got += app.drain().length;
          } else if (s.do === 'plug') {
            if (cablePeer(bm.m, a.dev) === 0) connect();
            else cableDisconnect(ctx.net, b.dev);
          } else if (s.do === 'channels') {
            if (isUp) b.setChannels(s.n);
          } else if (isUp !== (s.do === 'up')) {
            isUp = !isUp;
            if (isUp) b.up();
            else b.down();
          }
        }
        if (!isUp) b.up();
        settle();
        got += app.drain().length;
        const dropped = Object.values(bm.drops()).reduce((sum, n) => sum + n, 0);
        expect(got + dropped).toBe(arrived);
        for (const q of [0, 1]) expect(b.buffersAtRest(q)).toBe(4 * ringSize);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a sender of datagrams by a NIC', () => {
  function openSender(buffers = 8): UdpSender {
    const sender = new UdpSender(ctx, udpSenderCreate(bm.m, a.dev, true, 0, buffers));
    sender.begin();
    return sender;
  }

  it('sends copies of a datagram, and datagrams with payloads of their own, with right headers', () => {
    connect();
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    const tx = openSender();
    const flow = tx.flow({ srcPort: 7, dstPort: 9, payload: counting(5) });
    const payloads = [0, 1, 17, 1472, 2006].map((n) => counting(n));
    expect(tx.send(flow, 3)).toBe(3);
    expect(tx.sendPayloads(flow, payloads)).toBe(5);
    expect(tx.sendPayload(flow, counting(9))).toBe(true);
    expect(tx.sendPayloads(flow, payloads, 2)).toBe(2);
    settle();
    const got = app.drain();
    const own = Array(3).fill(counting(5));
    expect(got.map((r) => r.payload)).toEqual([...own, ...payloads, counting(9), ...payloads.slice(0, 2)]);
    for (const { bytes, payload } of got) {
      expect(bytes).toHaveLength(42 + payload.length);
      expect(ipv4HeaderChecksumOk(bytes, 14)).toBe(true);
      expect([get16(bytes, 16), get16(bytes, 38)]).toEqual([28 + payload.length, 8 + payload.length]);
    }
    // A flow is a flow, whatever it carries.
    expect(new Set(got.map((r) => r.flow)).size).toBe(1);
  });

  it('has its buffers back at once: it sends any number of datagrams with few', () => {
    const tx = openSender(2);
    const flow = tx.flow({ srcPort: 7, dstPort: 9, payload: 0 });
    expect(
      tx.sendPayloads(
        flow,
        Array.from({ length: 100 }, () => counting(100)),
      ),
    ).toBe(100);
    expect(tx.send(flow, 1000)).toBe(1000);
    expect(sent(a)[0]).toBe(1100);
  });

  it('sends nothing once it is closed, also if that comes between its look and the call', () => {
    const at = udpSenderCreate(bm.m, a.dev, true, 0, 8);
    const tx = new UdpSender(ctx, at);
    const flow = tx.flow({ srcPort: 7, dstPort: 9, payload: 0 });
    udpSenderShutdown(bm.m, at);
    expect([tx.send(flow, 5), tx.sendPayload(flow, counting(1))]).toEqual([0, false]);
    expect(bm.m[at + UDP_SENDER.sent]).toBe(0);
    expect(bm.m[a.dev + NET_DEVICE.queues]).toBe(1);
  });

  it('refuses a payload that no frame holds, and sends none of the call', () => {
    const tx = openSender();
    const flow = tx.flow({ srcPort: 7, dstPort: 9, payload: 0 });
    expect(() => tx.sendPayloads(flow, [counting(1), new Uint8Array(2007)])).toThrow(/0 to 2006/);
    expect(sent(a)[0]).toBe(0);
  });
});
