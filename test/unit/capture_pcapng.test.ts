// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, test } from 'vitest';
import { errorOf, packet, parseGood } from '../helpers/capture_reader.js';
import { concat, PcapngWriter, pcapFile } from '../helpers/capture_writer.js';

const SEC = 1_000_000_000n;

describe('pcapng structure', () => {
  test('interfaces keep their own resolution, and a new section forgets them', () => {
    const at = packet(20, 1, { timeNs: 1_234n * SEC + 5_000_000n });
    const writer = new PcapngWriter()
      .section()
      .interface({ tsresol: 6 })
      .interface({ tsresol: 9 })
      .interface({ tsresol: 3 })
      .enhanced(at, 2)
      .enhanced(at, 0)
      .enhanced(at, 1)
      .section(true)
      .interface({ tsresol: 3 })
      .enhanced(at, 0);
    expect(parseGood(writer.bytes()).map((record) => record.timeNs)).toEqual(
      [1, 2, 3, 4].map(() => at.timeNs),
    );
    expect(errorOf(writer.enhanced(at, 1).bytes()).message).toMatch(
      /record 5 is of interface 1, and the section describes only 1/,
    );
  });

  test('offsets of records are those of their blocks in the file', () => {
    const head = new PcapngWriter().section().interface();
    const start = head.bytes().length;
    const bytes = head.enhanced(packet(10)).enhanced(packet(3)).bytes();
    expect(parseGood(bytes).map((record) => record.fileOffset)).toEqual([start, start + 44]);
    expect(parseGood(pcapFile([packet(10), packet(3)])).map((record) => record.fileOffset)).toEqual([24, 50]);
  });

  test('a link type other than Ethernet is refused only when a packet has it', () => {
    const unused = new PcapngWriter()
      .section()
      .interface()
      .interface({ linkType: 113 })
      .enhanced(packet(9), 0);
    expect(parseGood(unused.bytes())).toHaveLength(1);
    const error = errorOf(unused.enhanced(packet(9), 1).bytes());
    expect(error.message).toMatch(
      /^test\.cap: at byte 56: interface 1, to which record 2 belongs, has link type 113 \(Linux cooked v1\); .*"any"/,
    );
    expect(error.offset).toBe(28 + 20 + 8);
  });

  test('a packet of an interface that is not described is refused with its offset', () => {
    const error = errorOf(new PcapngWriter().section().enhanced(packet(9)).bytes());
    expect(error.offset).toBe(28 + 8);
    expect(error.message).toMatch(/at byte 36: record 1 is of interface 0, and the section describes none; /);
  });

  test.each([
    ['not a multiple of 4', 38],
    ['too short', 8],
    ['too long', 1 << 30],
  ])('a total length that is %s is refused with its offset', (what, total) => {
    const writer = new PcapngWriter().section().interface();
    const start = writer.bytes().length;
    const error = errorOf(writer.block(6, packet(24).data, total).bytes());
    expect(error.offset).toBe(start + 4);
    expect(error.message).toContain(what);
    expect(error.message).toContain(`total length of ${total}`);
  });

  test('a total length that differs at the end is refused, also of a block that is skipped', () => {
    for (const type of [6, 3, 2, 1, 0x77]) {
      const body = packet(24).data.fill(0);
      const writer = new PcapngWriter().section().interface().block(type, body, 36, 40);
      const error = errorOf(writer.bytes());
      expect(error.offset).toBe(28 + 20 + 32);
      expect(error.message).toContain('ends with total length 40 and began with 36');
    }
  });

  test('a block that is not needed may exceed the work buffer, and is not held', () => {
    const big = new Uint8Array(5 << 20).fill(0xa5);
    const bytes = new PcapngWriter().section().interface().bytes();
    const skipped = new Uint8Array(12 + big.length);
    const view = new DataView(skipped.buffer);
    view.setUint32(0, 10, true); // decryption secrets
    view.setUint32(4, skipped.length, true);
    skipped.set(big, 8);
    view.setUint32(skipped.length - 4, skipped.length, true);
    const section = new PcapngWriter().section().interface().enhanced(packet(33)).bytes();
    for (const chunk of [65536, 65537, 3 << 20]) {
      const records = parseGood(concat(bytes, skipped, section), [chunk]);
      expect(records.map((record) => record.capLen)).toEqual([33]);
    }
  });

  test.each([
    ['a resolution beyond 64 bits', { tsresol: 20 }, 28 + 16 + 4],
    ['a binary resolution beyond 64 bits', { tsresol: 0x80 + 64 }, 28 + 16 + 4],
    ['a resolution of two bytes', { extra: [[9, Uint8Array.of(6, 0)]] as [number, Uint8Array][] }, 28 + 16],
    ['an offset of four bytes', { extra: [[14, new Uint8Array(4)]] as [number, Uint8Array][] }, 28 + 16],
    ['a snapshot length above 2^31-1', { snapLen: 0x80000000 }, 28 + 12],
  ])('an interface with %s is refused with its offset', (_, options, offset) => {
    expect(errorOf(new PcapngWriter().section().interface(options).bytes()).offset).toBe(offset);
  });

  test('a version other than 1.0 and 1.2 is refused', () => {
    expect(parseGood(new PcapngWriter().section(false, 1, 2).bytes())).toEqual([]);
    expect(errorOf(new PcapngWriter().section(false, 2, 0).bytes()).message).toContain('pcapng version 2.0');
  });
});
