// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  payloadOffset,
  type TcpParams,
  type UdpParams,
  writeArp,
  writeIcmp6Echo,
  writeIcmpEcho,
  writeTcp4,
  writeTcp6,
  writeUdp4,
  writeUdp6,
} from '../../dist/drivers/net/frame_builder.js';
import { DISSECT_OK, dissect, FlowKeys } from '../../dist/net/core/flow_dissector.js';
import { TCP_FLAG_AE, TCP_FLAG_FIN } from '../../dist/net/core/headers/protocols.js';
import { built, counting, FROM_4, FROM_6, get16, ip4, keysOf, MAC_A, MAC_B } from '../helpers/frames.js';

/** One's complement sum of byte runs, each begun at an even place: 0xffff if a right checksum is among them. */
function sumOf(...runs: (Uint8Array | number[])[]): number {
  let sum = 0;
  for (const run of runs) {
    for (let i = 0; i < run.length; i += 2) sum += run[i] * 256 + (run[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

/** Are the IP and upper-layer checksums of a frame right, worked out from its bytes and its keys alone? */
function checksumsRight(b: Uint8Array, k: FlowKeys): boolean {
  const ip = b.slice(k.l3Off, k.l4Off);
  const upper = b.slice(k.l4Off, k.l3Off + k.ipTotLen);
  const addresses = b.slice(k.srcAddrOff, k.srcAddrOff + 2 * k.addrLen);
  const pseudo = k.ipProto === 1 ? [] : [...addresses, 0, k.ipProto, upper.length >>> 8, upper.length & 0xff];
  return (k.ipVersion === 6 || sumOf(ip) === 0xffff) && sumOf(pseudo, upper) === 0xffff;
}

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });
const address = (len: number) => fc.uint8Array({ minLength: len, maxLength: len });
const u16 = fc.nat(0xffff);
const flow = (addrLen: number) =>
  fc.record({
    srcMac: mac,
    dstMac: mac,
    srcIp: address(addrLen),
    dstIp: address(addrLen),
    ttl: fc.nat(255),
    tos: fc.nat(255),
    id: u16,
    flowLabel: fc.nat(0xfffff),
    vlan: fc.array(u16, { maxLength: 2 }),
    pad: fc.boolean(),
    srcPort: u16,
    dstPort: u16,
    payload: fc.uint8Array({ maxLength: 100 }),
  });
const versionAndFlow = fc
  .constantFrom(4 as const, 6 as const)
  .chain((version) => fc.tuple(fc.constant(version), flow(version === 4 ? 4 : 16)));

/** What every frame must be, whatever its protocol. `b` was all 0xee before. */
function checkFrame(b: Uint8Array, off: number, len: number, p: UdpParams, version: 4 | 6): FlowKeys {
  const keys = new FlowKeys();
  expect(dissect(b, off, len, keys)).toBe(DISSECT_OK);
  expect(keys).toMatchObject({ ipVersion: version, vlanCount: p.vlan!.length, vlanTci: p.vlan![0] ?? 0 });
  expect([...b.slice(off, off + 12)]).toEqual([...p.dstMac, ...p.srcMac]);
  expect([...b.slice(keys.srcAddrOff, keys.dstAddrOff)]).toEqual([...p.srcIp]);
  expect([...b.slice(keys.dstAddrOff, keys.dstAddrOff + keys.addrLen)]).toEqual([...p.dstIp]);
  expect([...b.slice(keys.payloadOff, keys.payloadOff + keys.payloadLen)]).toEqual([...p.payload!]);
  expect(checksumsRight(b, keys)).toBe(true);
  const ipEnd = keys.l3Off + keys.ipTotLen;
  expect(off + len).toBe(p.pad === true ? Math.max(off + 60, ipEnd) : ipEnd);
  expect(b.subarray(ipEnd, off + len).every((byte) => byte === 0)).toBe(true);
  expect(b.subarray(0, off).every((byte) => byte === 0xee)).toBe(true);
  expect(b.subarray(off + len).every((byte) => byte === 0xee)).toBe(true);
  if (version === 4) {
    expect(b[keys.l3Off + 8]).toBe(p.ttl);
    expect(b[keys.l3Off + 1]).toBe(p.tos);
    expect(get16(b, keys.l3Off + 4)).toBe(p.id);
  } else {
    const word = get16(b, keys.l3Off) * 65536 + get16(b, keys.l3Off + 2);
    expect(word).toBe(6 * 2 ** 28 + p.tos! * 2 ** 20 + p.flowLabel!);
    expect(b[keys.l3Off + 7]).toBe(p.ttl);
  }
  return keys;
}

describe('frame builder', () => {
  it('writes UDP frames that are read back as asked, with right checksums', () => {
    fc.assert(
      fc.property(versionAndFlow, fc.nat(9), ([version, p], off) => {
        const b = new Uint8Array(400).fill(0xee);
        const len = (version === 4 ? writeUdp4 : writeUdp6)(b, off, p);
        const keys = checkFrame(b, off, len, p, version);
        expect(keys).toMatchObject({ ipProto: 17, srcPort: p.srcPort, dstPort: p.dstPort });
        expect(get16(b, keys.l4Off + 6)).not.toBe(0);
        expect(payloadOffset(p, version, 8)).toBe(keys.payloadOff - off);
      }),
    );
  });

  it('writes TCP frames that are read back as asked, with right checksums', () => {
    const tcp = fc.record({
      seq: fc.nat(0xffffffff),
      ack: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      flags: fc.nat(0x1ff),
      window: u16,
      options: fc.nat(10).chain((words) => address(words * 4)),
    });
    fc.assert(
      fc.property(versionAndFlow, tcp, ([version, common], own) => {
        const b = new Uint8Array(400).fill(0xee);
        const p: TcpParams = { ...common, ...own };
        const len = (version === 4 ? writeTcp4 : writeTcp6)(b, 3, p);
        const keys = checkFrame(b, 3, len, common, version);
        expect(keys).toMatchObject({
          ipProto: 6,
          srcPort: p.srcPort,
          dstPort: p.dstPort,
          tcpSeq: own.seq | 0,
          tcpAck: own.ack,
          tcpFlags: own.flags,
          tcpWindow: own.window,
          tcpHdrLen: 20 + own.options.length,
        });
        expect([...b.slice(keys.l4Off + 20, keys.payloadOff)]).toEqual([...own.options]);
      }),
    );
  });

  it('writes echo requests and replies', () => {
    fc.assert(
      fc.property(versionAndFlow, u16, u16, fc.boolean(), ([version, p], ident, seq, reply) => {
        const b = new Uint8Array(400).fill(0xee);
        const write = version === 4 ? writeIcmpEcho : writeIcmp6Echo;
        const keys = checkFrame(b, 1, write(b, 1, { ...p, ident, seq, reply }), p, version);
        const type = version === 4 ? (reply ? 0 : 8) : reply ? 129 : 128;
        expect(keys).toMatchObject({ ipProto: version === 4 ? 1 : 58, icmpType: type, icmpCode: 0 });
        expect([get16(b, keys.l4Off + 4), get16(b, keys.l4Off + 6)]).toEqual([ident, seq]);
      }),
    );
  });

  it('writes ARP, tagged and padded', () => {
    const b = new Uint8Array(100).fill(0xee);
    const len = writeArp(b, 2, {
      srcMac: MAC_A,
      dstMac: new Uint8Array(6).fill(0xff),
      vlan: [100],
      pad: true,
      op: 1,
      senderMac: MAC_A,
      senderIp: ip4('10.0.0.1'),
      targetMac: new Uint8Array(6),
      targetIp: ip4('10.0.0.2'),
    });
    expect(len).toBe(60);
    const packet = [0, 1, 8, 0, 6, 4, 0, 1, ...MAC_A, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2];
    const head = [...new Array(6).fill(0xff), ...MAC_A, 0x81, 0, 0, 100, 8, 6];
    expect([...b.slice(2, 62)]).toEqual([...head, ...packet, ...new Array(14).fill(0)]);
    expect(b[1] & b[62]).toBe(0xee);
  });

  it('uses Linux defaults where nothing is said', () => {
    const udp = built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 1, dstPort: 2 }));
    expect(udp.length).toBe(42);
    expect([...udp.slice(14, 24)]).toEqual([0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17]);
    const fragmentable = built((b) =>
      writeUdp4(b, 0, { ...FROM_4, srcPort: 1, dstPort: 2, dontFragment: false }),
    );
    expect(get16(fragmentable, 20)).toBe(0);
    const tcp = keysOf(built((b) => writeTcp4(b, 0, { ...FROM_4, srcPort: 1, dstPort: 2 })));
    expect(tcp).toMatchObject({ tcpFlags: 0x10, tcpWindow: 65535, tcpHdrLen: 20 });
    const flags = keysOf(
      built((b) => writeTcp4(b, 0, { ...FROM_4, srcPort: 1, dstPort: 2, flags: TCP_FLAG_AE | TCP_FLAG_FIN })),
    );
    expect(flags.tcpFlags).toBe(TCP_FLAG_AE | TCP_FLAG_FIN);
  });

  it('sums a payload that stands in place already', () => {
    const b = new Uint8Array(200).fill(0xee);
    const p = { ...FROM_6, srcPort: 1, dstPort: 2, vlan: [5], payloadLen: 33 };
    b.set(counting(33), 10 + payloadOffset(p, 6, 8));
    const len = writeUdp6(b, 10, p);
    checkFrame(b, 10, len, { ...p, ttl: 64, tos: 0, flowLabel: 0, payload: counting(33) }, 6);
  });

  it('copies a payload longer than a typical header', () => {
    const payload = counting(1400);
    const frame = built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 1, dstPort: 2, payload }));
    expect([...frame.slice(42)]).toEqual([...payload]);
    expect(checksumsRight(frame, keysOf(frame))).toBe(true);
  });

  it('refuses what cannot be a frame, before it writes', () => {
    const p = { ...FROM_4, srcPort: 1, dstPort: 2, payload: counting(10) };
    const b = new Uint8Array(60).fill(0xee);
    expect(() => writeUdp4(b, 9, p)).toThrow(/52 bytes at offset 9 does not fit 60 bytes/);
    expect(() => writeUdp4(b, 1, { ...p, pad: true })).toThrow(/60 bytes at offset 1/);
    expect(() => writeUdp4(b, -1, p)).toThrow(/offset -1/);
    expect(() => writeUdp6(b, 0, p)).toThrow(/IPv6 address has 16 bytes/);
    expect(() => writeUdp4(b, 0, { ...p, srcMac: new Uint8Array(5) })).toThrow(
      /Ethernet address has 6 bytes/,
    );
    expect(() => writeUdp4(b, 0, { ...p, payloadLen: 9 })).toThrow(/payloadLen 9 differs from payload's 10/);
    expect(() => writeTcp4(b, 0, { ...p, options: new Uint8Array(3) })).toThrow(/3 bytes of options/);
    expect(() => writeTcp4(b, 0, { ...p, options: new Uint8Array(44) })).toThrow(/44 bytes of options/);
    const arp = { ...FROM_4, op: 1, senderMac: MAC_A, senderIp: ip4('1.2.3.4'), targetMac: MAC_B };
    expect(() => writeArp(b, 0, { ...arp, targetIp: new Uint8Array(16) })).toThrow(
      /writeArp: .*IPv4 address 4/,
    );
    const long = new Uint8Array(70_000);
    const { payload: _payload, ...bare } = p;
    expect(() => writeUdp4(long, 0, { ...bare, payloadLen: 65_508 })).toThrow(/length 65536 is above 65535/);
    expect(writeUdp4(long, 0, { ...bare, payloadLen: 65_507 })).toBe(14 + 65_535);
    expect(b.every((byte) => byte === 0xee)).toBe(true);
  });
});
