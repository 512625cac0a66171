// SPDX-License-Identifier: GPL-2.0-only
/** The client's side of the control surface: one request over the Unix socket. */
import { request as httpRequest } from 'node:http';
import type { UapiReply } from '../uapi/request.js';
import { SocketPathError, socketPath } from '../uapi/server/socket_path.js';
import { EXIT_USAGE } from './exit_codes.js';

/** No machine answers, or what answers is none: one line, nothing more can be done. */
export class NoMachineError extends Error {}

/** An error of the machine, as the server words it. */
export type RemoteError = Pick<UapiReply, 'message' | 'extack'> & {
  /** Negative; 0 where the server refused the form of the request. */
  readonly errno: number;
};

export interface Answer {
  readonly ok: boolean;
  /** Text of a file, or JSON. */
  readonly body: string;
  /** null where `ok` is true. */
  readonly error: RemoteError | null;
}

/** Longest wait for an answer, ms: operations wait for threads, not for packets. */
const TIMEOUT_MS = 60_000;
/** How often a busy machine is asked again, and how soon. */
const MAX_TRIES = 100;
const RETRY_MS = 100;

export class Client {
  private readonly path: string;

  /** @param socket where the socket lies, if it was given */
  constructor(socket: string | undefined) {
    this.path = socketPath(socket);
  }

  /** Asks. @param signal ends the wait for an answer @throws NoMachineError */
  async ask(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    body = '',
    signal?: AbortSignal,
  ): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      const { status, text } = await this.once(method, path, body, signal);
      if (status >= 200 && status < 300) return { ok: true, body: text, error: null };
      const error = parse(text);
      // Too much under way: the server says when to come back, and nothing was done.
      if (status === 503 && error.message.startsWith('too many') && tries < MAX_TRIES) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      return { ok: false, body: text, error };
    }
  }

  private once(
    method: string,
    path: string,
    body: string,
    signal: AbortSignal | undefined,
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => reject(new NoMachineError(why));
      const req = httpRequest(
        {
          socketPath: this.path,
          method,
          path: encodeURI(path).replaceAll('?', '%3F').replaceAll('#', '%23'),
          headers: { 'Content-Length': Buffer.byteLength(body) },
          timeout: TIMEOUT_MS,
          agent: false,
          signal,
        },
        (res) => {
          let text = '';
          res.setEncoding('utf8');
          res.on('data', (piece: string) => {
            text += piece;
          });
          res.on('end', () => resolve({ status: res.statusCode ?? 0, text }));
          res.on('error', () => fail(`the machine at ${this.path} went away`));
        },
      );
      req.on('timeout', () => {
        req.destroy();
        fail(`the machine at ${this.path} does not answer`);
      });
      req.on('error', (e: NodeJS.ErrnoException) => {
        // So many connect at once that the system keeps no more for the machine: as busy as 503.
        const busy = JSON.stringify({ error: { message: 'too many clients; try again' } });
        if (e.code === 'EAGAIN') resolve({ status: 503, text: busy });
        else fail(reason(e.code ?? e.message, this.path));
      });
      req.end(body);
    });
  }
}

/**
 * What keeps a command from reaching a machine, as one line; throws what is something else.
 * @returns the command's exit code: the user named no machine that there is
 */
export function noMachine(command: string, error: unknown): number {
  if (!(error instanceof NoMachineError) && !(error instanceof SocketPathError)) throw error;
  process.stderr.write(`softnet ${command}: ${error.message}\n`);
  return EXIT_USAGE;
}

function reason(code: string, path: string): string {
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return `no machine runs at ${path}; start one with softnet up, or give its socket (--socket, SOFTNET_SOCKET)`;
  }
  if (code === 'EACCES') return `${path} is somebody else's; give the socket of your own machine`;
  if (code === 'ECONNRESET') return `the machine at ${path} went away`;
  return `${path}: ${code}`;
}

function parse(text: string): RemoteError {
  try {
    const { error } = JSON.parse(text) as { error: Partial<RemoteError> };
    return { errno: error.errno ?? 0, message: error.message ?? 'error', extack: error.extack ?? null };
  } catch {
    return { errno: 0, message: 'what answers is no softnet machine', extack: null };
  }
}

/** A command line of a client: `--socket PATH` is taken out wherever it stands, the rest is the real tool's. */
export interface ClientArgs {
  readonly client: Client;
  readonly args: readonly string[];
}

/** @throws SocketPathError */
export function clientArgs(all: readonly string[]): ClientArgs {
  const args: string[] = [];
  let socket: string | undefined;
  for (let i = 0; i < all.length; i++) {
    if (all[i] === '--socket') socket = all[++i] ?? '';
    else if (all[i].startsWith('--socket=')) socket = all[i].slice('--socket='.length);
    else args.push(all[i]);
  }
  return { client: new Client(socket), args };
}

export function out(text: string): void {
  process.stdout.write(text);
}

export function err(text: string): void {
  process.stderr.write(text);
}
