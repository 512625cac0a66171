// SPDX-License-Identifier: GPL-2.0-only
/** What a run has done, in numbers. */

/** What a life came to, added up over a run. */
export interface Counts {
  operations: number;
  refused: number;
  frames: number;
  delivered: number;
  dropped: number;
  rests: number;
  machines: number;
  threads_made: number;
  longest_operation_ms: number;
  /** From a thread's death to the machine's error, and to the refusal of what is asked next: the longest time. */
  longest_death_ms: number;
  faults: { [name: string]: number };
}

export function noCounts(): Counts {
  return {
    operations: 0,
    refused: 0,
    frames: 0,
    delivered: 0,
    dropped: 0,
    rests: 0,
    machines: 0,
    threads_made: 0,
    longest_operation_ms: 0,
    longest_death_ms: 0,
    faults: {},
  };
}

/** Adds counts to others. */
export function addCounts(to: Counts, c: Counts): void {
  to.operations += c.operations;
  to.refused += c.refused;
  to.frames += c.frames;
  to.delivered += c.delivered;
  to.dropped += c.dropped;
  to.rests += c.rests;
  to.machines += c.machines;
  to.threads_made += c.threads_made;
  to.longest_operation_ms = Math.max(to.longest_operation_ms, c.longest_operation_ms);
  to.longest_death_ms = Math.max(to.longest_death_ms, c.longest_death_ms);
  for (const [name, n] of Object.entries(c.faults)) to.faults[name] = (to.faults[name] ?? 0) + n;
}

/** @returns the counts in one line */
export function countsText(c: Counts): string {
  const faults = Object.entries(c.faults).filter(([, n]) => n > 0);
  const list = faults.map(([name, n]) => `${name} ${n}`).join(', ');
  return (
    `${c.operations} operations (${c.refused} refused, longest ${c.longest_operation_ms} ms), ` +
    `${c.frames} frames = ${c.delivered} delivered + ${c.dropped} dropped, ${c.rests} rests, ${c.threads_made} threads made` +
    `${c.machines > 1 ? `, ${c.machines} machines` : ''}` +
    `${c.longest_death_ms > 0 ? `, deaths told within ${c.longest_death_ms} ms` : ''}${list === '' ? '' : `; faults: ${list}`}`
  );
}
