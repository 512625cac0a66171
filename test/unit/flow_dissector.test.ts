// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  writeArp,
  writeIcmp6Echo,
  writeIcmpEcho,
  writeTcp4,
  writeTcp6,
  writeUdp4,
  writeUdp6,
} from '../../dist/drivers/net/frame_builder.js';
import {
  DISSECT_ARP_HDR,
  DISSECT_ICMP_HDR,
  DISSECT_IP_HDR,
  DISSECT_IP_TOT_LEN,
  DISSECT_IPV6_EXTHDR,
  DISSECT_OK,
  DISSECT_TCP_HDR,
  DISSECT_TEXT,
  DISSECT_TRUNCATED,
  DISSECT_UDP_LEN,
  dissect,
  FlowKeys,
  IPV6_EXT_AH,
  IPV6_EXT_DEST,
  IPV6_EXT_FRAGMENT,
  IPV6_EXT_HOP,
  IPV6_EXT_ROUTING,
} from '../../dist/net/core/flow_dissector.js';
import { TCP_FLAG_ACK, TCP_FLAG_AE, TCP_FLAG_PSH } from '../../dist/net/core/headers/protocols.js';
import {
  built,
  counting,
  FROM_4,
  FROM_6,
  ip4,
  ipv6Frame,
  keysOf,
  MAC_A,
  MAC_B,
  patched,
} from '../helpers/frames.js';

const UDP4 = built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 4000, dstPort: 53, payload: counting(20) }));
const TCP4 = built((b) =>
  writeTcp4(b, 0, {
    ...FROM_4,
    srcPort: 80,
    dstPort: 50_000,
    seq: 0xfedcba98,
    ack: 0x80000001,
    flags: TCP_FLAG_ACK | TCP_FLAG_PSH | TCP_FLAG_AE,
    window: 0xabcd,
    options: Uint8Array.of(1, 1, 1, 1),
    payload: counting(10),
  }),
);
const UDP6 = built((b) => writeUdp6(b, 0, { ...FROM_6, srcPort: 4000, dstPort: 53, payload: counting(20) }));
const TCP6 = built((b) => writeTcp6(b, 0, { ...FROM_6, srcPort: 80, dstPort: 81, payload: counting(5) }));
const ICMP4 = built((b) => writeIcmpEcho(b, 0, { ...FROM_4, payload: counting(12) }));
const ICMP6 = built((b) => writeIcmp6Echo(b, 0, { ...FROM_6, reply: true, payload: counting(12) }));
const VLAN2 = built((b) =>
  writeUdp4(b, 0, { ...FROM_4, srcPort: 1, dstPort: 2, vlan: [0x2064, 0xe0c8], payload: counting(4) }),
);
const ARP = built((b) =>
  writeArp(b, 0, {
    ...FROM_4,
    op: 2,
    senderMac: MAC_A,
    senderIp: ip4('10.0.0.1'),
    targetMac: MAC_B,
    targetIp: ip4('10.0.0.2'),
  }),
);

/** UDP header and payload of 4 bytes, without checksum. */
const UDP = [0x0f, 0xa0, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4];
/** Extension header of 8 bytes: destination or hop-by-hop options (all padding), or routing. */
const ext8 = (next: number): number[] => [next, 0, 1, 4, 0, 0, 0, 0];
/** Fragment header: offset in bytes. */
const frag = (next: number, offset: number, more: number): number[] => [
  next,
  0,
  offset >>> 8,
  (offset & 0xf8) | more,
  0,
  0,
  0,
  7,
];
/** Hop-by-hop header with a jumbo payload option. */
const jumbo = (next: number, len: number): number[] => [
  next,
  0,
  0xc2,
  4,
  len >>> 24,
  (len >>> 16) & 0xff,
  (len >>> 8) & 0xff,
  len & 0xff,
];

