// SPDX-License-Identifier: GPL-2.0-only
//
// Runs the capture parser over bytes in memory and collects what came out, for tests.
import { CaptureError } from '../../dist/drivers/net/capture/capture_error.js';
import {
  CaptureParser,
  CaptureRecord,
  MIN_WORK_BYTES,
} from '../../dist/drivers/net/capture/capture_parser.js';
import type { Packet } from './capture_writer.js';

/** A record as it came out, with its bytes copied. */
export interface Parsed {
  hex: string;
  capLen: number;
  origLen: number;
  /** Seconds and nanoseconds as one exact number. */
  timeNs: bigint;
  linkType: number;
  index: number;
  fileOffset: number;
}

export interface Outcome {
  records: Parsed[];
  warning: string | null;
  /** What was thrown, whatever it is. */
  error: unknown;
  parser: CaptureParser;
}

const shared = new Uint8Array(MIN_WORK_BYTES);

/**
 * @param chunkLens lengths of the chunks to push, used over and over; 0 bytes is allowed among others
 * @param workBuf the parser's work buffer
 */
export function parse(
  bytes: Uint8Array,
  chunkLens: number[] = [bytes.length],
  workBuf: Uint8Array = shared,
): Outcome {
  const parser = new CaptureParser(workBuf, 'test.cap');
  const rec = new CaptureRecord();
  const records: Parsed[] = [];
  let nextCalls = 0;
  const drain = (): void => {
    while (parser.next(rec)) {
      // Each record takes at least one byte of input: more of them than bytes is an endless loop.
      if (++nextCalls > bytes.length) throw new Error('more records than bytes');
      if (rec.off < 0 || rec.off + rec.capLen > workBuf.length)
        throw new Error('record outside of the work buffer');
      records.push({
        hex: Buffer.from(workBuf.subarray(rec.off, rec.off + rec.capLen)).toString('hex'),
        capLen: rec.capLen,
        origLen: rec.origLen,
        timeNs: BigInt(rec.tsSec) * 1_000_000_000n + BigInt(rec.tsNsec),
        linkType: rec.linkType,
        index: rec.index,
        fileOffset: rec.fileOffset,
      });
      if (!(rec.tsNsec >= 0 && rec.tsNsec < 1e9)) throw new Error(`tsNsec ${rec.tsNsec}`);
    }
  };
  let error: unknown = null;
  try {
    let at = 0;
    for (let i = 0; at < bytes.length; i++) {
      const chunk = bytes.slice(at, at + chunkLens[i % chunkLens.length]);
      let taken = 0;
      do {
        taken += parser.push(chunk.subarray(taken));
        drain();
      } while (taken < chunk.length);
      at += chunk.length;
    }
    parser.end();
    drain();
    if (parser.next(rec)) throw new Error('a record after the end');
  } catch (thrown) {
    error = thrown;
  }
  return { records, warning: parser.warning, error, parser };
}

/** Parses bytes that must be good. */
export function parseGood(bytes: Uint8Array, chunkLens?: number[]): Parsed[] {
  const { records, warning, error } = parse(bytes, chunkLens);
  if (error !== null) throw error;
  if (warning !== null) throw new Error(`unexpected warning: ${warning}`);
  return records;
}

/** Parses bytes that must be refused. */
export function errorOf(bytes: Uint8Array): CaptureError {
  const { error } = parse(bytes);
  if (!(error instanceof CaptureError)) throw new Error(`expected a CaptureError, got ${String(error)}`);
  return error;
}

/** A packet of `len` bytes whose content tells it from others. */
export function packet(len: number, seed = 1, extra: Partial<Packet> = {}): Packet {
  return { data: Uint8Array.from({ length: len }, (_, i) => (i * 7 + seed) & 0xff), ...extra };
}
