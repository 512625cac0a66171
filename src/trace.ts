// SPDX-License-Identifier: GPL-2.0-only
/** What a trace holds, and its form in files and answers: the events of all threads, in columns. */

/** A thread that was heard. */
export interface TraceThread {
  readonly name: string;
  /** Kernel thread id, 0 where it is not available. */
  readonly tid: number;
  /** Its task_struct, as arguments of events name it. */
  readonly taskAt: number;
}

/** Events in order of time, as the clocks of their threads have it: these differ by less than 1 us. */
export interface Trace {
  readonly threads: readonly TraceThread[];
  /** Names of what arguments point to, by address. */
  readonly names: ReadonlyMap<number, string>;
  readonly count: number;
  /** Events that were overwritten before they were collected, or found no room. */
  readonly lost: number;
  readonly beganNs: number;
  readonly endedNs: number;
  /** When, CLOCK_MONOTONIC ns. */
  readonly ns: Float64Array;
  /** Index in `threads`. */
  readonly thread: Uint16Array;
  /** TP_* of kernel/trace.ts. */
  readonly tp: Uint8Array;
  readonly cpu: Uint8Array;
  readonly a: Int32Array;
  readonly b: Int32Array;
  readonly c: Int32Array;
}

const FORMAT = 'softnet-trace/1';

function base64(column: ArrayBufferView): string {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength).toString('base64');
}

function bytes(text: string): ArrayBuffer {
  const b = Buffer.from(text, 'base64');
  return b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength) as ArrayBuffer;
}

/** Packs a trace for a line of JSON. */
export function packTrace(t: Trace): object {
  const { threads, names, count, lost, beganNs, endedNs } = t;
  const columns = { ns: t.ns, thread: t.thread, tp: t.tp, cpu: t.cpu, a: t.a, b: t.b, c: t.c };
  const packed = Object.fromEntries(Object.entries(columns).map(([name, c]) => [name, base64(c)]));
  return { format: FORMAT, threads, names: [...names], count, lost, beganNs, endedNs, ...packed };
}

/** Takes it apart again. @throws Error if it is none */
export function unpackTrace(value: unknown): Trace {
  const o = value as { readonly [name: string]: unknown };
  if (o?.format !== FORMAT) throw new Error('what the machine answered is no trace');
  const column = (name: string): ArrayBuffer => bytes(o[name] as string);
  return {
    threads: o.threads as readonly TraceThread[],
    names: new Map(o.names as [number, string][]),
    count: o.count as number,
    lost: o.lost as number,
    beganNs: o.beganNs as number,
    endedNs: o.endedNs as number,
    ns: new Float64Array(column('ns')),
    thread: new Uint16Array(column('thread')),
    tp: new Uint8Array(column('tp')),
    cpu: new Uint8Array(column('cpu')),
    a: new Int32Array(column('a')),
    b: new Int32Array(column('b')),
    c: new Int32Array(column('c')),
  };
}