describe('dissect: Ethernet', () => {
  it('finds every part of a UDP packet over IPv4', () => {
    expect({ ...keysOf(UDP4) }).toMatchObject({
      status: DISSECT_OK,
      ethType: 0x0800,
      vlanCount: 0,
      l3Off: 14,
      ipVersion: 4,
      ipProto: 17,
      ipTotLen: 48,
      isFragment: 0,
      srcAddrOff: 26,
      dstAddrOff: 30,
      addrLen: 4,
      l4Off: 34,
      srcPort: 4000,
      dstPort: 53,
      payloadOff: 42,
      payloadLen: 20,
    });
  });

  it('gives offsets of the array, not of the frame', () => {
    const b = new Uint8Array(1000);
    b.set(UDP4, 900);
    const keys = new FlowKeys();
    expect(dissect(b, 900, UDP4.length, keys)).toBe(DISSECT_OK);
    expect(keys.l3Off).toBe(914);
    expect(keys.payloadOff).toBe(942);
    expect(b[keys.payloadOff + keys.payloadLen - 1]).toBe(20);
  });

  it('leaves padding out of the payload', () => {
    const padded = new Uint8Array(60);
    padded.set(built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 1, dstPort: 2, payload: counting(3) })));
    expect(keysOf(padded)).toMatchObject({ status: DISSECT_OK, payloadLen: 3, ipTotLen: 31 });
  });

  it('passes over two VLAN tags and stops at a third', () => {
    expect(keysOf(VLAN2)).toMatchObject({
      status: DISSECT_OK,
      vlanCount: 2,
      vlanTci: 0x2064,
      vlanTciInner: 0xe0c8,
      ethType: 0x0800,
      l3Off: 22,
      dstPort: 2,
      payloadLen: 4,
    });
    const three = built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 1, dstPort: 2, vlan: [1, 2, 3] }));
    expect(keysOf(three)).toMatchObject({
      status: DISSECT_OK,
      vlanCount: 2,
      vlanTci: 1,
      vlanTciInner: 2,
      ethType: 0x8100,
      l3Off: 22,
      ipVersion: 0,
    });
  });

  it('tells 802.3 frames from Ethernet II', () => {
    const llc = Uint8Array.from([...MAC_B, ...MAC_A, 0, 38, 0x42, 0x42, 3, 0, 0]);
    expect(keysOf(llc)).toMatchObject({ status: DISSECT_OK, ethType: 4, ipVersion: 0, payloadLen: 5 });
    expect(keysOf(patched(llc, 14, 0xff, 0xff)).ethType).toBe(1);
    expect(keysOf(patched(llc, 14, 0xff, 0xff).slice(0, 16)).ethType).toBe(1);
    expect(keysOf(llc.slice(0, 14)).ethType).toBe(4);
    // 0x0600 is the first EtherType.
    expect(keysOf(patched(llc, 12, 6, 0)).ethType).toBe(0x600);
    expect(keysOf(patched(llc, 12, 5, 0xff)).ethType).toBe(4);
  });

  it('refuses a frame that ends in its link header or lies outside the array', () => {
    const keys = new FlowKeys();
    for (let len = 0; len < 14; len++) expect(dissect(UDP4, 0, len, keys)).toBe(DISSECT_TRUNCATED);
    for (let len = 14; len < 22; len++) expect(dissect(VLAN2, 0, len, keys)).toBe(DISSECT_TRUNCATED);
    expect(dissect(UDP4, 1, UDP4.length, keys)).toBe(DISSECT_TRUNCATED);
    expect(dissect(UDP4, -1, UDP4.length, keys)).toBe(DISSECT_TRUNCATED);
    expect(dissect(UDP4, 0, -1, keys)).toBe(DISSECT_TRUNCATED);
  });

  it('leaves nothing of the frame before', () => {
    const used = new FlowKeys();
    for (const before of [TCP4, VLAN2, UDP6, ICMP4, ARP, ipv6Frame(44, [...frag(17, 0, 1), ...UDP])]) {
      for (const frame of [UDP4, ARP, Uint8Array.from([...MAC_A, ...MAC_B, 0, 0]), UDP4.slice(0, 3)]) {
        dissect(before, 0, before.length, used);
        dissect(frame, 0, frame.length, used);
        expect(used).toEqual(keysOf(frame));
      }
    }
  });

  it('has a text for every code', () => {
    expect(DISSECT_TEXT.length).toBe(DISSECT_ARP_HDR + 1);
    expect(new Set(DISSECT_TEXT).size).toBe(DISSECT_TEXT.length);
    expect(DISSECT_TEXT[DISSECT_UDP_LEN]).toContain('UDP');
    expect(DISSECT_TEXT[DISSECT_IP_TOT_LEN]).toContain('InTruncatedPkts');
  });
});

