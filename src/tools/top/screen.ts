// SPDX-License-Identifier: GPL-2.0-only
/** `softnet top` as text: lines without a terminal, and a screen of a size. */
import { cutTo, napiTable, percent, rate } from './columns.js';
import type { CpuRow, NapiRow, TopView } from './sample.js';

const BAR = 20;
/** Instances that are shown before CPUs are. */
const SOME = 4;

function cpuLine(c: CpuRow): string {
  const name = `CPU ${String(c.cpu).padEnd(3)}`;
  if (!c.online) return `${name} offline`;
  const bar = '|'.repeat(Math.min(BAR, Math.round((c.softirq ?? 0) * BAR))).padEnd(BAR);
  const dropped = c.droppedPps > 0 ? `  ${rate(c.droppedPps)} dropped/s` : '';
  const squeezed = c.squeezed > 0 ? `  ${rate(c.squeezed)} squeezed/s` : '';
  return `${name} [${bar}] ${percent(c.softirq).padStart(4)} softirq  ${rate(c.pps).padStart(6)} skb/s${dropped}${squeezed}`;
}

function dropLines(v: TopView): string[] {
  const drops = Object.entries(v.drops).map(([reason, n]) => `${reason} ${rate(n)}`);
  return drops.length === 0 ? [] : [`drops/s  ${drops.join('  ')}`];
}

/** All lines, as wide as they are. @param napis the instances as they are to be shown */
export function topLines(v: TopView, napis: readonly NapiRow[]): string[] {
  const { head, lines } = napiTable(napis, null, null);
  return [...v.cpus.map(cpuLine), ...dropLines(v), '', head, ...lines];
}

/** What a screen shows. */
export interface Screen {
  /** null: the machine has not answered yet. */
  readonly view: TopView | null;
  /** The instances as they are to be shown. */
  readonly napis: readonly NapiRow[];
  /** Id of the one that is marked. */
  readonly chosen: number | null;
  /** What happened last. */
  readonly note: string;
  readonly keys: string;
}

/**
 * A screen: as many lines as it has rows at most, none wider than it is. The chosen instance is on it, whatever else has to go:
 * CPUs have what instances leave, and at most half of it if there are many of both.
 */
export function screenLines(s: Screen, columns: number, rows: number): string[] {
  const foot =
    rows >= 10 ? ['', s.note, s.keys] : [s.note === '' ? s.keys : s.note].slice(0, rows >= 4 ? 1 : 0);
  const body = s.view === null ? [] : bodyLines(s.view, s, columns, rows - foot.length);
  return [...body, ...foot].map((l) => cutTo(l, columns));
}

function bodyLines(v: TopView, s: Screen, columns: number, rows: number): string[] {
  const { napis } = s;
  const table = napiTable(napis, s.chosen, columns);
  // The head and some instances come first, and a line between; a single line of CPUs says nothing unless it is all of them.
  const upper = rows - 2 - Math.min(napis.length, Math.max(SOME, Math.floor((rows - 1) / 2)));
  const above = upper >= Math.min(2, v.cpus.length) ? cpuLines(v, upper) : [];
  const room = rows - 1 - (above.length === 0 ? 0 : above.length + 1);
  if (room < 1) return table.lines.slice(0, Math.max(0, rows));
  const at = napis.findIndex((n) => n.id === s.chosen);
  const first = Math.max(0, Math.min(at - (room >> 1), napis.length - room));
  const shown = table.lines.slice(first, first + room);
  const between =
    shown.length < napis.length ? `instances ${first + 1}-${first + shown.length} of ${napis.length}` : '';
  return [...above, ...(above.length === 0 ? [] : [between]), table.head, ...shown];
}

/** CPUs and drops on so many lines. */
function cpuLines(v: TopView, rows: number): string[] {
  const drops = rows >= 3 ? dropLines(v) : [];
  const room = rows - drops.length;
  if (v.cpus.length <= room) return [...v.cpus.map(cpuLine), ...drops];
  const left = v.cpus.length - (room - 1);
  return [...v.cpus.slice(0, room - 1).map(cpuLine), `and ${left} more CPUs`, ...drops];
}
