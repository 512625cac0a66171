// SPDX-License-Identifier: GPL-2.0-only
/**
 * A trace in Chrome's JSON form, which Perfetto and chrome://tracing open: a track for each thread and for each CPU,
 * arrows from whoever wakes a thread to the moment at which it runs.
 *
 * A process holds the threads: slices `running`, `parked` and, inside, `softirq` and `napi_poll`. A second one holds the CPUs:
 * softirqs and polls by the CPU on whose behalf they ran. Each machine has two such processes. Times are microseconds from
 * the beginning of the first trace.
 */
import {
  TP_KTHREAD_PARK,
  TP_KTHREAD_UNPARK,
  TP_NAPI_POLL,
  TP_NAPI_POLL_BEGIN,
  TP_NAPI_STATE,
  TP_NETIF_RECEIVE_SKB,
  TP_SCHED_PROCESS_EXIT,
  TP_SCHED_SWITCH_IN,
  TP_SCHED_WAKEUP,
  TP_SOFTIRQ_ENTRY,
  TP_SOFTIRQ_EXIT,
  TP_SOFTIRQ_RAISE,
  TP_TRACE_LOST,
} from '../../kernel/trace.js';
import { napiStateText } from '../../net/core/napi.js';
import type { Trace } from '../../trace.js';
import { objectName } from './object_name.js';
import { type Span, ThreadStates } from './states.js';
import { Wakes } from './wakes.js';

/** Where a machine's trace stands in a file. */
interface Place {
  /** Process of its threads; that of its CPUs is the next. */
  readonly pid: number;
  /** In front of the names of its processes. */
  readonly prefix: string;
  /** Time 0 of the file, ns. */
  readonly zeroNs: number;
}

/** Numbers of arrows, of which no two in a file are the same. */
interface Arrows {
  latest: number;
}

/** What of a thread has begun and not ended: when, ns; -1: nothing. */
interface Open {
  softirq: number;
  poll: number;
}

type Event = { readonly [member: string]: unknown };

/**
 * Makes the events of a file, in pieces: a file of millions is no single text.
 * @param traces of one machine each, on one clock
 */
export function* perfettoEvents(traces: readonly Trace[]): Generator<Event> {
  const zeroNs = Math.min(...traces.map((t) => t.beganNs));
  const arrows: Arrows = { latest: 0 };
  for (const [i, t] of traces.entries()) {
    const prefix = traces.length === 1 ? '' : `machine ${i + 1}: `;
    yield* machineEvents(t, { pid: 2 * i + 1, prefix, zeroNs }, arrows);
  }
}

function* machineEvents(t: Trace, at: Place, arrows: Arrows): Generator<Event> {
  yield* heads(t, at);
  const open: Open[] = t.threads.map(() => ({ softirq: -1, poll: -1 }));
  const states = new ThreadStates(t);
  const wakes = new Wakes(t);
  for (let i = 0; i < t.count; i++) {
    const thread = t.thread[i];
    const own = open[thread];
    const here = { ts: us(at, t.ns[i]), pid: at.pid, tid: thread + 1 };
    const ns = t.ns[i];
    const [a, b, c] = [t.a[i], t.b[i], t.c[i]];
    const wake = wakes.see(i);
    const span = states.see(i);
    if (span !== null) yield slice(at, span);
    switch (t.tp[i]) {
      case TP_SCHED_SWITCH_IN: {
        if (wake < 0) break;
        const arrowOf = { name: 'wake', cat: 'sched', id: ++arrows.latest, pid: at.pid };
        yield { ...arrowOf, ph: 's', ts: us(at, t.ns[wake]), tid: t.thread[wake] + 1 };
        yield { ...arrowOf, ph: 'f', bp: 'e', ts: here.ts, tid: here.tid };
        break;
      }
      case TP_SCHED_WAKEUP: {
        const comm = objectName(t, i);
        yield { name: 'sched:sched_wakeup', cat: 'sched', ph: 'i', s: 't', ...here, args: { comm } };
        break;
      }
      case TP_SOFTIRQ_RAISE:
        yield { name: 'irq:softirq_raise', cat: 'irq', ph: 'i', s: 't', ...here, args: { vec: a, cpu: b } };
        break;
      case TP_SOFTIRQ_ENTRY:
        own.softirq = ns;
        break;
      case TP_SOFTIRQ_EXIT:
        if (own.softirq >= 0) yield* both(t, at, i, 'softirq', own.softirq, {});
        own.softirq = -1;
        break;
      case TP_NAPI_POLL_BEGIN:
        own.poll = ns;
        break;
      case TP_NAPI_POLL:
        if (own.poll >= 0)
          yield* both(t, at, i, 'napi_poll', own.poll, { napi: objectName(t, i), work: b, budget: c });
        own.poll = -1;
        break;
      case TP_NETIF_RECEIVE_SKB:
        yield { name: 'net:netif_receive_skb', cat: 'net', ph: 'i', s: 't', ...here, args: { skbs: a } };
        break;
      case TP_KTHREAD_PARK:
        yield { name: 'kthread_park', cat: 'sched', ph: 'i', s: 't', ...here };
        break;
      case TP_KTHREAD_UNPARK:
        yield { name: 'kthread_unpark', cat: 'sched', ph: 'i', s: 't', ...here };
        break;
      case TP_SCHED_PROCESS_EXIT:
        yield { name: 'sched:sched_process_exit', cat: 'sched', ph: 'i', s: 't', ...here };
        break;
      case TP_TRACE_LOST:
        yield { name: 'events lost', cat: 'trace', ph: 'i', s: 't', ...here, args: { events: a } };
        own.softirq = -1;
        own.poll = -1;
        break;
      case TP_NAPI_STATE:
        yield {
          name: 'napi_state',
          cat: 'napi',
          ph: 'i',
          s: 't',
          ...here,
          args: { napi: objectName(t, i), before: napiStateText(b), after: napiStateText(c) },
        };
        break;
    }
  }
  for (const span of states.rest()) yield slice(at, span);
}

function* heads(t: Trace, { pid, prefix }: Place): Generator<Event> {
  const head = (what: string, process: number, tid: number, name: string): Event => ({
    name: what,
    ph: 'M',
    pid: process,
    tid,
    args: { name },
  });
  yield head('process_name', pid, 0, `${prefix}threads`);
  yield head('process_name', pid + 1, 0, `${prefix}CPUs`);
  for (const [i, { name, tid }] of t.threads.entries()) {
    yield head('thread_name', pid, i + 1, tid === 0 ? name : `${name} (${tid})`);
  }
  for (const cpu of [...new Set(t.cpu)].sort((x, y) => x - y)) {
    yield head('thread_name', pid + 1, cpu + 1, `CPU ${cpu}`);
  }
}

function us({ zeroNs }: Place, ns: number): number {
  return Math.round(ns - zeroNs) / 1e3;
}

function slice(at: Place, { thread, name, fromNs, toNs }: Span): Event {
  const ts = us(at, fromNs);
  return { name, cat: 'sched', ph: 'X', ts, dur: us(at, toNs) - ts, pid: at.pid, tid: thread + 1 };
}

/** A slice that ends with event `i`, in the track of its thread and in that of its CPU. */
function* both(t: Trace, at: Place, i: number, name: string, fromNs: number, args: object): Generator<Event> {
  const ts = us(at, fromNs);
  const event = { name, cat: 'net', ph: 'X', ts, dur: us(at, t.ns[i]) - ts, args };
  yield { ...event, pid: at.pid, tid: t.thread[i] + 1 };
  yield { ...event, pid: at.pid + 1, tid: t.cpu[i] + 1 };
}
