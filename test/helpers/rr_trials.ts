// SPDX-License-Identifier: GPL-2.0-only
/** Trials of `softnet rr` that were never run. */
import type { Cell } from '../../dist/tools/rr/plan.js';
import type { Trial } from '../../dist/tools/rr/summary.js';

/** One packet a millisecond, with these latencies, on a host that was at rest. */
export function trial(cell: Cell, latencies: number[], o: Partial<Trial> = {}): Trial {
  return {
    cell,
    latencies: Float64Array.from(latencies),
    stamps: Float64Array.from(latencies, (_, i) => i * 1e6),
    missed: 0,
    spanNs: latencies.length * 1e6,
    cost: { wallNs: latencies.length * 1e6, threads: [], stealNs: 0 },
    socketCalls: 0,
    emptyPolls: 0,
    log2: null,
    disturbed: null,
    failures: [],
    ...o,
  };
}
