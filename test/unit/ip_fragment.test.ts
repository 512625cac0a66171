// SPDX-License-Identifier: GPL-2.0-only
/** Reassembly of UDP datagrams over IPv4: what comes out, what is dropped and why, and that every buffer comes back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hrtimerRunQueues } from '../../dist/kernel/hrtimer.js';
import { udpChecksumOk } from '../../dist/net/core/headers/checksum.js';
import { SKB_STRIDE } from '../../dist/net/core/skbuff.js';
import { DROP_DEV_READY, DROP_FRAG_REASM_TIMEOUT, NET } from '../../dist/net/core/softnet_data.js';
import { FQDIR, fragExit, fragFlush, IPQ } from '../../dist/net/ipv4/inet_fragment.js';
import { BareNic } from '../helpers/bare_nic.js';
import { type FragmentKey, FragRig, fragment, PORT, train } from '../helpers/fragments.js';
import { get16, keysOf } from '../helpers/frames.js';
import { noise } from '../helpers/noise.js';

/** Bytes that a fragment in one buffer counts for, and a queue. */
const BUFFER = SKB_STRIDE * 4;
const QUEUE = IPQ.SIZE * 4;

const reversed = <T>(list: readonly T[]): T[] => [...list].reverse();

/** A datagram's bytes behind the IP header: UDP header without a checksum, then noise. */
function ipData(len: number): Uint8Array {
  const data = noise(len);
  data.set([0, 7, 0, PORT, len >>> 8, len & 0xff, 0, 0]);
  return data;
}

/** The fragment of `data` from one place to another. */
function piece(data: Uint8Array, from: number, to: number, key: FragmentKey = {}): Uint8Array {
  return fragment(from, data.subarray(from, to), to < data.length, key);
}

/** Nothing waits, every buffer is back, and drops are what is given. */
function expectSettled(rig: FragRig, drops: { [reason: string]: number } = {}): void {
  expect(rig.bm.fragsHeld()).toEqual({ queues: 0, mem: 0 });
  expect(rig.atRest()).toBe(rig.nic.poolSize);
  expect(rig.bm.drops()).toEqual(drops);
}

