// SPDX-License-Identifier: GPL-2.0-only
/** The simulated NIC: what becomes of every frame, and of every buffer. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { writeUdp4 } from '../../dist/drivers/net/frame_builder.js';
import { NIC_QUEUE } from '../../dist/drivers/net/sim_nic.js';
import type { Wire } from '../../dist/drivers/net/sim_nic_wire.js';
import { IRQ_DESC, irqSetAffinity } from '../../dist/kernel/irq.js';
import { ringLength } from '../../dist/mm/ring.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { BareMachine } from '../helpers/bare_machine.js';
import { BareApp, BareNic, type NicOptions, udpSocket } from '../helpers/bare_nic.js';
import { built, FROM_4 } from '../helpers/frames.js';
import { longFrame } from '../helpers/noise.js';

let bm: BareMachine;
let ctx: ThreadContext;
let nic: BareNic;
let wire: Wire;

/** A UDP frame; flow and number tell it from others. */
function udp(i: number, port = 9, flow = 0): Uint8Array {
  const payload = Uint8Array.of(i, i >>> 8, flow, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  return built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 4000 + flow, dstPort: port, payload }));
}

function boot(options: NicOptions = {}, memoryBytes = 16 << 20): void {
  bm = new BareMachine({ memoryBytes });
  ctx = bm.thread(0);
  nic = new BareNic(bm, ctx, options);
  nic.up();
  nic.settle();
  wire = nic.wire('drop');
}

function interrupts(): number {
  wire.finish();
  return bm.m[nic.queues[0].at + NIC_QUEUE.interrupts];
}

function handled(): number {
  return bm.m[bm.m[nic.queues[0].at + NIC_QUEUE.irq] + IRQ_DESC.count];
}

/** Buffers in the fill ring. */
function posted(): number {
  return ringLength(bm.m, bm.m[nic.queues[0].at + NIC_QUEUE.fillRing]);
}

function droppedInAll(): number {
  return Object.values(bm.drops()).reduce((sum, n) => sum + n, 0);
}

beforeEach(() => boot());

describe('frames and buffers', () => {
  it('every frame is delivered or counted as dropped, and every buffer is in one place', () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ do: fc.constant('send' as const), n: fc.integer({ min: 1, max: 90 }) }),
      },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('poll' as const), n: fc.constant(0) }) },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('read' as const), n: fc.integer({ min: 1, max: 256 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constantFrom('down' as const, 'up' as const), n: fc.constant(0) }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(8, 32, 64), (steps, ringSize) => {
        boot({ ringSize, poolSize: 2 * ringSize }, 6 << 20);
        const sock = udpSocket(ctx, 9, 64, 50);
        const app = new BareApp(bm, [sock]);
        let sent = 0;
        let read = 0;
        let isUp = true;
        let inHand = 0;
        for (const { do: what, n } of steps) {
          if (what === 'send') {
            for (let i = 0; i < n; i++) nic.send(wire, udp(sent++, i % 7 === 6 ? 10 : 9));
            wire.flush();
          } else if (what === 'poll') nic.settle();
          else if (what === 'read') {
            inHand = app.app.tryRecv(n)?.count ?? 0;
            read += inHand;
          } else if (what === 'down' && isUp) {
            // What the softirq is about to poll must be polled while the control thread waits.
            bm.clock.onSleep = () => nic.settle();
            nic.down();
            isUp = false;
          } else if (what === 'up' && !isUp) {
            nic.up();
            isUp = true;
          }
          const onTheWay = nic.unread() + app.queued();
          expect(nic.buffersAtRest() + app.queued() + inHand).toBe(2 * ringSize);
          expect(read + droppedInAll() + onTheWay).toBe(sent);
        }
        if (!isUp) nic.up();
        for (let i = 0; i < 10; i++) {
          nic.settle();
          read += app.drain().length;
        }
        expect(read + droppedInAll()).toBe(sent);
        expect(nic.buffersAtRest()).toBe(2 * ringSize);
        // Few are posted only where an event is on its way that posts more.
        expect(posted() * 4).toBeGreaterThanOrEqual(ringSize);
      }),
      { numRuns: 60 },
    );
  });

  it('come out in order and as they were', () => {
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    const frames: Uint8Array[] = [];
    const got: Uint8Array[] = [];
    for (let i = 0; i < 300; i++) {
      frames.push(udp(i));
      nic.send(wire, frames[i]);
      if (i % 50 === 49) {
        wire.flush();
        nic.settle();
        got.push(...app.drain().map((r) => r.bytes));
      }
    }
    expect(got).toEqual(frames);
    expect(bm.drops()).toEqual({});
  });

  it('a queue that ran out of buffers is polled again as soon as enough came back', () => {
    boot({ ringSize: 16, poolSize: 32 });
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    for (let i = 0; i < 64; i++) {
      nic.send(wire, udp(i));
      wire.flush();
      nic.settle();
    }
    expect(posted()).toBe(0);
    expect(bm.drops()).toEqual({ rx_missed: 32 });
    // No frame comes any more, and the wire does not look either: the application's free is what starts it.
    expect(bm.softirqPending(0)).toBe(false);
    expect(app.drain()).toHaveLength(32);
    expect(bm.softirqPending(0)).toBe(true);
    nic.settle();
    expect(posted()).toBe(16);
  });
});

