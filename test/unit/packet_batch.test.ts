// SPDX-License-Identifier: GPL-2.0-only
/** What an application sees of frames that came through the simulated NIC: bytes, ports, payload, flows. */
import { beforeEach, describe, expect, it } from 'vitest';
import { writeTcp4, writeUdp4, writeUdp6 } from '../../dist/drivers/net/frame_builder.js';
import type { Wire } from '../../dist/drivers/net/sim_nic_wire.js';
import type { ThreadContext } from '../../dist/threads/context.js';
import { BareMachine } from '../helpers/bare_machine.js';
import { BareApp, BareNic, type NicOptions, udpSocket } from '../helpers/bare_nic.js';
import { built, counting, FROM_4, FROM_6, ip4 } from '../helpers/frames.js';
import { longFrame, noise } from '../helpers/noise.js';

let bm: BareMachine;
let ctx: ThreadContext;
let nic: BareNic;
let wire: Wire;

/** A UDP frame; flow and number tell it from others. */
function udp(i: number, port = 9, flow = 0): Uint8Array {
  const payload = Uint8Array.of(i, i >>> 8, flow, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  return built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 4000 + flow, dstPort: port, payload }));
}

function boot(options: NicOptions = {}): void {
  bm = new BareMachine({ memoryBytes: 16 << 20 });
  ctx = bm.thread(0);
  nic = new BareNic(bm, ctx, options);
  nic.up();
  nic.settle();
  wire = nic.wire('drop');
}

beforeEach(() => boot());

describe('frames longer than a buffer', () => {
  it.each([2048, 2049, 4096, 9014, 65_226, 262_144])('%i bytes come out as they were', (len) => {
    boot({ ringSize: 128, poolSize: 512 });
    const app = new BareApp(bm, [nic.packetSocket()]);
    const frame = longFrame(len);
    for (let round = 0; round < 3; round++) {
      nic.send(wire, frame);
      nic.send(wire, frame.subarray(0, 100));
      wire.flush();
      nic.settle();
      const got = app.drain();
      // A frame of all 128 buffers leaves none for the short one.
      expect(got).toHaveLength(len === 262_144 ? 1 : 2);
      expect(Buffer.compare(got[0].bytes, frame)).toBe(0);
      if (got.length > 1) expect(got[1].bytes).toEqual(frame.slice(0, 100));
      nic.settle();
      expect(nic.buffersAtRest()).toBe(nic.poolSize);
    }
  });

  it('can be copied in part', () => {
    const app = new BareApp(bm, [nic.packetSocket()]);
    const frame = longFrame(7000);
    nic.send(wire, frame);
    wire.flush();
    nic.settle();
    const batch = app.app.tryRecv(1)!;
    for (const [from, length] of [
      [0, 7000],
      [2047, 2],
      [2048, 1],
      [3000, 3500],
      [6999, 1],
      [6999, 100],
      [7000, 1],
      [0, 0],
    ]) {
      expect(batch.copy(0, from, length)).toEqual(frame.slice(from, from + length));
    }
    expect(batch.copy(0, 6000)).toEqual(frame.slice(6000));
  });

  it('go to the socket of their port', () => {
    const app = new BareApp(bm, [udpSocket(ctx, 9), nic.packetSocket()]);
    const payload = noise(8000);
    nic.send(
      wire,
      built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 7, dstPort: 9, payload })),
    );
    wire.flush();
    nic.settle();
    const [got] = app.drain();
    expect([got.socket, got.srcPort, got.dstPort]).toEqual([0, 7, 9]);
    expect(Buffer.compare(got.payload, payload)).toBe(0);
  });

  it('whose headers go on past the first buffer are nobody’s but the packet socket’s', () => {
    const app = new BareApp(bm, [udpSocket(ctx, 9), nic.packetSocket()]);
    const plain = built((b) => writeUdp6(b, 0, { ...FROM_6, srcPort: 7, dstPort: 9, payload: counting(20) }));
    // Destination options of 2048 bytes between the IPv6 header and UDP.
    const options = new Uint8Array(2048);
    options.set([17, 255]);
    const frame = Uint8Array.from([...plain.subarray(0, 54), ...options, ...plain.subarray(54)]);
    frame[20] = 60;
    frame[18] = (2048 + 28) >>> 8;
    frame[19] = (2048 + 28) & 0xff;
    nic.send(wire, frame);
    wire.flush();
    nic.settle();
    const got = app.drain();
    expect(got.map((r) => r.socket)).toEqual([1]);
    expect(Buffer.compare(got[0].bytes, frame)).toBe(0);
  });
});

