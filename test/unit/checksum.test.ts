// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeTcp6, writeUdp4, writeUdp6 } from '../../dist/drivers/net/frame_builder.js';
import {
  csumPartial,
  internetChecksum,
  ipv4HeaderChecksumOk,
  l4Checksum,
  udpChecksum,
  udpChecksumOk,
} from '../../dist/net/core/headers/checksum.js';
import { built, counting, FROM_4, FROM_6, get16, patched } from '../helpers/frames.js';

/** RFC 1071 by the book: exact arithmetic, carries folded at the end. */
function bookSum(bytes: Uint8Array): number {
  let sum = 0n;
  for (let i = 0; i < bytes.length; i += 2) sum += BigInt((bytes[i] << 8) | (bytes[i + 1] ?? 0));
  while (sum > 0xffffn) sum = (sum & 0xffffn) + (sum >> 16n);
  return Number(sum);
}

describe('internetChecksum', () => {
  it('gives the sum of the example in RFC 1071', () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(csumPartial(bytes, 0, 8, 0)).toBe(0xddf2);
    expect(internetChecksum(bytes, 0, 8, 0)).toBe(0x220d);
  });

  it('agrees with the definition for any bytes, place and split', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(5), fc.nat(100), (bytes, before, half) => {
        const b = new Uint8Array(before + bytes.length + 3).fill(0xee);
        b.set(bytes, before);
        const whole = csumPartial(b, before, bytes.length, 0);
        expect(whole).toBe(bookSum(bytes));
        expect(internetChecksum(b, before, bytes.length, 0)).toBe(0xffff - whole);
        const cut = Math.min(half * 2, bytes.length & ~1);
        const first = csumPartial(b, before, cut, 0);
        expect(csumPartial(b, before + cut, bytes.length - cut, first)).toBe(whole);
      }),
    );
  });

  it('does not overflow over a large packet of large words', () => {
    const big = new Uint8Array(200_001).fill(0xff);
    expect(csumPartial(big, 0, big.length, 0xffff)).toBe(bookSum(Uint8Array.from([0xff, 0xff, ...big])));
  });
});

describe('header and upper-layer checksums', () => {
  it('accepts an intact IPv4 header and no damaged one', () => {
    const header = Uint8Array.from(
      '450000730000400040 11b861c0a80001c0a800c7'
        .replace(' ', '')
        .match(/../g)!
        .map((hex) => Number.parseInt(hex, 16)),
    );
    expect(ipv4HeaderChecksumOk(header, 0)).toBe(true);
    for (let at = 1; at < 20; at++) {
      expect(ipv4HeaderChecksumOk(patched(header, at, header[at] ^ 0x10), 0), `byte ${at}`).toBe(false);
    }
    // Options are summed too.
    const withOption = Uint8Array.from([...header, 1, 1, 1, 0]);
    withOption[0] = 0x46;
    expect(ipv4HeaderChecksumOk(withOption, 0)).toBe(false);
    withOption[10] = withOption[11] = 0;
    const sum = internetChecksum(withOption, 0, 24, 0);
    expect(ipv4HeaderChecksumOk(patched(withOption, 10, sum >>> 8, sum & 0xff), 0)).toBe(true);
  });

  it('covers addresses, length and protocol by the pseudo header', () => {
    const udp = built((b) => writeUdp4(b, 0, { ...FROM_4, srcPort: 5, dstPort: 6, payload: counting(7) }));
    const tcp = built((b) => writeTcp6(b, 0, { ...FROM_6, srcPort: 5, dstPort: 6, payload: counting(7) }));
    expect(l4Checksum(udp, 14, 34, 15, 17)).toBe(0);
    expect(l4Checksum(tcp, 14, 54, 27, 6)).toBe(0);
    expect(l4Checksum(udp, 14, 34, 15, 18)).not.toBe(0);
    expect(l4Checksum(patched(udp, 26, 11), 14, 34, 15, 17)).not.toBe(0);
    expect(l4Checksum(patched(tcp, 53, 9), 14, 54, 27, 6)).not.toBe(0);
  });

  it('never stores a UDP checksum of 0', () => {
    const udp = built((b) =>
      writeUdp4(b, 0, { ...FROM_4, srcPort: 5, dstPort: 6, payload: Uint8Array.of(0, 0) }),
    );
    // A payload equal to the checksum makes the sum complete: its complement is 0.
    const complete = patched(udp, 42, udp[40], udp[41]);
    complete[40] = complete[41] = 0;
    expect(l4Checksum(complete, 14, 34, 10, 17)).toBe(0);
    expect(udpChecksum(complete, 14, 34, 10)).toBe(0xffff);
    expect(udpChecksumOk(patched(complete, 40, 0xff, 0xff), 14, 34, 10)).toBe(true);
  });

  it('takes a UDP checksum of 0 as "none" over IPv4 and as wrong over IPv6', () => {
    const none = { srcPort: 5, dstPort: 6, payload: counting(4), noChecksum: true };
    const v4 = built((b) => writeUdp4(b, 0, { ...FROM_4, ...none }));
    const v6 = built((b) => writeUdp6(b, 0, { ...FROM_6, ...none }));
    expect(get16(v4, 40)).toBe(0);
    expect(udpChecksumOk(v4, 14, 34, 12)).toBe(true);
    expect(udpChecksumOk(v6, 14, 54, 12)).toBe(false);
    expect(udpChecksumOk(patched(v4, 40, 1, 2), 14, 34, 12)).toBe(false);
  });
});