describe('drops', () => {
  it('rx_missed: no buffer is posted', () => {
    boot({ ringSize: 64, poolSize: 128 });
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    for (let i = 0; i < 100; i++) nic.send(wire, udp(i));
    expect(bm.drops()).toEqual({ rx_missed: 36 });
    wire.flush();
    nic.settle();
    expect(app.drain().map((r) => r.seq)).toEqual(Array.from({ length: 64 }, (_, i) => i));
  });

  it('pkt_too_big: a frame longer than all buffers of the ring', () => {
    boot({ ringSize: 8, poolSize: 16 });
    const app = new BareApp(bm, [nic.packetSocket()]);
    for (const len of [8 * 2048, 8 * 2048 + 1, 60_000]) {
      nic.send(wire, longFrame(len));
      wire.flush();
      nic.settle();
    }
    expect(bm.drops()).toEqual({ pkt_too_big: 2 });
    expect(app.drain().map((r) => r.bytes.length)).toEqual([8 * 2048]);
  });

  it('dev_ready: what comes while the link is down, and nothing before', () => {
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    for (let i = 0; i < 10; i++) nic.send(wire, udp(i));
    nic.down();
    for (let i = 10; i < 100; i++) nic.send(wire, udp(i));
    wire.flush();
    expect(bm.drops()).toEqual({ dev_ready: 90 });
    nic.settle();
    nic.up();
    nic.settle();
    expect(app.drain()).toHaveLength(10);
  });

  it('no_socket, and not for those that have one', () => {
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    for (let i = 0; i < 30; i++) nic.send(wire, udp(i, 9 + (i % 3)));
    wire.flush();
    nic.settle();
    expect(bm.drops()).toEqual({ no_socket: 20 });
    expect(app.drain().map((r) => r.dstPort)).toEqual(Array<number>(10).fill(9));
    expect(nic.buffersAtRest()).toBe(nic.poolSize);
  });

  it('socket_rcvbuff: what does not fit is dropped, the newest first', () => {
    const sock = udpSocket(ctx, 9, 16, 5);
    const app = new BareApp(bm, [sock]);
    for (let i = 0; i < 12; i++) nic.send(wire, udp(i));
    wire.flush();
    nic.settle();
    expect(bm.drops()).toEqual({ socket_rcvbuff: 7 });
    expect(app.drain().map((r) => r.seq)).toEqual([0, 1, 2, 3, 4]);
    nic.send(wire, udp(12));
    wire.flush();
    nic.settle();
    expect(app.drain().map((r) => r.seq)).toEqual([12]);
    expect(nic.buffersAtRest()).toBe(nic.poolSize);
  });
});