describe('a datagram in fragments', () => {
  it.each([
    ['in order', (f: Uint8Array[]) => f],
    ['the other way round', reversed],
    [
      'even ones first',
      (f: Uint8Array[]) => [...f.filter((_, i) => i % 2 === 0), ...f.filter((_, i) => i % 2 === 1)],
    ],
  ])('%s comes out as one', (_how, order) => {
    for (const len of [1473, 2952, 4096, 64_000, 65_507]) {
      const rig = new FragRig({ ringSize: 128, poolSize: 512 });
      const payload = noise(len);
      const frames = train(payload, 1500);
      expect(frames.length).toBe(Math.ceil((len + 8) / 1480));
      const got = rig.bring(...order(frames));
      expect(got).toHaveLength(1);
      const [d] = got;
      expect([d.socket, d.srcPort, d.dstPort, d.frames]).toEqual([0, 7, PORT, frames.length]);
      expect(Buffer.compare(d.payload, payload)).toBe(0);
      // As if it had come in one piece.
      expect(d.bytes.length).toBe(14 + 20 + 8 + len);
      const keys = keysOf(d.bytes);
      expect([keys.status, keys.isFragment, keys.payloadLen]).toEqual([0, 0, len]);
      expect(udpChecksumOk(d.bytes, 14, 34, 8 + len)).toBe(true);
      // Its number is that of the fragment with the header, wherever that came.
      expect(d.seq).toBe(order(frames).indexOf(frames[0]));
      expectSettled(rig);
    }
  });

  it('comes when the last of them comes, between others', () => {
    const rig = new FragRig();
    const a = noise(4000);
    const b = noise(5001).subarray(1);
    const as = train(a, 1500, 1);
    const bs = train(b, 1500, 2);
    expect(rig.bring(as[0], bs[1])).toEqual([]);
    expect(rig.bring(as[2], bs[0], bs[3])).toEqual([]);
    expect(rig.bm.fragsHeld()).toEqual({ queues: 2, mem: 5 * BUFFER + 2 * QUEUE });
    expect(rig.bring(as[1]).map((d) => Buffer.compare(d.payload, a))).toEqual([0]);
    expect(rig.bring(bs[2]).map((d) => Buffer.compare(d.payload, b))).toEqual([0]);
    expect([rig.bm.fragWord(FQDIR.reasmReqds), rig.bm.fragWord(FQDIR.reasmOKs)]).toEqual([7, 2]);
    expect(rig.bm.fragWord(FQDIR.reasmFails)).toBe(0);
    expectSettled(rig);
  });

  it.each([
    ['id', { id: 2 }],
    ['source', { srcIp: [10, 0, 0, 3] }],
    ['destination', { dstIp: [10, 0, 0, 3] }],
  ])('is told from others by its %s', (_what, key) => {
    const rig = new FragRig();
    const data = ipData(32);
    expect(rig.bring(piece(data, 0, 16), piece(data, 16, 32, key))).toEqual([]);
    expect(rig.bm.fragsHeld().queues).toBe(2);
    expect(rig.bring(piece(data, 16, 32), piece(data, 0, 16, key))).toHaveLength(2);
    expectSettled(rig);
  });

  it('is not put together if it is no UDP, or nobody asked for it', () => {
    const rig = new FragRig();
    const data = ipData(32);
    const frames = [piece(data, 0, 16, { proto: 6 }), piece(data, 16, 32, { proto: 6 })];
    expect(rig.bring(...frames).map((d) => [d.socket, d.frames])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    rig.ctx.net.ipDefrag = null;
    expect(rig.bring(piece(data, 0, 16)).map((d) => [d.socket, d.bytes])).toEqual([[1, piece(data, 0, 16)]]);
    expectSettled(rig);
  });

  it('that came whole is passed by: it waits for nothing, and is not counted', () => {
    const rig = new FragRig();
    const payload = noise(100);
    const frames = [1, 1, 2].map((id) => train(payload, 1500, id)[0]);
    expect(rig.bring(...frames).map((d) => [d.socket, d.frames])).toEqual([1, 2, 3].map(() => [0, 1]));
    expect(rig.bm.fragWord(FQDIR.reasmReqds)).toBe(0);
    expectSettled(rig);
  });

  it('may come in frames of several buffers, and with padding', () => {
    const rig = new FragRig({ ringSize: 128, poolSize: 512 });
    const payload = noise(20_000);
    const frames = train(payload, 9000).map((f) => Uint8Array.from([...f, ...noise(300)]));
    expect(frames.map((f) => f.length)).toEqual([9310, 9310, 2390]);
    for (const order of [frames, reversed(frames)]) {
      const [d] = rig.bring(...order);
      expect(Buffer.compare(d.payload, payload)).toBe(0);
      expect([d.frames, d.bytes.length]).toEqual([3, 20_042]);
    }
    expectSettled(rig);
  });

  it('whose UDP length is not its own goes to the packet socket', () => {
    const rig = new FragRig();
    for (const [said, socket, payload] of [
      [41, 1, 40],
      [7, 1, 40],
      [40, 0, 32],
      [30, 0, 22],
    ]) {
      const data = ipData(40);
      data[5] = said;
      const [d] = rig.bring(piece(data, 0, 16), piece(data, 16, 40));
      expect([d.socket, d.payload.length]).toEqual([socket, payload]);
    }
    expectSettled(rig);
  });

  it('without a socket is dropped, and counted frame by frame', () => {
    const rig = new FragRig();
    const other = train(noise(4000), 1500).map((f) => f);
    for (const f of other) if (get16(f, 20) === 0x2000) f[37] = PORT + 1;
    const bare = new FragRig();
    bare.ctx.net.sockLookups.length = 1; // no packet socket
    expect(bare.bring(...other)).toEqual([]);
    expectSettled(bare, { no_socket: 3 });
    expect(rig.bring(...other).map((d) => [d.socket, d.frames])).toEqual([[1, 3]]);
  });
});

describe('what is refused', () => {
  const data = ipData(64);

  it('a duplicate alone: the same again, or part of what came in order', () => {
    const rig = new FragRig();
    rig.bring(piece(data, 0, 16), piece(data, 16, 40));
    expect(rig.bring(piece(data, 0, 16), piece(data, 16, 40), piece(data, 8, 32))).toEqual([]);
    expect(rig.bm.fragsHeld().queues).toBe(1);
    expect(rig.bring(piece(data, 40, 64)).map((d) => d.frames)).toEqual([3]);
    expectSettled(rig, { dup_frag: 3 });
    expect(rig.bm.fragWord(FQDIR.reasmFails)).toBe(0);
  });

  it.each([
    [
      'begins in what came',
      [
        [0, 24],
        [16, 40],
      ],
    ],
    [
      'ends in what came',
      [
        [24, 48],
        [16, 32],
      ],
    ],
    [
      'covers what came',
      [
        [16, 24],
        [8, 32],
      ],
    ],
    [
      'covers the last that came',
      [
        [0, 8],
        [48, 64],
        [40, 64],
      ],
    ],
    [
      'spans pieces that did not come in order',
      [
        [16, 24],
        [40, 48],
        [24, 32],
        [16, 32],
      ],
    ],
  ])('a fragment that %s: with all the others', (_what, pieces) => {
    const rig = new FragRig();
    expect(rig.bring(...pieces.map(([from, to]) => piece(data, from, to)))).toEqual([]);
    expectSettled(rig, { ip_reasm_overlap: pieces.length });
    expect([rig.bm.fragWord(FQDIR.reasmFails), rig.bm.fragWord(FQDIR.reasmOverlaps)]).toEqual([1, 1]);
    // The next datagram of that id begins anew.
    expect(rig.bring(piece(data, 0, 32), piece(data, 32, 64))).toHaveLength(1);
  });

  it.each([
    ['two ends', [fragment(16, noise(8), false), fragment(24, noise(8), false)]],
    ['an end before what came', [fragment(32, noise(8), true), fragment(8, noise(8), false)]],
    ['more behind the end', [fragment(16, noise(8), false), fragment(24, noise(8), true)]],
    ['no data', [fragment(0, noise(8), true), fragment(8, noise(0), true)]],
    ['less than 8 bytes of data, not the last', [fragment(0, noise(8), true), fragment(8, noise(7), true)]],
    ['bytes no datagram can have', [fragment(0, noise(8), true), fragment(65_512, noise(4), false)]],
  ])('%s: with all the others', (_what, frames) => {
    const rig = new FragRig();
    expect(rig.bring(...frames)).toEqual([]);
    expectSettled(rig, { ip_reasm_invalid: 2 });
    expect(rig.bm.fragWord(FQDIR.reasmFails)).toBe(1);
  });

  it('what does not end at a multiple of 8 is cut there, unless it is the last', () => {
    const rig = new FragRig();
    const got = rig.bring(fragment(0, data.subarray(0, 21), true), piece(data, 16, 64));
    expect(got.map((d) => d.bytes.slice(34))).toEqual([data]);
    expectSettled(rig);
  });

  it('a datagram that the options of its first fragment make too long', () => {
    const rig = new FragRig({ ringSize: 128, poolSize: 512 });
    const whole = ipData(65_515);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < whole.length; at += 1480)
      pieces.push(piece(whole, at, Math.min(at + 1480, whole.length)));
    const first = pieces[0];
    const options = Uint8Array.from([...first.subarray(0, 34), 1, 1, 1, 0, ...first.subarray(34)]);
    options[14] = 0x46;
    options[17] = (get16(first, 16) + 4) & 0xff;
    options[16] = (get16(first, 16) + 4) >>> 8;
    expect(rig.bring(options, ...pieces.slice(1))).toEqual([]);
    expectSettled(rig, { ip_reasm_invalid: pieces.length });
    expect(rig.bring(...pieces).map((d) => d.payload.length)).toEqual([65_507]);
  });
});

