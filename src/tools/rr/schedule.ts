// SPDX-License-Identifier: GPL-2.0-only
/** What the trials of all cells have in common: options, the schedule of packets, the threads, the samples. */
import type { Machine } from '../../machine.js';
import type { RrSchedule, RrShared } from '../../threads/rr_shared.js';
import type { Cell, Row } from './plan.js';
import type { Trial } from './summary.js';

/** What a trial is made of. */
export interface TrialOptions {
  readonly row: Row;
  readonly cell: Cell;
  readonly seconds: number;
  readonly openLoop: boolean;
  readonly turnaroundUs: number;
  /** Deferral of the modes that busy poll: the watchdog's time-out. */
  readonly groFlushTimeoutUs: number;
  readonly wait: 'spin' | 'sleep';
  /** Cores of the host for who polls and for the client; null: wherever the host puts them. */
  readonly pin: readonly number[] | null;
}

/** For the compilers of all threads, before what is measured. */
const WARMUP_S = 1;
/** From the client's noting how things stand to the first packet measured. */
const SETTLE_S = 0.03;

/** @returns which packets are for what, with one every `periodNs` */
export function scheduleOf(periodNs: number, seconds: number): RrSchedule {
  const packets = (s: number): number => Math.max(1, Math.ceil((s * 1e9) / periodNs));
  const moment = packets(WARMUP_S);
  const first = moment + packets(SETTLE_S);
  return { moment, first, last: first + packets(seconds) - 1 };
}

/** @returns names of the running threads by their kernel ids, those that `first` picks first */
export function threadNames(machine: Machine, first: (name: string) => boolean): Map<number, string> {
  const running = machine.threads().filter((t) => t.running && t.tid !== 0);
  const order = (name: string): number => (first(name) ? 0 : 1);
  running.sort((a, b) => order(a.name) - order(b.name));
  return new Map(running.map((t) => [t.tid, t.name]));
}

/** The samples of all clients, in the order in which packets were due. */
export function samplesOf(
  from: readonly { readonly shared: RrShared; readonly measured: number }[],
): Pick<Trial, 'latencies' | 'stamps'> {
  const of = from.map(({ shared, measured }) => ({
    latencies: new Float64Array(shared.latencies, 0, measured),
    stamps: new Float64Array(shared.stamps, 0, measured),
  }));
  const n = sum(of.map((s) => s.stamps.length));
  const latencies = new Float64Array(n);
  const stamps = new Float64Array(n);
  const at = of.map(() => 0);
  for (let i = 0; i < n; i++) {
    let next = -1;
    for (let k = 0; k < of.length; k++) {
      if (at[k] === of[k].stamps.length) continue;
      if (next < 0 || of[k].stamps[at[k]] < of[next].stamps[at[next]]) next = k;
    }
    latencies[i] = of[next].latencies[at[next]];
    stamps[i] = of[next].stamps[at[next]++];
  }
  return { latencies, stamps };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