describe('a payload that nobody can tell', () => {
  it('is none where the headers cannot be read', () => {
    const app = new BareApp(bm, [nic.packetSocket()]);
    const frame = built((b) => writeUdp6(b, 0, { ...FROM_6, srcPort: 7, dstPort: 9, payload: counting(20) }));
    frame[18] = 0xff; // longer than the frame
    nic.send(wire, frame);
    nic.send(wire, frame.subarray(0, 13));
    wire.flush();
    nic.settle();
    const batch = app.app.tryRecv(2)!;
    for (const i of [0, 1]) {
      expect([batch.payloadOffset(i), batch.payloadLength(i)]).toEqual([0, 0]);
      expect(batch.payload(i)).toHaveLength(0);
    }
  });

  it('is 65535 bytes where it is longer', () => {
    boot({ ringSize: 128, poolSize: 512 });
    const app = new BareApp(bm, [nic.packetSocket()]);
    const frame = new Uint8Array(70_000);
    frame.set([0x88, 0xb5], 12); // an experimental EtherType
    nic.send(wire, frame);
    wire.flush();
    nic.settle();
    const batch = app.app.tryRecv(1)!;
    expect([batch.payloadOffset(0), batch.payloadLength(0)]).toEqual([14, 65_535]);
  });
});

describe('what the application sees', () => {
  it.each([2.5, 0, -1, 1e9, Number.NaN])(
    'every frame once, however many it asks for at a time: %d',
    (max) => {
      const app = new BareApp(bm, [udpSocket(ctx, 9)]);
      for (let i = 0; i < 40; i++) nic.send(wire, udp(i));
      wire.flush();
      nic.settle();
      const seqs: number[] = [];
      for (let calls = 0; calls < 100; calls++) {
        const batch = app.app.tryRecv(max);
        for (let i = 0; batch !== null && i < batch.count; i++) seqs.push(batch.seq(i));
      }
      expect(seqs).toEqual(Array.from({ length: 40 }, (_, i) => i));
      nic.settle();
      expect(nic.buffersAtRest()).toBe(nic.poolSize);
    },
  );

  it('of UDP with a tag and padding: ports, payload, length', () => {
    const app = new BareApp(bm, [udpSocket(ctx, 9)]);
    const payload = Uint8Array.of(1, 2, 3);
    const frame = built((b) =>
      writeUdp4(b, 0, { ...FROM_4, vlan: [5], pad: true, srcPort: 7, dstPort: 9, payload }),
    );
    nic.send(wire, frame);
    wire.flush();
    nic.settle();
    const [got] = app.drain();
    expect(got.bytes).toEqual(frame);
    expect([got.srcPort, got.dstPort, [...got.payload]]).toEqual([7, 9, [1, 2, 3]]);
  });

  it('of frames of different flows: different flows', () => {
    const app = new BareApp(bm, [nic.packetSocket()]);
    const tcp = built((b) =>
      writeTcp4(b, 0, { ...FROM_4, dstIp: ip4('10.0.0.9'), srcPort: 7, dstPort: 9, payload: counting(10) }),
    );
    for (const f of [udp(0), udp(1), udp(2, 9, 1), tcp]) nic.send(wire, f);
    wire.flush();
    nic.settle();
    const flows = app.drain().map((r) => r.flow);
    expect(flows[0]).toBe(flows[1]);
    expect(new Set(flows).size).toBe(3);
  });
});
