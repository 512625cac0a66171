// SPDX-License-Identifier: GPL-2.0-only
/** What is collected from rings, and what the addresses in events are called. */
import { describe, expect, it, vi } from 'vitest';
import { KERNEL, KERNEL_AT } from '../../dist/kernel/current.js';
import { TASK } from '../../dist/kernel/task.js';
import {
  TP_NAPI_POLL,
  TP_SCHED_PROCESS_EXIT,
  TP_SCHED_SWITCH_IN,
  TP_SCHED_WAKEUP,
} from '../../dist/kernel/trace.js';
import { writeName } from '../../dist/mm/arena.js';
import { NAPI } from '../../dist/net/core/napi.js';
import { TRACE_HEADER_WORDS, TRACE_SLOT_WORDS, TRACE_SLOTS } from '../../dist/threads/trace_ring.js';
import { MAX_TRACE_EVENTS, type Trace } from '../../dist/trace.js';
import { Tracing } from '../../dist/tracing.js';
import { layOutKernel } from '../helpers/kernel_lab.js';

/** A worker's ring, and the threads that it runs one after the other. */
class Worker {
  private readonly sab = new SharedArrayBuffer((TRACE_HEADER_WORDS + TRACE_SLOTS * TRACE_SLOT_WORDS) * 4);
  private readonly words = new Int32Array(this.sab);
  private readonly times = new Float64Array(this.sab);
  private readonly tracing: Tracing;
  private readonly ring: number;

  constructor(tracing: Tracing, ring: number) {
    this.tracing = tracing;
    this.ring = ring;
  }

  begin(name: string, taskAt: number, bornNs: number): void {
    const { sab, ring, words } = this;
    this.tracing.heard({ softnetTrace: sab, ring, from: words[0], taskAt, name, tid: 0, bornNs });
  }

  event(ns: number, tp: number, a = 0, id = 0): void {
    const at = TRACE_HEADER_WORDS + (this.words[0] & (TRACE_SLOTS - 1)) * TRACE_SLOT_WORDS;
    this.times[at >> 1] = ns;
    this.words.set([tp, a, 0, 0, 0, id], at + 2);
    this.words[0]++;
  }
}

/** @returns events as lines: who, and what the first argument is called */
function lines(t: Trace): string[] {
  return Array.from({ length: t.count }, (_, i) => {
    const names = t.tp[i] === TP_NAPI_POLL ? t.instances : t.threads.map((x) => x.name);
    return `${t.threads[t.thread[i]].name} ${t.tp[i]} ${names[t.object[i]] ?? '-'}`;
  });
}

const TASK_A = 40_000;
const TASK_B = 41_000;
const NAPI_AT = 42_000;

function machine(): { m: Int32Array; tracing: Tracing } {
  const m = layOutKernel(1);
  return { m, tracing: new Tracing(m) };
}

