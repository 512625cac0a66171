// SPDX-License-Identifier: GPL-2.0-only
/** The table of `softnet replay`: a column a run. Microseconds for people, nanoseconds stay in the JSON. */
import { table } from '../table.js';
import type { RunReport } from './run.js';

/** @returns the table, with a line on the host below it */
export function replayTable(file: string, runs: readonly RunReport[], host: string): string {
  const rows: string[][] = [['', ...runs.map((r) => r.mode)]];
  const row = (label: string, cell: (r: RunReport) => string): void => {
    rows.push([label, ...runs.map(cell)]);
  };
  row('packets read', (r) => int(r.packets.read));
  row('packets delivered', (r) => int(r.packets.delivered));
  row('packets dropped', (r) => dropsText(r.packets.dropped));
  row('reordered', (r) => int(r.reordered));
  row('flows', (r) => int(r.flows));
  row('bytes', (r) => int(r.bytes));
  row('duration, s', (r) => r.duration_s.toFixed(3));
  row('throughput, packets/s', (r) => int(r.pps));
  row('latency p5, µs', (r) => us(r.latency_ns.p5));
  row('latency p50, µs', (r) => us(r.latency_ns.p50));
  row('latency p95, µs', (r) => us(r.latency_ns.p95));
  row('latency p99, µs', (r) => us(r.latency_ns.p99));
  row('latency max, µs', (r) => us(r.latency_ns.max));
  row('polls', (r) => int(r.polls));
  row('packets a poll', (r) => r.packets_per_poll.toFixed(1));
  row('interrupts', (r) => int(r.interrupts));
  row('wake-ups', (r) => int(r.wakeups));
  row('frames merged by GRO', (r) => int(r.gro_merged));
  rows.push(['CPU seconds (tid)', ...runs.map(() => '')]);
  const names = [...new Set(runs.flatMap((r) => r.threads.map((t) => t.name)))];
  for (const name of names) row(`  ${name}`, (r) => cpuText(r, name));
  row('  all threads', (r) => totalCpu(r));
  const disturbed = runs.filter((r) => r.interrupted).map((r) => r.mode);
  const note = disturbed.length > 0 ? `interrupted: ${disturbed.join(', ')}\n` : '';
  return `${file}\n${table(rows)}${host}\n${note}`;
}

function dropsText(dropped: { readonly [reason: string]: number }): string {
  const reasons = Object.entries(dropped);
  return reasons.length === 0 ? '0' : reasons.map(([reason, n]) => `${reason} ${int(n)}`).join(', ');
}

/** One thread's CPU seconds and id; several of one name (threads made anew) are added up. */
function cpuText(r: RunReport, name: string): string {
  const threads = r.threads.filter((t) => t.name === name);
  if (threads.length === 0) return '';
  if (threads.some((t) => t.cpu_s === null)) return 'not available';
  const cpu = threads.reduce((sum, t) => sum + (t.cpu_s ?? 0), 0);
  return `${cpu.toFixed(3)} (${threads.map((t) => t.tid).join(', ')})`;
}

function totalCpu(r: RunReport): string {
  if (r.threads.some((t) => t.cpu_s === null)) return 'not available';
  return r.threads.reduce((sum, t) => sum + (t.cpu_s ?? 0), 0).toFixed(3);
}

function int(n: number): string {
  return Math.round(n).toLocaleString('en');
}

function us(ns: number): string {
  return (ns / 1e3).toFixed(1);
}
