// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CaptureError } from '../../dist/drivers/net/capture/capture_error.js';
import { MIN_WORK_BYTES } from '../../dist/drivers/net/capture/capture_parser.js';
import { type Outcome, type Parsed, parse, parseGood } from '../helpers/capture_reader.js';
import { type Packet, PcapngWriter, pcapFile, pcapRecord } from '../helpers/capture_writer.js';

const PACKETS: Packet[] = [20, 21, 23].map((len, i) => ({
  data: Uint8Array.from({ length: len }, (_, at) => (at * 11 + i) & 0xff),
  timeNs: 1_700_000_000_000_000_000n + BigInt(i) * 1_000_001n,
}));

function pcapng(bigEndian: boolean): Uint8Array {
  const name = Uint8Array.from(Buffer.from('eth0'));
  const writer = new PcapngWriter(bigEndian)
    .section()
    .interface({ tsresol: 9, tsoffset: 5n, fcslen: 0, snapLen: 65535, extra: [[2, name]] });
  return writer
    .enhanced(PACKETS[0], 0, undefined, 'note')
    .block(5, new Uint8Array(12))
    .obsolete(PACKETS[1])
    .simple(PACKETS[2])
    .bytes();
}

const FILES: [string, Uint8Array][] = [
  ['pcap, little-endian', pcapFile(PACKETS)],
  ['pcap, big-endian, nanoseconds', pcapFile(PACKETS, { bigEndian: true, nanos: true })],
  ['pcap 2.3', pcapFile(PACKETS, { versionMinor: 3, snapLen: 100 })],
  ['pcapng, little-endian', pcapng(false)],
  ['pcapng, big-endian', pcapng(true)],
];

/** Where each record ends: those that end before the damage must come out as they were. */
function recordEnds(bytes: Uint8Array): number[] {
  const starts = parseGood(bytes).map((record) => record.fileOffset);
  const seams = [...starts, ...blockEnds(bytes), bytes.length].sort((a, b) => a - b);
  return starts.map((start) => seams.find((seam) => seam > start)!);
}

/** Where the file header or each pcapng block ends, found by walking the file. */
function blockEnds(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(0) !== 0x0a0d0d0a) return [24];
  const little = view.getUint32(8) === 0x4d3c2b1a;
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    at += view.getUint32(at + 4, little);
    ends.push(at);
  }
  return ends;
}

/** What must hold whatever the input is. */
function expectSane(outcome: Outcome, bytes: Uint8Array): void {
  const { error, warning } = outcome;
  if (error !== null) {
    expect(error).toBeInstanceOf(CaptureError);
    const { message, offset } = error as CaptureError;
    expect(message).toMatch(/^test\.cap: at byte \d+: [^\n]+; [^\n]+$/);
    expect(message).toContain(`at byte ${offset}:`);
    expect(offset).toBeGreaterThanOrEqual(0);
    expect(offset).toBeLessThanOrEqual(bytes.length);
    // A capture that turned out bad stays so.
    expect(warning).toBeNull();
  } else if (warning !== null) {
    expect(warning).toMatch(/^test\.cap: cut off within [^\n]+ at byte \d+; [^\n]+$/);
  }
}

const poisoned = new Uint8Array(MIN_WORK_BYTES);

/** Parses with different rubbish behind the input: whoever reads beyond it, gets different results. */
function parsePoisoned(bytes: Uint8Array): Outcome {
  poisoned.fill(0, 0, 4096);
  const first = parse(bytes, undefined, poisoned);
  poisoned.fill(0xff, 0, 4096);
  const second = parse(bytes, [7], poisoned);
  expect(second.records).toEqual(first.records);
  expect(String(second.error)).toBe(String(first.error));
  expect(second.warning).toBe(first.warning);
  return first;
}

/** The records that end at or before byte `at`. */
function intactOf(records: Parsed[], ends: number[], at: number): Parsed[] {
  return records.filter((_, i) => ends[i] <= at);
}

