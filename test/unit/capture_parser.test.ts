// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CaptureParser,
  CaptureRecord,
  MIN_WORK_BYTES,
} from '../../dist/drivers/net/capture/capture_parser.js';
import { errorOf, packet, parse, parseGood } from '../helpers/capture_reader.js';
import {
  concat,
  type Packet,
  PcapngWriter,
  type PcapOptions,
  pcapFile,
  pcapHeader,
  pcapRecord,
} from '../helpers/capture_writer.js';

const SEC = 1_000_000_000n;

/** Odd lengths, an empty one, a cut one, times with all digits. */
const PACKETS: Packet[] = [
  packet(60, 1, { timeNs: 1_700_000_000n * SEC + 123_456_789n }),
  packet(61, 2, { timeNs: 1_700_000_000n * SEC + 999_999_999n }),
  packet(0, 3, { timeNs: 1_700_000_001n * SEC }),
  packet(98, 4, { timeNs: 4_294_967_295n * SEC + 1_001n, origLen: 1514 }),
];

function expectPackets(bytes: Uint8Array, packets: Packet[], unitNs: bigint, chunkLens?: number[]): void {
  const records = parseGood(bytes, chunkLens);
  expect(records.map((record) => record.hex)).toEqual(
    packets.map((p) => Buffer.from(p.data).toString('hex')),
  );
  expect(records.map((record) => record.capLen)).toEqual(packets.map((p) => p.data.length));
  expect(records.map((record) => record.origLen)).toEqual(packets.map((p) => p.origLen ?? p.data.length));
  expect(records.map((record) => record.timeNs)).toEqual(
    packets.map((p) => ((p.timeNs ?? 0n) / unitNs) * unitNs),
  );
  expect(records.map((record) => record.linkType)).toEqual(packets.map(() => 1));
  expect(records.map((record) => record.index)).toEqual(packets.map((_, i) => i));
}

const orders = [
  ['little-endian', false],
  ['big-endian', true],
] as const;

describe.each(orders)('%s', (_, bigEndian) => {
  test.each([false, true])('pcap, nanoseconds %s, gives back what was written', (nanos) => {
    const bytes = pcapFile(PACKETS, { bigEndian, nanos });
    expectPackets(bytes, PACKETS, nanos ? 1n : 1000n);
    const { parser } = parse(bytes);
    expect(parser.format).toBe('pcap');
    expect(parser.byteOrder).toBe(bigEndian ? 'big' : 'little');
    expect(parser.linkType).toBe(1);
    expect(parser.resolutionNs).toBe(nanos ? 1 : 1000);
  });

  test.each([
    [undefined, 1000n, 1000],
    [6, 1000n, 1000],
    [9, 1n, 1],
    [3, 1_000_000n, 1e6],
    [0, SEC, 1e9],
  ])('pcapng, if_tsresol %s, gives back what was written', (tsresol, unitNs, resolutionNs) => {
    const writer = new PcapngWriter(bigEndian).section().interface({ tsresol, snapLen: 65535 });
    for (const p of PACKETS) writer.enhanced(p);
    expectPackets(writer.bytes(), PACKETS, unitNs);
    const { parser } = parse(writer.bytes());
    expect(parser.format).toBe('pcapng');
    expect(parser.byteOrder).toBe(bigEndian ? 'big' : 'little');
    expect(parser.linkType).toBe(1);
    expect(parser.resolutionNs).toBe(resolutionNs);
  });

  test('obsolete packet blocks carry time and length, simple ones length only', () => {
    const writer = new PcapngWriter(bigEndian).section().interface().interface({ tsresol: 9 });
    expectPackets(writer.obsolete(PACKETS[0], 1).obsolete(PACKETS[1], 1).bytes(), PACKETS.slice(0, 2), 1n);
    const simple = new PcapngWriter(bigEndian).section().interface({ snapLen: 64 });
    const whole = packet(50, 5);
    const cut = packet(64, 6, { origLen: 1500 });
    expectPackets(simple.simple(whole).simple(cut).bytes(), [whole, cut], 1n);
  });

  test('pcap versions before 2.3 have the two lengths the other way round', () => {
    for (const versionMinor of [0, 2, 3, 4]) {
      expectPackets(pcapFile(PACKETS, { bigEndian, versionMinor }), PACKETS, 1000n);
    }
    // 2.3 was written both ways; the captured length is the smaller one.
    const mixed = concat(
      pcapHeader({ bigEndian, versionMinor: 3 }),
      pcapRecord(PACKETS[3], { bigEndian, versionMinor: 2 }),
    );
    expectPackets(mixed, [PACKETS[3]], 1000n);
  });
});

describe('chunks of any size give the same records', () => {
  const files: [string, Uint8Array][] = [
    ['pcap', pcapFile(PACKETS)],
    [
      'pcapng',
      new PcapngWriter()
        .section()
        .interface({ tsresol: 9 })
        .enhanced(PACKETS[0], 0, undefined, 'a comment')
        .block(4, packet(40).data)
        .section(true)
        .interface()
        .enhanced(PACKETS[1])
        .block(0x40000bad, packet(8).data)
        .simple(PACKETS[2])
        .bytes(),
    ],
  ];

  test.each(files)('%s in single bytes', (_, bytes) => {
    expect(parseGood(bytes, [1])).toEqual(parseGood(bytes));
  });

  test.each(files)('%s in two chunks, split anywhere', (_, bytes) => {
    const whole = parseGood(bytes);
    for (let at = 1; at < bytes.length; at++) {
      expect(parseGood(bytes, [at, bytes.length - at])).toEqual(whole);
    }
  });

  test.each(files)('%s in random chunks', (_, bytes) => {
    const whole = parseGood(bytes);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 20 }), (lens) => {
        fc.pre(lens.some((len) => len > 0));
        expect(parseGood(bytes, lens)).toEqual(whole);
      }),
    );
  });
});