describe('what waits', () => {
  const data = ipData(64);

  it('ends after ipfrag_time, by a timer, though nothing else comes', () => {
    const rig = new FragRig();
    rig.bring(piece(data, 0, 16), piece(data, 32, 48));
    rig.bm.clock.us += 20e6;
    hrtimerRunQueues(rig.ctx.cur);
    rig.bring(piece(data, 0, 16, { id: 2 }));
    rig.bm.clock.us += 9.9e6;
    hrtimerRunQueues(rig.ctx.cur);
    expect(rig.bm.fragsHeld().queues).toBe(2);
    rig.bm.clock.us += 0.2e6;
    hrtimerRunQueues(rig.ctx.cur);
    expect(rig.bm.drops()).toEqual({ frag_reasm_timeout: 2 });
    expect(rig.bm.fragsHeld()).toEqual({ queues: 1, mem: BUFFER + QUEUE });
    rig.bm.clock.us += 20e6;
    hrtimerRunQueues(rig.ctx.cur);
    expectSettled(rig, { frag_reasm_timeout: 3 });
    expect([rig.bm.fragWord(FQDIR.reasmTimeout), rig.bm.fragWord(FQDIR.reasmFails)]).toEqual([2, 2]);
    // Nothing waits: the timer rests, and is there again when something does.
    rig.bm.clock.us += 2e6;
    hrtimerRunQueues(rig.ctx.cur);
    expect(rig.bm.timers(0)).toBe(0);
    rig.bring(piece(data, 0, 16, { id: 3 }));
    expect(rig.bm.timers(0)).toBe(1);
  });

  it('ends when another fragment comes late enough, and does not take it for its own', () => {
    const rig = new FragRig();
    rig.bring(piece(data, 0, 32));
    rig.bm.clock.us += 31e6;
    expect(rig.bring(piece(data, 32, 64))).toEqual([]);
    expect(rig.bm.drops()).toEqual({ frag_reasm_timeout: 1 });
    expect(rig.bm.fragsHeld().queues).toBe(1);
    expect(rig.bring(piece(data, 0, 32))).toHaveLength(1);
    expectSettled(rig, { frag_reasm_timeout: 1 });
  });

  it.each([
    [64, 63, 1],
    [64, 64, 0],
    [0, 500, 1],
  ])(
    'is another datagram, with ipfrag_max_dist %i, once %i others of its sender came: %i whole',
    (max, others, whole) => {
      const rig = new FragRig({ ringSize: 64, poolSize: 1024 });
      rig.bm.m[rig.bm.at + NET.ipfragMaxDist] = max;
      rig.bring(piece(data, 0, 32));
      // Those of others do not count.
      for (let id = 0; id < 100; id++) rig.bring(piece(data, 0, 32, { id, srcIp: [10, 9, 9, 9] }));
      for (let id = 0; id < others; id++) rig.bring(piece(data, 0, 32, { id: 1000 + id }));
      expect(rig.bring(piece(data, 32, 64))).toHaveLength(whole);
      expect(rig.bm.drops()).toEqual(whole === 1 ? {} : { frag_too_far: 1 });
      // What begins anew can become whole.
      if (whole === 0) expect(rig.bring(piece(data, 0, 32))).toHaveLength(1);
      fragExit(rig.ctx.net);
      expectSettled(rig, { frag_reasm_timeout: 100 + others, ...(whole === 1 ? {} : { frag_too_far: 1 }) });
    },
  );

  it('heeds a time-out that is made shorter while it waits', () => {
    const rig = new FragRig();
    rig.bring(piece(data, 0, 32));
    rig.bm.m[rig.bm.at + NET.ipfragTime] = 2;
    for (let i = 0; i < 3; i++) {
      rig.bm.clock.us += 1e6;
      hrtimerRunQueues(rig.ctx.cur);
    }
    expectSettled(rig, { frag_reasm_timeout: 1 });
  });

  it('is bounded: above the limit nothing is taken, until something ends', () => {
    const rig = new FragRig({ ringSize: 64, poolSize: 256 });
    const limit = 20 * (BUFFER + QUEUE);
    rig.bm.m[rig.bm.at + NET.ipfragHighThresh] = limit;
    for (let id = 0; id < 100; id++) rig.bring(piece(data, 0, 32, { id }));
    // The one that goes over the limit is still taken.
    expect(rig.bm.fragsHeld()).toEqual({ queues: 21, mem: 21 * (BUFFER + QUEUE) });
    expect(rig.bm.drops()).toEqual({ ip_reasm_nomem: 79 });
    expect(rig.bm.fragWord(FQDIR.reasmFails)).toBe(79);
    expect(rig.atRest()).toBe(256 - 21);
    // Not even what would make one whole.
    expect(rig.bring(piece(data, 32, 64, { id: 5 }))).toEqual([]);
    rig.bm.clock.us += 31e6;
    hrtimerRunQueues(rig.ctx.cur);
    expectSettled(rig, { ip_reasm_nomem: 80, frag_reasm_timeout: 21 });
    expect(rig.bring(piece(data, 0, 32), piece(data, 32, 64))).toHaveLength(1);
  });

  it('is not taken at all with a limit of 0', () => {
    const rig = new FragRig();
    rig.bm.m[rig.bm.at + NET.ipfragHighThresh] = 0;
    expect(rig.bring(piece(data, 0, 32), piece(data, 32, 64))).toEqual([]);
    expectSettled(rig, { ip_reasm_nomem: 2 });
  });

  it('survives a flood of single fragments and ends with the machine', () => {
    const rig = new FragRig({ ringSize: 1024, poolSize: 4096 });
    for (let id = 0; id < 5000; id += 100) {
      rig.bring(...Array.from({ length: 100 }, (_, i) => piece(data, 0, 32, { id: id + i })));
    }
    const { queues, mem } = rig.bm.fragsHeld();
    expect(mem).toBe(queues * (BUFFER + QUEUE));
    expect(mem - (BUFFER + QUEUE)).toBeLessThanOrEqual(4 << 20);
    expect(mem).toBeGreaterThan(4 << 20);
    fragExit(rig.ctx.net);
    expectSettled(rig, { ip_reasm_nomem: 5000 - queues, frag_reasm_timeout: queues });
    expect(rig.bm.timers(0)).toBe(0);
  });
});

