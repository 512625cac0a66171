// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  writeArp,
  writeIcmpEcho,
  writeTcp4,
  writeTcp6,
  writeUdp4,
  writeUdp6,
} from '../../dist/drivers/net/frame_builder.js';
import {
  ethtoolRxfhIndirDefault,
  RSS_INDIRECTION_SIZE,
  RssIndirection,
} from '../../dist/drivers/net/rss_indirection.js';
import { RSS_KEY, Toeplitz } from '../../dist/drivers/net/toeplitz.js';
import {
  built,
  counting,
  FROM_4,
  ip4,
  ip6,
  ipv6Frame,
  keysOf,
  MAC_A,
  MAC_B,
  patched,
} from '../helpers/frames.js';

/** Published verification vectors: source, port, destination, port, hash of the addresses, and with the ports. */
const VECTORS: readonly [string, number, string, number, number, number][] = [
  ['66.9.149.187', 2794, '161.142.100.80', 1766, 0x323e8fc2, 0x51ccc178],
  ['199.92.111.2', 14230, '65.69.140.83', 4739, 0xd718262a, 0xc626b0ea],
  ['24.19.198.95', 12898, '12.22.207.184', 38024, 0xd2d0a5de, 0x5c2b394a],
  ['38.27.205.30', 48228, '209.142.163.6', 2217, 0x82989176, 0xafc7327f],
  ['153.39.163.191', 44251, '202.188.127.2', 1303, 0x5d1809c5, 0x10e828a2],
  ['3ffe:2501:200:1fff::7', 2794, '3ffe:2501:200:3::1', 1766, 0x2cc18cd5, 0x40207d3d],
  ['3ffe:501:8::260:97ff:fe40:efab', 14230, 'ff02::1', 4739, 0x0f0c461c, 0xdde51bbf],
  ['3ffe:1900:4545:3:200:f8ff:fe21:67cf', 44251, 'fe80::200:f8ff:fe21:67cf', 38024, 0x4b61e985, 0x02d1feef],
];

/** The definition: for every set bit, the 32 key bits that begin there. */
function bookHash(key: Uint8Array, input: Uint8Array): number {
  const bits = [...key].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let hash = 0;
  for (let i = 0; i < input.length * 8; i++) {
    if (((input[i >> 3] >> (7 - (i & 7))) & 1) === 1) hash ^= Number.parseInt(bits.slice(i, i + 32), 2);
  }
  return hash >>> 0;
}

const toeplitz = new Toeplitz();
const hashOf = (frame: Uint8Array): number => toeplitz.rssHash(frame, keysOf(frame));
const PORTS = { srcPort: 1000, dstPort: 2000 };

describe('Toeplitz', () => {
  it.each(VECTORS)('%s:%i to %s:%i', (src, srcPort, dst, dstPort, addresses, withPorts) => {
    const v6 = src.includes(':');
    const parse = v6 ? ip6 : ip4;
    const size = v6 ? 16 : 4;
    const ports = [srcPort >>> 8, srcPort & 0xff, dstPort >>> 8, dstPort & 0xff];
    // Destination first and a gap between: the functions take each from its own place.
    const b = Uint8Array.from([9, ...parse(dst), 9, 9, ...parse(src), 9, ...ports]);
    const [dstOff, srcOff, portsOff] = [1, size + 3, 2 * size + 4];
    const inOrder = Uint8Array.from([...parse(src), ...parse(dst), ...ports]);
    expect(toeplitz.hash(inOrder, 0, 2 * size)).toBe(addresses);
    expect(toeplitz.hash(inOrder, 0, 2 * size + 4)).toBe(withPorts);
    if (v6) {
      expect(toeplitz.hashIpv6(b, srcOff, dstOff)).toBe(addresses);
      expect(toeplitz.hashIpv6Ports(b, srcOff, dstOff, portsOff)).toBe(withPorts);
    } else {
      expect(toeplitz.hashIpv4(b, srcOff, dstOff)).toBe(addresses);
      expect(toeplitz.hashIpv4Ports(b, srcOff, dstOff, portsOff)).toBe(withPorts);
    }

    const common = { srcMac: MAC_A, dstMac: MAC_B, srcIp: parse(src), dstIp: parse(dst), srcPort, dstPort };
    const udp = built((f) => (v6 ? writeUdp6 : writeUdp4)(f, 0, { ...common, vlan: [7] }));
    const tcp = built((f) => (v6 ? writeTcp6 : writeTcp4)(f, 0, common));
    expect(hashOf(udp)).toBe(withPorts);
    expect(hashOf(tcp)).toBe(withPorts);
    expect(toeplitz.rssHashWord(udp, keysOf(udp))).toBe(withPorts | 0);
  });

  it('agrees with the definition for any key and input', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 40, maxLength: 52 }),
        fc.uint8Array({ maxLength: 36 }),
        (key, input) => {
          expect(new Toeplitz(key).hash(input, 0, input.length)).toBe(bookHash(key, input));
        },
      ),
    );
  });

  it('refuses a key or an input of the wrong length in one clear line', () => {
    expect(() => new Toeplitz(RSS_KEY.slice(0, 39))).toThrow(/the key has 39 bytes; give at least 40/);
    expect(() => toeplitz.hash(new Uint8Array(64), 0, 37)).toThrow(/37 bytes given/);
  });
});

