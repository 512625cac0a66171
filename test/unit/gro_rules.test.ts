// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import {
  type TcpParams,
  type UdpParams,
  writeIcmpEcho,
  writeTcp4,
  writeTcp6,
  writeUdp4,
  writeUdp6,
} from '../../dist/drivers/net/frame_builder.js';
import { dissect, FlowKeys } from '../../dist/net/core/flow_dissector.js';
import {
  GRO_APPEND,
  GRO_APPEND_AND_FLUSH,
  GRO_BYPASS,
  GRO_CANDIDATE,
  GRO_FLUSH_AND_BYPASS,
  GRO_FLUSH_FIRST,
  groCanHold,
  groClassify,
  groIdStep,
  sameFlow,
  tcpGroCanAppend,
  tcpGroListCanAppend,
  udpGroCanAppend,
  udpGroListCanAppend,
} from '../../dist/net/core/gro_rules.js';
import { internetChecksum } from '../../dist/net/core/headers/checksum.js';
import {
  TCP_FLAG_ACK,
  TCP_FLAG_AE,
  TCP_FLAG_CWR,
  TCP_FLAG_ECE,
  TCP_FLAG_FIN,
  TCP_FLAG_PSH,
  TCP_FLAG_RST,
  TCP_FLAG_SYN,
  TCP_FLAG_URG,
} from '../../dist/net/core/headers/protocols.js';
import {
  built,
  counting,
  FROM_4,
  FROM_6,
  ip4,
  ip6,
  ipv6Frame,
  keysOf,
  MAC_A,
  patched,
} from '../helpers/frames.js';

/** What a receive function would do with a packet. */
type Outcome = 'bypass' | 'flush and bypass' | 'append' | 'append and flush' | 'flush and hold' | 'hold';

/**
 * One flow's slot, used as the rules' documentation tells. Packets lie one after the other in one array, as they
 * would in an arena.
 */
class Slot {
  readonly b = new Uint8Array(400_000);
  private readonly head = new FlowKeys();
  private readonly keys = new FlowKeys();
  private readonly fraglist: boolean;
  private end = 1;
  private headOff = 0;
  count = 0;
  idStep = 7;
  private nextSeq = 0;

  constructor(fraglist = false) {
    this.fraglist = fraglist;
  }

  receive(frame: Uint8Array): Outcome {
    const off = this.end;
    this.b.set(frame, off);
    this.end += frame.length;
    dissect(this.b, off, frame.length, this.keys);
    const kind = groClassify(this.b, off, frame.length, this.keys);
    if (kind === GRO_BYPASS) return 'bypass';
    const held =
      this.count > 0 && sameFlow(this.b, this.headOff, this.head.l3Off, this.head.l4Off, off, this.keys);
    if (kind === GRO_FLUSH_AND_BYPASS) {
      if (!held) return 'bypass';
      this.count = 0;
      return 'flush and bypass';
    }
    const verdict = held ? this.rule() : GRO_FLUSH_FIRST;
    if (verdict !== GRO_FLUSH_FIRST) {
      if (this.count === 1) this.idStep = groIdStep(this.b, this.head.l3Off, this.keys.l3Off);
      this.count++;
      this.nextSeq = (this.nextSeq + this.keys.payloadLen) | 0;
      if (verdict === GRO_APPEND) return 'append';
      this.count = 0;
      return 'append and flush';
    }
    this.count = 0;
    if (!groCanHold(this.keys)) return held ? 'flush and bypass' : 'bypass';
    this.headOff = off;
    dissect(this.b, off, frame.length, this.head);
    this.count = 1;
    this.nextSeq = (this.keys.tcpSeq + this.keys.payloadLen) | 0;
    return held ? 'flush and hold' : 'hold';
  }

