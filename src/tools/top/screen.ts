// SPDX-License-Identifier: GPL-2.0-only
/** `softnet top` as text: lines of a width, for a terminal and without one. */
import type { CpuRow, NapiRow, TopView } from './sample.js';

const BAR = 20;

function rate(n: number): string {
  if (n >= 1e6) return `${(n / 1e6).toFixed(2)}M`;
  if (n >= 1e4) return `${(n / 1e3).toFixed(0)}K`;
  return n.toFixed(0);
}

function percent(x: number | null): string {
  return x === null ? 'n/a' : `${(x * 100).toFixed(0)}%`;
}

function cpuLine(c: CpuRow): string {
  const name = `CPU ${String(c.cpu).padEnd(3)}`;
  if (!c.online) return `${name} offline`;
  const bar = '|'.repeat(Math.min(BAR, Math.round((c.softirq ?? 0) * BAR))).padEnd(BAR);
  const dropped = c.droppedPps > 0 ? `  ${rate(c.droppedPps)} dropped/s` : '';
  const squeezed = c.squeezed > 0 ? `  ${rate(c.squeezed)} squeezed/s` : '';
  return `${name} [${bar}] ${percent(c.softirq).padStart(4)} softirq  ${rate(c.pps).padStart(6)} skb/s${dropped}${squeezed}`;
}

const HEAD = '     NAPI DEV        MODE         PPS   POLLS/S  PKT/POLL   CPU THREAD            STATE';

function napiLine(n: NapiRow, mark: string): string {
  const cells = [
    `${mark} ${String(n.id).padStart(7)}`,
    n.dev.slice(0, 10).padEnd(10),
    n.mode.padEnd(9),
    rate(n.pps).padStart(6),
    rate(n.pollsPerS).padStart(9),
    n.perPoll.toFixed(1).padStart(9),
    (n.thread === null ? '' : percent(n.cpuShare)).padStart(5),
    (n.thread ?? '').slice(0, 17).padEnd(17),
    n.state,
  ];
  return cells.join(' ');
}

/**
 * The lines.
 * @param napis the instances as they are to be shown
 * @param selected which of them is marked, -1: none
 */
export function topLines(v: TopView, napis: readonly NapiRow[], selected = -1): string[] {
  const drops = Object.entries(v.drops).map(([reason, n]) => `${reason} ${rate(n)}`);
  return [
    ...v.cpus.map(cpuLine),
    ...(drops.length === 0 ? [] : [`drops/s  ${drops.join('  ')}`]),
    '',
    HEAD,
    ...napis.map((n, i) => napiLine(n, i === selected ? '>' : ' ')),
  ];
}
