// SPDX-License-Identifier: GPL-2.0-only
/** Lines: latency ladders, goodput against load. */
import { type At, numbers } from './at.js';
import { esc } from './html.js';
import { bottomAxis, leftAxis, legend, mark, panel, plotFigure, type SeriesStyle, WIDTH } from './plot.js';
import type { Scale } from './scale.js';

export interface LinePoint {
  readonly x: At;
  readonly y: At;
}

export interface LineSeries extends SeriesStyle {
  readonly points: readonly LinePoint[];
}

const LEFT = 58;
const TOP = 24;
const HEIGHT = 270;
const BOTTOM = HEIGHT - 38;

/** Where values lie in such a plot. */
export const X_RANGE = [LEFT, WIDTH - 18] as const;
export const Y_RANGE = [BOTTOM, TOP] as const;

/** @param say words for a point, of its values */
export function linePlot(
  id: string,
  o: {
    title: string;
    description: string;
    x: Scale;
    y: Scale;
    xLabel: string;
    yLabel: string;
    series: readonly LineSeries[];
    say: (x: number, y: number) => string;
    after?: string;
  },
): string {
  const drawn = o.series.filter((s) => s.points.some(({ x, y }) => x.number !== null && y.number !== null));
  const body =
    leftAxis(o.y, o.yLabel, X_RANGE) +
    bottomAxis(o.x, o.xLabel, [TOP, BOTTOM]) +
    `<path class="axis" d="M${LEFT} ${BOTTOM}H${X_RANGE[1]}"/>` +
    panel(o.x, o.y, drawn.map((s) => line(s, o.x, o.y, o.say)).join(''));
  return plotFigure(id, { ...o, height: HEIGHT, body, legend: legend(drawn, 'line') });
}

function line(
  { name, nr, points }: LineSeries,
  xs: Scale,
  ys: Scale,
  say: (x: number, y: number) => string,
): string {
  const there = points.flatMap((p) => {
    const [x, y] = numbers([p.x, p.y]);
    return x === undefined || y === undefined ? [] : [{ x, y, px: xs.place(x.v), py: ys.place(y.v) }];
  });
  const path = there.map(({ px, py }, i) => `${i === 0 ? 'M' : 'L'}${px} ${py}`).join('');
  const marks = there.map(({ x, y, px, py }) =>
    mark(
      nr,
      px,
      py,
      `${name}: ${say(x.v, y.v)}`,
      `data-cx="${px}" data-cy="${py}" data-x="${esc(x.at.path)}" data-y="${esc(y.at.path)}"`,
    ),
  );
  return `<g class="series" data-name="${esc(name)}"><path class="line s${nr}" d="${path}"/>${marks.join('')}</g>`;
}
