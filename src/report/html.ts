// SPDX-License-Identifier: GPL-2.0-only
/** Pieces of HTML: escaped text, figures that say where they are from, tables. */
import type { At } from './at.js';

/** @returns text as it may stand in an element or in an attribute between double quotes */
export function esc(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[c] ?? c,
  );
}

/** How a number is shown: of `us` and `ms` the value is in nanoseconds; of `share` 1 is all. */
export type As = 'int' | 'fixed1' | 'fixed2' | 'sig' | 'us' | 'share' | 'delta' | 'bytes';

const SHOW: { readonly [as in As]: (v: number) => string } = {
  int: (v) => Math.round(v).toLocaleString('en'),
  fixed1: (v) => v.toFixed(1),
  fixed2: (v) => v.toFixed(2),
  sig,
  us: (v) => sig(v / 1e3),
  share: (v) => `${Math.round(v * 100)} %`,
  delta: (v) => `${v > 0 ? '+' : ''}${Math.round(v).toLocaleString('en')} %`,
  bytes: (v) => `${sig(v / 2 ** 30)} GiB`,
};

/** Three digits that count, and thousands apart. */
function sig(v: number): string {
  const size = Math.abs(v);
  if (size >= 100) return Math.round(v).toLocaleString('en');
  return size >= 10 ? v.toFixed(1) : v.toFixed(2);
}

/** @returns a number as text */
export function show(as: As, v: number): string {
  return SHOW[as](v);
}

/** @returns a figure of the document; a dash where there is none */
export function figure(at: At, as: As): string {
  const v = at.number;
  if (v === null) return '<span class="none">–</span>';
  return `<data value="${v}" data-at="${esc(at.path)}" data-as="${as}">${show(as, v)}</data>`;
}

/** What a derived figure is made of: `ratio` of pairs, their median. */
export type Rule = 'median' | 'median-ratio' | 'sum';

/** @returns a figure derived from several of the document; a dash where there is none */
export function derived(rule: Rule, from: readonly At[], as: As): string {
  const v = derive(
    rule,
    from.map((at) => at.number ?? Number.NaN),
  );
  if (!Number.isFinite(v)) return '<span class="none">–</span>';
  const paths = esc(from.map((at) => at.path).join(' '));
  return `<data value="${v}" data-rule="${rule}" data-from="${paths}" data-as="${as}">${show(as, v)}</data>`;
}

/** @returns the value of a rule; NaN if it has none */
export function derive(rule: Rule, values: readonly number[]): number {
  if (rule === 'sum') return values.reduce((a, b) => a + b, 0);
  if (rule === 'median') return middle(values);
  const ratios: number[] = [];
  for (let i = 0; i + 1 < values.length; i += 2) ratios.push((values[i] / values[i + 1] - 1) * 100);
  return middle(ratios);
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[mid] : (sorted[mid - 1] + sorted[mid]) / 2;
}

/** @returns text of the document */
export function quote(at: At): string {
  return esc(at.text);
}

/**
 * A table; the first column has the heads of the rows. A wide one scrolls by itself, and not the page.
 * @param caption text
 * @param head text of the columns
 * @param rows HTML of the cells
 * @param words columns from the left that hold words
 * @param wrap the heads of the rows may take several lines: what stands beside them is seen on a phone
 */
export function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { words = 1, wrap = false }: { words?: number; wrap?: boolean } = {},
): string {
  const cells = (row: readonly string[]): string =>
    row
      .map((cell, i) =>
        i === 0
          ? `<th scope="row"${wrap ? ' class="wrap"' : ''}>${cell}</th>`
          : `<td${i < words ? ' class="word"' : ''}>${cell}</td>`,
      )
      .join('');
  return (
    `<div class="scroll" role="region" tabindex="0" aria-label="${esc(caption)}"><table>` +
    `<caption><span>${esc(caption)}</span></caption>` +
    `<thead><tr>${head.map((h, i) => `<th scope="col"${i < words ? ' class="word"' : ''}>${esc(h)}</th>`).join('')}</tr></thead>` +
    `<tbody>${rows.map((r) => `<tr>${cells(r)}</tr>`).join('')}</tbody></table></div>`
  );
}

/** @returns what is shown when it is asked for; in print, too */
export function details(summary: string, body: string): string {
  return `<details><summary>${esc(summary)}</summary>${body}</details>`;
}
