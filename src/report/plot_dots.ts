// SPDX-License-Identifier: GPL-2.0-only
/** Dots in rows: every trial of a figure, or a range from one figure to another. */
import type { At } from './at.js';
import { esc } from './html.js';
import { bottomAxis, legend, mark, panel, plotFigure, type SeriesStyle, WIDTH } from './plot.js';
import type { Scale } from './scale.js';

export interface DotRow {
  readonly label: string;
  readonly dots: readonly { readonly at: At; readonly nr: number }[];
  /** A line from the leftmost dot to the rightmost. */
  readonly joined?: boolean;
}

const LEFT = 168;
const STEP = 22;
const TOP = 8;

/** Where values lie in such a plot. */
export const DOT_RANGE = [LEFT, WIDTH - 16] as const;

export function dotPlot(
  id: string,
  o: {
    title: string;
    description: string;
    x: Scale;
    xLabel: string;
    rows: readonly DotRow[];
    series: readonly SeriesStyle[];
    say: (v: number) => string;
  },
): string {
  const bottom = TOP + STEP * o.rows.length + 4;
  const rows = o.rows.map((row, i) => {
    const y = TOP + STEP * (i + 0.5);
    const there = row.dots.flatMap(({ at, nr }) => (at.number === null ? [] : [{ at, nr, v: at.number }]));
    const places = there.map(({ v }) => o.x.place(v));
    const joint =
      row.joined === true && places.length > 1
        ? `<path class="joint" d="M${Math.min(...places)} ${y}H${Math.max(...places)}"/>`
        : '';
    const dots = there.map(({ at, nr, v }, k) =>
      mark(nr, places[k], y, `${row.label}: ${o.say(v)}`, `data-cx="${places[k]}" data-x="${esc(at.path)}"`),
    );
    const label = `<text class="tick" x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${esc(row.label)}</text>`;
    return `${label}<path class="grid" d="M${LEFT} ${y}H${WIDTH - 16}"/>${joint}${dots.join('')}`;
  });
  const body = bottomAxis(o.x, o.xLabel, [TOP, bottom], true) + panel(o.x, null, rows.join(''));
  return plotFigure(id, { ...o, height: bottom + 38, body, legend: legend(o.series, 'dot') });
}
