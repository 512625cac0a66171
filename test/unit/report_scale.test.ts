// SPDX-License-Identifier: GPL-2.0-only
// Axes of plots: where values lie, and what is written beside them.

import { describe, expect, it } from 'vitest';
import { reportHtml } from '../../dist/report/page.js';
import { logClose } from '../../dist/report/scale.js';
import { madeUpPart, madeUpRun, streamDocument } from '../helpers/made_up_runs.js';

describe('a logarithmic axis', () => {
  const scale = (values: number[]) => logClose(values, [0, 344]);

  it('begins and ends close to its values, and names what has room', () => {
    const { spec, ticks, place } = scale([74, 300, 15_000]);
    expect(spec).toBe('log 50 20000 0 344');
    expect(ticks.map((t) => t.label)).toEqual([
      '50',
      '100',
      '200',
      '500',
      '1,000',
      '2,000',
      '5,000',
      '10 k',
      '20 k',
    ]);
    expect([place(50), place(1000), place(20_000)]).toEqual([0, 172, 344]);
    const gaps = ticks.slice(1).map((t, i) => place(t.v) - place(ticks[i].v));
    expect(Math.min(...gaps)).toBeGreaterThan(33);
  });

  it('names powers of ten only where it is long, and is there for any values', () => {
    expect(scale([1, 900_000]).ticks.map((t) => t.v)).toEqual([1, 10, 100, 1000, 1e4, 1e5, 1e6]);
    for (const values of [[], [0], [5], [100, 100], [0.013, 0.02]]) {
      const { ticks, place } = scale(values);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.every((t) => Number.isFinite(place(t.v)))).toBe(true);
    }
  });

  it('gives the rise and fall of a curve room, however far it was loaded', () => {
    const document = streamDocument();
    const far = { offered_kpps: 15_000, settings: document.curve![9].settings };
    const run = madeUpRun({
      parts: [madeUpPart('stream', { ...document, curve: [...document.curve!, far] })],
    });
    const html = reportHtml(run);
    const svg = html.slice(html.indexOf('stream-curve'));
    const places = new Map(
      [...svg.matchAll(/data-cx="([\d.]+)"[^>]*data-x="[^"]*curve\/(\d+)\/offered_kpps"/g)].map((m) => [
        Number(m[2]),
        Number(m[1]),
      ]),
    );
    // From 50 to 1,200 kpps, where the made-up vanilla rises and falls.
    expect(places.get(7)! - places.get(0)!).toBeGreaterThan(150);
  });
});