  private rule(): number {
    const { b, head, count, idStep, keys } = this;
    const size = head.payloadLen;
    if (keys.ipProto === 6) {
      const rule = this.fraglist ? tcpGroListCanAppend : tcpGroCanAppend;
      return rule(b, head.l3Off, head.l4Off, count, idStep, this.nextSeq, size, keys);
    }
    const rule = this.fraglist ? udpGroListCanAppend : udpGroCanAppend;
    return rule(b, head.l3Off, head.l4Off, count, idStep, size, keys);
  }
}

const SEQ = 0xfffffc00;
const TCP: TcpParams = {
  ...FROM_4,
  srcPort: 80,
  dstPort: 5000,
  id: 100,
  seq: SEQ,
  ack: 0x01020307,
  window: 500,
  payload: counting(1000),
};
const NEXT: TcpParams = { ...TCP, id: 101, seq: SEQ + 1000 };
const UDP: UdpParams = { ...FROM_4, srcPort: 53, dstPort: 5000, id: 100, payload: counting(100) };
const tcp = (p: TcpParams): Uint8Array =>
  built((b) => (p.srcIp.length === 4 ? writeTcp4 : writeTcp6)(b, 0, p));
const udp = (p: UdpParams): Uint8Array =>
  built((b) => (p.srcIp.length === 4 ? writeUdp4 : writeUdp6)(b, 0, p));
const V6 = { srcIp: FROM_6.srcIp, dstIp: FROM_6.dstIp };

/** Outcomes of a run of frames in one slot. */
function outcomes(frames: Uint8Array[], fraglist = false): Outcome[] {
  const slot = new Slot(fraglist);
  return frames.map((frame) => slot.receive(frame));
}

/** With the IPv4 header checksum made right again. */
function resummed(frame: Uint8Array): Uint8Array {
  const zeroed = patched(frame, 24, 0, 0);
  const sum = internetChecksum(zeroed, 14, (frame[14] & 15) * 4, 0);
  return patched(zeroed, 24, sum >>> 8, sum & 0xff);
}

function padded(frame: Uint8Array): Uint8Array {
  return Uint8Array.from([...frame, 0, 0, 0]);
}

