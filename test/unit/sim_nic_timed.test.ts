// SPDX-License-Identifier: GPL-2.0-only
//
// The timed wire on a machine whose clock the test moves: what arrives, when, and what is not lost.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { NIC_QUEUE, SIM_NIC } from '../../dist/drivers/net/sim_nic.js';
import { ECHO_SLOTS, TIMED_WIRE, timedEcho } from '../../dist/drivers/net/sim_nic_timed.js';
import {
  type TimedCounts,
  timedAttach,
  timedDetach,
  timedMayAttach,
  timedModerated,
} from '../../dist/drivers/net/sim_nic_timed_main.js';
import { type TimedParams, timedCreate } from '../../dist/drivers/net/sim_nic_timed_make.js';
import { EBUSY, EINVAL } from '../../dist/kernel/errno.js';
import { hrtimerRunQueues } from '../../dist/kernel/hrtimer.js';
import { IRQ_DESC, irqSetAffinity } from '../../dist/kernel/irq.js';
import { netdevSetChannels } from '../../dist/net/core/dev.js';
import { internetChecksum } from '../../dist/net/core/headers/checksum.js';
import { NAPI } from '../../dist/net/core/napi.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { BareMachine } from '../helpers/bare_machine.js';
import { BareApp, BareNic, type NicOptions, type Received, udpSocket } from '../helpers/bare_nic.js';

const PORT = 9;
const START_US = 100;

let bm: BareMachine;
let ctx: ThreadContext;
let nic: BareNic;
let app: BareApp;
let wire: number;
let startUs: number;

function boot(options: NicOptions = {}): void {
  bm = new BareMachine({ memoryBytes: 16 << 20 });
  ctx = bm.thread(0);
  nic = new BareNic(bm, ctx, options);
  app = new BareApp(bm, [udpSocket(ctx, PORT, 4096)]);
  nic.up();
  nic.settle();
}

beforeEach(() => boot());

/** Plugs a wire in; it starts START_US from now. */
function attach(schedule: Partial<TimedParams>, flows = 1): void {
  const params: TimedParams = {
    queue: 0,
    frameBytes: 64,
    flows: Array.from({ length: flows }, (_, i) => ({
      srcIp: Uint8Array.of(10, 0, 0, i),
      srcPort: 1000 + i,
      dstPort: PORT,
    })),
    dstIp: Uint8Array.of(10, 1, 0, 1),
    startInNs: START_US * 1e3,
    count: 0,
    ...schedule,
  };
  expect(timedMayAttach(bm.m, nic.dev, params.queue)).toBe(0);
  wire = timedCreate(ctx.net, nic.dev, params);
  expect(wire).not.toBe(0);
  startUs = bm.clock.us + START_US;
  timedAttach(ctx.driver, wire, params.startInNs);
  nic.settle();
}

/** The clock goes on; the CPUs run what expired and what is pending. */
function pass(us: number): void {
  bm.clock.us += us;
  for (let cpu = 0; cpu < bm.cpus; cpu++) {
    const c = nic.onCpu(cpu);
    for (let i = 0; hrtimerRunQueues(c.cur) === 0; i++) {
      if (i > 1000) throw new Error('the timers do not end');
    }
    nic.settle([c]);
  }
}

/** The clock goes on in steps of one microsecond. */
function passSlowly(us: number): void {
  for (let i = 0; i < us; i++) pass(1);
}

const word = (name: 'next' | 'arrived' | 'missed' | 'dropped' | 'done'): number =>
  bm.m[wire + TIMED_WIRE[name]];
const polls = (): number => bm.m[nic.napi().at + NAPI.polls];
const interrupts = (): number => bm.m[nic.queues[0].at + NIC_QUEUE.interrupts];

/** The number that a frame carries, and that its checksums are right. */
function numberIn(r: Received): number {
  const ip = r.bytes.subarray(14, 34);
  expect(internetChecksum(ip, 0, 20, 0)).toBe(0);
  const pseudo = Uint8Array.of(...ip.subarray(12, 20), 0, 17, ...r.bytes.subarray(38, 40));
  const udp = r.bytes.subarray(34);
  expect(internetChecksum(Uint8Array.of(...pseudo, ...udp), 0, pseudo.length + udp.length, 0)).toBe(0);
  return new DataView(r.payload.buffer, r.payload.byteOffset).getUint32(0);
}

