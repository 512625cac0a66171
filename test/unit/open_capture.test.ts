// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { CaptureError, CaptureOpenError } from '../../dist/drivers/net/capture/capture_error.js';
import {
  CaptureParser,
  CaptureRecord,
  MIN_WORK_BYTES,
} from '../../dist/drivers/net/capture/capture_parser.js';
import { checkCapture, openCapture } from '../../dist/drivers/net/capture/open_capture.js';
import {
  concat,
  type Packet,
  PcapngWriter,
  pcapFile,
  pcapHeader,
  pcapRecord,
} from '../helpers/capture_writer.js';

const dir = mkdtempSync(join(tmpdir(), 'softnet-capture-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let fileCount = 0;

/** Writes a file and returns its path. The name tells nothing of the content. */
function file(bytes: Uint8Array): string {
  const path = join(dir, `input-${fileCount++}`);
  writeFileSync(path, bytes);
  return path;
}

/** Packets whose bytes do not compress. */
function packets(count: number): Packet[] {
  let state = 12345;
  return Array.from({ length: count }, () => ({
    data: Uint8Array.from({ length: 700 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    }),
  }));
}

interface Read {
  records: number;
  bytes: Uint8Array;
  warning: string | null;
  sourceWarning: string | null;
  gzip: boolean;
}

/** Reads a capture as a command would. */
async function readAll(path: string): Promise<Read> {
  const source = openCapture(path);
  const parser = new CaptureParser(new Uint8Array(MIN_WORK_BYTES), source.fileName);
  const rec = new CaptureRecord();
  const parts: Uint8Array[] = [];
  let records = 0;
  for await (const chunk of source) {
    parser.compressed = source.gzip;
    parts.push(chunk.slice());
    for (let at = 0; at < chunk.length; ) {
      at += parser.push(chunk.subarray(at));
      while (parser.next(rec)) records++;
    }
  }
  parser.end();
  while (parser.next(rec)) records++;
  return {
    records,
    bytes: concat(...parts),
    warning: parser.warning,
    sourceWarning: source.warning,
    gzip: source.gzip,
  };
}

async function errorOf(promise: Promise<unknown>): Promise<CaptureError> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CaptureError);
  expect((error as CaptureError).message).not.toContain('\n');
  return error as CaptureError;
}

describe('openCapture', () => {
  const bytes = pcapFile(packets(600));

  test('gives a file back, plain and gzip, whatever its name', async () => {
    const plain = await readAll(file(bytes));
    expect(plain).toMatchObject({ records: 600, warning: null, sourceWarning: null, gzip: false });
    expect(Buffer.compare(plain.bytes, bytes)).toBe(0);
    const packed = await readAll(file(gzipSync(bytes)));
    expect(packed).toMatchObject({ records: 600, warning: null, sourceWarning: null, gzip: true });
    expect(Buffer.compare(packed.bytes, bytes)).toBe(0);
  });

  test('reads gzip of several members, wherever these are split, and zeros after the last', async () => {
    for (const at of [1, 24, 1000, bytes.length - 1]) {
      const members = concat(
        gzipSync(bytes.subarray(0, at)),
        gzipSync(bytes.subarray(at)),
        new Uint8Array(512),
      );
      const { records, sourceWarning, gzip } = await readAll(file(members));
      expect({ records, sourceWarning, gzip }).toEqual({ records: 600, sourceWarning: null, gzip: true });
    }
    // Members of a byte each, more of them than one read takes.
    const small = pcapFile([packets(1)[0]]);
    const singles = concat(...Array.from(small, (byte) => gzipSync(Uint8Array.of(byte))));
    expect((await readAll(file(singles))).records).toBe(1);
  });

  test('unpacks gzip of a large, very compressible capture', async () => {
    const record = pcapRecord({ data: new Uint8Array(1500) });
    const large = concat(pcapHeader(), ...Array.from({ length: 40_000 }, () => record));
    const { records, bytes: unpacked } = await readAll(file(gzipSync(large)));
    expect(records).toBe(40_000);
    expect(unpacked.length).toBe(large.length);
  });

  test('a gzip file cut off gives what was unpacked, and says so', async () => {
    const packed = gzipSync(bytes);
    for (const cut of [packed.length - 1, packed.length - 9, packed.length >> 1]) {
      const read = await readAll(file(packed.subarray(0, cut)));
      expect(Buffer.compare(read.bytes, bytes.subarray(0, read.bytes.length))).toBe(0);
      expect(read.sourceWarning).toMatch(
        new RegExp(`: the gzip data is cut off after byte ${read.bytes.length} \\(uncompressed\\); `),
      );
      if (cut < packed.length - 9) {
        // Random bytes: half of the file holds about half of the packets.
        expect(read.records).toBeGreaterThan(250);
        expect(read.warning).toMatch(/cut off within record \d+ at byte \d+ \(uncompressed\); /);
      } else {
        expect(read.records).toBe(600);
      }
    }
  });

  test('a gzip file cut off before any content is an error', async () => {
    for (const cut of [2, 5, 10]) {
      const error = await errorOf(readAll(file(gzipSync(bytes).subarray(0, cut))));
      expect(error.message).toContain('cut off before its first byte of content');
    }
  });

  test('damaged gzip data is an error', async () => {
    const packed = gzipSync(bytes);
    const middle = Buffer.from(packed);
    middle.fill(0x55, packed.length >> 1, (packed.length >> 1) + 4000);
    const checksum = Buffer.from(packed);
    checksum[packed.length - 6] ^= 0xff;
    for (const damaged of [middle, checksum, concat(packed, Buffer.from('rubbish'))]) {
      const error = await errorOf(readAll(file(damaged)));
      expect(error.message).toMatch(/: at byte \d+ \(uncompressed\): the gzip data is damaged \([^)]+\); /);
    }
  });

  test('errors in gzip captures say that their offset is an uncompressed one', async () => {
    const error = await errorOf(readAll(file(gzipSync(pcapHeader({ network: 113 })))));
    expect(error.message).toMatch(/: at byte 20 \(uncompressed\): link type 113 /);
    expect(error.offset).toBe(20);
  });

  test('what cannot be opened is one clear line', async () => {
    const missing = join(dir, 'missing');
    const error = await errorOf(readAll(missing));
    expect(error).toBeInstanceOf(CaptureOpenError);
    expect(error.message).toBe(`${missing}: no such file; check the path`);
    expect(error.offset).toBe(0);
    expect((await errorOf(readAll(dir))).message).toBe(`${dir}: is a directory; give a pcap or pcapng file`);
    expect((await errorOf(readAll(join(file(bytes), 'below')))).message).toContain('no such file');
    expect((await errorOf(readAll('a\0b'))).message).toContain('cannot be opened');
  });

  // Root may read everything.
  test.skipIf(process.getuid?.() === 0)('a file without read permission is one clear line', async () => {
    const path = file(bytes);
    chmodSync(path, 0);
    expect((await errorOf(readAll(path))).message).toContain('permission denied');
    expect((await errorOf(checkCapture(path))).message).toContain('permission denied');
  });

  test('an empty file is one clear line', async () => {
    const path = file(new Uint8Array(0));
    expect((await errorOf(readAll(path))).message).toMatch(/: at byte 0: empty, not a capture; /);
    expect((await errorOf(checkCapture(path))).message).toMatch(/: at byte 0: empty, not a capture; /);
  });

  test('reads a named pipe, also one that gives its bytes one by one', async () => {
    const fifo = join(dir, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const path = file(gzipSync(bytes));
    const writer = spawn('sh', ['-c', `{ head -c 1 "$1"; tail -c +2 "$1"; } > "$2"`, 'sh', path, fifo]);
    expect((await readAll(fifo)).records).toBe(600);
    writer.kill();
  });

  test('can be left early, and read only once', async () => {
    const source = openCapture(file(bytes));
    for await (const chunk of source) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    await expect(source[Symbol.asyncIterator]().next()).rejects.toThrow('once');
  });
});