describe('TCP GRO', () => {
  it('merges contiguous segments, over the wrap of the sequence number', () => {
    const frames = Array.from({ length: 5 }, (_, i) => tcp({ ...TCP, id: 100 + i, seq: SEQ + i * 1000 }));
    expect(outcomes(frames)).toEqual(['hold', 'append', 'append', 'append', 'append']);
    const v6 = Array.from({ length: 3 }, (_, i) => tcp({ ...TCP, ...V6, seq: SEQ + i * 1000 }));
    expect(outcomes(v6)).toEqual(['hold', 'append', 'append']);
  });

  it.each<[string, Partial<TcpParams>, Outcome]>([
    ['a shorter segment, which is the last', { payload: counting(999) }, 'append and flush'],
    ['PSH', { flags: TCP_FLAG_ACK | TCP_FLAG_PSH }, 'append and flush'],
    ['FIN with data', { flags: TCP_FLAG_ACK | TCP_FLAG_FIN }, 'append and flush'],
    ['a longer segment', { payload: counting(1001) }, 'flush and hold'],
    ['a pure ACK', { payload: counting(0) }, 'flush and bypass'],
    ['a gap', { seq: SEQ + 1001 }, 'flush and hold'],
    ['a retransmission', { seq: SEQ }, 'flush and hold'],
    ['another acknowledgement', { ack: 0x01020407 }, 'flush and hold'],
    ['another window', { window: 501 }, 'flush and hold'],
    ['a window that differs in its high byte', { window: 500 + 256 }, 'flush and hold'],
    ['options', { options: Uint8Array.of(1, 1, 1, 1) }, 'flush and hold'],
    ['CWR', { flags: TCP_FLAG_ACK | TCP_FLAG_CWR }, 'flush and hold'],
    ['ECE', { flags: TCP_FLAG_ACK | TCP_FLAG_ECE }, 'flush and hold'],
    ['AE', { flags: TCP_FLAG_ACK | TCP_FLAG_AE }, 'flush and hold'],
    ['SYN', { flags: TCP_FLAG_ACK | TCP_FLAG_SYN }, 'flush and bypass'],
    ['RST', { flags: TCP_FLAG_ACK | TCP_FLAG_RST }, 'flush and bypass'],
    ['URG', { flags: TCP_FLAG_ACK | TCP_FLAG_URG }, 'flush and bypass'],
    ['no ACK flag', { flags: 0 }, 'flush and hold'],
    ['PSH behind a gap', { flags: TCP_FLAG_ACK | TCP_FLAG_PSH, seq: SEQ + 1 }, 'flush and bypass'],
    ['another time to live', { ttl: 63 }, 'flush and hold'],
    ['another type of service', { tos: 1 }, 'flush and hold'],
    ['another DF', { dontFragment: false }, 'flush and hold'],
    ['another port', { srcPort: 81 }, 'hold'],
    ['another destination port', { dstPort: 5001 }, 'hold'],
    ['another source', { srcIp: ip4('10.0.0.3') }, 'hold'],
    ['another destination', { dstIp: ip4('10.0.1.2') }, 'hold'],
    ['another sender on the link', { srcMac: Uint8Array.of(2, 0, 0, 0, 0, 1) }, 'hold'],
    ['another receiver on the link', { dstMac: MAC_A }, 'hold'],
    ['a VLAN tag', { vlan: [1] }, 'hold'],
  ])('second segment with %s', (_what, change, outcome) => {
    expect(outcomes([tcp(TCP), tcp({ ...NEXT, ...change })])).toEqual(['hold', outcome]);
  });

  it('holds CWR against the new segment even if the head has it', () => {
    const flags = TCP_FLAG_ACK | TCP_FLAG_CWR;
    expect(outcomes([tcp({ ...TCP, flags }), tcp({ ...NEXT, flags })])).toEqual(['hold', 'flush and hold']);
  });

  it.each<[string, number]>([
    ['PSH', TCP_FLAG_PSH],
    ['SYN', TCP_FLAG_SYN],
    ['RST', TCP_FLAG_RST],
    ['URG', TCP_FLAG_URG],
    ['FIN', TCP_FLAG_FIN],
  ])('never holds a segment with %s', (_name, flag) => {
    expect(outcomes([tcp({ ...TCP, flags: TCP_FLAG_ACK | flag })])).toEqual(['bypass']);
  });

  it('never holds a pure ACK', () => {
    expect(outcomes([tcp({ ...TCP, payload: counting(0) })])).toEqual(['bypass']);
  });

  it('compares all option bytes', () => {
    const options = (last: number): Uint8Array => Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, last);
    const frames = (last: number): Uint8Array[] => [
      tcp({ ...TCP, options: options(5) }),
      tcp({ ...NEXT, options: options(last) }),
    ];
    expect(outcomes(frames(5))).toEqual(['hold', 'append']);
    expect(outcomes(frames(6))).toEqual(['hold', 'flush and hold']);
  });

  it('lets the VLAN tags decide on the flow', () => {
    const vlan = (tci: number): Uint8Array[] => [
      tcp({ ...TCP, vlan: [5, 6] }),
      tcp({ ...NEXT, vlan: [5, tci] }),
    ];
    expect(outcomes(vlan(6))).toEqual(['hold', 'append']);
    expect(outcomes(vlan(7))).toEqual(['hold', 'hold']);
  });

  it('stays below 65536 bytes', () => {
    const payload = counting(13_090);
    const frames = Array.from({ length: 6 }, (_, i) =>
      tcp({ ...TCP, payload, id: i, seq: i * payload.length }),
    );
    // 40 + 5 * 13090 = 65490.
    expect(outcomes(frames)).toEqual(['hold', 'append', 'append', 'append', 'append', 'flush and hold']);
    const tail = (len: number): Uint8Array => tcp({ ...TCP, id: 5, seq: 5 * 13_090, payload: counting(len) });
    expect(outcomes([...frames.slice(0, 5), tail(45)])[5]).toBe('append and flush');
    expect(outcomes([...frames.slice(0, 5), tail(46)])[5]).toBe('flush and hold');
  });

  it('goes on past 64 segments, unless whole packets are chained', () => {
    const frames = Array.from({ length: 66 }, (_, i) =>
      tcp({ ...TCP, id: i, seq: i * 10, payload: counting(10) }),
    );
    expect(outcomes(frames).slice(63)).toEqual(['append', 'append', 'append']);
    expect(outcomes(frames, true).slice(63)).toEqual(['append', 'flush and hold', 'append']);
  });

  it('chains no whole packet with PSH or FIN, and counts its headers', () => {
    const push = tcp({ ...NEXT, flags: TCP_FLAG_ACK | TCP_FLAG_PSH });
    expect(outcomes([tcp(TCP), tcp(NEXT), push], true)).toEqual(['hold', 'append', 'flush and bypass']);
    const payload = counting(13_090);
    const big = Array.from({ length: 5 }, (_, i) => tcp({ ...TCP, payload, id: i, seq: i * 13_090 }));
    const tail = (len: number): Uint8Array => tcp({ ...TCP, id: 5, seq: 5 * 13_090, payload: counting(len) });
    expect(outcomes([...big, tail(5)], true)[5]).toBe('append and flush');
    expect(outcomes([...big, tail(6)], true)[5]).toBe('flush and hold');
  });
});

