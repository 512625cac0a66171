// SPDX-License-Identifier: GPL-2.0-only
/**
 * What plots have in common: a figure with title and legend, axes, marks. Drawn when the report is made: nothing runs where it
 * is read. A panel carries the specs of its scales, a mark the places of its values in the document.
 */
import { esc } from './html.js';
import type { Scale } from './scale.js';

/** Size of a plot; it is shown as wide as there is room. Small, so that its text can be read on a phone. */
export const WIDTH = 420;

/** Series are told apart by colour, by the shape of their marks and by the dashes of their lines. */
export interface SeriesStyle {
  readonly name: string;
  /** 0 to 3. */
  readonly nr: number;
}

type Shape = (x: number, y: number) => string;
const SHAPES: readonly Shape[] = [
  (x, y) => `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z`,
  (x, y) => `M${x - 3.6} ${y - 3.6}h7.2v7.2h-7.2Z`,
  (x, y) => `M${x} ${y - 4.8}l4.6 8.2h-9.2Z`,
  (x, y) => `M${x} ${y - 5}l5 5l-5 5l-5 -5Z`,
];

/** @param attributes where the mark is from */
export function mark(nr: number, x: number, y: number, title: string, attributes: string): string {
  return `<path class="mark s${nr}" d="${SHAPES[nr % SHAPES.length](x, y)}" ${attributes}><title>${esc(title)}</title></path>`;
}

export function legend(series: readonly SeriesStyle[], kind: 'line' | 'dot' | 'box'): string {
  const swatch = (nr: number): string => {
    if (kind === 'box') return `<rect class="fill s${nr}" x="3" y="2" width="18" height="10"/>`;
    const dot = `<path class="mark s${nr}" d="${SHAPES[nr % SHAPES.length](12, 7)}"/>`;
    return kind === 'dot' ? dot : `<path class="line s${nr}" d="M0 7H24"/>${dot}`;
  };
  const items = series.map(
    ({ name, nr }) =>
      `<li><svg class="swatch" viewBox="0 0 24 14" aria-hidden="true">${swatch(nr)}</svg>${esc(name)}</li>`,
  );
  return `<ul class="legend">${items.join('')}</ul>`;
}

/**
 * A figure with one plot.
 * @param id of its own in the page
 * @param title text, the caption
 * @param description what a reader who cannot see it is told
 */
export function plotFigure(
  id: string,
  {
    title,
    description,
    height,
    body,
    legend: keys = '',
    after = '',
  }: {
    title: string;
    description: string;
    height: number;
    body: string;
    legend?: string;
    after?: string;
  },
): string {
  return (
    `<figure id="${esc(id)}" class="plot"><figcaption>${esc(title)}</figcaption>${keys}` +
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="${esc(id)}-t ${esc(id)}-d">` +
    `<title id="${esc(id)}-t">${esc(title)}</title><desc id="${esc(id)}-d">${esc(description)}</desc>${body}</svg>${after}</figure>`
  );
}

/** The group in which marks lie. */
export function panel(x: Scale | null, y: Scale | null, body: string): string {
  const xs = x === null ? '' : ` data-xs="${esc(x.spec)}"`;
  const ys = y === null ? '' : ` data-ys="${esc(y.spec)}"`;
  return `<g class="panel"${xs}${ys}>${body}</g>`;
}

/** Axis to the left, with grid lines; its label stands above it. */
export function leftAxis(y: Scale, label: string, [from, to]: readonly [number, number]): string {
  const ticks = y.ticks.map(({ v, label: text }) => {
    const at = y.place(v);
    return `<path class="grid" d="M${from} ${at}H${to}"/><text class="tick" x="${from - 5}" y="${at + 4}" text-anchor="end">${esc(text)}</text>`;
  });
  return `${ticks.join('')}<text class="label" x="4" y="12">${esc(label)}</text>`;
}

/** Axis at the bottom; its label stands below its ticks. */
export function bottomAxis(
  x: Scale,
  label: string,
  [top, bottom]: readonly [number, number],
  grid = false,
): string {
  const ticks = x.ticks.map(({ v, label: text }) => {
    const at = x.place(v);
    const line = grid
      ? `<path class="grid" d="M${at} ${top}V${bottom}"/>`
      : `<path class="axis" d="M${at} ${bottom}v4"/>`;
    return `${line}<text class="tick" x="${at}" y="${bottom + 16}" text-anchor="middle">${esc(text)}</text>`;
  });
  const end = Number(x.spec.split(' ')[4]);
  return `${ticks.join('')}<text class="label" x="${end}" y="${bottom + 32}" text-anchor="end">${esc(label)}</text>`;
}
