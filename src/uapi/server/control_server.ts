// SPDX-License-Identifier: GPL-2.0-only
/**
 * The local server: HTTP and JSON over a Unix socket. It runs in the main thread, which makes threads and never
 * blocks; all it does is parse a little and hand on. What comes in too large, too slow, too often or malformed is
 * answered, or cut off, without anything else noticing.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Backend, Limits } from './backend.js';
import { errorBody, HttpError } from './http_error.js';
import { type Answer, type Asked, answer, oneLine } from './routes.js';

/** How often the server looks for requests that take too long, ms. */
const CHECK_MS = 1000;

export class ControlServer {
  readonly http: Server;
  private readonly backend: Backend;
  private readonly limits: Limits;
  private pending = 0;
  private idle: (() => void) | null = null;

  constructor(backend: Backend, limits: Limits) {
    this.backend = backend;
    this.limits = limits;
    this.http = createServer(
      {
        maxHeaderSize: limits.headerBytes,
        headersTimeout: limits.headersMs,
        requestTimeout: limits.requestMs,
        keepAliveTimeout: limits.headersMs,
        connectionsCheckingInterval: Math.min(CHECK_MS, limits.headersMs),
        // Refused by `serve`, with a body as all errors have: Node's own answer has none.
        requireHostHeader: false,
      },
      (req, res) => void this.serve(req, res),
    );
    this.http.maxConnections = limits.connections;
    this.http.setTimeout(limits.idleMs, (socket: Socket) => socket.destroy());
    this.http.on('checkContinue', (req, res) => void this.serve(req, res));
    this.http.on('checkExpectation', (req, res) => void this.serve(req, res));
    this.http.on('clientError', refuseConnection);
    // What the system refuses us (connections, for want of descriptors) passes.
    this.http.on('error', () => {});
    this.http.on('connect', (_req, socket: Socket) => socket.destroy());
    this.http.on('upgrade', (_req, socket: Socket) => socket.destroy());
  }

  /** Takes no more connections; resolves when what was asked has been answered and all connections are closed. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()));
    if (this.pending > 0) {
      await new Promise<void>((resolve) => {
        this.idle = resolve;
      });
    }
    this.http.closeIdleConnections();
    // Answers have been written: whoever does not read them gets no more time.
    setImmediate(() => this.http.closeAllConnections());
    await closed;
  }

  private async serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    // A client that goes away is no error of ours.
    req.on('error', () => {});
    res.on('error', () => {});
    try {
      refuseHead(req);
      const path = pathOf(req.url ?? '');
      const body = await readBody(req, res, this.limits.bodyBytes);
      await this.answer({ method: req.method ?? '', path, body, gone: goneSignal(res) }, res);
    } catch (error) {
      if (error instanceof Gone) res.destroy();
      else sendError(res, error, !req.complete);
    }
  }

  /** Answers a request that is here as a whole: one that dawdles takes nobody's place. */
  private async answer(asked: Asked, res: ServerResponse): Promise<void> {
    if (this.pending >= this.limits.operations) {
      throw new HttpError(503, 'too many operations under way; try again', { 'Retry-After': '1' });
    }
    this.pending++;
    // A connection whose answer takes long is not idle.
    res.socket?.setTimeout(0);
    try {
      const a = await answer(this.backend, asked);
      res.socket?.setTimeout(this.limits.idleMs);
      await send(res, a);
    } finally {
      res.socket?.setTimeout(this.limits.idleMs);
      this.pending--;
      if (this.pending === 0) this.idle?.();
    }
  }
}

/** The client went away while it sent. */
class Gone extends Error {}

/** @throws HttpError for what HTTP itself forbids: 400, 417 */
function refuseHead(req: IncomingMessage): void {
  if (req.headers.host === undefined && req.httpVersion === '1.1')
    throw new HttpError(400, 'a request of HTTP/1.1 has a Host header');
  const { expect } = req.headers;
  if (expect !== undefined && expect.toLowerCase() !== '100-continue')
    throw new HttpError(417, `there is no expectation ${oneLine(expect)}; there is 100-continue`);
}

/** @returns the path, decoded @throws HttpError 400 */
function pathOf(url: string): string {
  let path: string;
  try {
    path = decodeURIComponent(url.split('?', 1)[0]);
  } catch {
    throw new HttpError(400, 'the path is not properly encoded');
  }
  if (!path.startsWith('/')) throw new HttpError(400, 'the path must begin with a slash');
  refuseControls(path, 'the path', /\p{Cc}/u);
  return path;
}

function refuseControls(s: string, what: string, which: RegExp): void {
  const found = which.exec(s);
  if (found === null) return;
  const code = found[0].charCodeAt(0).toString(16).padStart(2, '0');
  throw new HttpError(400, `${what} has the control character 0x${code}`);
}

/** Reads the body, up to a limit. @throws HttpError 413, 400 for what is no text */
async function readBody(req: IncomingMessage, res: ServerResponse, limit: number): Promise<string> {
  const tooLarge = new HttpError(413, `a body has ${limit} bytes at most`);
  if (Number(req.headers['content-length'] ?? 0) > limit) throw tooLarge;
  if (req.headers.expect !== undefined) res.writeContinue();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of req as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limit) throw tooLarge;
      chunks.push(chunk);
    }
  } catch (error) {
    throw error === tooLarge ? error : new Gone();
  }
  let body: string;
  try {
    body = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new HttpError(400, 'the body is no UTF-8');
  }
  refuseControls(body, 'the body', /[^\P{Cc}\t\n\r]/u);
  return body;
}

/** @returns what is aborted when the client goes away before it is answered */
function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  return gone.signal;
}

async function send(res: ServerResponse, a: Answer): Promise<void> {
  if (a.status === 204) res.writeHead(204).end();
  else if (typeof a.body === 'string') {
    const length = Buffer.byteLength(a.body);
    res.writeHead(a.status, { 'Content-Type': a.type, 'Content-Length': length }).end(a.body);
  } else {
    res.writeHead(a.status, { 'Content-Type': a.type, 'Content-Length': a.body.bytes });
    for (const piece of a.body) {
      if (res.destroyed) return;
      if (!res.write(piece)) await drained(res);
      // Others are served in between.
      await new Promise(setImmediate);
    }
    res.end();
  }
}

/** Resolves when there is room for more, or the client has gone. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.removeListener('drain', done);
      res.removeListener('close', done);
      resolve();
    };
    res.once('drain', done);
    res.once('close', done);
  });
}

/** @param close the rest of the request is not read: the connection ends with the answer */
function sendError(res: ServerResponse, error: unknown, close: boolean): void {
  // What is no HttpError is the machine's: it is going down, or has lost a thread.
  const e =
    error instanceof HttpError ? error : new HttpError(503, oneLine(String((error as Error).message)));
  const body = errorBody(e.message);
  res.writeHead(e.status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...(close ? { Connection: 'close' } : {}),
    ...e.headers,
  });
  res.end(body, () => {
    if (close) res.socket?.destroySoon();
  });
}

const CLIENT_ERRORS: { readonly [code: string]: readonly [status: string, message: string] } = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long'],
};

/** What came in is no HTTP, or too slow. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  socket.on('error', () => {});
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = CLIENT_ERRORS[error.code ?? ''] ?? ['400 Bad Request', 'this is no HTTP request'];
  const body = errorBody(message);
  const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  socket.write(head + body);
  socket.destroySoon();
}
