// SPDX-License-Identifier: GPL-2.0-only

/** A name that fits on one line whatever bytes it holds: control characters (a line feed above all) become `?`. */
export function displayName(fileName: string): string {
  return fileName.replace(/\p{Cc}/gu, '?');
}

/** ` (uncompressed)` after an offset that a user would otherwise look for in the gzip file itself. */
export function offsetText(offset: number, compressed: boolean): string {
  return compressed ? `byte ${offset} (uncompressed)` : `byte ${offset}`;
}

/**
 * A capture that cannot be read. The base class of everything that is wrong with an input, so that a command can
 * map it to the exit code for bad input (2). The message is one line:
 * `FILE: at byte OFFSET: what is wrong; what to do`.
 */
export class CaptureError extends Error {
  /** The capture's name as it was given (`standard input` for `-`). */
  readonly fileName: string;
  /** Byte offset of the fault in the uncompressed stream. */
  readonly offset: number;

  constructor(fileName: string, message: string, offset: number) {
    super(`${displayName(fileName)}: ${message}`);
    this.name = 'CaptureError';
    this.fileName = fileName;
    this.offset = offset;
  }

  /**
   * @param what what is wrong, without a full stop
   * @param remedy what to do about it
   * @param compressed whether the file is gzip, so that the offset is not one in the file
   */
  static at(
    fileName: string,
    offset: number,
    what: string,
    remedy: string,
    compressed: boolean,
  ): CaptureError {
    return new CaptureError(fileName, `at ${offsetText(offset, compressed)}: ${what}; ${remedy}`, offset);
  }
}

/** A capture that cannot be opened at all: missing, a directory, not readable. `offset` is 0. */
export class CaptureOpenError extends CaptureError {
  /** The system's error code, for example `ENOENT`; empty where there is none. */
  readonly code: string;

  constructor(fileName: string, what: string, remedy: string, code: string) {
    super(fileName, `${what}; ${remedy}`, 0);
    this.name = 'CaptureOpenError';
    this.code = code;
  }
}