describe('fragments of one datagram by two devices', () => {
  function rigs(): { rig: FragRig; other: BareNic } {
    const rig = new FragRig();
    const other = new BareNic(rig.bm, rig.bm.thread(1));
    other.up();
    other.settle();
    return { rig, other };
  }

  /** Frames by turns, the first by `rig`. */
  function bringBoth({ rig, other }: { rig: FragRig; other: BareNic }, frames: readonly Uint8Array[]): void {
    const wire = other.wire('drop');
    frames.forEach((frame, i) => {
      if (i % 2 === 0) {
        rig.nic.send(rig.wire, frame);
        rig.wire.flush();
        rig.nic.settle();
      } else {
        other.send(wire, frame);
        wire.flush();
        other.settle([other.ctx]);
      }
    });
  }

  function expectAllBack({ rig, other }: { rig: FragRig; other: BareNic }): void {
    rig.nic.settle([rig.ctx, other.ctx]);
    expect(rig.nic.buffersAtRest()).toBe(rig.nic.poolSize);
    expect(other.buffersAtRest()).toBe(other.poolSize);
  }

  it.each([4, 5])('are put together, and each buffer goes back to its own pool: %i of them', (n) => {
    const both = rigs();
    const payload = noise(n * 1480 - 8);
    bringBoth(both, train(payload, 1500));
    const got = both.rig.app.drain();
    expect(got.map((d) => [d.frames, Buffer.compare(d.payload, payload)])).toEqual([[n, 0]]);
    expectAllBack(both);
  });

  it.each([4, 5])('go back to their own pools from a poll that drops them, too: %i of them', (n) => {
    const both = rigs();
    for (const { net } of [both.rig.ctx, both.other.ctx]) net.sockLookups.length = 0;
    bringBoth(both, train(noise(n * 1480 - 8), 1500));
    expect(both.rig.bm.drops()).toEqual({ no_socket: n });
    expectAllBack(both);
  });

  it('are given up when one of the devices goes, others are not', () => {
    const both = rigs();
    const { rig, other } = both;
    const frames = train(noise(5000), 1500);
    bringBoth(both, frames.slice(0, 3));
    rig.bring(piece(ipData(64), 0, 32, { id: 7 }));
    fragFlush(rig.ctx.net, other.dev, DROP_DEV_READY);
    expect(rig.bm.drops()).toEqual({ dev_ready: 3 });
    expect(rig.bm.fragsHeld().queues).toBe(1);
    expect(rig.bring(piece(ipData(64), 32, 64, { id: 7 }))).toHaveLength(1);
    expectAllBack(both);
  });
});

