// SPDX-License-Identifier: GPL-2.0-only
/** The table of instances: which columns a terminal has room for. The state is why people look, so the others make room for it. */
import type { NapiRow } from './sample.js';

interface Column {
  readonly head: string;
  /** Characters that it has at least, so that it stays where it is while numbers grow. */
  readonly min: number;
  readonly right: boolean;
  /** Columns of the greatest number are the first to go; 0 stays. */
  readonly goes: number;
  readonly cell: (n: NapiRow) => string;
}

/** Room for the bits of an instance that its thread polls, which come and go. */
const STATE = 'SCHED|LISTED|THREADED|SCHED_THREADED';
/** Below this width bits have short names: with the long ones those of a busy polling thread alone fill most of 80 columns. */
const WIDE = 120;

function shortState(state: string): string {
  return state.replaceAll('THREADED', 'THR').replaceAll('_BUSY_POLL', '_BUSY');
}

/** A rate in few characters. */
export function rate(n: number): string {
  if (n >= 1e6) return `${(n / 1e6).toFixed(2)}M`;
  if (n >= 1e4) return `${(n / 1e3).toFixed(0)}K`;
  return n.toFixed(0);
}

/** A share, 0 to 1, as people read it. */
export function percent(x: number | null): string {
  return x === null ? 'n/a' : `${(x * 100).toFixed(0)}%`;
}

const COLUMNS: readonly Column[] = [
  { head: 'NAPI', min: 5, right: true, goes: 0, cell: (n) => String(n.id) },
  { head: 'DEV', min: 4, right: false, goes: 2, cell: (n) => n.dev },
  { head: 'MODE', min: 9, right: false, goes: 1, cell: (n) => n.mode },
  { head: 'PPS', min: 5, right: true, goes: 3, cell: (n) => rate(n.pps) },
  { head: 'POLLS/S', min: 7, right: true, goes: 7, cell: (n) => rate(n.pollsPerS) },
  { head: 'PKT/POLL', min: 8, right: true, goes: 4, cell: (n) => n.perPoll.toFixed(1) },
  {
    head: 'CPU',
    min: 4,
    right: true,
    goes: 5,
    cell: (n) => (n.thread === null ? '' : percent(n.cpuShare)),
  },
  { head: 'THREAD', min: 14, right: false, goes: 6, cell: (n) => n.thread ?? '' },
];

/** The mark in front of the chosen instance, and the space behind it. */
const MARK = 2;

/**
 * @param columns width of the terminal; null: whatever is needed
 * @returns the head of the table, and a line for each instance, the chosen one (by id) marked
 */
export function napiTable(
  rows: readonly NapiRow[],
  chosen: number | null,
  columns: number | null,
): { readonly head: string; readonly lines: readonly string[] } {
  const all = COLUMNS.map((c) => ({ ...c, width: widest(c.min, [c.head, ...rows.map(c.cell)]) }));
  const stateOf = columns === null || columns >= WIDE ? (text: string) => text : shortState;
  const states = rows.map((n) => stateOf(n.state));
  const state = widest(stateOf(STATE).length, states);
  let shown = all;
  for (let goes = 7; columns !== null && goes > 0; goes--) {
    const width = shown.reduce((sum, c) => sum + c.width + 1, MARK + state);
    if (width <= columns) break;
    shown = shown.filter((c) => c.goes < goes);
  }
  const line = (mark: string, cell: (c: Column) => string, last: string): string => {
    const cells = shown.map((c) => (c.right ? cell(c).padStart(c.width) : cell(c).padEnd(c.width)));
    return cutTo(`${mark} ${[...cells, last].join(' ')}`, columns);
  };
  return {
    head: line(' ', (c) => c.head, 'STATE'),
    lines: rows.map((n, i) => line(n.id === chosen ? '>' : ' ', (c) => c.cell(n), states[i])),
  };
}

function widest(min: number, texts: readonly string[]): number {
  return texts.reduce((max, t) => Math.max(max, t.length), min);
}

/** What a terminal has no room for is cut, and seen to be. */
export function cutTo(text: string, columns: number | null): string {
  if (columns === null || text.length <= columns) return text;
  return `${text.slice(0, Math.max(0, columns - 1))}…`;
}