const numbers = (): number[] => app.drain().map(numberIn);
const upTo = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);

describe('arrivals', () => {
  it('come when they are due, in order, each once: in = delivered + missed', () => {
    fc.assert(
      fc.property(
        fc.record({
          periodNs: fc.double({ min: 100, max: 50_000, noNaN: true }),
          count: fc.integer({ min: 1, max: 400 }),
          ringSize: fc.constantFrom(8, 64),
          flows: fc.integer({ min: 1, max: 3 }),
          steps: fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
        }),
        ({ periodNs, count, ringSize, flows, steps }) => {
          boot({ ringSize, poolSize: 512 });
          attach({ periodNs, count }, flows);
          const seen: number[] = [];
          for (let i = 0; word('done') === 0; i++) {
            pass(steps[i % steps.length]);
            const passed = bm.clock.us - startUs;
            const due = passed < 0 ? 0 : Math.min(count, Math.floor((passed * 1e3) / periodNs) + 1);
            expect(Math.abs(word('next') - due)).toBeLessThanOrEqual(1);
            const got = app.drain();
            for (const r of got) {
              expect(numberIn(r)).toBe(r.seq);
              expect(r.srcPort).toBe(1000 + (r.seq % flows));
            }
            seen.push(...got.map((r) => r.seq));
          }
          expect(word('next')).toBe(count);
          expect(word('arrived')).toBe(seen.length);
          expect(seen.length + word('missed')).toBe(count);
          expect(bm.drops()).toEqual(word('missed') === 0 ? {} : { rx_missed: word('missed') });
          expect(seen).toEqual(seen.toSorted((a, b) => a - b));
          expect(new Set(seen).size).toBe(seen.length);
          expect(nic.buffersAtRest()).toBe(512);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('have the time that was meant as their stamp, exactly', () => {
    const periodNs = 1e5 / 3;
    attach({ periodNs, count: 50 });
    pass(START_US + 2000);
    const { app: reader } = app;
    const stamps: number[] = [];
    for (let b = reader.tryRecv(256); b !== null; b = reader.tryRecv(256)) {
      for (let i = 0; i < b.count; i++) stamps.push(b.tstampNs(i));
    }
    expect(stamps).toEqual(upTo(50).map((i) => startUs * 1e3 + i * periodNs));
  });

  it('may be at times of their own', () => {
    const timesNs = Float64Array.of(0, 500, 500, 7_000, 1e6);
    attach({ timesNs, count: 5 });
    pass(START_US - 1);
    expect(numbers()).toEqual([]);
    pass(1);
    expect(numbers()).toEqual([0]);
    pass(1);
    expect(numbers()).toEqual([1, 2]);
    passSlowly(20);
    expect(numbers()).toEqual([3]);
    pass(1000);
    expect(numbers()).toEqual([4]);
    expect(word('done')).toBe(1);
  });

  it('that find no posted buffer are missed, and those after them are not', () => {
    boot({ ringSize: 8, poolSize: 16 });
    attach({ periodNs: 1000, count: 30 });
    pass(START_US + 19); // 20 at once
    expect(numbers()).toEqual(upTo(8));
    expect(word('missed')).toBe(12);
    expect(bm.m[nic.queues[0].at + NIC_QUEUE.rxMissed]).toBe(12);
    passSlowly(10);
    expect(numbers()).toEqual(upTo(10, 20));
  });

  it('may be as long as a buffer', () => {
    attach({ periodNs: 1000, count: 3, frameBytes: 2048 });
    pass(START_US + 10);
    const got = app.drain();
    expect(got.map((r) => r.bytes.length)).toEqual([2048, 2048, 2048]);
    expect(got.map(numberIn)).toEqual([0, 1, 2]);
  });
});

describe('interrupts', () => {
  it('come once an arrival, at its time, and nothing is polled in between', () => {
    attach({ periodNs: 50_000, count: 10 });
    const before = polls();
    for (let i = 0; i < 10; i++) {
      passSlowly(i === 0 ? START_US - 1 : 49);
      expect([interrupts(), polls() - before]).toEqual([i, i]);
      pass(1);
      expect([interrupts(), polls() - before]).toEqual([i + 1, i + 1]);
    }
    passSlowly(500);
    expect([interrupts(), polls() - before]).toEqual([10, 10]);
    expect(bm.timers(0)).toBe(0);
  });

  it('wait rxUsecs, or for rxFrames frames, whichever is first, and not beyond the end', () => {
    boot({ rxUsecs: 30, rxFrames: 4 });
    attach({ periodNs: 20_000, count: 3 });
    const settled = interrupts();
    passSlowly(START_US + 29);
    expect(interrupts()).toBe(settled);
    pass(1);
    expect(interrupts()).toBe(settled + 1);
    expect(numbers()).toEqual([0, 1]);
    passSlowly(9); // the last of all, at 40
    expect(interrupts()).toBe(settled + 1);
    pass(1);
    expect(numbers()).toEqual([2]);

    boot({ rxUsecs: 1000, rxFrames: 4 });
    attach({ periodNs: 10_000, count: 8 });
    passSlowly(START_US + 29);
    expect(numbers()).toEqual([]);
    pass(1);
    expect(numbers()).toEqual([0, 1, 2, 3]);
  });

  it('do not wait any more when moderation is switched off', () => {
    boot({ rxUsecs: 0, rxFrames: 64 });
    attach({ periodNs: 10_000, count: 100 });
    pass(START_US + 50);
    expect(numbers()).toEqual([]);
    bm.m[nic.queues[0].at + NIC_QUEUE.rxFrames] = 1;
    timedModerated(ctx.driver, nic.dev);
    nic.settle();
    expect(numbers()).toEqual(upTo(6));
    pass(10);
    expect(numbers()).toEqual([6]);
  });

  it('are no use while the instance is polled by its watchdog: none comes', () => {
    boot({ deferHardIrqs: 1000, groFlushTimeoutNs: 20_000 });
    attach({ periodNs: 50_000, count: 100 });
    pass(START_US);
    expect(numbers()).toEqual([0]);
    const before = interrupts();
    passSlowly(500);
    expect(numbers()).toEqual(upTo(10, 1));
    expect(interrupts()).toBe(before);
  });

  it('come on the CPU of their affinity', () => {
    attach({ periodNs: 50_000, count: 100 });
    irqSetAffinity(nic.queues[0].irq, 1);
    pass(START_US);
    expect(bm.timers(1)).toBe(1);
    const handled = bm.m[nic.queues[0].irq.at + IRQ_DESC.count];
    pass(50);
    expect(bm.m[nic.queues[0].irq.at + IRQ_DESC.count]).toBe(handled + 1);
    expect(numbers()).toEqual([0, 1]);
  });
});

describe('a link that is down', () => {
  it('drops what comes and counts it; what came before waits for the link', () => {
    attach({ periodNs: 10_000, count: 100 });
    bm.clock.us += START_US + 20; // three are due, and nobody has looked
    nic.down();
    expect(word('arrived')).toBe(3);
    pass(195);
    nic.up();
    nic.settle();
    const dropped = word('dropped');
    expect(dropped).toBeGreaterThanOrEqual(19);
    expect(bm.drops()).toEqual({ dev_ready: dropped });
    expect(bm.m[nic.nic + SIM_NIC.rxDropped]).toBe(dropped);
    passSlowly(2000);
    expect(numbers()).toEqual([0, 1, 2, ...upTo(97 - dropped, 3 + dropped)]);
  });

  it('lets a schedule end, and a wire be plugged in', () => {
    nic.down();
    attach({ periodNs: 1000, count: 20 });
    pass(START_US + 5);
    pass(20_000);
    expect([word('done'), word('dropped'), word('next')]).toEqual([1, 20, 20]);
    expect(bm.drops()).toEqual({ dev_ready: 20 });
    expect(bm.timers(0) + bm.timers(1)).toBe(0);
    nic.up();
    nic.settle();
    expect(numbers()).toEqual([]);
  });
});

describe('a wire', () => {
  it('is unplugged with its timer, and the next one goes on counting', () => {
    attach({ periodNs: 10_000, count: 100 });
    pass(START_US + 45);
    const counts = timedDetach(ctx.driver, nic.dev) as TimedCounts;
    expect(counts).toMatchObject({ arrived: 5, missed: 0, dropped: 0, endNs: 0, startNs: startUs * 1e3 });
    expect(bm.timers(0)).toBe(0);
    expect(timedDetach(ctx.driver, nic.dev)).toBeNull();
    passSlowly(50);
    expect(numbers()).toEqual(upTo(5));
    attach({ periodNs: 10_000, count: 2 });
    pass(START_US + 100);
    expect(numbers()).toEqual([5, 6]);
  });

  it('gives its memory back', () => {
    for (let i = 0; i < 200; i++) {
      attach({ periodNs: 1000, count: 1, frameBytes: 2000 }, 200);
      expect(timedDetach(ctx.driver, nic.dev)).not.toBeNull();
    }
  });

  it('is refused beside another one, and for a queue that is not in use', () => {
    boot({ queues: 2 });
    expect(timedMayAttach(bm.m, nic.dev, 2)).toBe(-EINVAL);
    attach({ periodNs: 10_000, count: 100, queue: 1 });
    expect(timedMayAttach(bm.m, nic.dev, 0)).toBe(-EBUSY);
    expect(netdevSetChannels(ctx.net, nic.dev, 1)).toBe(-EBUSY);
    pass(START_US);
    expect(numbers()).toEqual([0]);
  });

  it('is refused while a thread feeds the device', () => {
    const driven = nic.wire();
    expect(timedMayAttach(bm.m, nic.dev, 0)).toBe(-EBUSY);
    driven.finish();
    expect(timedMayAttach(bm.m, nic.dev, 0)).toBe(0);
  });
});

describe('an echo', () => {
  const TURNAROUND_US = 40;
  const queue = (): number => nic.queues[0].at;

  it('brings back what is sent, after the turnaround', () => {
    attach({ turnaroundNs: TURNAROUND_US * 1e3 });
    expect(timedEcho(ctx.driver, queue(), 2)).toBe(2);
    pass(10);
    expect(timedEcho(ctx.driver, queue(), 1)).toBe(1);
    pass(TURNAROUND_US - 11);
    expect(numbers()).toEqual([]);
    pass(1);
    expect(numbers()).toEqual([0, 1]);
    pass(9);
    expect(numbers()).toEqual([]);
    pass(1);
    expect(numbers()).toEqual([2]);
    passSlowly(200);
    expect(numbers()).toEqual([]);
    expect(word('done')).toBe(0);
  });

  it('ends after its count', () => {
    attach({ turnaroundNs: 1000, count: 3 });
    for (let i = 0; i < 3; i++) {
      expect(timedEcho(ctx.driver, queue(), 1)).toBe(1);
      pass(1);
    }
    expect(numbers()).toEqual([0, 1, 2]);
    expect(word('done')).toBe(1);
  });

  it('loses, and counts, what it has no room for and what is sent while the link is down', () => {
    boot({ ringSize: 64, poolSize: 256 });
    attach({ turnaroundNs: 1000 });
    expect(timedEcho(ctx.driver, queue(), ECHO_SLOTS + 5)).toBe(ECHO_SLOTS);
    pass(1);
    expect(word('arrived') + word('missed')).toBe(ECHO_SLOTS);
    nic.down();
    expect(timedEcho(ctx.driver, queue(), 1)).toBe(0);
    expect(bm.m[wire + TIMED_WIRE.echoLost]).toBe(6);
  });

  it('is none without such a wire', () => {
    expect(timedEcho(ctx.driver, queue(), 1)).toBe(0);
    attach({ periodNs: 1000, count: 1 });
    expect(timedEcho(ctx.driver, queue(), 1)).toBe(0);
  });
});
