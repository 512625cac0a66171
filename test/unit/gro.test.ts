// SPDX-License-Identifier: GPL-2.0-only
/** GRO: what is held and chained, when it goes up, and in which order. */
import { beforeEach, describe, expect, it } from 'vitest';
import { writeIcmpEcho, writeTcp4, writeTcp6, writeUdp4 } from '../../dist/drivers/net/frame_builder.js';
import { hrtimerRunQueues } from '../../dist/kernel/hrtimer.js';
import { NETIF_F_GRO, NETIF_F_GRO_FRAGLIST } from '../../dist/net/core/gro.js';
import {
  TCP_FLAG_ACK,
  TCP_FLAG_FIN,
  TCP_FLAG_PSH,
  TCP_FLAG_RST,
  TCP_FLAG_SYN,
  TCP_FLAG_URG,
} from '../../dist/net/core/headers/protocols.js';
import { NAPI } from '../../dist/net/core/napi.js';
import { napiDisable, netifNapiDel } from '../../dist/net/core/napi_control.js';
import { NET_DEVICE } from '../../dist/net/core/net_device.js';
import { built, counting, FROM_4, FROM_6, patched } from '../helpers/frames.js';
import { GroRig } from '../helpers/gro_rig.js';

const LEN = 100;
let rig: GroRig;

interface Segment {
  readonly port?: number;
  /** Which segment of the flow: its sequence number follows from it. */
  readonly i?: number;
  readonly len?: number;
  readonly flags?: number;
  readonly ack?: number;
  readonly window?: number;
}

/** A segment over IPv4 whose payload tells the place. */
function tcp(s: Segment = {}): Uint8Array {
  const { port = 1000, i = 0, len = LEN, flags = TCP_FLAG_ACK, ack = 7, window = 500 } = s;
  const payload = counting(len).map((b) => b + i);
  return built((b) =>
    writeTcp4(b, 0, {
      ...FROM_4,
      srcPort: port,
      dstPort: 80,
      seq: 1 + i * LEN,
      id: i,
      flags,
      ack,
      window,
      payload,
    }),
  );
}

function udp(i: number, len = LEN, port = 2000): Uint8Array {
  const payload = counting(len).map((b) => b + i);
  return built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: port, dstPort: 53, id: i, payload }));
}

/** The application got exactly these frames, in this order. */
function expectReceived(frames: readonly Uint8Array[]): void {
  expect(rig.drain().map((r) => r.bytes)).toEqual(frames);
}

beforeEach(() => {
  rig = new GroRig({ features: NETIF_F_GRO });
});

describe('chaining', () => {
  it('chains the segments of a flow, looks the socket up once, and gives every frame as it came', () => {
    const frames = Array.from({ length: 7 }, (_, i) => tcp({ i }));
    rig.receive(...frames);
    expect(rig.lookups).toBe(1);
    expect(rig.bm.m[rig.n.at + NAPI.groMerged]).toBe(6);
    expectReceived(frames);
    expect(rig.held()).toBe(0);
  });

  it('does so for IPv6', () => {
    const frames = [0, 1, 2].map((i) =>
      built((b) =>
        writeTcp6(b, 0, { ...FROM_6, srcPort: 9, dstPort: 80, seq: i * LEN, payload: counting(LEN) }),
      ),
    );
    rig.receive(...frames);
    expect(rig.lookups).toBe(1);
    expectReceived(frames);
  });

  it('chains at most 64 frames', () => {
    const frames = Array.from({ length: 63 }, (_, i) => tcp({ i }));
    const more = Array.from({ length: 10 }, (_, i) => tcp({ i: 63 + i }));
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 1_000_000;
    rig.receive(...frames);
    expect(rig.chains()).toEqual([63]);
    rig.receive(...more);
    expect(rig.chains()).toEqual([9]);
    expect(rig.lookups).toBe(1);
    expectReceived([...frames, more[0]]);
  });

  it('keeps flows apart', () => {
    const frames = [0, 1, 2].flatMap((i) => [tcp({ i }), tcp({ i, port: 1001 }), tcp({ i, port: 1002 })]);
    rig.receive(...frames);
    expect(rig.lookups).toBe(3);
    const got = rig.drain();
    for (const port of [1000, 1001, 1002]) {
      const of = (f: { srcPort: number }) => f.srcPort === port;
      expect(got.filter(of).map((r) => r.seq)).toEqual([0, 3, 6].map((s) => s + port - 1000));
    }
  });
});