describe.each(FILES)('%s', (_, bytes) => {
  const good = parseGood(bytes);
  const ends = recordEnds(bytes);

  test('any byte damaged in any way gives records or one clear error', () => {
    for (let at = 0; at < bytes.length; at++) {
      const values = [0, 0xff, ...Array.from({ length: 8 }, (_, bit) => bytes[at] ^ (1 << bit))];
      for (const value of values) {
        const damaged = bytes.slice();
        damaged[at] = value;
        const outcome = parsePoisoned(damaged);
        expectSane(outcome, damaged);
        const intact = intactOf(good, ends, at);
        expect(outcome.records.slice(0, intact.length)).toEqual(intact);
      }
    }
  });

  test('cut off anywhere, it gives the whole records before and says so', () => {
    const firstStart = good[0].fileOffset;
    // A cut between blocks or records is none that can be seen.
    const seams = new Set([...ends, ...blockEnds(bytes)]);
    const headerEnd = Math.min(...seams);
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.slice(0, length);
      const outcome = parsePoisoned(cut);
      expectSane(outcome, cut);
      if (length < headerEnd) {
        expect(outcome.error).toBeInstanceOf(CaptureError);
        continue;
      }
      expect(outcome.error).toBeNull();
      expect(outcome.records).toEqual(intactOf(good, ends, length));
      expect(outcome.warning !== null).toBe(!seams.has(length));
      if (length > firstStart && outcome.warning !== null) {
        const cutAt = Math.max(...[...seams].filter((seam) => seam <= length));
        expect(outcome.warning).toContain(`at byte ${cutAt};`);
      }
    }
  });

  test('random damage in many places', () => {
    const edit = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 12 }), fc.nat(bytes.length), (edits, length) => {
        const damaged = bytes.slice();
        for (const [at, value] of edits) damaged[at] = value;
        const cut = damaged.slice(0, length);
        expectSane(parsePoisoned(cut), cut);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a record longer than the file', () => {
  const two = pcapFile(PACKETS.slice(0, 2));

  test('that could be whole is a capture cut off: it names file, record and offset', () => {
    const outcome = parse(new Uint8Array([...two, ...pcapRecord(PACKETS[2]).slice(0, 30)]));
    expect(outcome.error).toBeNull();
    expect(outcome.records).toHaveLength(2);
    expect(outcome.warning).toBe(
      `test.cap: cut off within record 3 at byte ${two.length}; the 2 records before it can be used`,
    );
  });

  test('that claims more bytes than its packet had is damage', () => {
    const last = pcapRecord(PACKETS[2]);
    new DataView(last.buffer).setUint32(8, 70_000, true);
    const { error, records } = parse(new Uint8Array([...two, ...last]));
    expect(records).toHaveLength(2);
    expect((error as CaptureError).offset).toBe(two.length + 8);
    expect((error as CaptureError).message).toBe(
      `test.cap: at byte ${two.length + 8}: record 3 has a captured length of 70000 bytes for a packet of 23, ` +
        `longer than the 23 bytes left in the file; the file is damaged: ` +
        `cut it before byte ${two.length} to use the 2 records before`,
    );
  });

  test('that exceeds every limit is damage, wherever it stands', () => {
    const broken = pcapFile(PACKETS);
    new DataView(broken.buffer).setUint32(24 + 8, 0x10000000, true);
    const { error } = parse(broken);
    expect((error as CaptureError).offset).toBe(32);
    expect((error as CaptureError).message).toMatch(/268435456 bytes, above the maximum of 262144/);
  });

  test('in pcapng, a block whose lengths contradict each other is damage, else it is a cut', () => {
    const writer = new PcapngWriter().section().interface().enhanced(PACKETS[0]);
    const start = writer.bytes().length;
    const bytes = writer.enhanced(PACKETS[1]).bytes();
    const cut = bytes.slice(0, -10);
    expect(parse(cut).warning).toContain(`cut off within record 2 at byte ${start}`);
    new DataView(cut.buffer).setUint32(start + 20, 400, true);
    expect((parse(cut).error as CaptureError).offset).toBe(start + 20);
    // The same with a total length to match: only the length on the wire still tells.
    new DataView(cut.buffer).setUint32(start + 4, 432, true);
    expect((parse(cut).error as CaptureError).offset).toBe(start + 20);
    new DataView(cut.buffer).setUint32(start + 24, 400, true);
    expect(parse(cut).error).toBeNull();
    expect(parse(cut).warning).toContain('cut off within record 2');
  });
});

test('after an error the parser keeps throwing it', () => {
  const { error, parser } = parse(new Uint8Array(100));
  expect(error).toBeInstanceOf(CaptureError);
  const again = (): unknown => {
    try {
      return parser.next({} as never);
    } catch (thrown) {
      return thrown;
    }
  };
  expect(again()).toBe(error);
  expect(again()).toBe(error);
});

test('a file name with a line feed does not break the one line', () => {
  expect(new CaptureError('a\nb', 'wrong', 0).message).toBe('a?b: wrong');
});
