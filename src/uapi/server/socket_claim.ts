// SPDX-License-Identifier: GPL-2.0-only
/**
 * Taking a socket's path: refused while somebody answers there, freed of what a crashed run left, and given to one
 * only of those who ask at once.
 *
 * Looking and taking are two steps, so they are done under a lock that ends with its holder: on Linux a socket with an
 * abstract name, elsewhere a file with the holder's pid. The server binds a name of its own and is then moved to the
 * path: nobody sees it before its mode is set, and closing it removes nothing that is not its own.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MAX_PATH_BYTES, prepareDirectory, SocketPathError } from './socket_path.js';

/** Connections the system keeps for us while we are busy: more than we take, so that nobody is turned away. */
const BACKLOG = 512;
const LOCK_STEP_MS = 20;
const LOCK_TRIES = 250;

/** A path that is taken. */
export interface Claim {
  readonly path: string;
  /** Removes it, if it is still ours. */
  release(): void;
}

/**
 * Lets `server` listen at `path`, mode 0600.
 * @throws SocketPathError if somebody answers there, or the path cannot be used
 */
export async function claimSocket(server: HttpServer, path: string): Promise<Claim> {
  prepareDirectory(path);
  // Asked here, because the error of a socket in a directory that is not there says something else.
  if (!existsSync(dirname(path))) throw noDirectory(path);
  const unlock = await lock(path);
  try {
    await clearPath(path);
    await clearUnmoved(path);
    return await listen(server, path);
  } finally {
    await unlock();
  }
}

/** Removes what nobody answers at. */
async function clearPath(path: string): Promise<void> {
  const kind = kindOf(path);
  if (kind === 'none') return;
  if (kind === 'other') {
    throw new SocketPathError(`${path} is there and is no socket; remove it, or give another with --socket`);
  }
  const code = await tryConnect(path);
  if (code === 'ECONNREFUSED') unlinkSync(path);
  else if (code !== 'ENOENT') {
    throw new SocketPathError(
      code === '' || code === 'EAGAIN'
        ? `a machine is running at ${path}; end it, or give another path with --socket`
        : `${path}: ${code}; remove it, or give another with --socket`,
    );
  }
}

/** Removes what servers left that were killed between binding a name of their own and moving it to the path. */
async function clearUnmoved(path: string): Promise<void> {
  const dir = dirname(path);
  const prefix = `${basename(path)}.`;
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch {
    return; // a directory whose names are not for us: nothing of that is in anybody's way
  }
  for (const name of names) {
    if (!name.startsWith(prefix) || !/^\d+$/.test(name.slice(prefix.length))) continue;
    const own = join(dir, name);
    // Whoever answers is at it right now, by another name of the directory and so under another lock.
    if (kindOf(own) === 'socket' && (await tryConnect(own)) === 'ECONNREFUSED') unlinkSync(own);
  }
}

function kindOf(path: string): 'none' | 'socket' | 'other' {
  try {
    return lstatSync(path).isSocket() ? 'socket' : 'other';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'none';
    throw pathError(path, error);
  }
}

/** @returns '' if somebody answers, else the error's code */
function tryConnect(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve('');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown error'));
  });
}

async function listen(server: HttpServer, path: string): Promise<Claim> {
  const own = `${path}.${process.pid}`;
  if (Buffer.byteLength(own) > MAX_PATH_BYTES) {
    throw new SocketPathError(`${path} is too long for a socket; give a shorter one with --socket`);
  }
  if (kindOf(own) === 'socket') unlinkSync(own);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(pathError(path, error)));
    // The socket is made in this call: nobody can connect before its mode is what it should be.
    const umask = process.umask(0o177);
    try {
      server.listen({ path: own, backlog: BACKLOG }, () => resolve());
    } finally {
      process.umask(umask);
    }
  });
  chmodSync(own, 0o600);
  const { ino, dev } = lstatSync(own);
  renameSync(own, path);
  return {
    path,
    release() {
      try {
        const now = lstatSync(path);
        if (now.ino === ino && now.dev === dev) unlinkSync(path);
      } catch {
        // Somebody has removed it: nothing is left to do.
      }
    },
  };
}

function pathError(path: string, error: unknown): SocketPathError {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return code === 'ENOENT'
    ? noDirectory(path)
    : new SocketPathError(`${path}: ${code}; give another path with --socket`);
}

function noDirectory(path: string): SocketPathError {
  return new SocketPathError(`${dirname(path)} does not exist; make it, or give another path with --socket`);
}

type Unlock = () => Promise<void>;

/** Takes the lock of a path. @throws SocketPathError if others keep it for long */
async function lock(path: string): Promise<Unlock> {
  for (let i = 0; i < LOCK_TRIES; i++) {
    const unlock = process.platform === 'linux' ? await lockByName(path) : lockByFile(path);
    if (unlock !== null) return unlock;
    await delay(LOCK_STEP_MS);
  }
  throw new SocketPathError(`${path}: another machine is being started there; try again`);
}

function lockByName(path: string): Promise<Unlock | null> {
  const name = `\0softnet-${createHash('sha256').update(path).digest('hex').slice(0, 32)}`;
  return new Promise((resolve) => {
    const server: Server = createServer();
    server.on('error', () => resolve(null));
    server.listen(name, () => resolve(() => new Promise((closed) => server.close(() => closed()))));
  });
}

function lockByFile(path: string): Unlock | null {
  const file = `${path}.lock`;
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return async () => unlinkSync(file);
  } catch {
    if (!holderLives(file)) unlinkSync(file);
    return null;
  }
}

function holderLives(file: string): boolean {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
