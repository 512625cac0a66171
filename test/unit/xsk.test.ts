// SPDX-License-Identifier: GPL-2.0-only
/** AF_XDP sockets on a bare machine: what an application may write into its rings, and what becomes of every frame. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeUdp4 } from '../../dist/drivers/net/frame_builder.js';
import { NIC_QUEUE, SIM_NIC } from '../../dist/drivers/net/sim_nic.js';
import type { Wire } from '../../dist/drivers/net/sim_nic_wire.js';
import { xskWakeup } from '../../dist/drivers/net/sim_nic_xsk.js';
import { xskBind, xskUnbind } from '../../dist/drivers/net/sim_nic_xsk_bind.js';
import { ringLength } from '../../dist/mm/ring.js';
import { pagePoolInside } from '../../dist/net/core/page_pool.js';
import {
  XDP_SOCK,
  XDP_WAKEUP_RX,
  XSK_FRAME_BYTES,
  XSK_HEADROOM_BYTES,
  type XskSizes,
  xskCreate,
  xskFrameAddr,
} from '../../dist/net/xdp/xsk.js';
import { type XskRings, xskRings } from '../../dist/net/xdp/xsk_user.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { BareMachine } from '../helpers/bare_machine.js';
import { BareNic } from '../helpers/bare_nic.js';
import { built, FROM_4 } from '../helpers/frames.js';

const FRAMES = 64;
const POOL = 128;

class Rig {
  readonly bm = new BareMachine({ memoryBytes: 16 << 20 });
  readonly ctx: ThreadContext = this.bm.thread(0);
  readonly nic: BareNic = new BareNic(this.bm, this.ctx, { ringSize: 32, poolSize: POOL });
  readonly xs: number;
  readonly rings: XskRings;
  readonly wire: Wire;
  private sent = 0;

  constructor(sizes: Partial<XskSizes> = {}) {
    this.nic.up();
    this.nic.settle();
    this.wire = this.nic.wire('drop');
    const all = { txFrames: 16, fillSize: 64, rxSize: 64, txSize: 64, compSize: 64, steerPort: 0 };
    this.xs = xskCreate(this.bm.m, { frames: FRAMES, ...all, ...sizes });
    this.bm.clock.onSleep = () => this.elsewhere();
    expect(xskBind(this.ctx.driver, this.nic.dev, 0, this.xs)).toBe(0);
    this.rings = xskRings(this.ctx.arena, this.xs);
    this.rings.begin();
    this.nic.settle();
  }

  /** What other threads do while this one sleeps. */
  elsewhere(): void {
    this.wire.flush();
    this.nic.settle();
  }

  /** `n` frames come over the wire and are polled. */
  receive(n: number, port = 9): void {
    for (let i = 0; i < n; i++) {
      const payload = Uint8Array.of(this.sent++, 1, 2, 3);
      this.nic.send(
        this.wire,
        built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 1, dstPort: port, payload })),
      );
    }
    this.wire.flush();
    this.nic.settle();
  }

  kick(): number {
    const err = xskWakeup(this.ctx.driver, this.ctx.cur, this.xs);
    this.nic.settle();
    return err;
  }

  count(field: keyof typeof XDP_SOCK): number {
    return this.bm.m[this.xs + (XDP_SOCK[field] as number)];
  }

  posted(): number {
    return ringLength(this.bm.m, this.bm.m[this.nic.queues[0].at + NIC_QUEUE.fillRing]);
  }

  unbind(): void {
    xskUnbind(this.ctx.driver, this.xs);
    this.nic.settle();
    expect(pagePoolInside(this.bm.m, this.nic.queues[0].pool) + this.posted()).toBe(POOL);
  }
}

/** Reads all there is. */
function readAll(rings: XskRings): number[] {
  const firsts: number[] = [];
  for (let n = rings.rxPeek(); n > 0; n = rings.rxPeek())
    for (let i = 0; i < n; i++) firsts.push(rings.bytes[rings.rxOffset(i) + 42]);
  return firsts;
}

