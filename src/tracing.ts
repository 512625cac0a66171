// SPDX-License-Identifier: GPL-2.0-only
/** Collects what a machine's threads record of their tracepoints, while it runs. In the main thread. */
import { KERNEL, KERNEL_AT } from './kernel/current.js';
import { NodePlatform } from './kernel/platform.js';
import { TP_SCHED_PROCESS_EXIT } from './kernel/trace.js';
import { isOfInstance, TRACE_SLOT_WORDS, TRACE_SLOTS, type TraceHello } from './threads/trace_ring.js';
import { MAX_TRACE_EVENTS, type Trace } from './trace.js';
import { type Piece, TraceMerge } from './trace_merge.js';
import { TraceNames } from './trace_names.js';
import { copyOf, type Ring, type Tenure, tenureOf } from './trace_rings.js';

const TRACING = KERNEL_AT + KERNEL.tracing;
/** How often rings are emptied: at a million events a second a ring lasts 16 ms. */
const COLLECT_MS = 5;
/** Events put in order at a time: a few milliseconds. */
const SLICE_EVENTS = 20_000;

/** What goes into one trace. */
class Recording {
  readonly beganNs: number;
  readonly instances: string[] = [];
  readonly room: number;
  count = 0;
  lost = 0;
  /** The latest name of each instance by its id. */
  private readonly latest = new Map<number, number>();

  constructor(beganNs: number, room: number) {
    this.beganNs = beganNs;
    this.room = room;
  }

  /** @returns index of a name; the same for an instance until it has another one */
  instance(id: number, name: string): number {
    const known = this.latest.get(id);
    if (known !== undefined) {
      // Its device is no more: it was that one's all the same.
      if (this.instances[known] === name || name === `napi ${id}`) return known;
    }
    this.latest.set(id, this.instances.push(name) - 1);
    return this.instances.length - 1;
  }
}

/** The tracing of one machine. */
export class Tracing {
  private readonly m: Int32Array;
  private readonly clock = new NodePlatform();
  private readonly names: TraceNames;
  private readonly rings: Ring[] = [];
  /** What is collected; null: nothing. */
  private recording: Recording | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** Since when threads record whether or not anything is collected. */
  private latestSinceNs: number | null = null;
  /** When it had no more room. */
  private fullNs: number | null = null;
  /** Called when a trace ends because it has no more room. */
  onFull: () => void = () => {};

  constructor(m: Int32Array) {
    this.m = m;
    this.names = new TraceNames(m);
  }

  /** @returns true while what threads record is collected */
  get on(): boolean {
    return this.recording !== null;
  }

  /** A thread has made its ring. */
  heard(hello: TraceHello): void {
    const { ring, from } = hello;
    const tenure = { from, who: this.names.add(hello), end: null };
    const known = this.rings.find((r) => r.ring === ring);
    if (known === undefined) {
      const words = new Int32Array(hello.softnetTrace);
      this.rings.push({ ring, tenures: [tenure], words, tail: from, pieces: [] });
      return;
    }
    // Where the event that says so has been overwritten.
    const last = known.tenures.at(-1);
    if (last !== undefined) this.names.end(last.who, hello.bornNs);
    // A tenure is of no use any more when all that the next one's predecessors wrote has been overwritten.
    const kept = known.tenures.filter(
      (_, i, all) => i === all.length - 1 || ((from - all[i + 1].from) | 0) < TRACE_SLOTS,
    );
    known.tenures = [...kept, tenure];
  }

  /** Has the threads record from now on. */
  start(): void {
    if (this.recording !== null) throw new Error('the machine is being traced; wait until that ends');
    // What a thread recorded before is not of this trace.
    const before = new Recording(0, MAX_TRACE_EVENTS);
    for (const r of this.rings) {
      r.tail = this.empty(r, r.tail, before, []);
      r.pieces = [];
    }
    this.fullNs = null;
    this.recording = new Recording(this.clock.nowNs(), MAX_TRACE_EVENTS);
    Atomics.store(this.m, TRACING, 1);
    this.timer = setInterval(() => this.collect(), COLLECT_MS);
    this.timer.unref();
  }

  /** Has the threads record from now on, and collects nothing until it is asked for. */
  recordLatest(): void {
    this.latestSinceNs = this.clock.nowNs();
    Atomics.store(this.m, TRACING, 1);
  }

  /**
   * @returns the latest `count` events that the rings hold, in order; of one thread at most an eighth of them, so that those
   *   that have long been silent are heard beside one that polls on and on
   */
  latest(count: number): Trace {
    const recording = new Recording(this.latestSinceNs ?? 0, Number.POSITIVE_INFINITY);
    const rings = this.rings.map((r) => {
      const pieces: Piece[] = [];
      this.empty(r, r.tenures[0].from, recording, pieces);
      return pieces;
    });
    const merge = new TraceMerge(rings, this.names.tasks());
    merge.step(Number.POSITIVE_INFINITY);
    const { columns: all, threads } = merge;
    const most = Math.ceil(count / 8);
    const heard = new Map<number, number>();
    const kept: number[] = [];
    for (let i = merge.count - 1; i >= 0 && kept.length < count; i--) {
      const n = (heard.get(all.thread[i]) ?? 0) + 1;
      heard.set(all.thread[i], n);
      if (n <= most) kept.push(i);
    }
    kept.reverse();
    return {
      threads,
      instances: recording.instances,
      count: kept.length,
      lost: recording.lost,
      full: false,
      beganNs: recording.beganNs,
      endedNs: this.clock.nowNs(),
      ns: Float64Array.from(kept, (i) => all.ns[i]),
      thread: Uint32Array.from(kept, (i) => all.thread[i]),
      object: Int32Array.from(kept, (i) => all.object[i]),
      tp: Uint8Array.from(kept, (i) => all.tp[i]),
      cpu: Uint8Array.from(kept, (i) => all.cpu[i]),
      a: Int32Array.from(kept, (i) => all.a[i]),
      b: Int32Array.from(kept, (i) => all.b[i]),
      c: Int32Array.from(kept, (i) => all.c[i]),
    };
  }