describe('dissect: IPv4', () => {
  it('steps over options', () => {
    const withOptions = Uint8Array.from([...UDP4.slice(0, 34), 1, 1, 1, 0, ...UDP4.slice(34)]);
    withOptions[14] = 0x46;
    withOptions[17] += 4;
    expect(keysOf(withOptions)).toMatchObject({ status: DISSECT_OK, l4Off: 38, dstPort: 53, payloadLen: 20 });
  });

  it.each([
    ['version 5', 14, [0x55]],
    ['header length 16', 14, [0x44]],
    ['header length beyond the frame', 14, [0x4f]],
    ['total length below the header', 16, [0, 19]],
  ])('refuses %s', (_what, at, bytes) => {
    const short = UDP4.slice(0, 50);
    expect(keysOf(patched(short, 16, 0, 36)).status).not.toBe(DISSECT_IP_HDR);
    expect(keysOf(patched(patched(short, 16, 0, 36), at, ...bytes)).status).toBe(DISSECT_IP_HDR);
  });

  it('refuses a total length beyond the frame', () => {
    expect(keysOf(patched(UDP4, 16, 0, 49)).status).toBe(DISSECT_IP_TOT_LEN);
    expect(keysOf(UDP4.slice(0, -1)).status).toBe(DISSECT_IP_TOT_LEN);
  });

  it('marks fragments, and takes ports from the first alone', () => {
    const first = keysOf(patched(UDP4, 20, 0x20, 0));
    expect(first).toMatchObject({ status: DISSECT_OK, isFragment: 1, isFirstFragment: 1, fragOff: 0 });
    expect(first).toMatchObject({ srcPort: 4000, dstPort: 53, payloadOff: 34, payloadLen: 28 });
    const middle = keysOf(patched(UDP4, 20, 0x20, 3));
    expect(middle).toMatchObject({ status: DISSECT_OK, isFragment: 1, isFirstFragment: 0, fragOff: 24 });
    expect(middle).toMatchObject({ srcPort: 0, dstPort: 0, payloadOff: 34, payloadLen: 28 });
    const last = keysOf(patched(UDP4, 20, 0x1f, 0xff));
    expect(last).toMatchObject({ isFragment: 1, isFirstFragment: 0, fragOff: 65528 });
    // DF and the reserved bit make no fragment.
    expect(keysOf(patched(UDP4, 20, 0xc0, 0))).toMatchObject({ isFragment: 0, payloadLen: 20 });
  });

  it('does not check upper lengths of a fragment', () => {
    // UDP length 1000: the whole packet's.
    expect(keysOf(patched(patched(UDP4, 38, 3, 232), 20, 0x20, 0)).status).toBe(DISSECT_OK);
    const tiny = patched(patched(UDP4.slice(0, 37), 16, 0, 23), 20, 0x20, 0);
    expect(keysOf(tiny)).toMatchObject({ status: DISSECT_OK, srcPort: 0, payloadLen: 3 });
    const justPorts = patched(patched(UDP4.slice(0, 38), 16, 0, 24), 20, 0x20, 0);
    expect(keysOf(justPorts)).toMatchObject({
      status: DISSECT_OK,
      srcPort: 4000,
      dstPort: 53,
      payloadLen: 4,
    });
  });

  it('takes an unknown protocol as payload', () => {
    expect(keysOf(patched(patched(UDP4, 23, 132), 16, 0, 20))).toMatchObject({
      status: DISSECT_OK,
      payloadLen: 0,
    });
    expect(keysOf(patched(UDP4, 23, 132))).toMatchObject({
      status: DISSECT_OK,
      ipProto: 132,
      srcPort: 0,
      payloadOff: 34,
      payloadLen: 28,
    });
  });
});

