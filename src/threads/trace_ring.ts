// SPDX-License-Identifier: GPL-2.0-only
/**
 * What threads record of their tracepoints: a ring of the latest events each, in memory that the thread's worker makes with
 * its first event, and keeps for the threads that follow. A writer never waits: it overwrites the oldest, and the reader finds out.
 *
 * Owner: the thread writes slots, then `head`; whoever reads copies slots and then loads `head` again: a slot that the
 * writer may have come back to since is thrown away, and counted.
 *
 * Ordering
 *   T1 writer: stores of a slot (plain), then store of head                     pairs with  T2
 *   T2 reader: load of head, copy of slots, load of head again                  pairs with  T1
 */
import { parentPort, threadId } from 'node:worker_threads';
import { type Current, KERNEL, KERNEL_AT } from '../kernel/current.js';
import {
  TP_NAPI_POLL,
  TP_NAPI_POLL_BEGIN,
  TP_NAPI_STATE,
  TP_SCHED_PROCESS_EXIT,
  type Tracer,
} from '../kernel/trace.js';
import { NAPI } from '../net/core/napi.js';

/** Events that a ring holds, a power of two. */
export const TRACE_SLOTS = 1 << 14;
/** Words of a slot: when (two words, a double, CLOCK_MONOTONIC ns), what, three arguments, CPU, id of the instance or 0. */
export const TRACE_SLOT_WORDS = 8;
/** Words in front of the slots; the first is `head`: events written so far (wraps). */
export const TRACE_HEADER_WORDS = 16;

const TRACING = KERNEL_AT + KERNEL.tracing;
const MASK = TRACE_SLOTS - 1;

/** @returns true if the first argument of a tracepoint is an instance */
export function isOfInstance(tp: number): boolean {
  return tp === TP_NAPI_POLL || tp === TP_NAPI_POLL_BEGIN || tp === TP_NAPI_STATE;
}

/** What a thread tells the main thread when it makes its ring. */
export interface TraceHello {
  readonly softnetTrace: SharedArrayBuffer;
  /** Which of all rings it is: a worker keeps its ring for the threads that follow. */
  readonly ring: number;
  /** Events that earlier threads of the worker have written into it (wraps). */
  readonly from: number;
  readonly taskAt: number;
  readonly name: string;
  readonly tid: number;
  /** When it began, CLOCK_MONOTONIC ns. */
  readonly bornNs: number;
}

/** What a thread says of itself. */
type Self = Omit<TraceHello, 'softnetTrace' | 'ring' | 'from'>;

/** This worker's ring: that of the thread it runs. */
let own: SharedArrayBuffer | null = null;
/** The thread that this worker runs. */
let running: { readonly cur: Current; readonly tracer: ThreadTracer } | null = null;

/** Has a tracer listen to the thread that begins now. One that has a task in a second machine, too, is heard in its first. */
export function traceThread(cur: Current, hello: Self): void {
  if (running !== null) return;
  const tracer = new ThreadTracer(cur.m, hello);
  cur.tracer = tracer;
  running = { cur, tracer };
}

/** The thread has ended. Recorded also while nobody listens any more: its task_struct may be another's from now on. */
export function traceExit(): void {
  running?.tracer.exit(running.cur);
  running = null;
}

/** Listens to one thread's tracepoints. */
export class ThreadTracer implements Tracer {
  private readonly m: Int32Array;
  private readonly hello: Self;
  private ring: Int32Array | null = null;
  private times: Float64Array = new Float64Array(0);
  private head = 0;

  constructor(m: Int32Array, hello: Self) {
    this.m = m;
    this.hello = hello;
  }

  event(cur: Current, tp: number, a: number, b: number, c: number): void {
    // Plain: to learn of it some events late does no harm, and this is all that a tracepoint costs while it is off.
    if (this.m[TRACING] !== 0) this.record(cur, tp, a, b, c);
  }

  /** Its latest event, if it had any. */
  exit(cur: Current): void {
    if (this.ring !== null) this.record(cur, TP_SCHED_PROCESS_EXIT, 0, 0, 0);
  }

  private record(cur: Current, tp: number, a: number, b: number, c: number): void {
    const ring = this.ring ?? this.open();
    const at = TRACE_HEADER_WORDS + (this.head & MASK) * TRACE_SLOT_WORDS;
    this.times[at >> 1] = cur.platform.nowNs();
    ring[at + 2] = tp;
    ring[at + 3] = a;
    ring[at + 4] = b;
    ring[at + 5] = c;
    ring[at + 6] = cur.cpu.id;
    // Its memory may be another's when this is read.
    ring[at + 7] = isOfInstance(tp) ? this.m[a + NAPI.napiId] : 0;
    this.head = (this.head + 1) | 0;
    Atomics.store(ring, 0, this.head); // T1
  }

  private open(): Int32Array {
    own ??= new SharedArrayBuffer((TRACE_HEADER_WORDS + TRACE_SLOTS * TRACE_SLOT_WORDS) * 4);
    this.ring = new Int32Array(own);
    this.times = new Float64Array(own);
    this.head = this.ring[0];
    const hello: TraceHello = { softnetTrace: own, ring: threadId, from: this.head, ...this.hello };
    parentPort?.postMessage(hello);
    return this.ring;
  }
}
