// SPDX-License-Identifier: GPL-2.0-only
/** Bars: histograms, and shares of a whole. */
import type { At } from './at.js';
import { esc } from './html.js';
import { bottomAxis, leftAxis, legend, panel, plotFigure, type SeriesStyle, WIDTH } from './plot.js';
import { linear, round, type Scale } from './scale.js';

const LEFT = 58;
const RIGHT = WIDTH - 14;
const TOP = 24;
const HEIGHT = 250;
const BOTTOM = HEIGHT - 38;

export interface BarSeries extends SeriesStyle {
  /** One for each bin. */
  readonly counts: readonly At[];
}

/** A histogram; the bars of several series stand beside each other. */
export function histogram(
  id: string,
  o: {
    title: string;
    description: string;
    bins: readonly string[];
    xLabel: string;
    yLabel: string;
    series: readonly BarSeries[];
  },
): string {
  const most = Math.max(0, ...o.series.flatMap((s) => s.counts.map((c) => c.number ?? 0)));
  const y = linear(most, [BOTTOM, TOP]);
  const step = (RIGHT - LEFT) / o.bins.length;
  const width = round((step * 0.8) / o.series.length);
  const bars = o.series.flatMap((s, k) =>
    s.counts.map((at, i) => {
      const v = at.number ?? 0;
      const x = round(LEFT + i * step + step * 0.1 + k * width);
      const top = y.place(v);
      return (
        `<rect class="fill s${s.nr}" x="${x}" y="${top}" width="${width}" height="${round(BOTTOM - top)}" ` +
        `data-cy="${top}" data-y="${esc(at.path)}"><title>${esc(`${s.name}, ${o.bins[i]}: ${v.toLocaleString('en')}`)}</title></rect>`
      );
    }),
  );
  const names = o.bins.map(
    (bin, i) =>
      `<text class="tick" x="${round(LEFT + (i + 0.5) * step)}" y="${BOTTOM + 16}" text-anchor="middle">${esc(bin)}</text>`,
  );
  const body =
    leftAxis(y, o.yLabel, [LEFT, RIGHT]) +
    names.join('') +
    `<text class="label" x="${RIGHT}" y="${BOTTOM + 32}" text-anchor="end">${esc(o.xLabel)}</text>` +
    panel(null, y, bars.join('')) +
    `<path class="axis" d="M${LEFT} ${BOTTOM}H${RIGHT}"/>`;
  return plotFigure(id, { ...o, height: HEIGHT, body, legend: legend(o.series, 'box') });
}

/** One stack of shares for each row, in a column for each group. */
export function shares(
  id: string,
  o: {
    title: string;
    description: string;
    groups: readonly string[];
    series: readonly SeriesStyle[];
    rows: readonly { readonly label: string; readonly shares: readonly (readonly At[])[] }[];
  },
): string {
  const [left, gap, rowHeight, top] = [76, 16, 16, 20];
  const width = (WIDTH - left - 14 - gap * (o.groups.length - 1)) / o.groups.length;
  const bottom = top + rowHeight * o.rows.length;
  const panels = o.groups.map((group, g) => {
    const start = round(left + g * (width + gap));
    const x = linear(1, [start, round(start + width)], percent);
    const last = g === o.groups.length - 1;
    // The end of one axis is too close to the begin of the next for both to have a label.
    const coarse: Scale = {
      ...x,
      ticks: x.ticks
        .flatMap((t) => (t.v === 1 && !last ? [{ v: 1, label: '' }] : [t]))
        .filter(({ v }) => v === 0 || v === 1 || v === 0.5),
    };
    const stacks = o.rows.map((row, i) =>
      stack(
        o.series,
        row.shares[g] ?? [],
        x,
        top + i * rowHeight + 2,
        rowHeight - 4,
        `${row.label}, ${group}`,
      ),
    );
    return (
      `<text class="tick" x="${start}" y="12">${esc(group)}</text>` +
      bottomAxis(coarse, last ? '% of the CPU' : '', [top, bottom], true) +
      panel(x, null, stacks.join(''))
    );
  });
  const labels = o.rows.map(
    (row, i) =>
      `<text class="tick" x="${left - 6}" y="${top + i * rowHeight + 12}" text-anchor="end">${esc(row.label)}</text>`,
  );
  return plotFigure(id, {
    ...o,
    height: bottom + 38,
    body: labels.join('') + panels.join(''),
    legend: legend(o.series, 'box'),
  });
}

function stack(
  series: readonly SeriesStyle[],
  parts: readonly At[],
  x: Scale,
  y: number,
  height: number,
  label: string,
): string {
  let sum = 0;
  return parts
    .map((at, k) => {
      const v = at.number;
      if (v === null) return '';
      const from = x.place(sum);
      sum += v;
      const width = round(x.place(sum) - from);
      const title = `${label}: ${series[k].name} ${Math.round(v * 100)} %`;
      return `<rect class="fill s${series[k].nr}" x="${from}" y="${y}" width="${width}" height="${height}" data-w="${width}" data-x="${esc(at.path)}"><title>${esc(title)}</title></rect>`;
    })
    .join('');
}

function percent(share: number): string {
  return String(Math.round(share * 100));
}