describe('dissect: TCP, UDP, ICMP, ARP', () => {
  it('reads a TCP header with options', () => {
    expect(keysOf(TCP4)).toMatchObject({
      status: DISSECT_OK,
      srcPort: 80,
      dstPort: 50_000,
      tcpSeq: 0xfedcba98 | 0,
      tcpAck: 0x80000001 | 0,
      tcpFlags: TCP_FLAG_ACK | TCP_FLAG_PSH | TCP_FLAG_AE,
      tcpHdrLen: 24,
      tcpWindow: 0xabcd,
      payloadOff: 58,
      payloadLen: 10,
    });
    expect(keysOf(TCP6)).toMatchObject({ status: DISSECT_OK, srcPort: 80, dstPort: 81, payloadLen: 5 });
  });

  it('takes headers without anything behind them', () => {
    const ports = { srcPort: 1, dstPort: 2 };
    const tcp = built((b) => writeTcp4(b, 0, { ...FROM_4, ...ports }));
    expect(keysOf(tcp)).toMatchObject({ status: DISSECT_OK, payloadOff: 54, payloadLen: 0 });
    const udp = built((b) => writeUdp4(b, 0, { ...FROM_4, ...ports }));
    expect(keysOf(udp)).toMatchObject({ status: DISSECT_OK, payloadOff: 42, payloadLen: 0 });
    const icmp = built((b) => writeIcmpEcho(b, 0, FROM_4));
    expect(keysOf(icmp)).toMatchObject({ status: DISSECT_OK, payloadOff: 42, payloadLen: 0 });
    const ip = patched(patched(udp, 23, 132), 16, 0, 20).slice(0, 34);
    expect(keysOf(ip)).toMatchObject({ status: DISSECT_OK, l4Off: 34, payloadLen: 0 });
  });

  it('refuses a TCP data offset that is too small or too large', () => {
    expect(keysOf(patched(TCP4, 46, 0x40)).status).toBe(DISSECT_TCP_HDR);
    // 34 bytes of TCP: 32 is the largest header that fits.
    expect(keysOf(patched(TCP4, 46, 0x80))).toMatchObject({ status: DISSECT_OK, payloadLen: 2 });
    expect(keysOf(patched(TCP4, 46, 0x90)).status).toBe(DISSECT_TCP_HDR);
    expect(keysOf(patched(TCP4.slice(0, 53), 16, 0, 39)).status).toBe(DISSECT_TCP_HDR);
  });

  it('holds the UDP length against the IP length', () => {
    expect(keysOf(patched(UDP4, 38, 0, 29)).status).toBe(DISSECT_UDP_LEN);
    expect(keysOf(patched(UDP4, 38, 0, 7)).status).toBe(DISSECT_UDP_LEN);
    expect(keysOf(patched(UDP4, 38, 0, 0)).status).toBe(DISSECT_UDP_LEN);
    expect(keysOf(patched(UDP6, 58, 0, 0)).status).toBe(DISSECT_UDP_LEN);
    expect(keysOf(patched(UDP4, 38, 0, 8))).toMatchObject({ status: DISSECT_OK, payloadLen: 0 });
    expect(keysOf(patched(UDP4, 38, 0, 18))).toMatchObject({ status: DISSECT_OK, payloadLen: 10 });
    // The frame has room for the header, the IP packet has not.
    expect(keysOf(patched(UDP4, 16, 0, 27)).status).toBe(DISSECT_UDP_LEN);
  });

  it('reads ICMP over IPv4 and ICMPv6 over IPv6, not the other way round', () => {
    expect(keysOf(ICMP4)).toMatchObject({ status: DISSECT_OK, icmpType: 8, icmpCode: 0, payloadLen: 12 });
    expect(keysOf(ICMP6)).toMatchObject({ status: DISSECT_OK, icmpType: 129, icmpCode: 0, payloadLen: 12 });
    expect(keysOf(patched(ICMP4, 23, 58))).toMatchObject({ status: DISSECT_OK, icmpType: 0, payloadLen: 20 });
    expect(keysOf(patched(ICMP4, 16, 0, 27)).status).toBe(DISSECT_ICMP_HDR);
  });

  it('reads ARP and where its IPv4 addresses stand', () => {
    const keys = keysOf(ARP);
    expect(keys).toMatchObject({ status: DISSECT_OK, ethType: 0x0806, ipVersion: 0, arpOp: 2, addrLen: 4 });
    expect([...ARP.slice(keys.srcAddrOff, keys.srcAddrOff + 4)]).toEqual([10, 0, 0, 1]);
    expect([...ARP.slice(keys.dstAddrOff, keys.dstAddrOff + 4)]).toEqual([10, 0, 0, 2]);
    expect(keysOf(ARP.slice(0, -1)).status).toBe(DISSECT_ARP_HDR);
    expect(keysOf(ARP.slice(0, 21)).status).toBe(DISSECT_ARP_HDR);
    expect(keysOf(patched(ARP, 18, 7)).status).toBe(DISSECT_ARP_HDR);
    expect(keysOf(patched(ARP, 18, 0, 0).slice(0, 22))).toMatchObject({
      status: DISSECT_OK,
      arpOp: 2,
      addrLen: 0,
    });
    // InfiniBand's hardware type: in order, but the addresses stand elsewhere.
    expect(keysOf(patched(ARP, 14, 0, 32))).toMatchObject({ status: DISSECT_OK, arpOp: 2, addrLen: 0 });
    expect(keysOf(patched(ARP, 16, 8, 1))).toMatchObject({ status: DISSECT_OK, arpOp: 2, addrLen: 0 });
    expect(keysOf(patched(ARP, 18, 5))).toMatchObject({ status: DISSECT_OK, arpOp: 2, addrLen: 0 });
    expect(keysOf(patched(ARP, 19, 3))).toMatchObject({ status: DISSECT_OK, arpOp: 2, addrLen: 0 });
  });
});