describe('what ends a chain', () => {
  /** Frames of the flow that must not wait, or not join: they go up behind what is held, never before it. */
  const behind: [string, () => Uint8Array, string][] = [
    ['a pure ACK', () => tcp({ i: 2, len: 0 }), 'alone'],
    ['a segment with FIN', () => tcp({ i: 2, flags: TCP_FLAG_ACK | TCP_FLAG_FIN }), 'alone'],
    ['a segment with PSH', () => tcp({ i: 2, flags: TCP_FLAG_ACK | TCP_FLAG_PSH }), 'alone'],
    ['a segment with RST', () => tcp({ i: 2, flags: TCP_FLAG_RST }), 'alone'],
    ['a segment with SYN', () => tcp({ i: 2, flags: TCP_FLAG_SYN }), 'alone'],
    ['a segment with URG', () => tcp({ i: 2, flags: TCP_FLAG_ACK | TCP_FLAG_URG }), 'alone'],
    ['a padded frame', () => patched(new Uint8Array([...tcp({ i: 2 }), 0, 0]), 0, 2), 'alone'],
    ['a fault in the IP header’s checksum', () => patched(tcp({ i: 2 }), 24, 0xff, 0xff), 'alone'],
    ['a gap', () => tcp({ i: 3 }), 'held'],
    ['an old segment', () => tcp({ i: 0 }), 'held'],
    ['a longer segment', () => tcp({ i: 2, len: LEN + 1 }), 'held'],
    ['another acknowledgement', () => tcp({ i: 2, ack: 8 }), 'held'],
    ['another window', () => tcp({ i: 2, window: 501 }), 'held'],
  ];
  it.each(behind)('%s', (_what, frame, then) => {
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 1_000_000;
    const first = [tcp({ i: 0 }), tcp({ i: 1 })];
    rig.receive(...first);
    expect(rig.chains()).toEqual([2]);
    const f = frame();
    rig.receive(f);
    expect(rig.chains()).toEqual(then === 'held' ? [1] : []);
    expectReceived(then === 'held' ? first : [...first, f]);
    rig.bm.clock.us += 1000;
    hrtimerRunQueues(rig.ctx.cur);
    rig.softirq();
    expectReceived(then === 'held' ? [f] : []);
  });

  it('a shorter segment joins and is the last', () => {
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 1_000_000;
    const frames = [tcp({ i: 0 }), tcp({ i: 1 }), tcp({ i: 2, len: LEN - 1 })];
    rig.receive(...frames);
    expect(rig.chains()).toEqual([]);
    expect(rig.lookups).toBe(1);
    expectReceived(frames);
  });

  it('a frame longer than a buffer goes behind what is held of its flow', () => {
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 1_000_000;
    const frames = [tcp({ i: 0 }), tcp({ i: 1, len: 5000 })];
    rig.receive(frames[0]);
    expect(rig.held()).toBe(1);
    rig.receive(frames[1]);
    expectReceived(frames);
  });

  it('GRO switched off sends what is held of a flow first', () => {
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 1_000_000;
    rig.receive(tcp({ i: 0 }));
    rig.bm.m[rig.nic.dev + NET_DEVICE.features] = 0;
    rig.receive(tcp({ i: 1 }));
    expectReceived([tcp({ i: 0 }), tcp({ i: 1 })]);
  });

  it('other flows and other protocols do not', () => {
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 1_000_000;
    const echo = built((b) => writeIcmpEcho(b, 0, { ...FROM_4, payload: counting(40) }));
    rig.receive(tcp({ i: 0 }), tcp({ i: 0, port: 1001, len: 0 }), udp(0), echo);
    expect(rig.chains()).toEqual([1]);
    expectReceived([tcp({ i: 0, port: 1001, len: 0 }), udp(0), echo]);
  });
});

describe('features', () => {
  it('holds nothing without GRO', () => {
    rig = new GroRig({ features: 0, groFlushTimeoutNs: 1_000_000 });
    const frames = [tcp({ i: 0 }), tcp({ i: 1 }), tcp({ i: 2 })];
    rig.receive(...frames);
    expect(rig.lookups).toBe(3);
    expectReceived(frames);
  });

  it.each([
    ['not without rx-gro-list', NETIF_F_GRO, 5],
    ['with it', NETIF_F_GRO | NETIF_F_GRO_FRAGLIST, 1],
    ['not with it alone', NETIF_F_GRO_FRAGLIST, 5],
  ])('chains UDP %s', (_what, features, lookups) => {
    rig = new GroRig({ features });
    const frames = [0, 1, 2, 3, 4].map((i) => udp(i));
    rig.receive(...frames);
    expect(rig.lookups).toBe(lookups);
    expectReceived(frames);
  });
});

