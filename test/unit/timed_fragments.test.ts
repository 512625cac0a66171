// SPDX-License-Identifier: GPL-2.0-only
/** Datagrams longer than the MTU, as the frame builder writes them and as a timed wire brings them. */
import { describe, expect, it } from 'vitest';
import { udp4Frames, writeUdp4, writeUdp4Frames } from '../../dist/drivers/net/frame_builder.js';
import { NIC_QUEUE } from '../../dist/drivers/net/sim_nic.js';
import { TIMED_WIRE } from '../../dist/drivers/net/sim_nic_timed.js';
import { timedAttach, timedDetach } from '../../dist/drivers/net/sim_nic_timed_main.js';
import { type TimedParams, timedCreate } from '../../dist/drivers/net/sim_nic_timed_make.js';
import { ipv4HeaderChecksumOk, udpChecksumOk } from '../../dist/net/core/headers/checksum.js';
import { BareMachine } from '../helpers/bare_machine.js';
import { BareApp, BareNic, type Received } from '../helpers/bare_nic.js';
import { built, FROM_4, get16, ip4, keysOf } from '../helpers/frames.js';
import { noise } from '../helpers/noise.js';

const UDP = { ...FROM_4, srcPort: 7, dstPort: 9, id: 77 };

/** What frames carry behind their IP headers, in one piece behind the first one's headers. */
function joined(frames: readonly Uint8Array[]): Uint8Array {
  const whole = Uint8Array.from(
    frames.flatMap((f, i) => [...f.subarray(i === 0 ? 0 : 34, 14 + get16(f, 16))]),
  );
  whole.set([(whole.length - 14) >>> 8, (whole.length - 14) & 0xff, 0, 0], 16);
  return whole;
}

describe('writeUdp4Frames', () => {
  it.each([
    [1480, 1500, 2],
    [1473, 1500, 2],
    [65_507, 1500, 45],
    [65_507, 68, 1365],
    [5000, 1006, 6],
  ])('%i bytes of payload, MTU %i: %i fragments that make the datagram', (len, mtu, count) => {
    const stride = (mtu + 14 + 63) & ~63;
    const payload = noise(len);
    const b = new Uint8Array(stride * count).fill(0xee);
    expect(udp4Frames(len, mtu)).toBe(count);
    expect(writeUdp4Frames(b, 0, stride, { ...UDP, payload }, mtu)).toBe(count);
    const frames = Array.from({ length: count }, (_, k) => {
      const at = k * stride;
      const end = at + 14 + get16(b, at + 16);
      // Not a byte behind it.
      expect(b.subarray(end, at + stride).every((byte) => byte === 0xee)).toBe(true);
      return b.slice(at, end);
    });
    let offset = 0;
    frames.forEach((frame, k) => {
      const keys = keysOf(frame);
      expect([keys.status, keys.isFragment, keys.fragOff]).toEqual([0, 1, offset]);
      expect([get16(frame, 18), (frame[20] & 0x20) !== 0]).toEqual([77, k < count - 1]);
      expect(frame.length - 14).toBeLessThanOrEqual(mtu);
      expect(ipv4HeaderChecksumOk(frame, 14)).toBe(true);
      offset += keys.payloadLen;
    });
    const whole = joined(frames);
    expect(Buffer.compare(whole.subarray(42), payload)).toBe(0);
    expect(udpChecksumOk(whole, 14, 34, 8 + len)).toBe(true);
    // The same checksum as in one piece, where there can be one.
    const one = built((bytes) => writeUdp4(bytes, 0, { ...UDP, payload }));
    expect(get16(whole, 40)).toBe(get16(one, 40));
  });

  it('what fits is a frame and no fragment', () => {
    for (const len of [0, 10, 1472]) {
      const payload = noise(len);
      const b = new Uint8Array(2048);
      expect(writeUdp4Frames(b, 0, 2048, { ...UDP, payload }, 1500)).toBe(1);
      const one = built((bytes) => writeUdp4(bytes, 0, { ...UDP, payload }));
      expect(b.slice(0, one.length)).toEqual(one);
    }
  });

  it('keeps what stands at the places of the payload, and pads the last frame', () => {
    const b = noise(3 * 1536);
    const was = b.slice();
    writeUdp4Frames(b, 0, 1536, { ...UDP, payloadLen: 1472 + 1480 + 8, pad: true }, 1500);
    expect(b.slice(42, 1514)).toEqual(was.slice(42, 1514));
    expect(b.slice(1536 + 34, 1536 + 1514)).toEqual(was.slice(1536 + 34, 1536 + 1514));
    expect([...b.slice(3072 + 42, 3072 + 60)]).toEqual(Array(18).fill(0));
    expect(b.slice(3072 + 60)).toEqual(was.slice(3072 + 60));
    const whole = joined([b.slice(0, 1514), b.slice(1536, 3050), b.slice(3072)]);
    expect(udpChecksumOk(whole, 14, 34, 8 + 2960)).toBe(true);
  });

  it.each([
    [{ payloadLen: 65_508 }, 1500, 1536, /65536 is above 65535/],
    [{ payloadLen: 100 }, 67, 1536, /MTU of 67/],
    [{ payloadLen: 3000 }, 1500, 1513, /longer stride/],
    [{ payloadLen: 9000 }, 1500, 1536, /does not fit/],
  ])('refuses %o, MTU %i, stride %i', (p, mtu, stride, message) => {
    expect(() => writeUdp4Frames(new Uint8Array(8192), 0, stride, { ...UDP, ...p }, mtu)).toThrow(message);
  });
});

