// SPDX-License-Identifier: GPL-2.0-only
/** Seed 003 against what `softnet rr` measured. Rows in which the host disturbed every trial of a cell are left out. */
import type { Check } from '../../report/document.js';
import { type Json, number, object, objects, text } from './json.js';

/** Part of the rows in which a statement is to hold. */
const MOST = 0.8;
/** Times that are as good as the lowest, as a ratio to it. */
const AS_LOW = 1.05;

/** A row: the figures of a mode, null if there are none to trust. */
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
  const told = rows.map((row) => holds(figuresOf(row))).filter((h) => h !== null);
  if (told.length === 0) {
    return { claim, agrees: null, measured: `the host disturbed ${ofRows(rows.length, rows.length)}` };
  }
  const held = told.filter((h) => h).length;
  const left = told.length < rows.length ? `; ${rows.length - told.length} disturbed` : '';
  return {
    claim,
    agrees: held >= MOST * told.length,
    measured: `in ${ofRows(held, told.length)}${left}`,
  };
}

function figuresOf(row: Json): Figures {
  const modes = object(row.modes);
  return (mode, figure) => {
    const cell = object(modes[mode]);
    return cell.marked === true ? null : number(cell[figure]);
  };
}

function ofRows(n: number, all: number): string {
  return all === 1 ? `${n} of 1 row` : `${n} of ${all} rows`;
}