describe('GRO: the IPv4 id', () => {
  const run = (ids: number[], dontFragment: boolean): Outcome[] =>
    outcomes(ids.map((id, i) => tcp({ ...TCP, id, dontFragment, seq: i * 1000 })));

  it.each([true, false])('counts up by one, or stays (DF %s)', (dontFragment) => {
    expect(run([65_534, 65_535, 0, 1], dontFragment)).toEqual(['hold', 'append', 'append', 'append']);
    expect(run([9, 9, 9, 9], dontFragment)).toEqual(['hold', 'append', 'append', 'append']);
  });

  it('may not change its ways', () => {
    expect(run([9, 10, 10], true)).toEqual(['hold', 'append', 'flush and hold']);
    expect(run([9, 9, 10], true)).toEqual(['hold', 'append', 'flush and hold']);
    expect(run([9, 9, 11], true)).toEqual(['hold', 'append', 'flush and hold']);
    expect(run([9, 11], true)).toEqual(['hold', 'flush and hold']);
    expect(run([9, 8], true)).toEqual(['hold', 'flush and hold']);
  });
});

describe('GRO: IPv6', () => {
  const first = tcp({ ...TCP, ...V6, flowLabel: 0x12345, tos: 0x40 });
  const second = (change: Partial<TcpParams>): Uint8Array =>
    tcp({ ...NEXT, ...V6, flowLabel: 0x12345, tos: 0x40, ...change });

  it.each<[string, Partial<TcpParams>, Outcome]>([
    ['nothing else', {}, 'append'],
    ['another traffic class, high bits', { tos: 0x80 }, 'flush and hold'],
    ['another traffic class, low bits', { tos: 0x41 }, 'flush and hold'],
    ['another hop limit', { ttl: 63 }, 'flush and hold'],
    ['another flow label, high bits', { flowLabel: 0x22345 }, 'hold'],
    ['another flow label, middle bits', { flowLabel: 0x12445 }, 'hold'],
    ['another flow label, low bits', { flowLabel: 0x12346 }, 'hold'],
    ['another source', { srcIp: ip6('2001:db8:8::1') }, 'hold'],
    ['another destination', { dstIp: ip6('2001:db8::3') }, 'hold'],
  ])('second segment with %s', (_what, change, outcome) => {
    expect(outcomes([first, second(change)])).toEqual(['hold', outcome]);
  });

  it('steps over equal options and routing headers, not over fragment and authentication headers', () => {
    const udpBody = [0, 53, 0, 54, 0, 12, 0x12, 0x34, 1, 2, 3, 4];
    const behind = (type: number, extension: number[]): Uint8Array =>
      ipv6Frame(type, [...extension, ...udpBody]);
    const options = behind(60, [17, 0, 1, 4, 0, 0, 0, 0]);
    expect(outcomes([options, options])).toEqual(['hold', 'append']);
    expect(outcomes([options, behind(60, [17, 0, 1, 4, 0, 0, 0, 9])])).toEqual(['hold', 'hold']);
    // The same bytes, but as a routing header.
    expect(outcomes([options, behind(43, [17, 0, 1, 4, 0, 0, 0, 0])])).toEqual(['hold', 'hold']);
    expect(outcomes([options, ipv6Frame(17, udpBody)])).toEqual(['hold', 'hold']);
    expect(outcomes([options, behind(44, [17, 0, 0, 0, 0, 0, 0, 1]), options])).toEqual([
      'hold',
      'bypass',
      'append',
    ]);
    expect(outcomes([behind(51, [17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1])])).toEqual(['bypass']);
  });
});

