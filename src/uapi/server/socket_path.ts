// SPDX-License-Identifier: GPL-2.0-only
/** Where the socket of the control surface lies. */
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Most bytes of a socket's path (Linux: sun_path, less its NUL). */
export const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

/** A path that cannot be used: one line that says why and what to do. */
export class SocketPathError extends Error {}

/**
 * The path: what was asked for, or SOFTNET_SOCKET, or softnet.sock in XDG_RUNTIME_DIR, or in a directory of the
 * user's own below the directory for temporary files.
 */
export function socketPath(asked: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const given = asked || env.SOFTNET_SOCKET || '';
  const path = given !== '' ? resolve(given) : join(env.XDG_RUNTIME_DIR || ownDirectory(), 'softnet.sock');
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_PATH_BYTES) {
    throw new SocketPathError(
      `${path}: a socket's path has ${MAX_PATH_BYTES} bytes at most, this has ${bytes}`,
    );
  }
  return path;
}

function ownDirectory(): string {
  return join(tmpdir(), `softnet-${process.getuid?.() ?? 0}`);
}

/**
 * Makes the directory of the default path, and sees that it is nobody else's: whoever could write there could put
 * a server of their own in our place.
 */
export function prepareDirectory(path: string): void {
  const dir = dirname(path);
  if (dir !== ownDirectory()) return;
  try {
    mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') {
      throw new SocketPathError(`${dir} cannot be made (${code}); set TMPDIR, or give --socket PATH`);
    }
  }
  const s = lstatSync(dir);
  if (!s.isDirectory() || s.uid !== process.getuid?.() || (s.mode & 0o077) !== 0) {
    throw new SocketPathError(`${dir} is not a directory of yours alone; remove it, or give --socket PATH`);
  }
}
