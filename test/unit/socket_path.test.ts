// SPDX-License-Identifier: GPL-2.0-only
/** Where the socket lies, and whose directory that may be. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_PATH_BYTES, prepareDirectory, socketPath } from '../../dist/uapi/server/socket_path.js';

describe('the path', () => {
  it('is what was asked for, or the environment’s, or the user’s own', () => {
    const env = { SOFTNET_SOCKET: '/a/env', XDG_RUNTIME_DIR: '/run/user/7' };
    expect(socketPath('/a/given', env)).toBe('/a/given');
    expect(socketPath(undefined, env)).toBe('/a/env');
    expect(socketPath('', env)).toBe('/a/env');
    expect(socketPath(undefined, { ...env, SOFTNET_SOCKET: '' })).toBe('/run/user/7/softnet.sock');
    expect(socketPath(undefined, {})).toBe(join(tmpdir(), `softnet-${process.getuid?.()}`, 'softnet.sock'));
    expect(socketPath('s', {})).toBe(join(process.cwd(), 's'));
  });

  it('is as long as the system takes it, in bytes', () => {
    const longest = `/${'x'.repeat(MAX_PATH_BYTES - 1)}`;
    expect(socketPath(longest, {})).toBe(longest);
    expect(() => socketPath(`${longest}x`, {})).toThrow(
      `a socket's path has ${MAX_PATH_BYTES} bytes at most, this has ${MAX_PATH_BYTES + 1}`,
    );
    expect(() => socketPath(`/${'é'.repeat(MAX_PATH_BYTES / 2 + 1)}`, {})).toThrow('bytes at most');
  });
});

describe('the directory of the user’s own', () => {
  const { TMPDIR } = process.env;
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'softnet-test-'));
    process.env.TMPDIR = dir;
  });
  afterEach(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(dir, { recursive: true });
  });

  it('is made for its owner alone', () => {
    const path = socketPath(undefined, {});
    prepareDirectory(path);
    prepareDirectory(path);
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
  });

  it('is not used if others can write there, or it is a link', () => {
    const path = socketPath(undefined, {});
    const own = join(path, '..');
    mkdirSync(own);
    chmodSync(own, 0o777);
    expect(() => prepareDirectory(path)).toThrow(`${own} is not a directory of yours alone`);
    rmSync(own, { recursive: true });
    symlinkSync(dir, own);
    expect(() => prepareDirectory(path)).toThrow(`${own} is not a directory of yours alone`);
  });

  it('is nothing that a given path needs', () => {
    prepareDirectory('/nonexistent/dir/s');
  });
});
