// SPDX-License-Identifier: GPL-2.0-only
/** What `softnet rr` reports of the trials of a row, and how it looks. */
import { describe, expect, it } from 'vitest';
import { cellKey, cellsOf, MODES } from '../../dist/tools/rr/plan.js';
import { rowReport } from '../../dist/tools/rr/report.js';
import {
  costTable,
  equalCoresTable,
  experimentTable,
  ratioTable,
  unchargedTable,
  xskRrTable,
} from '../../dist/tools/rr/table.js';
import { trial } from '../helpers/rr_trials.js';

const ROW = { periodUs: 31.25, delayUs: 30 };

describe('a report', () => {
  const cells = cellsOf(MODES, { syscallNs: 90, equalCores: true, handover: true });
  const p50 = [5000, 900, 800, 600, 850, 650, 700, 200];
  const trials = new Map(cells.map((c, i) => [cellKey(c), [trial(c, [p50[i], p50[i]])]]));
  const row = rowReport({ row: ROW, cells, trials }, 90);

  it('has a place for each cell', () => {
    expect(row).toMatchObject({ period_us: 31.25, delay_us: 30, title: '32 Kpkt/s + 30us delay' });
    expect(Object.entries(row.modes).map(([mode, s]) => [mode, s.p50_ns])).toEqual([
      ['interrupts', 5000],
      ['busypoll', 900],
      ['busypoll-separate', 800],
      ['threaded', 600],
    ]);
    expect(row.uncharged.busypoll?.p50_ns).toBe(850);
    expect(row.uncharged['busypoll-separate']?.p50_ns).toBe(650);
    expect(row.equal_cores?.budget_cores).toBe(2);
    expect(row.equal_cores?.modes.busypoll?.p50_ns).toBe(700);
    expect(row.equal_cores?.modes.threaded?.p50_ns).toBe(600);
    expect(row.handover?.p50_ns).toBe(200);
    expect(row.ratios).toEqual({
      threaded_p50_to_lowest: 1,
      threaded_p99_to_p5: 1,
      interrupts_p50_to_threaded: 5000 / 600,
      threaded_p50_to_separate_uncharged: 600 / 650,
      threaded_p50_to_handover: 3,
    });
  });

  it('leaves out what was not run', () => {
    const some = cellsOf(['threaded'], { syscallNs: 90, equalCores: true, handover: true });
    const one = rowReport(
      { row: ROW, cells: some, trials: new Map([[cellKey(some[0]), [trial(some[0], [5])]]]) },
      90,
    );
    expect(Object.keys(one.modes)).toEqual(['threaded']);
    expect(one).not.toHaveProperty('handover');
    expect(one).not.toHaveProperty('equal_cores');
    expect(one.ratios).toMatchObject({ threaded_p50_to_lowest: 1, threaded_p50_to_handover: null });
    expect(unchargedTable([one])).toBe('');
    expect(equalCoresTable([one])).toBe('');
    expect(experimentTable([one])).toContain('p50: 5 ');
  });

  it('prints the table of the seed', () => {
    const lines = experimentTable([row]).trimEnd().split('\n');
    expect(lines[0]).toMatch(
      /^\| Experiment +\| interrupts +\| SO_BUSYPOLL +\| SO_BUSYPOLL\(separate\) \| NAPI threaded \|$/,
    );
    expect(lines[1]).toMatch(/^\|-+\|-+\|-+\|-+\|-+\|$/);
    expect(lines[2]).toMatch(/^\| 32 Kpkt\/s \+ 30us delay \| +\| +\| +\| +\|$/);
    expect(lines[4]).toMatch(/^\| +\| p50: 5000 +\| p50: 900 +\| p50: 800 +\| p50: 600 +\|$/);
    expect(lines.map((l) => l.length)).toEqual(new Array(7).fill(lines[0].length));
  });

  it('marks what was disturbed, and shows the tables beside', () => {
    const noisy = new Map(trials);
    noisy.set('threaded', [trial(cells[3], [9999], { disturbed: 'noise' })]);
    const marked = rowReport({ row: ROW, cells, trials: noisy }, 90);
    expect(experimentTable([marked])).toContain('p50: 9999 *');
    expect(costTable([marked])).toMatch(/NAPI threaded.* 1 of 1 \*/);
    expect(xskRrTable([marked])).toContain('p95: 9999 *');
    expect(unchargedTable([row])).toMatch(/SO_BUSYPOLL \| SO_BUSYPOLL\(separate\) \| NAPI threaded/);
    expect(equalCoresTable([row])).toContain('SO_BUSYPOLL, 2 threads');
    expect(ratioTable([row])).toMatch(/1\.00 +1\.00 +8\.3 +0\.92 +200 +3\.00/);
    expect(costTable([row]).trimEnd().split('\n')).toHaveLength(2 + 7);
  });
});
