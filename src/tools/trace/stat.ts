// SPDX-License-Identifier: GPL-2.0-only
/** `softnet stat`: histograms of what a trace holds, by powers of two, as bpftrace prints them. */
import {
  TP_NAPI_POLL,
  TP_NAPI_POLL_BEGIN,
  TP_SCHED_SWITCH_IN,
  TP_SOFTIRQ_ENTRY,
  TP_SOFTIRQ_EXIT,
} from '../../kernel/trace.js';
import type { Trace } from '../../trace.js';
import { log2HistogramText } from '../rr/log2_histogram.js';
import { Wakes } from './wakes.js';

/** How many values were 0, 1, 2 and 3, 4 to 7 and so on: place `i` counts those from 2^(i-1) on. */
export type Log2 = number[];

export interface TraceStat {
  /** For each instance by name: packets of its polls, and how long they took. */
  readonly napi: ReadonlyMap<string, { readonly packets: Log2; readonly pollNs: Log2 }>;
  /** For each thread by name: from its wake-up until it ran. */
  readonly wakeNs: ReadonlyMap<string, Log2>;
  /** How long CPUs were in softirqs at a time. */
  readonly softirqNs: Log2;
}

function count(h: Log2, value: number): void {
  const at = value < 1 ? 0 : Math.floor(Math.log2(value)) + 1;
  while (h.length <= at) h.push(0);
  h[at]++;
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/**
 * Counts. @param napi only the instances whose name holds this text, and the threads that polled them; all of them, and softirqs,
 * without one
 */
export function traceStat(t: Trace, napi = ''): TraceStat {
  const instances = new Map<string, { packets: Log2; pollNs: Log2 }>();
  const wakeNs = new Map<string, Log2>();
  const softirqNs: Log2 = [];
  const pollers = new Set<string>();
  const pollBegan = new Map<number, number>();
  const softirqBegan = new Map<number, number>();
  const wakes = new Wakes(t);
  for (let i = 0; i < t.count; i++) {
    const thread = t.thread[i];
    const ns = t.ns[i];
    const wake = wakes.see(i);
    switch (t.tp[i]) {
      case TP_NAPI_POLL_BEGIN:
        pollBegan.set(thread, ns);
        break;
      case TP_NAPI_POLL: {
        const name = t.instances[t.object[i]];
        if (!name.includes(napi)) break;
        pollers.add(t.threads[thread].name);
        const h = entry(instances, name, () => ({ packets: [], pollNs: [] }));
        count(h.packets, t.b[i]);
        const began = pollBegan.get(thread);
        if (began !== undefined) count(h.pollNs, ns - began);
        break;
      }
      case TP_SOFTIRQ_ENTRY:
        softirqBegan.set(thread, ns);
        break;
      case TP_SOFTIRQ_EXIT: {
        const began = softirqBegan.get(thread);
        if (began !== undefined) count(softirqNs, ns - began);
        softirqBegan.delete(thread);
        break;
      }
      case TP_SCHED_SWITCH_IN:
        if (wake >= 0)
          count(
            entry(wakeNs, t.threads[thread].name, () => []),
            ns - t.ns[wake],
          );
        break;
    }
  }
  if (napi === '') return { napi: instances, wakeNs, softirqNs };
  const theirs = [...wakeNs].filter(([name]) => pollers.has(name));
  return { napi: instances, wakeNs: new Map(theirs), softirqNs: [] };
}

/** The histograms as text. */
export function traceStatText(s: TraceStat): string {
  const parts: string[] = [];
  const add = (title: string, h: Log2): void => {
    const text = log2HistogramText(h.slice(1), h[0] ?? 0);
    if (text !== '') parts.push(`${title}\n${text}`);
  };
  for (const [name, { packets, pollNs }] of s.napi) {
    add(`@packets_per_poll[${name}]:`, packets);
    add(`@poll_ns[${name}]:`, pollNs);
  }
  for (const [name, h] of s.wakeNs) add(`@wake_to_run_ns[${name}]:`, h);
  add('@softirq_ns:', s.softirqNs);
  return parts.length === 0 ? 'nothing was polled\n' : parts.join('\n');
}
