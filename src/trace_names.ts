// SPDX-License-Identifier: GPL-2.0-only
/**
 * What the addresses in events mean. Memory is used again, and events are read after they happened: so a task is one of the
 * threads that were heard, by the time at which it lived; and an instance is named by the id that its event carries, with the
 * device that it belongs to as long as it is still there.
 */
import { TASK, TASK_COMM_WORDS, taskComm } from './kernel/task.js';
import { NAPI } from './net/core/napi.js';
import { netdevName } from './net/core/net_device.js';
import type { TraceHello } from './threads/trace_ring.js';

/** Clocks of threads differ by less. */
const CLOCKS_NS = 1000;
/** Threads that have ended, of which so many are remembered. */
const MAX_ENDED = 4096;

/** A thread that was heard. */
export interface Heard {
  readonly name: string;
  readonly tid: number;
  readonly taskAt: number;
  readonly bornNs: number;
  endedNs: number | null;
}

export class TraceNames {
  private readonly m: Int32Array;
  private heardOf: Heard[] = [];
  private ended = 0;
  /** Threads are forgotten that had ended up to then. */
  private forgottenNs = 0;

  constructor(m: Int32Array) {
    this.m = m;
  }

  /** A thread has begun to record. */
  add({ name, tid, taskAt, bornNs }: TraceHello): Heard {
    const heard: Heard = { name, tid, taskAt, bornNs, endedNs: null };
    this.heardOf.push(heard);
    return heard;
  }

  /** It has ended. */
  end(heard: Heard, ns: number): void {
    const known = heard.endedNs !== null;
    heard.endedNs = Math.min(ns, heard.endedNs ?? ns);
    if (known) return;
    this.ended++;
    if (this.ended <= 2 * MAX_ENDED) return;
    let drop = this.ended - MAX_ENDED;
    this.ended = MAX_ENDED;
    this.heardOf = this.heardOf.filter((h) => {
      if (h.endedNs === null || drop === 0) return true;
      drop--;
      this.forgottenNs = Math.max(this.forgottenNs, h.endedNs);
      return false;
    });
  }

  /** @returns what tells whose task_struct an address was at a moment; null: nobody knows */
  tasks(): (at: number, ns: number) => Heard | null {
    const byTask = new Map<number, Heard[]>();
    for (const h of this.heardOf) {
      const all = byTask.get(h.taskAt);
      if (all === undefined) byTask.set(h.taskAt, [h]);
      else all.push(h);
    }
    /** Threads that were never heard: they are there yet, as far as anybody knows. */
    const silent = new Map<number, Heard | null>();
    return (at, ns) => {
      let later = false;
      const all = byTask.get(at) ?? [];
      for (let i = all.length - 1; i >= 0; i--) {
        const h = all[i];
        if (h.bornNs > ns) later = true;
        else if (h.endedNs === null || h.endedNs >= ns - CLOCKS_NS) return h;
      }
      if (later || ns <= this.forgottenNs) return null;
      let h = silent.get(at);
      if (h === undefined) {
        h = this.silent(at);
        silent.set(at, h);
      }
      return h;
    };
  }

  /** Reads the name of a thread that was not heard. */
  private silent(at: number): Heard | null {
    const { m } = this;
    if (at <= 0 || at + TASK.comm + TASK_COMM_WORDS > m.length) return null;
    const name = taskComm(m, at);
    if (!/^[\x21-\x7e]+$/.test(name)) return null;
    return { name, tid: 0, taskAt: at, bornNs: 0, endedNs: null };
  }

  /** @param id NAPI id that its event carries @returns what an instance is called */
  instance(at: number, id: number): string {
    const { m } = this;
    if (id === 0) return 'backlog';
    const there = at > 0 && at + NAPI.SIZE <= m.length && Atomics.load(m, at + NAPI.napiId) === id;
    const dev = there ? m[at + NAPI.dev] : 0;
    return dev <= 0 || dev >= m.length ? `napi ${id}` : `${netdevName(m, dev)} napi ${id}`;
  }
}
