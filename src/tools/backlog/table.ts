// SPDX-License-Identifier: GPL-2.0-only
/** The table of `softnet backlog`: a row for each case, load and mode; medians over the trials. */
import { table } from '../table.js';
import type { TrialReport } from './backlog.js';

const HEAD = [
  'case',
  'flows',
  'bytes',
  'mode',
  'packets/s',
  'to ipi',
  'CPU µs/packet',
  'to ipi',
  'dropped',
  'squeezed',
  'RPS interrupts',
];

/** @returns the table; what is compared with `ipi` is so within each trial */
export function backlogTable(runs: readonly TrialReport[]): string {
  const groups = new Map<string, TrialReport[]>();
  for (const r of runs) {
    const key = `${r.case} ${r.flows} ${r.size} ${r.mode}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [r]);
    else group.push(r);
  }
  const rows = [...groups.values()].map((group) => {
    const [{ case: kase, flows, size, mode }] = group;
    const ipi = groups.get(`${kase} ${flows} ${size} ipi`) ?? [];
    const change = (value: (r: TrialReport) => number): string => {
      const ratios = group.flatMap((r) => {
        const peer = ipi.find((p) => p.trial === r.trial);
        return peer === undefined || !(value(peer) > 0) ? [] : [value(r) / value(peer)];
      });
      if (mode === 'ipi' || ratios.length === 0 || !Number.isFinite(median(ratios))) return '';
      return signed(Math.round((median(ratios) - 1) * 100));
    };
    const cpu = median(group.map(cpuUs));
    const int = (value: (r: TrialReport) => number): string =>
      Math.round(median(group.map(value))).toLocaleString('en');
    return [
      kase,
      String(flows),
      String(size),
      mode,
      int((r) => r.pps),
      change((r) => r.pps),
      Number.isFinite(cpu) ? cpu.toFixed(2) : 'not available',
      change(cpuUs),
      int((r) => r.drops),
      int((r) => r.time_squeeze),
      int((r) => r.received_rps),
    ];
  });
  return table([HEAD, ...rows]);
}

/** CPU time of all threads for a packet that was read, µs. */
function cpuUs(r: TrialReport): number {
  return r.cpu_s === null || r.delivered === 0 ? Number.NaN : (r.cpu_s * 1e6) / r.delivered;
}

function signed(percent: number): string {
  return `${percent > 0 ? '+' : ''}${percent} %`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[mid] : (sorted[mid - 1] + sorted[mid]) / 2;
}