describe('descriptors of an application', () => {
  it('that name no frame are counted and never posted', () => {
    const rig = new Rig({ txFrames: FRAMES });
    expect(rig.posted()).toBe(0);
    const end = FRAMES * XSK_FRAME_BYTES;
    const bad = [
      0,
      -1,
      1,
      XSK_HEADROOM_BYTES + 1,
      XSK_HEADROOM_BYTES - 1,
      end,
      end + XSK_HEADROOM_BYTES,
      0x7fffffff,
      -0x80000000,
    ];
    for (const addr of bad) expect(rig.rings.fillFrame(addr)).toBe(true);
    rig.kick();
    expect([rig.count('rxInvalidDescs'), rig.posted()]).toEqual([bad.length, 0]);
    // A frame given twice is taken once.
    const addr = xskFrameAddr(5);
    for (let i = 0; i < 3; i++) rig.rings.fillFrame(addr);
    rig.kick();
    expect([rig.count('rxInvalidDescs'), rig.posted()]).toEqual([bad.length + 2, 1]);
    rig.receive(1);
    expect(readAll(rig.rings)).toEqual([0]);
    rig.unbind();
  });

  it('to be sent are within one frame that the driver has not got, or are counted', () => {
    const rig = new Rig({ txFrames: 16 });
    const frame = xskFrameAddr(FRAMES - 1);
    const end = FRAMES * XSK_FRAME_BYTES;
    const bad: [number, number][] = [
      [frame, 0],
      [frame, -1],
      [frame, 2049],
      [frame + 2000, 49],
      [frame - 1, 1],
      [end, 1],
      [end + XSK_HEADROOM_BYTES, 64],
      [-XSK_FRAME_BYTES + XSK_HEADROOM_BYTES, 64],
      [0x7fffff00, 0x7fffffff],
      [xskFrameAddr(0), 64], // posted
    ];
    for (const [addr, len] of bad) expect(rig.rings.txSend(addr, len)).toBe(true);
    rig.kick();
    expect([rig.count('txInvalidDescs'), rig.count('txSent'), rig.rings.txComplete()]).toEqual([
      bad.length,
      0,
      0,
    ]);
    for (const [addr, len] of [
      [frame, 2048],
      [frame + 2000, 48],
      [frame + 2047, 1],
    ])
      rig.rings.txSend(addr, len);
    rig.kick();
    expect([rig.count('txInvalidDescs'), rig.count('txSent'), rig.rings.txComplete()]).toEqual([
      bad.length,
      3,
      3,
    ]);
    rig.unbind();
  });

  it('of any kind touch nothing but the UMEM, and lose no buffer of the stack', () => {
    const addr = fc.oneof(
      fc.integer({ min: 0, max: FRAMES - 1 }).map((i) => xskFrameAddr(i)),
      fc.integer({ min: -1 << 30, max: 1 << 30 }),
      fc.integer({ min: 0, max: FRAMES * XSK_FRAME_BYTES }),
    );
    const step = fc.oneof(
      fc.record({ fill: addr }),
      fc.record({ send: addr, len: fc.integer({ min: -10, max: 3000 }) }),
      fc.record({ receive: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ read: fc.integer({ min: 1, max: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const rig = new Rig({ rxSize: 16 });
        // Whatever is beside the UMEM stays as it is.
        const { m } = rig.bm;
        const first = m[rig.xs + XDP_SOCK.umem];
        const fence = [first - 1, first + (FRAMES * XSK_FRAME_BYTES) / 4].map((at) => [at, m[at]]);
        let came = 0;
        for (const s of steps) {
          if ('fill' in s) rig.rings.fillFrame(s.fill);
          else if ('send' in s) rig.rings.txSend(s.send, s.len);
          else if ('receive' in s) {
            rig.receive(s.receive);
            came += s.receive;
          } else rig.rings.rxPeek(s.read);
          rig.kick();
          rig.rings.txComplete();
        }
        rig.rings.rxRelease();
        const dropped = Object.values(rig.bm.drops()).reduce((a, b) => a + b, 0);
        expect(rig.count('rxFrames') + dropped).toBe(came);
        rig.unbind();
        for (const [at, was] of fence) expect(m[at]).toBe(was);
      }),
      { numRuns: 60 },
    );
  });
});

describe('rings', () => {
  it('that are full drop and count, and give the frame to the next one', () => {
    const rig = new Rig({ rxSize: 8 });
    rig.receive(20);
    expect([rig.count('rxFrames'), rig.count('rxRingFull')]).toEqual([8, 12]);
    expect(rig.bm.drops()).toEqual({ xsk_rx_full: 12 });
    expect(readAll(rig.rings)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    rig.receive(5);
    expect(readAll(rig.rings)).toEqual([20, 21, 22, 23, 24]);
    expect(rig.posted()).toBe(32);
  });

  it('a fill ring that runs dry is asked for, until there is enough', () => {
    const rig = new Rig({ txFrames: 0 });
    const needs = () => (rig.rings.needWakeup() & XDP_WAKEUP_RX) !== 0;
    expect(needs()).toBe(false);
    rig.receive(FRAMES / 2);
    rig.receive(FRAMES / 2);
    expect([rig.posted(), needs()]).toEqual([0, true]);
    // The wire has no buffer for what comes now.
    rig.receive(3);
    expect(rig.bm.drops()).toEqual({ rx_missed: 3 });
    expect(readAll(rig.rings)).toHaveLength(FRAMES);
    rig.kick();
    expect([rig.posted(), needs()]).toEqual([32, false]);
    expect(rig.count('rxFillRingEmptyDescs')).toBeGreaterThan(0);
  });

  it('a completion ring that is full holds the sender back', () => {
    const rig = new Rig({ txFrames: 16, compSize: 4 });
    for (let i = 0; i < 16; i++) rig.rings.txSend(rig.rings.txFrame(), 64, i < 15);
    expect(rig.rings.txFrame()).toBe(-1);
    let sent = 0;
    while (sent < 16) {
      rig.kick();
      expect(rig.rings.txComplete()).toBe(4);
      sent += 4;
    }
    expect(rig.count('txSent')).toBe(16);
    expect(rig.rings.txPending()).toBe(false);
    const again = Array.from({ length: 16 }, () => rig.rings.txFrame());
    expect(new Set(again).size).toBe(16);
    expect(rig.rings.txFrame()).toBe(-1);
  });

  it('frames taken over are not given back with the batch; sent on they come back to be received into', () => {
    const rig = new Rig({ frames: 32, txFrames: 0, fillSize: 32 });
    rig.receive(8);
    expect(rig.rings.rxPeek(8)).toBe(8);
    const kept = [rig.rings.rxKeep(2), rig.rings.rxKeep(5)];
    expect(rig.rings.rxKeep(8)).toBe(-1);
    rig.rings.rxRelease();
    rig.kick();
    expect(rig.posted()).toBe(30);
    for (const addr of kept) rig.rings.txSend(addr, 60);
    rig.kick();
    expect(rig.rings.txComplete()).toBe(2);
    rig.kick();
    expect(rig.posted()).toBe(32);
  });
});

describe('binding', () => {
  it('leaves what others are for to the stack, and drops it where that has no buffer', () => {
    const rig = new Rig({ steerPort: 9 });
    rig.receive(3, 9);
    rig.receive(4, 10);
    expect([rig.count('rxFrames'), rig.count('rxPassed')]).toEqual([3, 4]);
    expect(rig.bm.drops()).toEqual({ no_socket: 4 });
    const pool = rig.ctx.net.pool(rig.nic.queues[0].pool);
    const held: number[] = [];
    for (let n = pool.take(POOL); n > 0; n = pool.take(POOL))
      held.push(...rig.bm.m.slice(pool.taken, pool.taken + n));
    rig.receive(2, 10);
    expect(rig.bm.drops()).toEqual({ no_socket: 4, nomem: 2 });
    for (const skb of held) pool.recycleDirect(skb);
    rig.unbind();
  });

  it('closed with frames in the ring and a call under way: nothing is left behind', () => {
    const rig = new Rig();
    rig.receive(10);
    rig.unbind();
    expect(rig.kick()).toBe(-6); // ENXIO
    expect(readAll(rig.rings)).toHaveLength(10);
    rig.receive(3);
    expect(rig.bm.drops()).toEqual({ no_socket: 3 });
    expect(rig.bm.m[rig.nic.nic + SIM_NIC.rxDropped]).toBe(0);
  });

  it('says when the link is down', () => {
    const rig = new Rig();
    rig.nic.down();
    expect(rig.kick()).toBe(-100); // ENETDOWN
    rig.nic.up();
    expect(rig.kick()).toBe(0);
    rig.receive(2);
    expect(readAll(rig.rings)).toHaveLength(2);
  });
});
