// SPDX-License-Identifier: GPL-2.0-only
import { createGunzip } from 'node:zlib';

/** How the compressed stream ended. */
export interface GunzipResult {
  /** It stops before its last member's end. */
  truncated: boolean;
  /** What zlib found wrong with the data, or null. */
  fault: string | null;
}

/**
 * Unpacks a gzip stream of one or more members, chunk by chunk: all that can be unpacked is delivered, also before
 * a cut. Compressed chunks are asked for only as the unpacked ones are taken.
 * @param result filled in by the time the last chunk was delivered
 */
export async function* gunzipChunks(
  input: AsyncIterable<Uint8Array>,
  result: GunzipResult,
): AsyncGenerator<Uint8Array, void, undefined> {
  const gunzip = createGunzip();
  let failure: NodeJS.ErrnoException | null = null;
  let hasEnded = false;
  let wake = (): void => {};
  gunzip.on('error', (error: NodeJS.ErrnoException) => {
    failure = error;
    wake();
  });
  gunzip.on('readable', () => wake());
  gunzip.on('end', () => {
    hasEnded = true;
    wake();
  });

  /** Hands in one chunk (none: the end) and delivers what comes out, until all of it was taken. */
  async function* step(chunk: Uint8Array | null): AsyncGenerator<Uint8Array, void, undefined> {
    let isTaken = false;
    const onTaken = (): void => {
      isTaken = true;
      wake();
    };
    if (chunk === null) gunzip.end(onTaken);
    else gunzip.write(chunk, onTaken);
    for (;;) {
      const out: Buffer | null = gunzip.read();
      if (out !== null) {
        yield out;
        continue;
      }
      if (failure !== null || hasEnded || (isTaken && chunk !== null)) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  try {
    for await (const chunk of input) {
      yield* step(chunk);
      if (failure !== null || hasEnded) break;
    }
    // The end is handed in on its own, after everything was delivered: zlib then has nothing left to lose when it
    // finds the last member incomplete.
    if (failure === null && !hasEnded) yield* step(null);
  } finally {
    gunzip.destroy();
  }
  const error = failure as NodeJS.ErrnoException | null;
  if (error !== null) {
    result.truncated = error.code === 'Z_BUF_ERROR';
    result.fault = result.truncated ? null : error.message;
  }
}
