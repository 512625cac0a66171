// SPDX-License-Identifier: GPL-2.0-only
/** What the rows come to, for the claims of the experiment. */
import { SETTINGS, type Setting } from './plan.js';
import type { RowReport } from './rows.js';

/** A setting against vanilla. */
export interface Summary {
  /** Rows of 25 flows or more, of datagrams up to 1438 bytes, and those in which it was better. */
  readonly rows: number;
  readonly won: number;
  readonly median_delta_pct: number | null;
  /** Rows of one flow, of any size. */
  readonly one_flow_median_delta_pct: number | null;
}

const MANY_FLOWS = 25;
const ONE_FRAME = 1438;

/** @returns for each setting what the rows say of it */
export function summariesOf(rows: readonly RowReport[]): { readonly [setting in Setting]?: Summary } {
  const out: { [setting in Setting]?: Summary } = {};
  for (const setting of SETTINGS) {
    if (setting === 'vanilla') continue;
    const of = rows.filter((r) => r.settings[setting] !== undefined && r.settings.vanilla !== undefined);
    if (of.length === 0) continue;
    const many = of.filter((r) => r.flows >= MANY_FLOWS && r.size <= ONE_FRAME).map((r) => gain(r, setting));
    const one = of.filter((r) => r.flows === 1).map((r) => gain(r, setting));
    out[setting] = {
      rows: many.length,
      won: many.filter((d) => d > 0).length,
      median_delta_pct: median(many),
      one_flow_median_delta_pct: median(one),
    };
  }
  return out;
}

/** Percent. Where vanilla got nothing, anything is infinitely better, and nothing is the same. */
function gain(row: RowReport, setting: Setting): number {
  const cell = row.settings[setting];
  return cell?.delta_pct ?? (cell?.kpps === 0 ? 0 : Number.POSITIVE_INFINITY);
}

/** @returns null without values, or if it is no number to print */
function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[(sorted.length - 1) >> 1];
  return Number.isFinite(middle) ? middle : null;
}
