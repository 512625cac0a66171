// SPDX-License-Identifier: GPL-2.0-only
/** What `softnet stream` makes of its measurements: fairness, which trial counts, what the rows and the curve say. */
import { describe, expect, it } from 'vitest';
import { type CellReport, jainOf } from '../../dist/tools/stream/cell.js';
import { curveFigures } from '../../dist/tools/stream/curve.js';
import { availablePart, isDisturbed, pickTrial } from '../../dist/tools/stream/host.js';
import { rcvbufOf, SEED_ROWS, topologyOf } from '../../dist/tools/stream/plan.js';
import type { RowReport } from '../../dist/tools/stream/rows.js';
import { summariesOf } from '../../dist/tools/stream/summary.js';
import { curvePlot, streamTable } from '../../dist/tools/stream/table.js';

function cell(kpps: number, delta: number | null, available = 1): CellReport & { delta_pct: number | null } {
  return { kpps, delta_pct: delta, core_available: available } as CellReport & { delta_pct: number | null };
}

function row(size: number, flows: number, vanilla: number, threaded: number): RowReport {
  const delta = vanilla === 0 ? null : (threaded / vanilla - 1) * 100;
  const settings = { vanilla: cell(vanilla, 0), guest_threaded: cell(threaded, delta) };
  return { size, flows, offered_kpps: 1000, overload: 4, took_s: 1, settings };
}

describe('the plan', () => {
  it('has the rows of the seed, 16 of which are of many flows and one frame', () => {
    expect(SEED_ROWS).toHaveLength(30);
    expect(SEED_ROWS.filter((r) => r.flows >= 25 && r.size <= 1438)).toHaveLength(16);
  });

  it('puts a second machine in front of the last setting, or of all', () => {
    expect(topologyOf('vanilla', 'last')).toEqual({ guestThreaded: false, hypervisor: null });
    expect(topologyOf('guest_threaded', 'last')).toEqual({ guestThreaded: true, hypervisor: null });
    expect(topologyOf('guest_threaded', 'all')).toEqual({
      guestThreaded: true,
      hypervisor: { threaded: false },
    });
    for (const front of ['last', 'all'] as const) {
      expect(topologyOf('both_threaded', front)).toEqual({
        guestThreaded: true,
        hypervisor: { threaded: true },
      });
    }
  });

  it('gives sockets what rmem_default has room for', () => {
    expect([1, 1438, 4096, 64_000, 65_507].map(rcvbufOf)).toEqual([92, 92, 30, 2, 2]);
  });
});

describe('Jain’s index', () => {
  it('is 1 for equal shares, 1/n for one that has all, and unknown for none', () => {
    expect(jainOf([7, 7, 7])).toBe(1);
    expect(jainOf([0, 0, 0, 9])).toBe(0.25);
    expect(jainOf([1, 3])).toBe(0.8);
    expect(jainOf([0, 0])).toBeNull();
  });
});

describe('a trial', () => {
  it('is disturbed when others had more than a tenth of its core', () => {
    expect(availablePart(600, 350, 1000)).toBe(0.95);
    expect(availablePart(1200, 0, 1000)).toBe(1);
    expect([0.89, 0.91].map((a) => isDisturbed(cell(1, 0, a)))).toEqual([true, false]);
    expect(isDisturbed({ kpps: 1, core_available: null })).toBe(false);
  });

  it('counts if it is the middle one of the undisturbed, or else the least disturbed', () => {
    const quiet = [cell(3, 0), cell(1, 0), cell(2, 0)];
    expect(pickTrial([cell(99, 0, 0.5), ...quiet])).toBe(quiet[2]);
    const loud = [cell(1, 0, 0.3), cell(2, 0, 0.8), cell(3, 0, 0.1)];
    expect(pickTrial(loud)).toBe(loud[1]);
  });
});

describe('what the rows say', () => {
  it('counts the rows of many flows and one frame, and takes medians', () => {
    const rows = [row(64, 25, 100, 150), row(64, 50, 100, 90), row(256, 25, 0, 10), row(1438, 200, 100, 300)];
    const one = [row(1, 1, 100, 98), row(64, 1, 100, 120), row(4096, 1, 100, 40)];
    const other = [row(4096, 25, 100, 1)];
    expect(summariesOf([...rows, ...one, ...other])).toEqual({
      guest_threaded: {
        rows: 4,
        won: 3,
        median_delta_pct: expect.closeTo(50),
        one_flow_median_delta_pct: expect.closeTo(-2),
      },
    });
  });

  it('stands in the table as the seed has it', () => {
    const rows = [row(64, 25, 200, 300), row(1, 1, 0, 5), row(1, 25, 1, 2000)];
    const text = streamTable(rows, ['vanilla', 'guest_threaded']);
    const lines = text.trimEnd().split('\n');
    expect(lines.slice(3).map((l) => l.split(/ +/))).toEqual([
      ['64/25', '200', '300/+50%', '1000'],
      ['1/1', '0.0', '5.0/-', '1000'],
      ['1/25', '1.0', '2000/x2000', '1000'],
    ]);
  });
});

describe('the curve', () => {
  const points = [
    [100, 100, 90],
    [200, 180, 200],
    [400, 20, 190],
    [800, 5, 180],
    [1600, 1, 10],
  ].map(([offered, vanilla, threaded]) => ({
    offered_kpps: offered,
    settings: {
      vanilla: { kpps: vanilla, core_available: 1 },
      guest_threaded: { kpps: threaded, core_available: 1 },
    },
  }));

  it('is judged from its peak up to four times that load, by medians of three neighbours', () => {
    expect(curveFigures(points, 'guest_threaded')).toEqual({
      peakKpps: 190,
      peakOfferedKpps: 200,
      kept: 180 / 190,
      uptoKpps: 800,
    });
    // Softirqs have a peak, narrow as it may be.
    expect(curveFigures(points, 'vanilla')).toEqual({
      peakKpps: 180,
      peakOfferedKpps: 200,
      kept: 5 / 180,
      uptoKpps: 800,
    });
    expect(curveFigures(points, 'both_threaded')).toBeNull();
  });

  it('is plotted with a letter for each setting, the most at the top, the largest load at the right', () => {
    const lines = curvePlot(points).split('\n');
    expect(lines[0]).toBe('goodput, kpps (v vanilla, g guest threaded, * several)');
    expect(lines[1]).toMatch(/^ +200 \| +g$/);
    const bottom = lines.find((l) => /^ +0 \|/.test(l)) as string;
    // What vanilla is at the last two loads rounds to nothing.
    expect(bottom.replace(/[^vg*]/g, '')).toMatch(/^v[v*]$/);
    expect(bottom.length).toBe('     0 |'.length + 64);
    expect(lines.at(-2)).toBe('guest threaded: peak 190 kpps at 200 offered; at least 95% of it up to 800');
  });
});