describe('dissect: IPv6', () => {
  it('reads the fixed header', () => {
    expect(keysOf(UDP6)).toMatchObject({
      status: DISSECT_OK,
      ipVersion: 6,
      ipProto: 17,
      ipTotLen: 68,
      srcAddrOff: 22,
      dstAddrOff: 38,
      addrLen: 16,
      l4Off: 54,
      dstPort: 53,
      payloadLen: 20,
      ipv6Ext: 0,
    });
    expect(keysOf(patched(UDP6, 14, 0x50)).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(UDP6.slice(0, 53)).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(patched(UDP6, 18, 0, 29)).status).toBe(DISSECT_IP_TOT_LEN);
  });

  it('walks the extension headers in any order, hop-by-hop first', () => {
    const auth = [17, 2, 0, 0, ...Array(12).fill(9)];
    const frame = ipv6Frame(0, [...ext8(43), ...ext8(60), ...ext8(60), ...ext8(51), ...auth, ...UDP]);
    expect(keysOf(frame)).toMatchObject({
      status: DISSECT_OK,
      ipProto: 17,
      l4Off: 54 + 32 + 16,
      dstPort: 53,
      payloadLen: 4,
      ipv6Ext: IPV6_EXT_HOP | IPV6_EXT_ROUTING | IPV6_EXT_DEST | IPV6_EXT_AH,
    });
    expect(keysOf(ipv6Frame(60, [...ext8(0), ...ext8(17), ...UDP])).status).toBe(DISSECT_IPV6_EXTHDR);
  });

  it('takes "no next header" and ESP as the end of the chain', () => {
    expect(keysOf(ipv6Frame(59, []))).toMatchObject({
      status: DISSECT_OK,
      ipTotLen: 40,
      l4Off: 54,
      payloadLen: 0,
    });
    expect(keysOf(ipv6Frame(0, ext8(59)))).toMatchObject({ status: DISSECT_OK, ipProto: 59, payloadLen: 0 });
    expect(keysOf(ipv6Frame(60, [...ext8(59), 1, 2]))).toMatchObject({
      status: DISSECT_OK,
      ipProto: 59,
      payloadLen: 2,
    });
    expect(keysOf(ipv6Frame(50, UDP))).toMatchObject({
      status: DISSECT_OK,
      ipProto: 50,
      l4Off: 54,
      srcPort: 0,
    });
  });

  it('refuses an extension header that runs past the packet, though the frame goes on', () => {
    const fits = [17, 1, 1, 12, ...Array(12).fill(0)];
    expect(keysOf(ipv6Frame(60, [...fits, ...UDP])).status).toBe(DISSECT_OK);
    expect(keysOf(ipv6Frame(60, [...fits, ...UDP], 15)).status).toBe(DISSECT_IPV6_EXTHDR);
    expect(keysOf(ipv6Frame(60, [...ext8(17), ...UDP], 7)).status).toBe(DISSECT_IPV6_EXTHDR);
    expect(keysOf(ipv6Frame(51, [17, 255, ...UDP])).status).toBe(DISSECT_IPV6_EXTHDR);
    expect(keysOf(ipv6Frame(0, [17, 1, ...UDP])).status).toBe(DISSECT_IPV6_EXTHDR);
  });

  it('refuses more than 15 extension headers', () => {
    const chain = (count: number): Uint8Array =>
      ipv6Frame(60, [
        ...Array.from({ length: count }, (_, i) => ext8(i === count - 1 ? 17 : 60)).flat(),
        ...UDP,
      ]);
    expect(keysOf(chain(15))).toMatchObject({ status: DISSECT_OK, dstPort: 53 });
    expect(keysOf(chain(16)).status).toBe(DISSECT_IPV6_EXTHDR);
  });

  it('marks fragments and reads nothing behind the header of a later one', () => {
    expect(keysOf(ipv6Frame(44, [...frag(17, 0, 1), ...UDP]))).toMatchObject({
      status: DISSECT_OK,
      isFragment: 1,
      isFirstFragment: 1,
      dstPort: 53,
      l4Off: 62,
      payloadOff: 62,
      payloadLen: 12,
      ipv6Ext: IPV6_EXT_FRAGMENT,
    });
    // Its data look like a destination header that runs past the packet.
    expect(keysOf(ipv6Frame(44, [...frag(60, 1448, 0), 17, 255, 0, 0, 0, 0, 0, 0]))).toMatchObject({
      status: DISSECT_OK,
      isFragment: 1,
      isFirstFragment: 0,
      fragOff: 1448,
      ipProto: 60,
      srcPort: 0,
      payloadLen: 8,
    });
  });

  it('takes an atomic fragment as a whole packet', () => {
    expect(keysOf(ipv6Frame(44, [...frag(17, 0, 0), ...UDP]))).toMatchObject({
      status: DISSECT_OK,
      isFragment: 0,
      dstPort: 53,
      payloadLen: 4,
      ipv6Ext: IPV6_EXT_FRAGMENT,
    });
    expect(keysOf(ipv6Frame(44, [...frag(44, 0, 0), ...frag(17, 0, 0), ...UDP])).status).toBe(DISSECT_IP_HDR);
  });

  it('refuses a first fragment without its whole header chain', () => {
    expect(keysOf(ipv6Frame(44, [...frag(17, 0, 1), ...UDP.slice(0, 7)])).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(ipv6Frame(44, [...frag(17, 0, 1), ...UDP.slice(0, 8)])).status).toBe(DISSECT_OK);
    expect(keysOf(ipv6Frame(44, [...frag(6, 0, 1), ...UDP])).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(ipv6Frame(44, [...frag(58, 0, 1), ...UDP.slice(0, 7)])).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(ipv6Frame(44, [...frag(58, 0, 1), ...UDP.slice(0, 8)])).status).toBe(DISSECT_OK);
    expect(keysOf(ipv6Frame(44, frag(132, 0, 1))).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(ipv6Frame(44, [...frag(132, 0, 1), 1])).status).toBe(DISSECT_OK);
    expect(keysOf(ipv6Frame(44, [...frag(60, 0, 1), 17, 1, 0, 0, 0, 0, 0, 0])).status).toBe(
      DISSECT_IPV6_EXTHDR,
    );
  });

  it('takes a jumbogram by its option, with a UDP length of 0', () => {
    const data = Array(70_000 - 8).fill(5);
    const body = [...jumbo(17, 70_008), 0x0f, 0xa0, 0, 53, 0, 0, 0, 0, ...data];
    expect(keysOf(ipv6Frame(0, body, 0))).toMatchObject({
      status: DISSECT_OK,
      ipTotLen: 70_048,
      dstPort: 53,
      payloadLen: 70_000 - 8,
    });
    expect(keysOf(ipv6Frame(0, body.slice(0, -1), 0)).status).toBe(DISSECT_IP_TOT_LEN);
    expect(keysOf(patched(ipv6Frame(0, body, 0), 58, 0xff)).status).toBe(DISSECT_IP_TOT_LEN);
    const fragmented = [...jumbo(44, 70_016), ...frag(17, 0, 0), ...body.slice(8)];
    expect(keysOf(ipv6Frame(0, fragmented, 0)).status).toBe(DISSECT_IP_HDR);
  });

  it('refuses a jumbo option where none belongs, and a payload length of 0 without one', () => {
    const small = [...jumbo(17, 20), ...UDP];
    expect(keysOf(ipv6Frame(0, small, 0)).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(ipv6Frame(0, [...jumbo(17, 65_535), ...UDP], 0)).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(ipv6Frame(0, [...jumbo(17, 65_536), ...UDP], 0)).status).toBe(DISSECT_IP_TOT_LEN);
    expect(keysOf(ipv6Frame(0, [...jumbo(17, 65_536), ...UDP])).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(ipv6Frame(0, [...ext8(17), ...UDP], 0)).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(ipv6Frame(17, UDP, 0)).status).toBe(DISSECT_UDP_LEN);
    // Two options, of which the second is misaligned.
    const misaligned = [17, 1, 1, 1, 0, 0xc2, 4, 0, 1, 0, 8, 0, 0, 0, 0, 0];
    expect(keysOf(ipv6Frame(0, [...misaligned, ...UDP], 0)).status).toBe(DISSECT_IP_HDR);
  });

  it('refuses a hop-by-hop option that runs past its header', () => {
    expect(keysOf(ipv6Frame(0, [17, 0, 5, 4, 0, 0, 0, 0, ...UDP])).status).toBe(DISSECT_OK);
    expect(keysOf(ipv6Frame(0, [17, 0, 5, 2, 0, 0, 1, 0, ...UDP])).status).toBe(DISSECT_OK);
    expect(keysOf(ipv6Frame(0, [17, 0, 5, 5, 0, 0, 0, 0, ...UDP])).status).toBe(DISSECT_IP_HDR);
    expect(keysOf(ipv6Frame(0, [17, 0, 1, 3, 0, 0, 0, 5, ...UDP])).status).toBe(DISSECT_IP_HDR);
  });
});

