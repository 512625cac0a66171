// SPDX-License-Identifier: GPL-2.0-only
/** When each thread of a trace ran, and when it was parked. */
import { TASK_PARKED } from '../../kernel/task.js';
import {
  TP_SCHED_PROCESS_EXIT,
  TP_SCHED_SWITCH_IN,
  TP_SCHED_SWITCH_OUT,
  TP_TRACE_LOST,
} from '../../kernel/trace.js';
import type { Trace } from '../../trace.js';

/** A span of time of one thread. */
export interface Span {
  readonly thread: number;
  readonly name: 'running' | 'parked';
  readonly fromNs: number;
  readonly toNs: number;
}

/** What is known of a thread: it runs, or sleeps parked, since then; -1: not. */
interface State {
  running: number;
  parked: number;
  /** Nothing was heard of it yet, or not since events of it were lost. */
  unknown: boolean;
  /** Its latest event. */
  lastNs: number;
}

/**
 * Tells while the events of a trace are gone through in order. Of a thread nothing is known before its first event, which
 * tells what it had done until then: whoever goes to sleep has run. Nothing is told of it before it began, nor after its end.
 */
export class ThreadStates {
  private readonly t: Trace;
  private readonly states: State[];

  constructor(t: Trace) {
    this.t = t;
    this.states = t.threads.map(() => ({ running: -1, parked: -1, unknown: true, lastNs: -1 }));
  }

  /** Looks at event `i`, after all those before it. @returns the span that ends with it, or null */
  see(i: number): Span | null {
    const { t } = this;
    const thread = t.thread[i];
    const ns = t.ns[i];
    const tp = t.tp[i];
    const state = this.states[thread];
    if (tp === TP_TRACE_LOST) {
      // It may have slept and run again since its latest event.
      const span = this.ended(thread, state.lastNs);
      state.unknown = true;
      return span;
    }
    if (state.unknown) {
      // After a gap only the gap's end is known.
      const since = state.lastNs >= 0 ? ns : Math.max(t.beganNs, t.threads[thread].bornNs);
      if (tp !== TP_SCHED_SWITCH_IN) state.running = Math.min(since, ns);
      state.unknown = false;
    }
    state.lastNs = ns;
    switch (tp) {
      case TP_SCHED_SWITCH_OUT: {
        const span = this.ended(thread, ns);
        if (t.a[i] === TASK_PARKED) state.parked = ns;
        return span;
      }
      case TP_SCHED_SWITCH_IN: {
        const span = this.ended(thread, ns);
        state.running = ns;
        return span;
      }
      case TP_SCHED_PROCESS_EXIT:
        return this.ended(thread, ns);
      default:
        return null;
    }
  }

  /** @returns the spans that have not ended when the trace ends */
  rest(): Span[] {
    const { t } = this;
    return t.threads.flatMap(({ endedNs }, thread) => {
      const span = this.ended(thread, Math.min(t.endedNs, endedNs ?? Number.POSITIVE_INFINITY));
      return span === null ? [] : [span];
    });
  }

  private ended(thread: number, toNs: number): Span | null {
    const state = this.states[thread];
    const { running, parked } = state;
    state.running = -1;
    state.parked = -1;
    if (running >= 0) return { thread, name: 'running', fromNs: running, toNs: Math.max(running, toNs) };
    if (parked >= 0) return { thread, name: 'parked', fromNs: parked, toNs: Math.max(parked, toNs) };
    return null;
  }
}
