// SPDX-License-Identifier: GPL-2.0-only
/** Seed 003 against what `softnet rr` measured. Rows are left out in which a cell was not run, or disturbed in every trial. */
import type { Check } from '../../report/document.js';
import { type Json, number, object, objects, text } from './json.js';

/** Part of the rows in which a statement is to hold. */
const MOST = 0.8;
/** Times that are as good as the lowest, as a ratio to it. */
const AS_LOW = 1.05;

/** A row: the figures of a mode, null if there are none to trust; why not is kept. */
type Figures = (mode: string, figure: string) => number | null;

interface Statement {
  readonly claim: string;
  /** Rows that it speaks of. */
  readonly of?: (row: Json) => boolean;
  /** null: the row cannot tell. */
  readonly holds: (figures: Figures) => boolean | null;
}

const MODES = ['interrupts', 'busypoll', 'busypoll-separate', 'threaded'];

const STATEMENTS: readonly Statement[] = [
  {
    claim: 'a NAPI thread that never rests gives the lowest median',
    holds: (f) => {
      const all = MODES.map((mode) => f(mode, 'p50_ns'));
      const threaded = f('threaded', 'p50_ns');
      if (threaded === null || all.includes(null)) return null;
      return threaded <= AS_LOW * Math.min(...(all as number[]));
    },
  },
  { claim: 'interrupts are slower than the thread', holds: (f) => above(f, 'interrupts', 'p50_ns') },
  {
    claim: 'where the application works, polling in its own calls is slower',
    of: (row) => (number(row.delay_us) ?? 0) > 0,
    holds: (f) => above(f, 'busypoll', 'p50_ns'),
  },
  {
    claim: 'socket calls from a thread of their own are slower than the thread',
    holds: (f) => above(f, 'busypoll-separate', 'p50_ns'),
  },
  {
    claim: 'the thread’s p99 is below that of interrupts',
    holds: (f) => above(f, 'interrupts', 'p99_ns'),
  },
];

/** @param result the document of `softnet rr --json` */
export function judgeRr(result: unknown): Check[] {
  const document = object(result);
  const rows = objects(document.rows);
  const short = text(document.too_few_cores);
  return STATEMENTS.map((s) => judge(s, rows, short));
}

function above(f: Figures, mode: string, figure: string): boolean | null {
  const [other, threaded] = [f(mode, figure), f('threaded', figure)];
  return other === null || threaded === null ? null : other > threaded;
}

function judge({ claim, of, holds }: Statement, all: readonly Json[], short: string): Check {
  const rows = all.filter((row) => of?.(row) ?? true);
  if (short !== '') return { claim, agrees: null, measured: short };
  if (rows.length === 0) return { claim, agrees: null, measured: 'no such row was run' };
  const reasons = new Map<string, number>();
  const told = rows.map((row) => holds(figuresOf(row, reasons))).filter((h) => h !== null);
  const open = [...reasons].map(([why, n]) => `${why} in ${ofRows(n, rows.length)}`).join(', ');
  if (told.length === 0) return { claim, agrees: null, measured: open };
  const held = told.filter((h) => h).length;
  return {
    claim,
    agrees: held >= MOST * told.length,
    measured: `in ${ofRows(held, told.length)}${open === '' ? '' : `; ${open}`}`,
  };
}

/** @param reasons why figures are not to be had, with the number of rows that are left out for it; this row adds to them */
function figuresOf(row: Json, reasons: Map<string, number>): Figures {
  const modes = object(row.modes);
  const said = new Set<string>();
  return (mode, figure) => {
    const cell = object(modes[mode]);
    const value = cell.marked === true ? null : number(cell[figure]);
    const why = value === null ? reasonOf(modes[mode], mode) : null;
    if (why !== null && !said.has(why)) {
      said.add(why);
      reasons.set(why, (reasons.get(why) ?? 0) + 1);
    }
    return value;
  };
}

/** Others at work are only one reason: on few cores a machine's own threads stand in each other's way. */
function reasonOf(cell: unknown, mode: string): string {
  if (cell === undefined || cell === null) return 'a mode was not run';
  const by = object(cell).disturbed_by;
  const lines = Array.isArray(by) ? by.map(String) : [];
  if (lines.some((l) => l.includes('hypervisor'))) return 'the hypervisor took time';
  if (lines.some((l) => l.includes('waited'))) return 'busy threads waited for a core';
  return lines[0] ?? `no figures of ${mode}`;
}

function ofRows(n: number, all: number): string {
  return all === 1 ? `${n} of 1 row` : `${n} of ${all} rows`;
}
