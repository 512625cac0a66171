// SPDX-License-Identifier: GPL-2.0-only
/** Collects what a machine's threads record of their tracepoints, while it runs. In the main thread. */
import { KERNEL, KERNEL_AT } from './kernel/current.js';
import { NodePlatform } from './kernel/platform.js';
import { taskComm } from './kernel/task.js';
import { TP_NAPI_POLL_BEGIN, TP_NAPI_STATE, TP_SCHED_WAKEUP } from './kernel/trace.js';
import { NAPI } from './net/core/napi.js';
import { netdevName } from './net/core/net_device.js';
import { TRACE_HEADER_WORDS, TRACE_SLOT_WORDS, TRACE_SLOTS, type TraceHello } from './threads/trace_ring.js';
import type { Trace, TraceThread } from './trace.js';

const TRACING = KERNEL_AT + KERNEL.tracing;
/** How often rings are emptied: at a million events a second a ring lasts 16 ms. */
const COLLECT_MS = 5;
/** Most events of a trace. */
export const MAX_TRACE_EVENTS = 4_000_000;
const FIRST_ROOM = 1 << 16;

/** From the `from`-th event of a ring on (wraps) it is that thread's. */
interface Tenure {
  readonly from: number;
  readonly thread: number;
}

interface Ring {
  readonly ring: number;
  /** Whose it was and is, oldest first. */
  tenures: Tenure[];
  readonly words: Int32Array;
  readonly times: Float64Array;
  /** Events read so far (wraps). */
  tail: number;
}

const COLUMNS = ['ns', 'thread', 'tp', 'cpu', 'a', 'b', 'c'] as const;
type ColumnName = (typeof COLUMNS)[number];

/** Columns that grow. */
class Columns {
  count = 0;
  ns = new Float64Array(FIRST_ROOM);
  thread = new Uint16Array(FIRST_ROOM);
  tp = new Uint8Array(FIRST_ROOM);
  cpu = new Uint8Array(FIRST_ROOM);
  a = new Int32Array(FIRST_ROOM);
  b = new Int32Array(FIRST_ROOM);
  c = new Int32Array(FIRST_ROOM);

  /** @returns false if there is no room for one more */
  room(): boolean {
    const { length } = this.ns;
    if (this.count < length) return true;
    if (length >= MAX_TRACE_EVENTS) return false;
    for (const name of COLUMNS) this.grow(name, length * 2);
    return true;
  }

  private grow(name: ColumnName, length: number): void {
    const old = this[name];
    const grown = new (old.constructor as new (n: number) => typeof old)(length);
    grown.set(old);
    (this as Record<typeof name, typeof old>)[name] = grown;
  }
}

/** Rings were emptied one after the other: puts the events of all threads in order of time. */
function inOrder(c: Columns): Pick<Trace, 'ns' | 'thread' | 'tp' | 'cpu' | 'a' | 'b' | 'c'> {
  const order = new Uint32Array(c.count).map((_, i) => i);
  order.sort((x, y) => c.ns[x] - c.ns[y] || x - y);
  const take = <A extends Columns[ColumnName]>(column: A): A => {
    const sorted = new (column.constructor as new (n: number) => A)(c.count);
    for (let i = 0; i < c.count; i++) sorted[i] = column[order[i]];
    return sorted;
  };
  return {
    ns: take(c.ns),
    thread: take(c.thread),
    tp: take(c.tp),
    cpu: take(c.cpu),
    a: take(c.a),
    b: take(c.b),
    c: take(c.c),
  };
}

/** @returns whose the `n`-th event of a ring is */
function threadAt({ tenures }: Ring, n: number): number {
  let i = tenures.length - 1;
  while (i > 0 && ((n - tenures[i].from) | 0) < 0) i--;
  return tenures[i].thread;
}

/** The tracing of one machine. */
export class Tracing {
  private readonly m: Int32Array;
  private readonly clock = new NodePlatform();
  private readonly rings: Ring[] = [];
  private threads: TraceThread[] = [];
  private names = new Map<number, string>();
  private columns = new Columns();
  private lost = 0;
  private beganNs = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(m: Int32Array) {
    this.m = m;
  }

  /** @returns true while threads record */
  get on(): boolean {
    return this.timer !== null;
  }

  /** A thread has made its ring. */
  heard(hello: TraceHello): void {
    const words = new Int32Array(hello.softnetTrace);
    const times = new Float64Array(hello.softnetTrace);
    const { name, tid, taskAt, ring, from } = hello;
    this.threads.push({ name, tid, taskAt });
    const tenure = { from, thread: this.threads.length - 1 };
    const known = this.rings.find((r) => r.ring === ring);
    if (known === undefined) this.rings.push({ ring, tenures: [tenure], words, times, tail: from });
    else {
      // A tenure is of no use any more when all that the next one's predecessors wrote has been overwritten.
      const kept = known.tenures.filter(
        (_, i, all) => i === all.length - 1 || ((from - all[i + 1].from) | 0) < TRACE_SLOTS,
      );
      known.tenures = [...kept, tenure];
    }
  }

