// SPDX-License-Identifier: GPL-2.0-only
/** Traces made by hand, for tests of what is shown of them. */
import { TP_NAPI_POLL, TP_NAPI_POLL_BEGIN, TP_SCHED_WAKEUP } from '../../dist/kernel/trace.js';
import type { Trace } from '../../dist/trace.js';

/** An event: when (us from the beginning), index of the thread, TP_*, arguments; the first of a wake-up is the thread's index. */
export type Row = readonly [us: number, thread: number, tp: number, a?: number, b?: number, c?: number];

const BEGAN_NS = 5e12;
const TASKS = 4096;
/** Whose first argument here is the index of what it points to. */
const POINTS = new Set([TP_SCHED_WAKEUP, TP_NAPI_POLL_BEGIN, TP_NAPI_POLL]);

/** @returns a trace of `us` microseconds of threads with those names */
export function traceOf(names: readonly string[], rows: readonly Row[], us = 1000): Trace {
  const column = (i: number): number[] => rows.map((r) => r[i] ?? 0);
  return {
    threads: names.map((name, i) => ({ name, tid: 0, taskAt: TASKS + i, bornNs: 0, endedNs: null })),
    instances: ['eth0 napi 8193', 'eth0 napi 8194'],
    count: rows.length,
    lost: 0,
    full: false,
    beganNs: BEGAN_NS,
    endedNs: BEGAN_NS + us * 1e3,
    ns: Float64Array.from(rows, (r) => BEGAN_NS + r[0] * 1e3),
    thread: Uint32Array.from(column(1)),
    tp: Uint8Array.from(column(2)),
    cpu: new Uint8Array(rows.length),
    object: Int32Array.from(rows, ([, , tp, a]) => (POINTS.has(tp) ? (a ?? 0) : -1)),
    a: Int32Array.from(rows, ([, , tp, a]) => (tp === TP_SCHED_WAKEUP ? TASKS + (a ?? 0) : (a ?? 0))),
    b: Int32Array.from(column(4)),
    c: Int32Array.from(column(5)),
  };
}

/** An event of Chrome's form, as far as tests look at it. */
export interface Shown {
  readonly ph: string;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly id: number;
  readonly args: { readonly name?: string };
}