describe('collecting', () => {
  it('puts the events of all rings in order, each under its thread', () => {
    const { tracing } = machine();
    const [one, two] = [new Worker(tracing, 1), new Worker(tracing, 2)];
    one.begin('early', TASK_A, 1);
    one.event(5, TP_SCHED_SWITCH_IN);
    tracing.start();
    one.event(10, TP_SCHED_SWITCH_IN);
    one.event(30, TP_SCHED_PROCESS_EXIT);
    one.begin('next', TASK_A, 35);
    one.event(40, TP_SCHED_SWITCH_IN);
    two.begin('other', TASK_B, 15);
    two.event(20, TP_SCHED_WAKEUP, TASK_A);
    two.event(36, TP_SCHED_WAKEUP, TASK_A);
    two.event(50, TP_SCHED_SWITCH_IN);
    const t = tracing.stop();
    const [IN, EXIT, WAKE] = [TP_SCHED_SWITCH_IN, TP_SCHED_PROCESS_EXIT, TP_SCHED_WAKEUP];
    expect(lines(t)).toEqual([
      `early ${IN} -`,
      `other ${WAKE} early`,
      `early ${EXIT} -`,
      `other ${WAKE} next`,
      `next ${IN} -`,
      `other ${IN} -`,
    ]);
    expect(t.threads.map((x) => x.endedNs)).toEqual([30, null, null]);
    expect([...t.ns]).toEqual([10, 20, 30, 36, 40, 50]);
  });

  it('waits for a thread that has not been heard, where the one before it has ended', () => {
    const { tracing } = machine();
    const worker = new Worker(tracing, 1);
    worker.begin('first', TASK_A, 1);
    tracing.start();
    worker.event(10, TP_SCHED_PROCESS_EXIT);
    worker.event(20, TP_SCHED_SWITCH_IN);
    expect(lines(tracing.stop())).toEqual([`first ${TP_SCHED_PROCESS_EXIT} -`]);
  });

  it('knows its threads apart however many there have been', () => {
    const { tracing } = machine();
    const worker = new Worker(tracing, 1);
    tracing.recordLatest();
    const threads = 70_000;
    for (let i = 0; i < threads; i++) {
      worker.begin(`thread ${i}`, TASK_A, i);
      worker.event(i + 0.5, TP_SCHED_SWITCH_IN);
      worker.event(i + 0.7, TP_SCHED_PROCESS_EXIT);
    }
    const t = tracing.latest(64);
    expect(t.threads[t.thread[t.count - 1]].name).toBe(`thread ${threads - 1}`);
    // Those whose events are gone are, too.
    expect(t.threads.length).toBeLessThan(TRACE_SLOTS);
  });

  it('goes on beside the latest events, and these beside it', () => {
    const { m, tracing } = machine();
    const recording = (): number => m[KERNEL_AT + KERNEL.tracing];
    const worker = new Worker(tracing, 1);
    worker.begin('thread', TASK_A, 1);
    tracing.start();
    tracing.recordLatest();
    worker.event(10, TP_SCHED_SWITCH_IN);
    expect(tracing.latest(8).count).toBe(1);
    expect(tracing.stop().count).toBe(1);
    expect(recording()).toBe(1);
    expect(tracing.latest(8).count).toBe(1);
    tracing.start();
    expect(() => tracing.start()).toThrow(/being traced/);
    expect(tracing.stop().count).toBe(0);
  });
});

describe('a trace that is full', () => {
  it('ends by itself, and says so', () => {
    vi.useFakeTimers();
    try {
      const { m, tracing } = machine();
      const worker = new Worker(tracing, 1);
      worker.begin('busy', TASK_A, 1);
      let full = 0;
      tracing.onFull = () => full++;
      tracing.start();
      for (let i = 0; full === 0 && i < 1000; i++) {
        for (let k = 0; k < TRACE_SLOTS / 2; k++) worker.event(i, TP_SCHED_SWITCH_IN);
        vi.advanceTimersByTime(5);
      }
      expect(m[KERNEL_AT + KERNEL.tracing]).toBe(0);
      const t = tracing.stop();
      expect([t.full, t.lost, full]).toEqual([true, 0, 1]);
      expect(t.count).toBeGreaterThanOrEqual(MAX_TRACE_EVENTS);
      expect(t.count).toBeLessThan(MAX_TRACE_EVENTS + TRACE_SLOTS);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('names', () => {
  it('of a task that was not heard are read where it lies, but not when that is another one’s since', () => {
    const { m, tracing } = machine();
    const worker = new Worker(tracing, 1);
    worker.begin('waker', TASK_A, 1);
    writeName(m, TASK_B + TASK.comm, 8, 'quiet/0');
    tracing.start();
    worker.event(10, TP_SCHED_WAKEUP, TASK_B);
    worker.event(11, TP_SCHED_WAKEUP, 0x7fff_ffff);
    expect(lines(tracing.stop()).map((x) => x.split(' ')[2])).toEqual(['quiet/0', '-']);
    tracing.start();
    worker.event(20, TP_SCHED_WAKEUP, TASK_B);
    new Worker(tracing, 2).begin('newcomer', TASK_B, 30_000);
    expect(lines(tracing.stop())).toEqual([`waker ${TP_SCHED_WAKEUP} -`]);
  });

  it('of an instance are by its id: its memory may be another one’s, even a task’s', () => {
    const { m, tracing } = machine();
    const worker = new Worker(tracing, 1);
    worker.begin('poller', TASK_A, 1);
    m[NAPI_AT + NAPI.napiId] = 8200;
    tracing.start();
    worker.event(10, TP_NAPI_POLL, NAPI_AT, 8193);
    worker.event(20, TP_NAPI_POLL, NAPI_AT, 8200);
    worker.event(30, TP_SCHED_WAKEUP, NAPI_AT);
    worker.event(40, TP_NAPI_POLL, NAPI_AT, 0);
    const t = tracing.stop();
    expect([0, 1, 3].map((i) => t.instances[t.object[i]])).toEqual(['napi 8193', 'napi 8200', 'backlog']);
  });
});
