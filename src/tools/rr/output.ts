// SPDX-License-Identifier: GPL-2.0-only
/** What `softnet rr` prints when all is measured. */
import { log2HistogramText } from './log2_histogram.js';
import type { RrOptions } from './options.js';
import { MODE_TITLES, MODES } from './plan.js';
import type { RowReport } from './report.js';
import type { SyscallCost } from './syscall_cost.js';
import {
  costTable,
  equalCoresTable,
  experimentTable,
  ratioTable,
  unchargedTable,
  xskRrTable,
} from './table.js';

/** What a socket call is charged, and where the figure is from. */
export interface Charge {
  readonly ns: number;
  /** null: it was given, or cannot be measured here. */
  readonly measured: SyscallCost | null;
}

/** One sentence on the charge, for wherever the table stands. */
export function chargeText({ ns, measured }: Charge): string {
  const why =
    measured === null
      ? 'as --syscall-ns says'
      : `what entering and leaving the kernel costs on this host: getuid ${measured.withCallNs.toFixed(0)} ns, ` +
        `the same without a system call ${measured.withoutNs.toFixed(0)} ns`;
  return ns === 0
    ? `Nothing is charged for a socket call (${why}).`
    : `Every socket call is charged ${ns} ns (${why}), because a call here crosses no boundary.`;
}

/** The whole text behind the first line. */
export function reportText(rows: readonly RowReport[], o: RrOptions, charge: Charge): string {
  const from = o.openLoop
    ? 'ns from the intended arrival to the client'
    : `ns from the intended sending to the answer, of which the wire takes ${o.turnaroundUs} µs`;
  const parts = [`Latency, ${from}. ${chargeText(charge)}\n${experimentTable(rows)}`];
  const uncharged = unchargedTable(rows);
  if (uncharged !== '') parts.push(`Nothing charged for socket calls (--syscall-ns 0):\n${uncharged}`);
  if (rows.some((r) => r.equal_cores !== undefined)) {
    parts.push(
      `Equal cores, two each: inline polling by two threads, half of the packets each:\n${equalCoresTable(rows)}`,
    );
  }
  parts.push(
    `As xsk_rr prints them (means of the samples up to the cut: its p95 and p99 read too low):\n${xskRrTable(rows)}`,
    `What it costs:\n${costTable(rows)}`,
  );
  const ratios = ratioTable(rows);
  if (ratios !== '') parts.push(`Against each other:\n${ratios}`);
  if (o.hist) parts.push(...histograms(rows));
  if (rows.some((r) => Object.values(r.modes).some((s) => s.marked))) {
    parts.push('* The host disturbed every trial of this cell: its tail is the host’s.\n');
  }
  return parts.join('\n');
}

function histograms(rows: readonly RowReport[]): string[] {
  const out: string[] = [];
  for (const row of rows) {
    for (const mode of MODES) {
      const counts = row.modes[mode]?.poll_ns_log2 ?? null;
      if (counts === null) continue;
      out.push(
        `Time in one recvfrom, ns (one call of 16, the clock’s own time in it), ${row.title}, ${MODE_TITLES[mode]}:\n${log2HistogramText(counts)}`,
      );
    }
  }
  return out;
}