describe('standard input', () => {
  const module = fileURLToPath(new URL('../../dist/drivers/net/capture/open_capture.js', import.meta.url));
  const script = `
    import { openCapture } from ${JSON.stringify(module)};
    let bytes = 0;
    const source = openCapture('-');
    for await (const chunk of source) bytes += chunk.length;
    console.log(source.fileName, bytes, source.gzip);`;
  const child = (input: Uint8Array): string =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script], { input }).stdout.toString();

  test('is read for -, plain and gzip', () => {
    const bytes = pcapFile(packets(600));
    expect(child(bytes)).toBe(`standard input ${bytes.length} false\n`);
    expect(child(gzipSync(bytes))).toBe(`standard input ${bytes.length} true\n`);
  });
});

describe('checkCapture', () => {
  test('says what a capture is', async () => {
    const packet = packets(1)[0];
    expect(await checkCapture(file(pcapFile([packet], { bigEndian: true, nanos: true })))).toEqual({
      format: 'pcap',
      byteOrder: 'big',
      linkType: 1,
      gzip: false,
      resolutionNs: 1,
    });
    const pcapng = new PcapngWriter()
      .section()
      .interface({ linkType: 113, tsresol: 3 })
      .interface({ tsresol: 9 })
      .enhanced(packet, 1);
    expect(await checkCapture(file(gzipSync(pcapng.bytes())))).toEqual({
      format: 'pcapng',
      byteOrder: 'little',
      linkType: 1,
      gzip: true,
      resolutionNs: 1,
    });
  });

  test('takes a capture without packets', async () => {
    expect(await checkCapture(file(pcapHeader()))).toMatchObject({ format: 'pcap', linkType: 1 });
    expect(await checkCapture(file(new PcapngWriter().section().bytes()))).toMatchObject({
      format: 'pcapng',
      linkType: -1,
    });
  });

  test('throws what reading would throw up to the first packet', async () => {
    const packet = packets(1)[0];
    const cooked = new PcapngWriter().section().interface({ linkType: 276 }).enhanced(packet);
    expect((await errorOf(checkCapture(file(cooked.bytes())))).message).toContain('276 (Linux cooked v2)');
    expect((await errorOf(checkCapture(file(pcapFile([packet], { snapLen: 10 }))))).offset).toBe(32);
    expect((await errorOf(checkCapture(join(dir, 'missing')))).message).toContain('no such file');
    expect((await errorOf(checkCapture(dir))).message).toContain('is a directory');
  });

  test('leaves pipes and standard input alone', async () => {
    const fifo = join(dir, 'untouched');
    execFileSync('mkfifo', [fifo]);
    expect(await checkCapture(fifo)).toBeNull();
    expect(await checkCapture('-')).toBeNull();
  });
});
