// SPDX-License-Identifier: GPL-2.0-only
/** What `softnet top` asks a machine for, and the rates between two answers. */

/** An answer of `GET /top`: counters. */
export interface TopAnswer {
  /** CLOCK_MONOTONIC of the machine, ns. */
  readonly now_ns: number;
  readonly cpus: readonly {
    readonly cpu: number;
    readonly online: boolean;
    /** CPU time of the CPU's own thread and of its ksoftirqd, ns; null where it is not available. */
    readonly softirq_ns: number | null;
    readonly processed: number;
    readonly dropped: number;
    readonly time_squeeze: number;
  }[];
  readonly napis: readonly {
    readonly dev: string;
    readonly id: number;
    readonly state: string;
    readonly mode: string;
    readonly thread: string | null;
    readonly thread_ns: number | null;
    readonly polls: number;
    readonly packets: number;
  }[];
  readonly drops: { readonly [reason: string]: number };
}

/** A CPU between two answers. Shares are of one core, 0 to 1; null where CPU times are not available. */
export interface CpuRow {
  readonly cpu: number;
  readonly online: boolean;
  readonly softirq: number | null;
  readonly pps: number;
  readonly droppedPps: number;
  readonly squeezed: number;
}

/** An instance between two answers. */
export interface NapiRow {
  readonly dev: string;
  readonly id: number;
  readonly state: string;
  readonly mode: string;
  readonly thread: string | null;
  readonly cpuShare: number | null;
  readonly pps: number;
  readonly pollsPerS: number;
  /** Packets a poll, 0 without polls. */
  readonly perPoll: number;
}

export interface TopView {
  readonly seconds: number;
  readonly cpus: readonly CpuRow[];
  readonly napis: readonly NapiRow[];
  readonly drops: { readonly [reason: string]: number };
}

/** Counters are words of 32 bits that wrap; an instance that was made anew begins at 0. */
function since(now: number, before: number | undefined): number {
  if (before === undefined) return now;
  const d = (now - before) >>> 0;
  return d > 0x7fffffff ? now : d;
}

function share(now: number | null, before: number | null | undefined, spanNs: number): number | null {
  if (now === null) return null;
  return Math.max(0, now - (before ?? now)) / spanNs;
}

/** What happened between two answers. */
export function topView(before: TopAnswer, now: TopAnswer): TopView {
  const spanNs = Math.max(1, now.now_ns - before.now_ns);
  const seconds = spanNs / 1e9;
  const cpus = now.cpus.map((c): CpuRow => {
    const b = before.cpus.find((x) => x.cpu === c.cpu);
    return {
      cpu: c.cpu,
      online: c.online,
      softirq: share(c.softirq_ns, b?.softirq_ns, spanNs),
      pps: since(c.processed, b?.processed) / seconds,
      droppedPps: since(c.dropped, b?.dropped) / seconds,
      squeezed: since(c.time_squeeze, b?.time_squeeze) / seconds,
    };
  });
  const napis = now.napis.map((n): NapiRow => {
    const b = before.napis.find((x) => x.id === n.id && x.dev === n.dev);
    const packets = since(n.packets, b?.packets);
    const polls = since(n.polls, b?.polls);
    return {
      dev: n.dev,
      id: n.id,
      state: n.state,
      mode: n.mode,
      thread: n.thread,
      cpuShare: share(n.thread_ns, b?.thread_ns, spanNs),
      pps: packets / seconds,
      pollsPerS: polls / seconds,
      perPoll: polls === 0 ? 0 : packets / polls,
    };
  });
  const drops: { [reason: string]: number } = {};
  for (const [reason, n] of Object.entries(now.drops)) {
    const d = since(n, before.drops[reason] ?? 0);
    if (d > 0) drops[reason] = d / seconds;
  }
  return { seconds, cpus, napis, drops };
}

/** What instances can be sorted by: keys of the keyboard, and of a row. */
export const SORTS = { p: 'pps', c: 'cpuShare', n: 'perPoll', i: 'id' } as const;
export type SortKey = keyof typeof SORTS;

/** Instances, the largest first; ids the smallest first. */
export function sorted(rows: readonly NapiRow[], key: SortKey): NapiRow[] {
  const by = SORTS[key];
  if (by === 'id') return [...rows].sort((a, b) => a.id - b.id);
  return [...rows].sort((a, b) => (b[by] ?? 0) - (a[by] ?? 0) || a.id - b.id);
}