  /** Ends it. @returns what was recorded */
  stop(): Trace {
    const { merge, finish } = this.end();
    merge.step(Number.POSITIVE_INFINITY);
    return finish();
  }

  /** The same, while others have their turn; with what threads recorded that have only just made their rings. */
  async stopInSlices(): Promise<Trace> {
    // They have said so: one turn of the event loop may be under way, the next one takes their messages.
    for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
    const { merge, finish } = this.end();
    while (merge.step(SLICE_EVENTS)) await new Promise(setImmediate);
    return finish();
  }

  /** Ends it, and lets go of what was recorded. @returns what puts it in order, and the trace once that is done */
  end(): { readonly merge: TraceMerge; readonly finish: () => Trace } {
    const { recording } = this;
    if (recording === null) throw new Error('the machine is not being traced');
    if (this.fullNs === null) this.collect();
    this.ends();
    this.recording = null;
    const { instances, lost, beganNs } = recording;
    const full = this.fullNs !== null;
    const endedNs = this.fullNs ?? this.clock.nowNs();
    const merge = new TraceMerge(
      this.rings.map((r) => r.pieces),
      this.names.tasks(),
    );
    for (const r of this.rings) r.pieces = [];
    const finish = (): Trace => {
      const { threads, count, columns } = merge;
      return { threads, instances, count, lost, full, beganNs, endedNs, ...columns };
    };
    return { merge, finish };
  }

  /** Nothing is collected any more. */
  private ends(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    Atomics.store(this.m, TRACING, this.latestSinceNs === null ? 0 : 1);
  }

  private collect(): void {
    const { recording } = this;
    if (recording === null) return;
    for (const r of this.rings) r.tail = this.empty(r, r.tail, recording, r.pieces);
    if (recording.count < recording.room) return;
    this.fullNs = this.clock.nowNs();
    this.ends();
    this.onFull();
  }

  /** Reads what a ring has from its `tail`-th event on. @returns its new tail */
  private empty(ring: Ring, tail: number, to: Recording, pieces: Piece[]): number {
    const { words } = ring;
    const head = Atomics.load(words, 0); // T2
    let n = (head - tail) | 0;
    if (n === 0) return tail;
    let lost = Math.max(0, n - TRACE_SLOTS);
    n -= lost;
    let from = (tail + lost) | 0;
    let copy = copyOf(words, from, n);
    // The writer may have come round to the first of these meanwhile, and be at one slot more.
    const overrun = Math.min(n, Math.max(0, ((Atomics.load(words, 0) - from) | 0) + 1 - TRACE_SLOTS));
    if (overrun > 0) {
      lost += overrun;
      n -= overrun;
      from = (from + overrun) | 0;
      copy = copy.subarray(overrun * TRACE_SLOT_WORDS);
    }
    to.lost += lost;
    /** Of this look, so that a name that changes is learnt again. */
    const learnt = new Map<number, number>();
    for (let i = 0; i < n; ) {
      const tenure = tenureOf(ring, (from + i) | 0);
      // Whoever has the ring now has not been heard yet.
      if (tenure === null) return (from + i) | 0;
      const end = this.pieceEnd(ring, tenure, from, copy, i, n);
      this.learn(copy, i, end, to, learnt);
      const part = copy.subarray(i * TRACE_SLOT_WORDS, end * TRACE_SLOT_WORDS);
      const times = new Float64Array(part.buffer, part.byteOffset, part.length / 2);
      pieces.push({ words: part, times, count: end - i, who: tenure.who, lost: i === 0 ? lost : 0 });
      to.count += end - i;
      i = end;
    }
    return head;
  }

  /** @returns behind the last event, of those from `i` to `n`, that is the tenant's */
  private pieceEnd(ring: Ring, tenure: Tenure, from: number, copy: Int32Array, i: number, n: number): number {
    const next = ring.tenures[ring.tenures.indexOf(tenure) + 1];
    const end = next === undefined ? n : Math.min(n, (next.from - from) | 0);
    for (let k = i; k < end; k++) {
      const at = k * TRACE_SLOT_WORDS;
      if (copy[at + 2] !== TP_SCHED_PROCESS_EXIT) continue;
      tenure.end = (from + k + 1) | 0;
      this.names.end(tenure.who, new Float64Array(copy.buffer, copy.byteOffset + at * 4, 1)[0]);
      return k + 1;
    }
    return end;
  }

  /** Names the instances of the events from `i` to `end`, while they are likely to be there. */
  private learn(copy: Int32Array, i: number, end: number, to: Recording, learnt: Map<number, number>): void {
    for (let at = i * TRACE_SLOT_WORDS; at < end * TRACE_SLOT_WORDS; at += TRACE_SLOT_WORDS) {
      if (!isOfInstance(copy[at + 2])) continue;
      const id = copy[at + 7];
      let index = learnt.get(id);
      if (index === undefined) {
        index = to.instance(id, this.names.instance(copy[at + 3], id));
        learnt.set(id, index);
      }
      copy[at + 7] = index;
    }
  }
}
