// SPDX-License-Identifier: GPL-2.0-only
/** Puts the events of all rings in order of time. */
import { TP_KTHREAD_PARK, TP_KTHREAD_UNPARK, TP_SCHED_WAKEUP, TP_TRACE_LOST } from './kernel/trace.js';
import { isOfInstance, TRACE_SLOT_WORDS } from './threads/trace_ring.js';
import type { Trace, TraceThread } from './trace.js';
import type { Heard } from './trace_names.js';

/** Slots of a ring as they were copied, in order. */
export interface Piece {
  readonly words: Int32Array;
  readonly times: Float64Array;
  readonly count: number;
  readonly who: Heard;
  /** Events in front of it that were lost. */
  readonly lost: number;
}

/** Where it has got to in the events of one ring. */
interface Cursor {
  readonly pieces: (Piece | null)[];
  piece: number;
  event: number;
  /** The next one's time; Infinity: there is none. */
  ns: number;
}

type Columns = Pick<Trace, 'ns' | 'thread' | 'object' | 'tp' | 'cpu' | 'a' | 'b' | 'c'>;

export class TraceMerge {
  readonly threads: TraceThread[] = [];
  readonly columns: Columns;
  /** Events so far. */
  count = 0;
  private readonly total: number;
  private readonly cursors: Cursor[];
  private readonly taskOf: (at: number, ns: number) => Heard | null;
  private readonly indices = new Map<Heard, number>();

  /**
   * @param rings the pieces of each, in order; an instance's event has its index in the last word of its slot
   * @param taskOf whose task_struct an address was at a moment
   */
  constructor(rings: readonly (readonly Piece[])[], taskOf: (at: number, ns: number) => Heard | null) {
    this.taskOf = taskOf;
    let total = 0;
    for (const pieces of rings) for (const p of pieces) total += p.count + (p.lost > 0 ? 1 : 0);
    this.total = total;
    this.cursors = rings
      .filter((pieces) => pieces.length > 0)
      .map((pieces) => ({ pieces: [...pieces], piece: 0, event: 0, ns: pieces[0].times[0] }));
    this.columns = {
      ns: new Float64Array(total),
      thread: new Uint32Array(total),
      object: new Int32Array(total),
      tp: new Uint8Array(total),
      cpu: new Uint8Array(total),
      a: new Int32Array(total),
      b: new Int32Array(total),
      c: new Int32Array(total),
    };
  }

  /** Takes at least `n` more events, or all there are, and not many more. @returns false once all are taken */
  step(n: number): boolean {
    const until = Math.min(this.total, this.count + n);
    while (this.count < until) {
      const { cursors } = this;
      let first = cursors[0];
      let secondNs = Number.POSITIVE_INFINITY;
      for (let i = 1; i < cursors.length; i++) {
        const cursor = cursors[i];
        if (cursor.ns < first.ns) {
          secondNs = first.ns;
          first = cursor;
        } else if (cursor.ns < secondNs) secondNs = cursor.ns;
      }
      do this.take(first);
      while (first.ns <= secondNs && this.count < until);
    }
    return this.count < this.total;
  }

  private take(cursor: Cursor): void {
    const piece = cursor.pieces[cursor.piece] as Piece;
    const { columns } = this;
    const { words, times, who } = piece;
    const at = cursor.event * TRACE_SLOT_WORDS;
    const ns = times[at >> 1];
    const thread = this.indexOf(who);
    if (cursor.event === 0 && piece.lost > 0) {
      this.put(ns, thread, TP_TRACE_LOST);
      columns.a[this.count - 1] = piece.lost;
      columns.cpu[this.count - 1] = words[at + 6];
    }
    const tp = words[at + 2];
    const a = words[at + 3];
    this.put(ns, thread, tp);
    const k = this.count - 1;
    columns.a[k] = a;
    columns.b[k] = words[at + 4];
    columns.c[k] = words[at + 5];
    columns.cpu[k] = words[at + 6];
    if (isOfInstance(tp)) columns.object[k] = words[at + 7];
    else if (tp === TP_KTHREAD_PARK || tp === TP_KTHREAD_UNPARK) columns.object[k] = thread;
    else if (tp === TP_SCHED_WAKEUP) {
      const task = this.taskOf(a, ns);
      if (task !== null) columns.object[k] = this.indexOf(task);
    }
    cursor.event++;
    if (cursor.event === piece.count) {
      // Its memory is not needed any more.
      cursor.pieces[cursor.piece++] = null;
      cursor.event = 0;
    }
    const next = cursor.pieces[cursor.piece];
    cursor.ns =
      next === undefined || next === null
        ? Number.POSITIVE_INFINITY
        : next.times[(cursor.event * TRACE_SLOT_WORDS) >> 1];
  }

  private put(ns: number, thread: number, tp: number): void {
    const { columns } = this;
    const k = this.count++;
    columns.ns[k] = ns;
    columns.thread[k] = thread;
    columns.tp[k] = tp;
    columns.object[k] = -1;
  }

  private indexOf(who: Heard): number {
    let index = this.indices.get(who);
    if (index === undefined) {
      index = this.threads.length;
      const { name, tid, taskAt, bornNs, endedNs } = who;
      this.threads.push({ name, tid, taskAt, bornNs, endedNs });
      this.indices.set(who, index);
    }
    return index;
  }
}