describe('what is no capture says so', () => {
  test.each([
    ['', 'at byte 0: empty, not a capture'],
    ['0a', 'only 1 bytes long'],
    ['68656c6c6f', 'neither pcap nor pcapng (it begins with 68 65 6c 6c)'],
    ['28b52ffd00', 'zstd -d'],
    ['1f8b080000', 'gzip -d'],
    ['a1b2cd3400', 'editcap'],
    ['34cdb2a100', 'editcap'],
  ])('%s', (hex, message) => {
    const error = errorOf(new Uint8Array(Buffer.from(hex, 'hex')));
    expect(error.offset).toBe(0);
    expect(error.message).toContain(message);
  });
});

describe('the work buffer', () => {
  test('may lie anywhere in shared memory, and nothing beside it is touched', () => {
    const memory = new SharedArrayBuffer(MIN_WORK_BYTES + 300);
    const all = new Uint8Array(memory).fill(0x5a);
    const workBuf = new Uint8Array(memory, 101, MIN_WORK_BYTES);
    const packets = Array.from({ length: 1200 }, (_, i) => packet(1000 + (i % 7), i));
    const { records, error } = parse(pcapFile(packets), [777_777], workBuf);
    expect(error).toBeNull();
    expect(records.map((record) => record.hex)).toEqual(
      packets.map((p) => Buffer.from(p.data).toString('hex')),
    );
    const outside = Buffer.concat([all.slice(0, 101), all.slice(101 + MIN_WORK_BYTES)]);
    expect(outside.every((byte) => byte === 0x5a)).toBe(true);
  });

  test('that is too small is refused', () => {
    expect(() => new CaptureParser(new Uint8Array(MIN_WORK_BYTES - 1), 'x')).toThrow(RangeError);
  });

  test('that is full makes push take less, until records are read', () => {
    const bytes = pcapFile(Array.from({ length: 1500 }, (_, i) => packet(1000, i)));
    const workBuf = new Uint8Array(MIN_WORK_BYTES);
    const parser = new CaptureParser(workBuf, 'x');
    expect(parser.push(bytes)).toBe(MIN_WORK_BYTES);
    expect(parser.push(bytes.subarray(MIN_WORK_BYTES))).toBe(0);
    const rec = new CaptureRecord();
    let seen = 0;
    while (parser.next(rec)) seen++;
    expect(parser.push(bytes.subarray(MIN_WORK_BYTES))).toBe(bytes.length - MIN_WORK_BYTES);
    while (parser.next(rec)) seen++;
    expect(seen).toBe(1500);
  });

  test('keeps a record in place until the next push', () => {
    const workBuf = new Uint8Array(MIN_WORK_BYTES);
    const parser = new CaptureParser(workBuf, 'x');
    const packets = Array.from({ length: 50 }, (_, i) => packet(40, i));
    parser.push(pcapFile(packets));
    const kept: number[] = [];
    const rec = new CaptureRecord();
    while (parser.next(rec)) kept.push(rec.off);
    parser.end();
    parser.next(rec);
    expect(kept.map((off) => Buffer.from(workBuf.subarray(off, off + 40)).toString('hex'))).toEqual(
      packets.map((p) => Buffer.from(p.data).toString('hex')),
    );
  });
});

test('a stream 300 times the work buffer is read in constant memory', () => {
  const options: PcapOptions = { nanos: true };
  const time = { timeNs: 1_700_000_000n * SEC };
  const one = Buffer.from(pcapRecord(packet(1500, 9, time), options));
  const small = Buffer.from(pcapRecord(packet(64, 8, time), options));
  const period = Buffer.concat([...Array(120).fill(one), ...Array(600).fill(small)]);
  const rounds = Math.ceil((300 << 20) / period.length);
  const total = rounds * period.length;
  // Pushes of an odd length out of an endless repetition, so that records straddle them.
  const PUSH = 65_537;
  const stream = new Uint8Array(Buffer.concat([period, period.subarray(0, PUSH)]));

  const workBuf = new Uint8Array(MIN_WORK_BYTES);
  const parser = new CaptureParser(workBuf, 'x');
  const rec = new CaptureRecord();
  let pushed = 0;
  let seen = 0;
  let bytesSeen = 0;
  let firstBytes = 0;
  const pump = (until: number): void => {
    while (pushed < until) {
      const at = pushed % period.length;
      const len = Math.min(PUSH, total - pushed);
      pushed += parser.push(stream.subarray(at, at + len));
      while (parser.next(rec)) {
        seen++;
        bytesSeen += rec.capLen;
        firstBytes += workBuf[rec.off];
      }
    }
  };
  const held = (): number => {
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return heapUsed + external + arrayBuffers;
  };
  parser.push(pcapHeader(options));
  pump(total / 10);
  const before = held();
  pump(total);
  const growth = held() - before;
  parser.end();
  expect(parser.next(rec)).toBe(false);
  expect(parser.warning).toBeNull();
  expect(seen).toBe(rounds * 720);
  expect(bytesSeen).toBe(rounds * (120 * 1500 + 600 * 64));
  expect(firstBytes).toBe(rounds * (120 * 9 + 600 * 8));
  expect(rec.fileOffset).toBe(24 + total - small.length);
  expect(growth).toBeLessThan(32 << 20);
});