/** A fragment of the random test: blocks of 8 bytes from one to before another, 255 at most. */
interface RandomFragment {
  readonly from: number;
  readonly blocks: number;
  readonly last: boolean;
  readonly fill: number;
}

/**
 * The rules once more, block by block: who brought each of them. @returns what each fragment comes to: 'wait', a reason, or
 * the bytes of the datagram that is whole with it
 */
class Reference {
  /** For each block: the run that brought it, and its byte. */
  private run: number[] = [];
  private fill: number[] = [];
  private len = 0;
  private end = -1;
  private runs = 0;
  private lastRun = 0;
  private lastEnd = 0;
  held = 0;

  private reset<T>(answer: T): T {
    Object.assign(this, { run: [], fill: [], len: 0, end: -1, runs: 0, lastRun: 0, lastEnd: 0, held: 0 });
    return answer;
  }

  take(f: RandomFragment): 'wait' | 'dup' | 'overlap' | 'invalid' | number[] {
    const to = f.from + f.blocks;
    if (f.last && (to < this.len || (this.end >= 0 && this.end !== to))) return this.reset('invalid');
    if (!f.last && this.end >= 0 && to > this.len) return this.reset('invalid');
    if (f.last) this.end = to;
    this.len = Math.max(this.len, to);
    const there = this.run.slice(f.from, to);
    const runs = new Set(Array.from({ length: f.blocks }, (_, i) => there[i] ?? 0));
    if (!(runs.size === 1 && runs.has(0))) {
      return runs.size === 1 ? 'dup' : this.reset('overlap');
    }
    const joins = this.held > 0 && f.from === this.lastEnd;
    const run = joins ? this.lastRun : ++this.runs;
    if (to > this.lastEnd) [this.lastRun, this.lastEnd] = [run, to];
    for (let i = f.from; i < to; i++) [this.run[i], this.fill[i]] = [run, f.fill];
    this.held++;
    for (let i = 0; i < this.len; i++) if ((this.run[i] ?? 0) === 0) return 'wait';
    return this.end < 0 ? 'wait' : this.fill.slice(0, this.len);
  }
}

