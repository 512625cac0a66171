// SPDX-License-Identifier: GPL-2.0-only
/** What the local server offers: the machine behind it, reduced to what the routes need. */
import type { UapiReply, UapiRequest } from '../request.js';

/** One thread of the machine that is running. */
export interface ThreadInfo {
  readonly name: string;
  /** Kernel thread id, 0 where it is not available. */
  readonly tid: number;
  readonly cpu_ns: number | null;
  readonly run_delay_ns: number | null;
  readonly wakeups: number;
  /** Number of the thread: its id is used again by the next thread of its worker, this is not. */
  readonly serial: number;
}

/** A long text, made piece by piece. */
export interface Pieces extends Iterable<string> {
  /** Of all of it, in UTF-8. */
  readonly bytes: number;
}

export interface Backend {
  /** Carries a request out; rejects once the machine is going down. */
  uapi(request: UapiRequest): Promise<UapiReply>;
  threads(): ThreadInfo[];
  /** Counters of CPUs and instances, for softnet top. */
  top(): Promise<object>;
  /**
   * Records tracepoints for so many seconds, or until `gone` is aborted or `endTrace` is called.
   * @returns the answer in pieces
   */
  trace(seconds: number, gone: AbortSignal): Promise<Pieces>;
  /** Ends what `trace` records. @returns false if there is nothing to end */
  endTrace(): boolean;
  /** What `GET /` tells of the machine beside the routes. */
  about(): object;
}

/** How much of anything the server takes. */
export interface Limits {
  /** Bytes of a request's body. */
  readonly bodyBytes: number;
  /** Bytes of a request line and its headers. */
  readonly headerBytes: number;
  /** Time for the headers, and for a whole request, ms. */
  readonly headersMs: number;
  readonly requestMs: number;
  /** Time without a byte after which a connection that waits for no answer is closed, ms. */
  readonly idleMs: number;
  /** Connections at a time; further ones are closed at once. */
  readonly connections: number;
  /** Operations asked for and not yet answered; above it the answer is 503. */
  readonly operations: number;
}

export const LIMITS: Limits = {
  bodyBytes: 64 << 10,
  headerBytes: 8 << 10,
  headersMs: 5000,
  requestMs: 10_000,
  idleMs: 30_000,
  connections: 256,
  operations: 64,
};
