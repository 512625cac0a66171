// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packet, parseGood } from '../helpers/capture_reader.js';
import { PcapngWriter, pcapFile } from '../helpers/capture_writer.js';

const SEC = 1_000_000_000n;

describe('time stamps', () => {
  const resolutions = fc.oneof(fc.integer({ min: 0, max: 19 }), fc.integer({ min: 0x80, max: 0x80 + 63 }));

  /** The time that ticks stand for, rounded down to nanoseconds, in exact arithmetic. */
  function exactNs(ticks: bigint, tsresol: number): bigint {
    const perSecond = tsresol >= 0x80 ? 1n << BigInt(tsresol - 0x80) : 10n ** BigInt(tsresol);
    return (ticks * SEC) / perSecond;
  }

  test('are exact in every resolution that 64 bits can have', () => {
    fc.assert(
      fc.property(
        resolutions,
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        fc.boolean(),
        (tsresol, ticks, big) => {
          const expected = exactNs(ticks, tsresol);
          // Seconds above 2^53 are no time: only then may the lower bits be lost.
          fc.pre(expected / SEC < 1n << 53n);
          const writer = new PcapngWriter(big).section().interface({ tsresol });
          expect(parseGood(writer.enhanced(packet(4), 0, ticks).bytes())[0].timeNs).toBe(expected);
        },
      ),
      { numRuns: 1500 },
    );
  });

  test('are exact next to a whole second', () => {
    for (const [tsresol, perSecond] of [
      [6, 10n ** 6n],
      [9, SEC],
      [12, 10n ** 12n],
      [0x94, 1n << 20n],
      [0xa0, 1n << 32n],
    ] as const) {
      for (const sec of [0n, 1n, 1_700_000_000n]) {
        for (const delta of [-1n, 0n, 1n]) {
          const ticks = sec * perSecond + delta;
          if (ticks < 0n || ticks >> 64n !== 0n) continue;
          const writer = new PcapngWriter().section().interface({ tsresol });
          const [record] = parseGood(writer.enhanced(packet(4), 0, ticks).bytes());
          expect(record.timeNs).toBe(exactNs(ticks, tsresol));
        }
      }
    }
  });

  test('are exact next to whole seconds that doubles cannot hold as ticks', () => {
    for (let tsresol = 3; tsresol <= 11; tsresol++) {
      const perSecond = 10n ** BigInt(tsresol);
      const writer = new PcapngWriter().section().interface({ tsresol });
      const expected: bigint[] = [];
      for (let bits = 54n; bits < 64n; bits++) {
        const sec = (1n << bits) / perSecond;
        for (let more = 1n; more <= 40n; more++) {
          for (const delta of [-1n, 0n, 1n]) {
            const ticks = (sec + more) * perSecond + delta;
            if (ticks >> 64n !== 0n || sec >= 1n << 53n) continue;
            expected.push(exactNs(ticks, tsresol));
            writer.enhanced(packet(0), 0, ticks);
          }
        }
      }
      expect(parseGood(writer.bytes()).map((record) => record.timeNs)).toEqual(expected);
    }
  });

  test('have the offset of their interface added, also a negative one', () => {
    const timeNs = 1_700_000_000n * SEC + 123_456_789n;
    for (const bigEndian of [false, true]) {
      for (const tsoffset of [3600n, -3600n, 1_600_000_000n]) {
        const writer = new PcapngWriter(bigEndian).section().interface({ tsresol: 9, tsoffset });
        expect(parseGood(writer.enhanced(packet(60, 1, { timeNs })).bytes())[0].timeNs).toBe(timeNs);
      }
    }
  });

  test('of pcap records whose fraction is a second or more are carried', () => {
    const bytes = pcapFile([packet(4, 1, { timeNs: 5n * SEC })]);
    new DataView(bytes.buffer).setUint32(24 + 4, 2_500_000, true);
    expect(parseGood(bytes)[0].timeNs).toBe(7n * SEC + 500_000_000n);
  });
});