const ROOM = 128;
/** Every surrounding a frame is tried in: if one of its neighbours were read, the results would differ. */
const SURROUNDINGS = [() => 0x00, () => 0xff, (i: number) => (i * 151 + 43) & 0xff].map((fill) =>
  Uint8Array.from({ length: 1024 }, (_, i) => fill(i)),
);

/** Dissects `frame[0, len)` alone in its array and in each surrounding; all must agree. Returns the keys. */
function dissectEverywhere(frame: Uint8Array, len: number): FlowKeys {
  const keys = new FlowKeys();
  const other = new FlowKeys();
  const alone = frame.slice(0, len);
  dissect(alone, 0, len, keys);
  for (const surrounding of SURROUNDINGS) {
    const before = surrounding.slice(ROOM, ROOM + len);
    surrounding.set(alone, ROOM);
    dissect(surrounding, ROOM, len, other);
    surrounding.set(before, ROOM);
    for (const name of OFFSETS) if (other[name] !== 0) other[name] -= ROOM;
    if (!same(keys, other)) expect(other).toEqual(keys);
  }
  return keys;
}

const OFFSETS = ['l3Off', 'l4Off', 'payloadOff', 'srcAddrOff', 'dstAddrOff'] as const;

function same(a: FlowKeys, b: FlowKeys): boolean {
  for (const name of Object.keys(a) as (keyof FlowKeys)[]) if (a[name] !== b[name]) return false;
  return true;
}