describe('UDP GRO', () => {
  const next = { ...UDP, id: 101 };

  it.each<[string, Partial<UdpParams>, Outcome]>([
    ['the same size', {}, 'append'],
    ['a shorter datagram, which is the last', { payload: counting(99) }, 'append and flush'],
    ['a longer datagram', { payload: counting(101) }, 'flush and hold'],
    ['another time to live', { ttl: 1 }, 'flush and hold'],
    ['an id that jumps', { id: 103 }, 'flush and hold'],
    ['no checksum', { noChecksum: true }, 'bypass'],
    ['no payload', { payload: counting(0) }, 'bypass'],
    ['another port', { dstPort: 5001 }, 'hold'],
  ])('second datagram with %s', (_what, change, outcome) => {
    for (const fraglist of [false, true]) {
      expect(outcomes([udp(UDP), udp({ ...next, ...change })], fraglist)).toEqual(['hold', outcome]);
    }
  });

  it('ends with the 64th datagram', () => {
    const frames = Array.from({ length: 66 }, (_, i) => udp({ ...UDP, id: i }));
    expect(outcomes(frames).slice(62)).toEqual(['append', 'append and flush', 'hold', 'append']);
    expect(outcomes(frames, true).slice(62)).toEqual(['append', 'append and flush', 'hold', 'append']);
  });

  it('stays below 65536 bytes', () => {
    const many = (size: number): Uint8Array[] =>
      Array.from({ length: 6 }, (_, i) => udp({ ...UDP, id: i, payload: counting(size) }));
    // 28 + 5 * 13101 = 65533; one byte more for each makes 65538.
    expect(outcomes(many(13_101)).slice(4)).toEqual(['append', 'flush and hold']);
    expect(outcomes(many(13_102)).slice(4)).toEqual(['flush and hold', 'append']);
    // 28 + 4 * 16377 = 65536.
    expect(outcomes(many(16_377)).slice(2, 4)).toEqual(['append', 'flush and hold']);
    // Chained packets keep their headers: 28 + 4 * 13096 + 13124 = 65536.
    expect(outcomes(many(13_095), true).slice(4)).toEqual(['append', 'flush and hold']);
    expect(outcomes(many(13_096), true).slice(4)).toEqual(['flush and hold', 'append']);
  });

  it('does not mix with TCP on the same ports', () => {
    const ports = { srcPort: 7, dstPort: 8 };
    expect(outcomes([tcp({ ...TCP, ...ports }), udp({ ...next, ...ports })])).toEqual(['hold', 'hold']);
  });
});

