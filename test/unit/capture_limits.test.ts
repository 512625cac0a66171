// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, test } from 'vitest';
import { errorOf, packet, parseGood } from '../helpers/capture_reader.js';
import { PcapngWriter, pcapFile, pcapHeader } from '../helpers/capture_writer.js';

describe('limits and link-layer details', () => {
  const LARGEST = 262144;

  test('the largest packet passes, one byte more is refused with the offset of its length', () => {
    const data = new Uint8Array(LARGEST + 1).fill(3);
    const most = { data: data.subarray(1) };
    expect(parseGood(pcapFile([most, packet(5)]), [100_000]).map((record) => record.capLen)).toEqual([
      LARGEST,
      5,
    ]);
    const error = errorOf(pcapFile([packet(5), { data }]));
    expect(error.offset).toBe(24 + 21 + 8);
    expect(error.message).toMatch(
      /record 2 has a captured length of 262145 bytes, above the maximum of 262144/,
    );
    expect(error.message).toMatch(/cut it before byte 45 to use the 1 record before$/);
    const ng = new PcapngWriter().section().interface();
    expect(parseGood(ng.enhanced(most).bytes())).toHaveLength(1);
    expect(errorOf(ng.enhanced({ data }).bytes()).message).toContain('above the maximum of 262144');
  });

  test('a packet longer than the snapshot length is refused, and 0 means no limit', () => {
    const error = errorOf(pcapFile([packet(65)], { snapLen: 64 }));
    expect(error.offset).toBe(32);
    expect(error.message).toContain('65 bytes, above the snapshot length of 64');
    expect(parseGood(pcapFile([packet(65)], { snapLen: 0 }))).toHaveLength(1);
    const ng = new PcapngWriter().section().interface({ snapLen: 64 }).enhanced(packet(65));
    expect(errorOf(ng.bytes()).message).toContain('65 bytes, above the snapshot length of 64');
  });

  test('a snapshot length that is negative as a signed number is refused', () => {
    const error = errorOf(pcapHeader({ snapLen: 0xffffffff }));
    expect(error.offset).toBe(16);
    expect(error.message).toContain('snapshot length of 4294967295');
    expect(parseGood(pcapHeader({ snapLen: 0x7fffffff }))).toEqual([]);
  });

  test('a link type other than Ethernet is named with its byte offset', () => {
    for (const [linkType, name] of [
      [276, 'Linux cooked v2'],
      [101, 'raw IP'],
      [9999, 'not a type known here'],
    ] as const) {
      const error = errorOf(pcapHeader({ network: linkType }));
      expect(error.offset).toBe(20);
      expect(error.message).toContain(
        `at byte 20: link type ${linkType} (${name}); only Ethernet (1) is supported`,
      );
    }
  });

  test('a frame check sequence that the file announces is cut off', () => {
    // Bit 26: the length is given; bits 28 to 31: it, in 16-bit units.
    const network = 0x24000001;
    const packets = [
      packet(64),
      packet(60, 2, { origLen: 64 }),
      packet(62, 3, { origLen: 64 }),
      packet(30, 4, { origLen: 64 }),
    ];
    const lengths = (bytes: Uint8Array): number[][] =>
      parseGood(bytes).map((record) => [record.capLen, record.origLen]);
    const expected = [60, 60, 60, 30].map((capLen) => [capLen, 60]);
    expect(lengths(pcapFile(packets, { network }))).toEqual(expected);
    // Without bit 26 the length means nothing.
    expect(lengths(pcapFile([packet(64)], { network: 0x20000001 }))).toEqual([[64, 64]]);
    for (const fcslen of [32, 4]) {
      const writer = new PcapngWriter().section().interface({ fcslen });
      for (const p of packets) writer.enhanced(p);
      expect(lengths(writer.bytes())).toEqual(expected);
    }
  });

  test('a length on the wire below the captured one is raised to it', () => {
    const [record] = parseGood(pcapFile([packet(64, 1, { origLen: 0 })]));
    expect([record.capLen, record.origLen]).toEqual([64, 64]);
  });

  test('pcap versions other than 2.0 to 2.4 are refused', () => {
    expect(errorOf(pcapHeader({ versionMinor: 5 })).message).toMatch(/at byte 4: pcap version 2\.5/);
  });
});
