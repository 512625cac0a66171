// SPDX-License-Identifier: GPL-2.0-only
/**
 * A trace in Chrome's JSON form, which Perfetto and chrome://tracing open: a track for each thread and for each CPU,
 * arrows from whoever wakes a thread to the moment at which it runs.
 *
 * Process 1 holds the threads: slices `running`, `parked` and, inside, `softirq` and `napi_poll`. Process 2 holds the CPUs:
 * softirqs and polls by the CPU on whose behalf they ran. Times are microseconds from the beginning of the trace.
 */
import {
  TP_KTHREAD_PARK,
  TP_KTHREAD_UNPARK,
  TP_NAPI_POLL,
  TP_NAPI_POLL_BEGIN,
  TP_NAPI_STATE,
  TP_NETIF_RECEIVE_SKB,
  TP_SCHED_SWITCH_IN,
  TP_SCHED_SWITCH_OUT,
  TP_SCHED_WAKEUP,
  TP_SOFTIRQ_ENTRY,
  TP_SOFTIRQ_EXIT,
  TP_SOFTIRQ_RAISE,
} from '../../kernel/trace.js';
import { napiStateText } from '../../net/core/napi.js';
import type { Trace } from '../../trace.js';
import { Wakes } from './wakes.js';

const THREADS = 1;
const CPUS = 2;

/** What of a thread has begun and not ended: when, ns; -1: nothing. */
interface Open {
  running: number;
  parked: number;
  softirq: number;
  poll: number;
}

type Event = { readonly [member: string]: unknown };

/** Makes the events of a trace, in pieces: a file of millions is no single text. */
export function* perfettoEvents(t: Trace): Generator<Event> {
  yield* heads(t);
  const open: Open[] = t.threads.map(() => ({ running: t.beganNs, parked: -1, softirq: -1, poll: -1 }));
  const wakes = new Wakes(t);
  let arrow = 0;
  for (let i = 0; i < t.count; i++) {
    const thread = t.thread[i];
    const own = open[thread];
    const at = { ts: us(t, t.ns[i]), pid: THREADS, tid: thread + 1 };
    const ns = t.ns[i];
    const [a, b, c] = [t.a[i], t.b[i], t.c[i]];
    const wake = wakes.see(i);
    switch (t.tp[i]) {
      case TP_SCHED_SWITCH_OUT:
        if (own.running >= 0) yield slice(t, thread, 'running', own.running, ns);
        own.running = -1;
        break;
      case TP_SCHED_SWITCH_IN: {
        own.running = ns;
        if (wake < 0) break;
        const arrowOf = { name: 'wake', cat: 'sched', id: ++arrow, pid: THREADS };
        yield { ...arrowOf, ph: 's', ts: us(t, t.ns[wake]), tid: t.thread[wake] + 1 };
        yield { ...arrowOf, ph: 'f', bp: 'e', ts: at.ts, tid: at.tid };
        break;
      }
      case TP_SCHED_WAKEUP: {
        const name = nameOf(t, a);
        yield { name: 'sched:sched_wakeup', cat: 'sched', ph: 'i', s: 't', ...at, args: { comm: name } };
        break;
      }
      case TP_SOFTIRQ_RAISE:
        yield { name: 'irq:softirq_raise', cat: 'irq', ph: 'i', s: 't', ...at, args: { vec: a, cpu: b } };
        break;
      case TP_SOFTIRQ_ENTRY:
        own.softirq = ns;
        break;
      case TP_SOFTIRQ_EXIT:
        if (own.softirq >= 0) yield* both(t, i, 'softirq', own.softirq, {});
        own.softirq = -1;
        break;
      case TP_NAPI_POLL_BEGIN:
        own.poll = ns;
        break;
      case TP_NAPI_POLL:
        if (own.poll >= 0)
          yield* both(t, i, 'napi_poll', own.poll, { napi: nameOf(t, a), work: b, budget: c });
        own.poll = -1;
        break;
      case TP_NETIF_RECEIVE_SKB:
        yield { name: 'net:netif_receive_skb', cat: 'net', ph: 'i', s: 't', ...at, args: { skbs: a } };
        break;
      case TP_KTHREAD_PARK:
        own.parked = ns;
        break;
      case TP_KTHREAD_UNPARK:
        if (own.parked >= 0) yield slice(t, thread, 'parked', own.parked, ns);
        own.parked = -1;
        break;
      case TP_NAPI_STATE:
        yield {
          name: 'napi_state',
          cat: 'napi',
          ph: 'i',
          s: 't',
          ...at,
          args: { napi: nameOf(t, a), before: napiStateText(b), after: napiStateText(c) },
        };
        break;
    }
  }
  for (const [thread, own] of open.entries()) {
    if (own.running >= 0) yield slice(t, thread, 'running', own.running, t.endedNs);
    if (own.parked >= 0) yield slice(t, thread, 'parked', own.parked, t.endedNs);
  }
}

function* heads(t: Trace): Generator<Event> {
  const head = (name: string, pid: number, tid: number, args: object): Event => ({
    name,
    ph: 'M',
    pid,
    tid,
    args,
  });
  yield head('process_name', THREADS, 0, { name: 'threads' });
  yield head('process_name', CPUS, 0, { name: 'CPUs' });
  for (const [i, { name, tid }] of t.threads.entries()) {
    yield head('thread_name', THREADS, i + 1, { name: tid === 0 ? name : `${name} (${tid})` });
  }
  for (const cpu of [...new Set(t.cpu)].sort((x, y) => x - y)) {
    yield head('thread_name', CPUS, cpu + 1, { name: `CPU ${cpu}` });
  }
}

function us(t: Trace, ns: number): number {
  return Math.round(ns - t.beganNs) / 1e3;
}

function slice(t: Trace, thread: number, name: string, fromNs: number, toNs: number): Event {
  const ts = us(t, fromNs);
  return { name, cat: 'sched', ph: 'X', ts, dur: us(t, toNs) - ts, pid: THREADS, tid: thread + 1 };
}

/** A slice that ends with event `i`, in the track of its thread and in that of its CPU. */
function* both(t: Trace, i: number, name: string, fromNs: number, args: object): Generator<Event> {
  const ts = us(t, fromNs);
  const event = { name, cat: 'net', ph: 'X', ts, dur: us(t, t.ns[i]) - ts, args };
  yield { ...event, pid: THREADS, tid: t.thread[i] + 1 };
  yield { ...event, pid: CPUS, tid: t.cpu[i] + 1 };
}

/** @returns what an address is called */
function nameOf(t: Trace, at: number): string {
  return t.names.get(at) ?? t.threads.find((x) => x.taskAt === at)?.name ?? `@${at}`;
}