/** What must hold for any frame of `len` bytes at offset 0, sound or not. */
function checkBounds(keys: FlowKeys, len: number): void {
  const sound =
    Object.values(keys).every((value) => Number.isInteger(value)) &&
    keys.status >= DISSECT_OK &&
    keys.status < DISSECT_TEXT.length &&
    keys.l3Off <= len &&
    keys.l4Off <= len &&
    keys.payloadLen >= 0 &&
    keys.payloadOff + keys.payloadLen <= len &&
    keys.dstAddrOff + keys.addrLen <= len &&
    (keys.ipVersion === 0) === (keys.addrLen === 0 || keys.ethType === 0x0806) &&
    (keys.status !== DISSECT_OK || keys.ipVersion === 0 || keys.l3Off + keys.ipTotLen <= len) &&
    (keys.status !== DISSECT_OK || keys.ipVersion === 0 || keys.l4Off >= keys.l3Off + 20);
  if (!sound) expect.fail(`fields out of bounds for ${len} bytes: ${JSON.stringify(keys)}`);
}

const EXTENDED = ipv6Frame(0, [...ext8(43), ...ext8(44), ...frag(60, 0, 0), ...ext8(17), ...UDP]);
const SAMPLES: readonly [string, Uint8Array][] = [
  ['UDP over IPv4', UDP4],
  ['TCP over IPv4', TCP4],
  ['two VLAN tags', VLAN2],
  ['UDP over IPv6', UDP6],
  ['TCP over IPv6', TCP6],
  ['IPv6 with extension headers', EXTENDED],
  ['a short jumbogram', ipv6Frame(0, [...jumbo(17, 65_536), ...UDP], 0)],
  ['ICMP', ICMP4],
  ['ICMPv6', ICMP6],
  ['ARP', ARP],
];