  /** Has the threads record from now on. */
  start(): void {
    if (this.timer !== null) throw new Error('the machine is being traced; wait until that ends');
    this.columns = new Columns();
    this.names = new Map();
    this.lost = 0;
    // What a thread recorded before is not of this trace.
    for (const r of this.rings) r.tail = Atomics.load(r.words, 0);
    this.beganNs = this.clock.nowNs();
    Atomics.store(this.m, TRACING, 1);
    this.timer = setInterval(() => this.collect(), COLLECT_MS);
    this.timer.unref();
  }

  /** Has the threads record from now on, and collects nothing until it is asked for. */
  recordLatest(): void {
    if (this.timer !== null) throw new Error('the machine is being traced; wait until that ends');
    this.beganNs = this.clock.nowNs();
    Atomics.store(this.m, TRACING, 1);
  }

  /**
   * @returns the latest `count` events that the rings hold, in order; of one thread at most an eighth of them, so that those
   *   that have long been silent are heard beside one that polls on and on
   */
  latest(count: number): Trace {
    this.columns = new Columns();
    this.names = new Map();
    this.lost = 0;
    for (const r of this.rings) r.tail = r.tenures[0].from;
    this.collect();
    const all = inOrder(this.columns);
    const most = Math.ceil(count / 8);
    const heard = new Map<number, number>();
    const kept: number[] = [];
    for (let i = this.columns.count - 1; i >= 0 && kept.length < count; i--) {
      const n = (heard.get(all.thread[i]) ?? 0) + 1;
      heard.set(all.thread[i], n);
      if (n <= most) kept.push(i);
    }
    kept.reverse();
    const { threads, names, lost, beganNs, clock } = this;
    return {
      threads: threads.slice(),
      names,
      count: kept.length,
      lost,
      beganNs,
      endedNs: clock.nowNs(),
      ns: Float64Array.from(kept, (i) => all.ns[i]),
      thread: Uint16Array.from(kept, (i) => all.thread[i]),
      tp: Uint8Array.from(kept, (i) => all.tp[i]),
      cpu: Uint8Array.from(kept, (i) => all.cpu[i]),
      a: Int32Array.from(kept, (i) => all.a[i]),
      b: Int32Array.from(kept, (i) => all.b[i]),
      c: Int32Array.from(kept, (i) => all.c[i]),
    };
  }

  /** Ends it. @returns what was recorded */
  stop(): Trace {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    Atomics.store(this.m, TRACING, 0);
    this.collect();
    const { columns, lost, beganNs } = this;
    const { count } = columns;
    return {
      threads: this.threads.slice(),
      names: this.names,
      count,
      lost,
      beganNs,
      endedNs: this.clock.nowNs(),
      ...inOrder(columns),
    };
  }

  private collect(): void {
    for (const ring of this.rings) this.empty(ring);
  }

  private empty(ring: Ring): void {
    const { columns } = this;
    const { words, times } = ring;
    const head = Atomics.load(words, 0); // T2
    let n = (head - ring.tail) | 0;
    if (n > TRACE_SLOTS) {
      this.lost += n - TRACE_SLOTS;
      ring.tail = (head - TRACE_SLOTS) | 0;
      n = TRACE_SLOTS;
    }
    const first = columns.count;
    for (let i = 0; i < n && columns.room(); i++) {
      const at = TRACE_HEADER_WORDS + ((ring.tail + i) & (TRACE_SLOTS - 1)) * TRACE_SLOT_WORDS;
      const k = columns.count++;
      columns.ns[k] = times[at >> 1];
      columns.thread[k] = threadAt(ring, (ring.tail + i) | 0);
      columns.tp[k] = words[at + 2];
      columns.a[k] = words[at + 3];
      columns.b[k] = words[at + 4];
      columns.c[k] = words[at + 5];
      columns.cpu[k] = words[at + 6];
    }
    const taken = columns.count - first;
    this.lost += n - taken;
    // The writer may have come round to the first of these meanwhile, and be at one slot more.
    const overrun = Math.min(
      taken,
      Math.max(0, ((Atomics.load(words, 0) - ring.tail) | 0) + 1 - TRACE_SLOTS),
    );
    if (overrun > 0) this.dropFirst(first, overrun);
    this.lost += overrun;
    ring.tail = head;
    for (let k = first; k < columns.count; k++) this.learn(columns.tp[k], columns.a[k]);
  }

  private dropFirst(first: number, n: number): void {
    const { columns } = this;
    for (const name of COLUMNS) {
      columns[name].copyWithin(first, first + n, columns.count);
    }
    columns.count -= n;
  }

  /** Looks up what an address is called while it is likely to be there. */
  private learn(tp: number, at: number): void {
    if (tp !== TP_SCHED_WAKEUP && tp !== TP_NAPI_POLL_BEGIN && tp !== TP_NAPI_STATE) return;
    if (this.names.has(at)) return;
    this.names.set(at, tp === TP_SCHED_WAKEUP ? taskComm(this.m, at) : this.napiName(at));
  }

  private napiName(at: number): string {
    const dev = this.m[at + NAPI.dev];
    const id = Atomics.load(this.m, at + NAPI.napiId);
    return dev <= 0 || dev >= this.m.length ? 'backlog' : `${netdevName(this.m, dev)} napi ${id}`;
  }
}
