// SPDX-License-Identifier: GPL-2.0-only
import { constants, fstatSync, read } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { CaptureError, CaptureOpenError, displayName, offsetText } from './capture_error.js';
import { type GunzipResult, gunzipChunks } from './gunzip_chunks.js';

const READ_BYTES = 256 * 1024;
const STDIN_FD = 0;
/** How long to wait before asking again for bytes of a standard input that someone made non-blocking. */
const RETRY_MS = 5;

/**
 * A capture's bytes, uncompressed, as an async iterable of chunks. A chunk's bytes are valid until the next one is
 * asked for. The file is opened by the first `next()` and closed at the end, or by leaving the loop.
 * Throws CaptureOpenError where it cannot be opened, CaptureError where reading or unpacking it fails.
 */
export class CaptureSource implements AsyncIterable<Uint8Array> {
  /** For messages: the path, or `standard input`. */
  readonly fileName: string;
  readonly #path: string;
  #gzip = false;
  #warning: string | null = null;
  #isUsed = false;

  /** @param path a file, or `-` for standard input */
  constructor(path: string) {
    this.#path = path;
    this.fileName = path === '-' ? 'standard input' : path;
  }

  /** Whether the file is gzip (by its first two bytes, not its name); known once the first chunk came. */
  get gzip(): boolean {
    return this.#gzip;
  }

  /** One line if the gzip data was cut off, null otherwise; known once the last chunk came. */
  get warning(): string | null {
    return this.#warning;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#isUsed) throw new Error('a capture source can be read once; open the capture again');
    this.#isUsed = true;
    const raw = this.#rawChunks();
    try {
      const first = await firstBytes(raw);
      if (first === null) return;
      this.#gzip = first.length >= 2 && first[0] === 0x1f && first[1] === 0x8b;
      const all = chain(first, raw);
      if (this.#gzip) yield* this.#unpacked(all);
      else yield* all;
    } finally {
      await raw.return();
    }
  }

  async *#unpacked(compressed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const result: GunzipResult = { truncated: false, fault: null };
    let offset = 0;
    for await (const chunk of gunzipChunks(compressed, result)) {
      offset += chunk.length;
      yield chunk;
    }
    if (result.fault !== null || (result.truncated && offset === 0)) {
      const what =
        result.fault === null
          ? 'the gzip data is cut off before its first byte of content'
          : `the gzip data is damaged (${result.fault})`;
      throw CaptureError.at(this.fileName, offset, what, 'take another copy of the file', true);
    }
    if (result.truncated) {
      this.#warning =
        `${displayName(this.fileName)}: the gzip data is cut off after ` +
        `${offsetText(offset, true)}; what precedes can be used`;
    }
  }

  /** The file's own bytes, through one buffer that is used again for every chunk. */
  async *#rawChunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const handle = this.#path === '-' ? null : await openFile(this.#path);
    if (handle === null) checkStdin(this.fileName);
    const buffer = new Uint8Array(READ_BYTES);
    let offset = 0;
    try {
      for (;;) {
        let n: number;
        try {
          n =
            handle === null
              ? await readStdin(buffer)
              : (await handle.read(buffer, 0, READ_BYTES, null)).bytesRead;
        } catch (error) {
          const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
          throw CaptureError.at(
            this.fileName,
            offset,
            `cannot be read (${code})`,
            'check the disk or the pipe',
            false,
          );
        }
        if (n === 0) return;
        offset += n;
        yield buffer.subarray(0, n);
      }
    } finally {
      await handle?.close();
    }
  }
}

/**
 * The first chunk, with at least two bytes where the stream has them: a pipe may give them one by one.
 * A copy, as the source uses its buffer again. null where there is nothing.
 */
async function firstBytes(raw: AsyncGenerator<Uint8Array, void, undefined>): Promise<Uint8Array | null> {
  let first: Uint8Array | null = null;
  while (first === null || first.length < 2) {
    const { value, done } = await raw.next();
    if (done === true) return first;
    const joined: Uint8Array = new Uint8Array((first?.length ?? 0) + value.length);
    if (first !== null) joined.set(first);
    joined.set(value, first?.length ?? 0);
    first = joined;
  }
  return first;
}

async function* chain(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  yield* rest;
}

/** Throws CaptureOpenError where path is not something that can be opened and read. */
async function openFile(path: string): Promise<FileHandle> {
  try {
    if ((await stat(path)).isDirectory()) {
      throw new CaptureOpenError(path, 'is a directory', 'give a pcap or pcapng file', 'EISDIR');
    }
    return await open(path, constants.O_RDONLY);
  } catch (error) {
    throw asOpenError(path, error);
  }
}

/** The one line for a failed open, by the system's error. */
export function asOpenError(path: string, error: unknown): CaptureOpenError {
  if (error instanceof CaptureOpenError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new CaptureOpenError(path, 'no such file', 'check the path', code);
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new CaptureOpenError(path, 'permission denied', 'make the file readable for this user', code);
  }
  return new CaptureOpenError(path, `cannot be opened (${code})`, 'check the path', code);
}

function checkStdin(fileName: string): void {
  if (isatty(STDIN_FD)) {
    throw new CaptureOpenError(fileName, 'is a terminal', 'pipe a capture into it, or name a file', '');
  }
  try {
    if (fstatSync(STDIN_FD).isDirectory()) {
      throw new CaptureOpenError(
        fileName,
        'is a directory',
        'pipe a capture into it, or name a file',
        'EISDIR',
      );
    }
  } catch (error) {
    throw asOpenError(fileName, error);
  }
}

/** By descriptor and not by process.stdin, which only the main thread has. */
async function readStdin(buffer: Uint8Array): Promise<number> {
  for (;;) {
    const n = await new Promise<number>((resolve, reject) => {
      read(STDIN_FD, buffer, 0, buffer.length, null, (error, bytes) => {
        if (error === null) resolve(bytes);
        else if (error.code === 'EAGAIN') resolve(-1);
        else reject(error);
      });
    });
    if (n >= 0) return n;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
