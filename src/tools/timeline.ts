// SPDX-License-Identifier: GPL-2.0-only
/** When each thread of a machine ran: its CPU time, its waiting for a core and its wake-ups, by small intervals. */
import type { ThreadStats } from '../machine.js';

/** Between two looks at first; twice as long whenever there are too many of them. */
const STEP_MS = 20;
const MOST_LOOKS = 128;

/** A thread's part of the JSON document: a figure for each interval, null where the host does not tell. */
export interface TimelineThread {
  readonly name: string;
  readonly cpu_ms: readonly (number | null)[];
  readonly run_delay_ms: readonly (number | null)[];
  readonly wakeups: readonly number[];
}

export interface Timeline {
  /** Ends of the intervals, from the begin of the first one. */
  readonly at_ms: readonly number[];
  readonly threads: readonly TimelineThread[];
}

interface Look {
  readonly atMs: number;
  readonly threads: ReadonlyMap<number, ThreadStats>;
}

/** Looks at the threads of a machine until it is told to stop. Keeps at most MOST_LOOKS, evenly spread. */
export class TimelineSampler {
  private readonly look: () => readonly ThreadStats[];
  private looks: Look[] = [];
  private timer: NodeJS.Timeout;
  private stepMs = STEP_MS;

  constructor(look: () => readonly ThreadStats[]) {
    this.look = look;
    this.take();
    this.timer = setInterval(() => this.take(), this.stepMs);
  }

  /** Ends it. @returns what was seen; null where the host tells nothing of threads */
  stop(): Timeline | null {
    clearInterval(this.timer);
    this.take();
    return timelineOf(this.looks);
  }

  private take(): void {
    const threads = new Map(this.look().map((t) => [t.serial, t]));
    this.looks.push({ atMs: performance.now(), threads });
    if (this.looks.length < MOST_LOOKS) return;
    this.looks = this.looks.filter((_, i) => i % 2 === 0);
    this.stepMs *= 2;
    clearInterval(this.timer);
    this.timer = setInterval(() => this.take(), this.stepMs);
  }
}

/** @returns differences from look to look; a thread that was not there before counts from 0 */
export function timelineOf(
  looks: readonly { atMs: number; threads: ReadonlyMap<number, ThreadStats> }[],
): Timeline | null {
  const serials = [...new Set(looks.flatMap((l) => [...l.threads.keys()]))];
  const [first] = looks;
  if (first === undefined || looks.length < 2) return null;
  const threads = serials.map((serial) => {
    const name = looks.findLast((l) => l.threads.has(serial))?.threads.get(serial)?.name ?? '';
    const steps = (of: (t: ThreadStats) => number | null, scale: number): (number | null)[] =>
      looks.slice(1).map((l, i) => {
        const now = l.threads.get(serial);
        const was = looks[i].threads.get(serial);
        const a = now === undefined ? 0 : of(now);
        const b = was === undefined ? 0 : of(was);
        return a === null || b === null ? null : round(Math.max(0, a - b) / scale);
      });
    return {
      name,
      cpu_ms: steps((t) => t.cpuNs, 1e6),
      run_delay_ms: steps((t) => t.runDelayNs, 1e6),
      wakeups: steps((t) => t.wakeups, 1).map((n) => n ?? 0),
    };
  });
  if (threads.every((t) => t.cpu_ms.every((v) => v === null))) return null;
  return { at_ms: looks.slice(1).map((l) => round(l.atMs - first.atMs)), threads };
}

function round(v: number): number {
  return Math.round(v * 1e3) / 1e3;
}