describe('interrupts', () => {
  const one = (): void => {
    nic.send(wire, udp(0));
    wire.flush();
  };

  it('come with every batch without moderation', () => {
    for (let i = 0; i < 5; i++) {
      one();
      nic.settle();
    }
    expect(interrupts()).toBe(5);
    for (let i = 0; i < 64; i++) nic.send(wire, udp(i));
    expect(interrupts()).toBe(6);
  });

  it('are handled once for any number of them while they are masked', () => {
    const before = handled();
    for (let i = 0; i < 5; i++) one();
    expect(handled()).toBe(before + 1);
    nic.settle();
    expect(handled()).toBe(before + 2); // what stood pending when the poll unmasked it
    nic.settle();
    expect(handled()).toBe(before + 2);
    expect(interrupts()).toBe(5);
  });

  it('come after rxFrames frames', () => {
    boot({ rxFrames: 4 });
    const counts: boolean[] = [];
    for (let i = 0; i < 9; i++) {
      one();
      counts.push(bm.softirqPending(0));
      nic.settle();
    }
    expect(counts).toEqual([false, false, false, true, false, false, false, true, false]);
    expect(interrupts()).toBe(3); // the end of the source sends what was held back
    nic.settle();
    expect(nic.unread()).toBe(0);
  });

  it('come rxUsecs after the first frame', () => {
    boot({ rxUsecs: 100 });
    one();
    expect(wire.nextInterruptUs()).toBe(100);
    bm.clock.us += 60;
    one();
    expect(wire.nextInterruptUs()).toBe(40);
    expect(bm.softirqPending(0)).toBe(false);
    bm.clock.us += 40;
    expect(wire.nextInterruptUs()).toBe(0);
    wire.flush();
    expect(bm.softirqPending(0)).toBe(true);
    expect(wire.nextInterruptUs()).toBe(-1);
    expect(interrupts()).toBe(1);
  });

  it('come with whichever of the two is first', () => {
    boot({ rxUsecs: 100, rxFrames: 3 });
    one();
    one();
    one();
    expect(bm.softirqPending(0)).toBe(true);
    nic.settle();
    one();
    bm.clock.us += 100;
    one();
    expect(interrupts()).toBe(2);
  });

  it('have no time when only rxFrames is set', () => {
    boot({ rxFrames: 4 });
    one();
    expect(wire.nextInterruptUs()).toBe(-1);
  });

  it('do not wait any more when moderation is switched off', () => {
    boot({ rxUsecs: 100 });
    one();
    bm.m[nic.queues[0].at + NIC_QUEUE.rxUsecs] = 0;
    expect(wire.nextInterruptUs()).toBe(0);
    wire.flush();
    expect(bm.softirqPending(0)).toBe(true);
  });

  it('go to the CPU their affinity names', () => {
    irqSetAffinity(nic.queues[0].irq, 1);
    one();
    expect([bm.softirqPending(0), bm.softirqPending(1)]).toEqual([false, true]);
  });
});

describe('queues', () => {
  it('a flow stays on one queue, flows spread over all, each in its order', () => {
    boot({ queues: 2, ringSize: 256, poolSize: 512 });
    const other = bm.thread(1);
    const sock = udpSocket(ctx, 9);
    const app = new BareApp(bm, [sock]);
    for (let i = 0; i < 200; i++) nic.send(wire, udp(i, 9, i % 20));
    wire.flush();
    expect([nic.unread(0) > 20, nic.unread(1) > 20]).toEqual([true, true]);
    nic.settle([other, ctx]);
    const got = app.drain();
    expect(got).toHaveLength(200);
    for (let flow = 0; flow < 20; flow++) {
      const seqs = got.filter((r) => r.srcPort === 4000 + flow).map((r) => r.seq);
      expect(seqs).toEqual(Array.from({ length: 10 }, (_, k) => flow + 20 * k));
    }
    expect([nic.buffersAtRest(0), nic.buffersAtRest(1)]).toEqual([512, 512]);
  });
});

describe('fewer channels while the link is down', () => {
  it('drops what the rings of the others still hold, counts it, and gives the buffers back', () => {
    boot({ queues: 2, deferHardIrqs: 100, groFlushTimeoutNs: 2e9 });
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    for (let flow = 0; flow < 32; flow++) nic.send(wire, udp(flow, 9, flow));
    wire.flush();
    nic.settle([0, 1].map((cpu) => nic.onCpu(cpu)));
    expect(app.drain()).toHaveLength(32);
    // The interrupts stay masked now: what comes lies in the rings when the link goes down.
    for (let flow = 0; flow < 32; flow++) nic.send(wire, udp(flow, 9, flow));
    wire.flush();
    nic.down();
    const left = nic.unread(1);
    expect(left).toBeGreaterThan(0);
    nic.setChannels(1);
    expect(nic.unread(1)).toBe(0);
    expect(nic.buffersAtRest(1)).toBe(nic.poolSize);
    expect(bm.drops()).toEqual({ dev_ready: left });
    nic.up();
    nic.settle([0, 1].map((cpu) => nic.onCpu(cpu)));
    expect(app.drain()).toHaveLength(32 - left);
  });
});
