// SPDX-License-Identifier: GPL-2.0-only
/** Reads a capture in the ways softnet does, and says what must not be about any of them. */
import { writeFileSync } from 'node:fs';
import { CaptureError } from '../../dist/drivers/net/capture/capture_error.js';
import {
  CaptureParser,
  CaptureRecord,
  MAX_CAP_LEN,
  MIN_WORK_BYTES,
} from '../../dist/drivers/net/capture/capture_parser.js';
import { checkCapture, openCapture } from '../../dist/drivers/net/capture/open_capture.js';

const WORK = new Uint8Array(MIN_WORK_BYTES);
/** Bytes of a packet record that are not its packet, at least (a simple packet block of pcapng, a record of pcap). */
const LEAST_RECORD = 16;

/** What reading came to: records, and what was said about the rest. */
export class Outcome {
  records = 0;
  error = null;
  warning = null;
  /** What must not be: one line. */
  wrong = null;
  #bytes = 0;
  #before = -1;

  record(rec, off) {
    const sane =
      rec.capLen >= 0 &&
      rec.capLen <= MAX_CAP_LEN &&
      rec.capLen <= rec.origLen &&
      off + rec.capLen <= WORK.length &&
      Number.isInteger(rec.tsSec) &&
      rec.tsNsec >= 0 &&
      rec.tsNsec < 1e9 &&
      rec.index === this.records &&
      rec.fileOffset > this.#before;
    if (!sane) this.wrong ??= `record ${this.records} makes no sense: ${JSON.stringify(rec)}`;
    this.records++;
    this.#before = rec.fileOffset;
    this.#bytes += rec.capLen + LEAST_RECORD - 4;
  }

  /** There cannot be more in the records than was in the file. */
  end(fileBytes) {
    if (this.#bytes > fileBytes)
      this.wrong ??= `${this.records} records have ${this.#bytes} bytes of ${fileBytes}`;
    if (this.warning !== null) this.wrong ??= notOneLine(this.warning);
  }

  fail(error, fileName) {
    this.error = String(error?.message ?? error);
    if (!(error instanceof CaptureError)) this.wrong = `${error?.stack ?? error}`.replaceAll('\n', ' ');
    else if (!this.error.startsWith(`${fileName}: `) || !Number.isInteger(error.offset) || error.offset < 0)
      this.wrong = `an error that does not say where: ${this.error}`;
    else this.wrong ??= notOneLine(this.error);
  }

  text() {
    return JSON.stringify([this.records, this.error, this.warning]);
  }
}

function notOneLine(text) {
  return /\p{Cc}/u.test(text) || text.length > 400 ? `no clear line: ${JSON.stringify(text)}` : null;
}

/** The way of the NIC's thread: chunks of a file. */
export async function readFile(path) {
  const outcome = new Outcome();
  const source = openCapture(path);
  const parser = new CaptureParser(WORK, source.fileName);
  const rec = new CaptureRecord();
  let bytes = 0;
  try {
    for await (const chunk of source) {
      parser.compressed = source.gzip;
      bytes += chunk.length;
      for (let at = 0; at < chunk.length; ) {
        at += parser.push(at === 0 ? chunk : chunk.subarray(at));
        while (parser.next(rec)) outcome.record(rec, rec.off);
      }
    }
    parser.end();
    while (parser.next(rec)) outcome.record(rec, rec.off);
  } catch (error) {
    outcome.fail(error, path);
  }
  outcome.warning = parser.warning;
  outcome.end(bytes);
  return outcome;
}

/** The same bytes in pieces of other sizes: nothing may depend on these. */
function readPieces(random, bytes, path) {
  const outcome = new Outcome();
  const parser = new CaptureParser(WORK, path);
  const rec = new CaptureRecord();
  const most = random.pick([1, 7, 64, 4096]);
  try {
    for (let at = 0; at < bytes.length; ) {
      at += parser.push(bytes.subarray(at, at + random.between(1, most)));
      while (parser.next(rec)) outcome.record(rec, rec.off);
    }
    parser.end();
    while (parser.next(rec)) outcome.record(rec, rec.off);
  } catch (error) {
    outcome.fail(error, path);
  }
  outcome.warning = parser.warning;
  outcome.end(bytes.length);
  return outcome;
}

/** Reads one capture in all ways. @returns what it came to, `wrong` set if something must not be */
export async function captureOutcome(random, bytes, path) {
  writeFileSync(path, bytes);
  const read = await readFile(path);
  const checked = new Outcome();
  try {
    await checkCapture(path);
  } catch (error) {
    checked.fail(error, path);
  }
  read.wrong ??= checked.wrong;
  // What is refused before a machine is booted is what would be refused later, and nothing else.
  if (checked.error !== null && checked.error !== read.error)
    read.wrong ??= `checked: ${checked.error}; read: ${read.error}`;
  if (checked.error === null && read.error !== null && read.records === 0 && bytes.length < 4096)
    read.wrong ??= `passes the check, and cannot be read: ${read.error}`;
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) {
    const pieces = readPieces(random, bytes, path);
    read.wrong ??= pieces.wrong;
    if (pieces.text() !== read.text()) read.wrong ??= `in one piece ${read.text()}, in many ${pieces.text()}`;
  }
  return read;
}
