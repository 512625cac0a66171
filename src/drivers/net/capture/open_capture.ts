// SPDX-License-Identifier: GPL-2.0-only
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import {
  type ByteOrder,
  type CaptureFormat,
  CaptureParser,
  CaptureRecord,
  MIN_WORK_BYTES,
} from './capture_parser.js';
import { asOpenError, CaptureSource } from './capture_source.js';

export { CaptureSource } from './capture_source.js';

/** What a capture is, as far as its first packet shows. */
export interface CaptureInfo {
  format: CaptureFormat;
  byteOrder: ByteOrder;
  /** The LINKTYPE_ value; -1 where a pcapng file describes no interface before `checkCapture` stopped. */
  linkType: number;
  gzip: boolean;
  /** Nanoseconds a unit of the time stamps: 1000, 1, or what a pcapng interface says; 0 where unknown. */
  resolutionNs: number;
}

/** How far `checkCapture` looks for a first packet, in uncompressed bytes. */
const MAX_LOOK_BYTES = 4 * MIN_WORK_BYTES;

/**
 * Opens a capture for reading.
 * @param path a file (plain or gzip), a pipe, or `-` for standard input
 * @returns the uncompressed bytes in chunks; errors come when it is read
 */
export function openCapture(path: string): CaptureSource {
  return new CaptureSource(path);
}

/**
 * Reads a capture up to its first packet and says what it is, so that a bad one is refused before threads are made.
 * Returns null for standard input and pipes, after looking whether they can be opened: their bytes can be read only
 * once. Throws CaptureOpenError and CaptureError.
 */
export async function checkCapture(path: string): Promise<CaptureInfo | null> {
  if (path === '-') return null;
  try {
    const { isFile, isDirectory } = await kindOf(path);
    if (!isFile && !isDirectory) {
      await access(path, constants.R_OK);
      return null;
    }
  } catch (error) {
    throw asOpenError(path, error);
  }

  const source = openCapture(path);
  const parser = new CaptureParser(new Uint8Array(MIN_WORK_BYTES), source.fileName);
  const rec = new CaptureRecord();
  let looked = 0;
  let isFound = false;
  for await (const chunk of source) {
    parser.compressed = source.gzip;
    for (let at = 0; at < chunk.length && !isFound; ) {
      at += parser.push(at === 0 ? chunk : chunk.subarray(at));
      isFound = parser.next(rec);
    }
    looked += chunk.length;
    if (isFound || looked >= MAX_LOOK_BYTES) break;
  }
  if (!isFound && looked < MAX_LOOK_BYTES) {
    parser.end();
    parser.next(rec);
  }
  return {
    // A parser that threw nothing knows both: it has seen a whole file header.
    format: parser.format!,
    byteOrder: parser.byteOrder!,
    linkType: parser.linkType,
    gzip: source.gzip,
    resolutionNs: parser.resolutionNs,
  };
}

async function kindOf(path: string): Promise<{ isFile: boolean; isDirectory: boolean }> {
  const stats = await stat(path);
  return { isFile: stats.isFile(), isDirectory: stats.isDirectory() };
}