describe('rssHash', () => {
  it('keeps all fragments of a packet on one queue', () => {
    const udp = built((b) => writeUdp4(b, 0, { ...FROM_4, ...PORTS, payload: counting(64) }));
    const first = patched(udp, 20, 0x20, 0);
    const second = patched(udp, 20, 0, 8);
    expect(hashOf(first)).toBe(toeplitz.hashIpv4(udp, 26, 30));
    expect(hashOf(second)).toBe(hashOf(first));
    expect(hashOf(udp)).not.toBe(hashOf(first));

    const v6 = (offset: number, more: number): Uint8Array =>
      ipv6Frame(44, [17, 0, offset >>> 8, (offset & 0xf8) | more, 0, 0, 0, 1, 3, 232, 7, 208, 0, 16, 0, 0]);
    expect(hashOf(v6(0, 1))).toBe(toeplitz.hashIpv6(v6(0, 1), 22, 38));
    expect(hashOf(v6(8, 0))).toBe(hashOf(v6(0, 1)));
  });

  it('uses addresses alone for IP without ports', () => {
    const echo = built((b) => writeIcmpEcho(b, 0, { ...FROM_4, ident: 7 }));
    expect(hashOf(echo)).toBe(toeplitz.hashIpv4(echo, 26, 30));
  });

  it('is 0 for what is not IP, and for a broken packet', () => {
    const arp = built((b) =>
      writeArp(b, 0, {
        ...FROM_4,
        op: 1,
        senderMac: MAC_A,
        senderIp: ip4('10.0.0.1'),
        targetMac: MAC_B,
        targetIp: ip4('10.0.0.2'),
      }),
    );
    const udp = built((b) => writeUdp4(b, 0, { ...FROM_4, ...PORTS, payload: counting(8) }));
    expect(hashOf(arp)).toBe(0);
    expect(hashOf(patched(udp, 12, 0, 20))).toBe(0);
    expect(hashOf(patched(udp, 38, 255, 255))).toBe(0);
  });
});

describe('RssIndirection', () => {
  it('spreads its 128 entries round robin and looks at the low seven bits of the hash', () => {
    const rss = new RssIndirection(3);
    for (let hash = 0; hash < 128; hash++) expect(rss.queue(hash)).toBe(hash % 3);
    expect(rss.queue(0xffffffff)).toBe(127 % 3);
    expect(rss.queue(-1)).toBe(127 % 3);
    expect(rss.queue(0x80000080)).toBe(0);
    expect(ethtoolRxfhIndirDefault(5, 4)).toBe(1);
  });

  it('changes with the number of queues, and by entry', () => {
    const words = new Int32Array(new SharedArrayBuffer(RSS_INDIRECTION_SIZE * 4));
    const rss = new RssIndirection(4, words);
    rss.setDefault(2);
    expect([0, 1, 2, 3].map((hash) => rss.queue(hash))).toEqual([0, 1, 0, 1]);
    rss.set(2, 9);
    expect(rss.queue(0x102 & ~0x80)).toBe(9);
    expect(words[2]).toBe(9);
  });

  it('refuses a table or a number of queues that cannot work', () => {
    expect(() => new RssIndirection(0)).toThrow(/0 queues given/);
    expect(() => new RssIndirection(1.5)).toThrow(/1.5 queues given/);
    expect(() => new RssIndirection(1, new Int32Array(64))).toThrow(/64 words; give 128/);
  });
});