/** What a wire brings, up to its end; fragments go up as they are. */
function brought(params: Partial<TimedParams>, count: number): { frames: Received[]; bytes: number }[] {
  const bm = new BareMachine({ memoryBytes: 32 << 20 });
  const ctx = bm.thread(0);
  const nic = new BareNic(bm, ctx, { ringSize: 512, poolSize: 2048 });
  nic.up();
  nic.settle();
  const app = new BareApp(bm, [nic.packetSocket()]);
  const queue = nic.queues[0].at;
  return [0, 1].map(() => {
    const wire = timedCreate(ctx.net, nic.dev, {
      queue: 0,
      frameBytes: 64,
      flows: [1, 2, 3].map((i) => ({ srcIp: ip4(`10.0.0.${i}`), srcPort: i, dstPort: 9 })),
      dstIp: ip4('10.1.0.1'),
      startInNs: 0,
      periodNs: 1,
      count,
      ...params,
    });
    timedAttach(ctx.driver, wire, 0);
    bm.clock.us += 1000;
    nic.settle();
    expect(bm.m[wire + TIMED_WIRE.done]).toBe(1);
    const before = ctx.net.f[(queue + NIC_QUEUE.rxBytes) >> 1];
    expect(timedDetach(ctx.driver, nic.dev)).toMatchObject({ arrived: count, missed: 0, dropped: 0 });
    const frames = app.drain();
    nic.settle();
    expect(nic.buffersAtRest()).toBe(nic.poolSize);
    return { frames, bytes: before };
  });
}

describe('a timed wire of datagrams', () => {
  it('brings them frame by frame, flows in turn, each with an identification and a number of its own', () => {
    const train = 3;
    const count = 300;
    const runs = brought({ datagram: { bytes: 4096, mtu: 1500 } }, count);
    const all = runs.flatMap(({ frames }) => frames);
    expect(all.map((r) => r.seq)).toEqual(Array.from({ length: 2 * count }, (_, i) => i));
    const ids = new Set<string>();
    for (let i = 0; i < all.length; i += train) {
      const frames = all.slice(i, i + train).map((r) => r.bytes);
      expect(frames.map((f) => f.length)).toEqual([1514, 1514, 14 + 20 + 4104 - 2960]);
      for (const f of frames) expect(ipv4HeaderChecksumOk(f, 14)).toBe(true);
      expect(frames.map((f) => keysOf(f).fragOff)).toEqual([0, 1480, 2960]);
      const flow = ((i / train) % (count / train)) % 3;
      expect([...frames[0].slice(26, 30)]).toEqual([10, 0, 0, flow + 1]);
      const key = [...frames[0].slice(18, 20), ...frames[0].slice(26, 34)].join();
      for (const f of frames) expect([...f.slice(18, 20), ...f.slice(26, 34)].join()).toBe(key);
      ids.add(key);
      const whole = joined(frames);
      expect(udpChecksumOk(whole, 14, 34, 8 + 4096)).toBe(true);
      expect([...whole.slice(42, 46)]).toEqual([0, 0, i >>> 8, i & 0xff]);
    }
    // No two of one flow have the same, those of the next wire neither.
    expect(ids.size).toBe((2 * count) / train);
    expect(runs[0].bytes).toBe(all.slice(0, count).reduce((sum, r) => sum + r.bytes.length, 0));
  });

  it('all fragments of a flow have one receive hash, other flows others', () => {
    const [{ frames }] = brought({ datagram: { bytes: 3000, mtu: 1500 } }, 9);
    const flows = frames.map((r) => r.flow);
    expect(new Set(flows.slice(0, 3)).size).toBe(1);
    expect(new Set(flows).size).toBe(3);
  });

  it('brings what fits as frames, padded', () => {
    const [{ frames }] = brought({ datagram: { bytes: 1, mtu: 1500 } }, 6);
    expect(frames.map((r) => [r.bytes.length, r.payload.length, r.srcPort])).toEqual(
      [1, 2, 3, 1, 2, 3].map((port) => [60, 1, port]),
    );
    for (const r of frames) expect(udpChecksumOk(r.bytes, 14, 34, 9)).toBe(true);
  });
});