describe('delivery', () => {
  it('goes up in batches of gro_normal_batch frames', () => {
    const seen: number[] = [];
    // Each frame of an unpaired flow goes to the receive list at once.
    const frames = Array.from({ length: 20 }, (_, i) => udp(i));
    rig.ctx.net.sockLookups.unshift(() => {
      seen.push(rig.input.length);
      return null;
    });
    rig.check = () => {
      seen.push(-rig.rxCount);
    };
    rig.receive(...frames);
    const batch = [...[1, 2, 3, 4, 5, 6, 7].map((n) => -n), ...Array<number>(8).fill(0), -0];
    expect(seen).toEqual([...batch, ...batch, -1, -2, -3, -4, 0, 0, 0, 0]);
    expectReceived(frames);
  });

  it('counts a chain with all its frames towards the batch', () => {
    rig.receive(...Array.from({ length: 10 }, (_, i) => tcp({ i })), udp(0), tcp({ i: 10, len: 0 }), udp(1));
    expect(rig.drain().map((r) => r.seq)).toEqual([10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12]);
  });

  it('holds at most eight chains in a bucket: the oldest goes', () => {
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 1_000_000;
    const bucket = rig.hash(tcp({ port: 1000 })) & 7;
    const ports: number[] = [];
    for (let port = 1000; ports.length < 10; port++) {
      if ((rig.hash(tcp({ port })) & 7) === bucket) ports.push(port);
    }
    rig.receive(...ports.slice(0, 8).map((port) => tcp({ port })));
    expect(rig.chains()).toHaveLength(8);
    rig.receive(tcp({ port: ports[8] }));
    expectReceived([tcp({ port: ports[0] })]);
    rig.receive(tcp({ port: ports[1], i: 1 }), tcp({ port: ports[9] }));
    expectReceived([tcp({ port: ports[1] }), tcp({ port: ports[1], i: 1 })]);
    expect(rig.chains()).toHaveLength(8);
  });
});

describe('flushing', () => {
  it('holds nothing past complete without a time-out', () => {
    rig.receive(tcp({ i: 0 }));
    expectReceived([tcp({ i: 0 })]);
    expect(rig.unmasked).toEqual([true]);
    expect(rig.bm.timers(0)).toBe(0);
  });

  it('holds until the watchdog with gro_flush_timeout', () => {
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 20_000;
    rig.receive(tcp({ i: 0 }), tcp({ i: 1 }));
    expect(rig.unmasked).toEqual([true]);
    expectReceived([]);
    rig.bm.clock.us += 19;
    hrtimerRunQueues(rig.ctx.cur);
    rig.softirq();
    expectReceived([]);
    rig.bm.clock.us += 1;
    hrtimerRunQueues(rig.ctx.cur);
    rig.softirq();
    expectReceived([tcp({ i: 0 }), tcp({ i: 1 })]);
    expect(rig.bm.timers(0)).toBe(0);
  });

  it('goes on chaining over polls meanwhile', () => {
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 20_000;
    for (let i = 0; i < 5; i++) rig.receive(tcp({ i }));
    expect(rig.chains()).toEqual([5]);
  });

  it('sends chains older than a millisecond up at complete, however often the timer is put off', () => {
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 900_000;
    rig.receive(tcp({ i: 0 }));
    rig.bm.clock.us += 600;
    rig.receive(tcp({ i: 0, port: 1001 }));
    expect(rig.held()).toBe(2);
    rig.bm.clock.us += 600;
    rig.receive(udp(0));
    expect(
      rig
        .drain()
        .map((r) => r.srcPort)
        .sort(),
    ).toEqual([1000, 2000]);
    expect(rig.held()).toBe(1);
  });

  it('sends them up, too, when polls never complete', () => {
    rig.receive(tcp({ i: 0 }));
    rig.drain();
    rig.bm.clock.stepUs = 300;
    let held = 0;
    const check = rig.check.bind(rig);
    rig.check = () => {
      check();
      held = Math.max(held, rig.held());
    };
    // A flow's only segment, then other traffic at full weight: the segment goes up long before the end.
    rig.receive(tcp({ i: 5 }), ...Array.from({ length: 640 }, (_, i) => udp(i)));
    expect(held).toBe(1);
    const got = rig.drain();
    expect(got).toHaveLength(641);
    expect(got.findIndex((r) => r.srcPort === 1000)).toBeLessThan(400);
  });

  it('drops what is held of an instance that is deleted, and gives the buffers back', () => {
    rig.bm.m[rig.n.at + NAPI.groFlushTimeoutNs] = 1_000_000;
    const atRest = rig.nic.buffersAtRest();
    rig.receive(tcp({ i: 0 }), tcp({ i: 1 }), tcp({ i: 0, port: 1001 }));
    expect(rig.held()).toBe(3);
    napiDisable(rig.ctx.net, rig.n);
    netifNapiDel(rig.ctx.net, rig.n);
    expect(rig.bm.drops()).toEqual({ dev_ready: 3 });
    expect(rig.nic.buffersAtRest()).toBe(atRest);
    expect(rig.bm.timers(0)).toBe(0);
  });
});