describe('whatever comes', () => {
  const randomFragment = fc.record({
    from: fc.integer({ min: 0, max: 7 }),
    blocks: fc.integer({ min: 1, max: 4 }),
    last: fc.boolean(),
    fill: fc.integer({ min: 1, max: 255 }),
  });
  const shuffledTrain = fc
    .record({
      cuts: fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 12 }),
      keys: fc.array(fc.integer(), { minLength: 14, maxLength: 14 }),
      again: fc.array(fc.nat({ max: 13 }), { maxLength: 3 }),
    })
    .map(({ cuts, keys, again }): RandomFragment[] => {
      const at = [0, ...cuts.sort((a, b) => a - b), 31];
      const frags = at.slice(0, -1).map((from, i) => ({
        from,
        blocks: at[i + 1] - from,
        last: i === at.length - 2,
        fill: i + 1,
      }));
      const order = frags.map((f, i) => ({ f, key: keys[i] })).sort((a, b) => a.key - b.key);
      return [...order.map(({ f }) => f), ...again.map((i) => frags[i % frags.length])];
    });

  it('datagrams, drops and what waits are those of the rules, and no buffer is lost', () => {
    const rig = new FragRig({ ringSize: 64, poolSize: 256 });
    const { m, at } = rig.bm;
    fc.assert(
      fc.property(fc.oneof(fc.array(randomFragment, { maxLength: 12 }), shuffledTrain), (frags) => {
        fragFlush(rig.ctx.net, 0, DROP_FRAG_REASM_TIMEOUT); // a run that failed
        const reference = new Reference();
        const wanted: { [reason: string]: number } = {};
        const drop = (reason: string, n: number): void => {
          wanted[reason] = (wanted[reason] ?? 0) + n;
        };
        m.fill(0, at + NET.drops, at + NET.drops + 32);
        for (const f of frags) {
          const data = new Uint8Array(f.blocks * 8).fill(f.fill);
          // Not a fragment: such a frame does not come here.
          if (f.from === 0 && f.last) continue;
          const held = reference.held;
          const answer = reference.take(f);
          const got = rig.bring(fragment(f.from * 8, data, !f.last));
          if (answer === 'dup') drop('dup_frag', 1);
          else if (answer === 'overlap') drop('ip_reasm_overlap', held + 1);
          else if (answer === 'invalid') drop('ip_reasm_invalid', held + 1);
          if (Array.isArray(answer)) {
            expect(got.map((d) => [d.frames, d.bytes.slice(34)])).toEqual([
              [held + 1, Uint8Array.from(answer.flatMap((byte) => Array(8).fill(byte)))],
            ]);
            Object.assign(reference, new Reference());
          } else {
            expect(got).toEqual([]);
          }
          expect(rig.bm.drops()).toEqual(wanted);
          const { queues, mem } = rig.bm.fragsHeld();
          expect(mem).toBe(queues * QUEUE + reference.held * BUFFER);
          expect(rig.atRest()).toBe(256 - reference.held);
        }
        fragFlush(rig.ctx.net, 0, DROP_FRAG_REASM_TIMEOUT);
        expect(rig.bm.fragsHeld()).toEqual({ queues: 0, mem: 0 });
        expect(rig.atRest()).toBe(256);
      }),
      { numRuns: 400 },
    );
  });
});