describe('dissect: no byte outside the frame matters', () => {
  it.each(SAMPLES)('%s, cut at every length', (_what, frame) => {
    for (let len = 0; len <= frame.length; len++) {
      const keys = dissectEverywhere(frame, len);
      checkBounds(keys, len);
      // None of the samples is padded: a shorter one has lost something.
      if (len < frame.length) expect(keys.status, `length ${len}`).not.toBe(DISSECT_OK);
    }
  });

  it.each(SAMPLES)('%s, with every value in every header byte', (_what, frame) => {
    const damaged = frame.slice();
    for (let at = 12; at < Math.min(frame.length, 100); at++) {
      for (let value = 0; value < 256; value++) {
        damaged[at] = value;
        checkBounds(dissectEverywhere(damaged, damaged.length), damaged.length);
      }
      damaged[at] = frame[at];
    }
  });

  it('holds for any bytes behind any type', () => {
    const anyFrame = fc
      .tuple(
        fc.constantFrom(
          [0x08, 0],
          [0x86, 0xdd],
          [0x08, 6],
          [0x81, 0, 0, 1, 0x86, 0xdd],
          [0x88, 0xa8],
          [0, 9],
        ),
        fc.constantFrom(-1, 0x45, 0x46, 0x60),
        fc.uint8Array({ maxLength: 120 }),
      )
      .map(([type, first, rest]) => {
        if (first >= 0 && rest.length > 0) rest[0] = first;
        return Uint8Array.from([...MAC_A, ...MAC_B, ...type, ...rest]);
      });
    fc.assert(
      fc.property(anyFrame, (frame) => checkBounds(dissectEverywhere(frame, frame.length), frame.length)),
      { numRuns: 2000 },
    );
  });

  it('holds for any chain of IPv6 headers, cut anywhere', () => {
    const header = fc.tuple(
      fc.constantFrom(0, 43, 44, 51, 60, 17, 6, 58, 59),
      fc.constantFrom(0, 0, 0, 1, 2, 255),
      fc.uint8Array({ minLength: 6, maxLength: 14 }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(0, 43, 44, 51, 60),
        fc.array(header, { maxLength: 6 }),
        fc.nat(60),
        fc.boolean(),
        (first, headers, cut, lengthOfAll) => {
          const body = headers.flatMap(([next, len, rest]) => [next, len, ...rest]);
          const whole = ipv6Frame(first, body, lengthOfAll ? body.length : Math.max(0, body.length - cut));
          const len = Math.max(14, whole.length - (lengthOfAll ? 0 : cut >> 1));
          checkBounds(dissectEverywhere(whole, len), len);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
