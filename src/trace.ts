// SPDX-License-Identifier: GPL-2.0-only
/** What a trace holds, and its form in files and answers: the events of all threads, in columns. */
import type { Pieces } from './uapi/server/backend.js';

/** A thread that was heard, or woken. */
export interface TraceThread {
  readonly name: string;
  /** Kernel thread id, 0 where it is not available. */
  readonly tid: number;
  /** Its task_struct while it lived, as arguments of events name it. */
  readonly taskAt: number;
  /** When it began, CLOCK_MONOTONIC ns; 0 where nobody knows. */
  readonly bornNs: number;
  /** When it ended; null: not while it was traced. */
  readonly endedNs: number | null;
}

/** Events in order of time, as the clocks of their threads have it: these differ by less than 1 us. */
export interface Trace {
  readonly threads: readonly TraceThread[];
  /** Names of instances. */
  readonly instances: readonly string[];
  readonly count: number;
  /** Events that were overwritten before they were collected, or found no room. */
  readonly lost: number;
  /** It ended early because there was no more room. */
  readonly full: boolean;
  readonly beganNs: number;
  readonly endedNs: number;
  /** When, CLOCK_MONOTONIC ns. */
  readonly ns: Float64Array;
  /** Index in `threads`. */
  readonly thread: Uint32Array;
  /** What the first argument points to: index in `threads` of a task, in `instances` of an instance; -1: nothing, or unknown. */
  readonly object: Int32Array;
  /** TP_* of kernel/trace.ts. */
  readonly tp: Uint8Array;
  readonly cpu: Uint8Array;
  readonly a: Int32Array;
  readonly b: Int32Array;
  readonly c: Int32Array;
}

/** Room of a trace: it ends when it has so many events, or some thousands more. */
export const MAX_TRACE_EVENTS = 2_000_000;

const FORMAT = 'softnet-trace/2';

function bytes(text: string): ArrayBuffer {
  const b = Buffer.from(text, 'base64');
  return b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength) as ArrayBuffer;
}

/** Bytes of a piece of text: a multiple of 3, which base64 makes four letters of. */
const PIECE_BYTES = 3 << 18;

/** Packs a trace as a line of JSON, in pieces that take few milliseconds each. */
export function packTrace(t: Trace): Pieces {
  const { ns, thread, object, tp, cpu, a, b, c, ...head } = t;
  const begin = JSON.stringify({ format: FORMAT, ...head }).slice(0, -1);
  const columns = Object.entries({ ns, thread, object, tp, cpu, a, b, c });
  const end = '}\n';
  let size = Buffer.byteLength(begin) + end.length;
  for (const [name, { byteLength }] of columns) {
    size += opening(name).length + 4 * Math.ceil(byteLength / 3) + 1;
  }
  return {
    bytes: size,
    *[Symbol.iterator]() {
      yield begin;
      for (const [name, column] of columns) {
        yield opening(name);
        for (let at = 0; at < column.byteLength; at += PIECE_BYTES) {
          const length = Math.min(PIECE_BYTES, column.byteLength - at);
          yield Buffer.from(column.buffer, column.byteOffset + at, length).toString('base64');
        }
        yield '"';
      }
      yield end;
    },
  };
}

function opening(name: string): string {
  return `,"${name}":"`;
}

/** Takes it apart again. @throws Error if it is none */
export function unpackTrace(value: unknown): Trace {
  const o = value as { readonly [name: string]: unknown };
  if (o?.format !== FORMAT)
    throw new Error('what the machine answered is no trace of this version of softnet');
  const column = (name: string): ArrayBuffer => bytes(o[name] as string);
  return {
    threads: o.threads as readonly TraceThread[],
    instances: o.instances as readonly string[],
    count: o.count as number,
    lost: o.lost as number,
    full: o.full as boolean,
    beganNs: o.beganNs as number,
    endedNs: o.endedNs as number,
    ns: new Float64Array(column('ns')),
    thread: new Uint32Array(column('thread')),
    object: new Int32Array(column('object')),
    tp: new Uint8Array(column('tp')),
    cpu: new Uint8Array(column('cpu')),
    a: new Int32Array(column('a')),
    b: new Int32Array(column('b')),
    c: new Int32Array(column('c')),
  };
}