describe('groClassify', () => {
  const classOf = (frame: Uint8Array): number => groClassify(frame, 0, frame.length, keysOf(frame));

  it('accepts whole, plain TCP and UDP', () => {
    for (const frame of [tcp(TCP), udp(UDP), tcp({ ...TCP, ...V6 }), udp({ ...UDP, ...V6, vlan: [1] })]) {
      expect(classOf(frame)).toBe(GRO_CANDIDATE);
    }
    // A length field of 0x0100 is not one of 0.
    expect(classOf(tcp({ ...TCP, ...V6, payload: counting(236) }))).toBe(GRO_CANDIDATE);
    // Half a checksum of 0 is a checksum.
    expect(classOf(patched(udp(UDP), 40, 1, 0))).toBe(GRO_CANDIDATE);
    expect(classOf(patched(udp(UDP), 40, 0, 1))).toBe(GRO_CANDIDATE);
  });

  it('lets pass by what the protocol code would not look at', () => {
    const frame = tcp(TCP);
    const options = Uint8Array.from([...frame.slice(0, 34), 1, 1, 1, 0, ...frame.slice(34)]);
    options[14] = 0x46;
    options[17] += 4;
    expect(keysOf(options)).toMatchObject({ status: 0, tcpHdrLen: 20 });
    expect(classOf(resummed(options))).toBe(GRO_BYPASS);
    expect(classOf(patched(frame, 24, frame[24] ^ 1))).toBe(GRO_BYPASS);
    expect(classOf(resummed(patched(frame, 20, 0x20, 0)))).toBe(GRO_BYPASS);
    expect(classOf(resummed(patched(frame, 20, 0, 1)))).toBe(GRO_BYPASS);
    expect(classOf(built((b) => writeIcmpEcho(b, 0, FROM_4)))).toBe(GRO_BYPASS);
    expect(classOf(patched(frame, 12, 0x12, 0x34))).toBe(GRO_BYPASS);
    expect(classOf(frame.slice(0, -1))).toBe(GRO_BYPASS);
    expect(classOf(patched(frame, 46, 0xf0).slice(0, 60))).toBe(GRO_BYPASS);
    expect(classOf(padded(udp(UDP)))).toBe(GRO_BYPASS);
    expect(classOf(patched(udp(UDP), 38, 0, 100))).toBe(GRO_BYPASS);
    expect(classOf(udp({ ...UDP, ...V6, noChecksum: true }))).toBe(GRO_BYPASS);
  });

  it('lets the held packet go first for padded frames and a set reserved bit', () => {
    for (const odd of [padded(tcp(NEXT)), resummed(patched(tcp(NEXT), 20, 0xc0, 0))]) {
      expect(classOf(odd)).toBe(GRO_FLUSH_AND_BYPASS);
      expect(outcomes([tcp(TCP), odd])).toEqual(['hold', 'flush and bypass']);
    }
    expect(classOf(padded(tcp({ ...TCP, ...V6 })))).toBe(GRO_FLUSH_AND_BYPASS);
    expect(classOf(resummed(patched(udp(UDP), 20, 0xc0, 0)))).toBe(GRO_FLUSH_AND_BYPASS);
  });

  it('keeps jumbograms out', () => {
    const segment = tcp({ ...TCP, ...V6, payload: counting(1) }).slice(54);
    const big = new Uint8Array(69_000);
    big.set(segment);
    const jumbo = [6, 0, 0xc2, 4, 0, 1, (big.length + 8 - 65_536) >>> 8, (big.length + 8) & 0xff];
    const frame = ipv6Frame(0, [...jumbo, ...big], 0);
    expect(keysOf(frame)).toMatchObject({ status: 0, ipTotLen: 69_048, srcPort: 80 });
    expect(classOf(frame)).toBe(GRO_FLUSH_AND_BYPASS);
  });
});

describe('the verdicts', () => {
  it('are distinct, so that a caller can switch on them', () => {
    expect(new Set([GRO_FLUSH_FIRST, GRO_APPEND, GRO_APPEND_AND_FLUSH]).size).toBe(3);
    expect(new Set([GRO_BYPASS, GRO_FLUSH_AND_BYPASS, GRO_CANDIDATE]).size).toBe(3);
  });
});
