// SPDX-License-Identifier: GPL-2.0-only
/** The rules of `softnet rr`: which cells there are, which trials count, what a report says. */
import { describe, expect, it } from 'vitest';
import type { Cost, ThreadCost } from '../../dist/tools/rr/cost.js';
import { costBetween, total } from '../../dist/tools/rr/cost.js';
import { disturbance } from '../../dist/tools/rr/disturbed.js';
import { type RrArguments, rrOptions } from '../../dist/tools/rr/options.js';
import { coresOf } from '../../dist/tools/rr/pin.js';
import {
  type Cell,
  cellKey,
  cellsOf,
  coresNeeded,
  MODES,
  rowTitle,
  SEED_ROWS,
  utilisation,
} from '../../dist/tools/rr/plan.js';
import { rowTrials } from '../../dist/tools/rr/rows.js';
import { summaryOf, type Trial } from '../../dist/tools/rr/summary.js';
import { syscallCost } from '../../dist/tools/rr/syscall_cost.js';
import { trial } from '../helpers/rr_trials.js';

const ROW = { periodUs: 31.25, delayUs: 30 };

function threadCost(name: string, o: Partial<ThreadCost> = {}): ThreadCost {
  return { name, cpuNs: 0, runDelayNs: 0, wakeups: 0, forcedSwitches: 0, ...o };
}

describe('rows and cells', () => {
  it('are the five of the seed, by name', () => {
    expect(SEED_ROWS.map(rowTitle)).toEqual([
      '12 Kpkt/s + 0us delay',
      '32 Kpkt/s + 30us delay',
      '125 Kpkt/s + 6us delay',
      '12 Kpkt/s + 78us delay',
      '25 Kpkt/s + 38us delay',
    ]);
    expect(SEED_ROWS.map((r) => Math.round(utilisation(r) * 100))).toEqual([0, 96, 75, 94, 95]);
    expect(rowTitle({ periodUs: 1_000_000, delayUs: 0.5 })).toBe('0.001 Kpkt/s + 0.5us delay');
  });

  it('give the modes that call once more without charge, inline polling with two cores, the bare hand-over', () => {
    expect(cellsOf(MODES, { syscallNs: 90, equalCores: true, handover: true }).map(cellKey)).toEqual([
      'interrupts',
      'busypoll',
      'busypoll-separate',
      'threaded',
      'busypoll, uncharged',
      'busypoll-separate, uncharged',
      'busypoll, 2 threads',
      'handover',
    ]);
    expect(cellsOf(['interrupts'], { syscallNs: 90, equalCores: true, handover: true }).map(cellKey)).toEqual(
      ['interrupts'],
    );
    expect(cellsOf(['busypoll'], { syscallNs: 0, equalCores: false, handover: true })).toHaveLength(1);
    expect(cellsOf(['threaded'], { syscallNs: 0, equalCores: true, handover: false })).toHaveLength(1);
    const keys = cellsOf(MODES, { syscallNs: 0, equalCores: true, handover: true }).map(cellKey);
    expect(new Set(keys).size).toBe(keys.length);
    expect(coresNeeded({ mode: 'busypoll', apps: 1 })).toBe(1);
    expect(coresNeeded({ mode: 'threaded', apps: 1 })).toBe(2);
  });
});

describe('options', () => {
  const given: RrArguments = {
    trials: 1,
    retries: 0,
    duration: 1,
    wait: 'spin',
    turnaround: 10,
    groFlushTimeout: 10_000,
    equalCores: true,
    hist: false,
    json: false,
  };

  it('without a period are the rows of the seed, open loop; with one a closed loop, unless it is asked for', () => {
    expect(rrOptions(given)).toMatchObject({ rows: SEED_ROWS, openLoop: true, modes: MODES });
    expect(rrOptions({ ...given, period: 83 })).toMatchObject({
      rows: [{ periodUs: 83, delayUs: 0 }],
      openLoop: false,
    });
    expect(rrOptions({ ...given, period: 83, delay: 78, openLoop: true }).openLoop).toBe(true);
    expect(rrOptions({ ...given, rows: [ROW] })).toMatchObject({ rows: [ROW], openLoop: true });
  });

  it('of xsk_rr name the modes', () => {
    expect(rrOptions({ ...given, separateThread: true }).modes).toEqual(['busypoll-separate']);
    expect(rrOptions({ ...given, noKick: true }).modes).toEqual(['threaded']);
    expect(rrOptions({ ...given, noKick: true, separateThread: true }).modes).toHaveLength(2);
  });

  it('that cannot be are refused', () => {
    expect(() => rrOptions({ ...given, delay: 5 })).toThrow(/together with a period/);
    expect(() => rrOptions({ ...given, period: 1, duration: 600 })).toThrow(/packets/);
  });

  it('read lists of cores as /proc shows them', () => {
    expect(coresOf('0-2,5')).toEqual([0, 1, 2, 5]);
    expect(coresOf('7')).toEqual([7]);
    expect(coresOf('')).toEqual([]);
  });
});

describe('cost', () => {
  it('is what threads did between two moments that were there at both', () => {
    const at = (atNs: number, cpuNs: number) => ({
      atNs,
      stealNs: atNs,
      threads: [
        { tid: 7, cpuNs, runDelayNs: cpuNs / 10, voluntary: 5, forced: null },
        { tid: 1000 + cpuNs, cpuNs, runDelayNs: 0, voluntary: 0, forced: 0 },
      ],
    });
    const cost = costBetween(at(100, 1000), at(400, 3000), new Map([[7, 'app/rr']]));
    expect(cost).toEqual({
      wallNs: 300,
      stealNs: 300,
      threads: [{ name: 'app/rr', cpuNs: 2000, runDelayNs: 200, wakeups: 0, forcedSwitches: null }],
    });
    expect(total(cost.threads, (t) => t.cpuNs)).toBe(2000);
    expect(total(cost.threads, (t) => t.forcedSwitches)).toBeNull();
  });
});

describe('disturbance', () => {
  const second = (o: Partial<Cost>): Cost => ({ wallNs: 1e9, threads: [], stealNs: 0, ...o });
  const busy = (name: string): boolean => name.startsWith('app/');

  it('is what may have touched more than half a percent of the packets', () => {
    const delayed = (ns: number): Cost => second({ threads: [threadCost('app/rr', { runDelayNs: ns })] });
    expect(disturbance(delayed(4.9e6), busy, 0)).toBeNull();
    expect(disturbance(delayed(5.1e6), busy, 0)).toMatch(/waited 5,100 µs for a core, app\/rr/);
  });

  it('takes longer to catch up with the higher a load is', () => {
    const cost = second({ threads: [threadCost('app/rr', { runDelayNs: 1e6 })] });
    expect(disturbance(cost, busy, 0.5)).toBeNull();
    expect(disturbance(cost, busy, 0.96)).not.toBeNull();
    expect(disturbance(cost, busy, 1.5)).not.toBeNull();
    expect(disturbance(second({ threads: [threadCost('app/rr')] }), busy, 1.5)).toBeNull();
  });

  it('counts what the hypervisor took, and what threads that sleep wait for not', () => {
    expect(disturbance(second({ stealNs: 1e7 }), busy, 0)).toMatch(/hypervisor took 10,000 µs/);
    expect(disturbance(second({ stealNs: null }), busy, 0)).toBeNull();
    const sleeper = second({ threads: [threadCost('cpu/0', { runDelayNs: 1e8 })] });
    expect(disturbance(sleeper, busy, 0)).toBeNull();
  });
});

describe('threads of the machine itself', () => {
  it('are not the host where they need a core that another one has', () => {
    const cost: Cost = {
      wallNs: 1e9,
      stealNs: 0,
      threads: [
        threadCost('app/rr0', { runDelayNs: 2e7 }),
        threadCost('app/poll', { runDelayNs: 1e7 }),
        threadCost('cpu/0', { cpuNs: 2.9e7, runDelayNs: 5e7 }),
      ],
    };
    const busy = (name: string): boolean => name.startsWith('app/');
    expect(disturbance(cost, busy, 0, 2)).toBeNull();
    expect(disturbance(cost, busy, 0, 4)).toMatch(/30,000 µs/);
    expect(disturbance({ ...cost, threads: cost.threads.slice(0, 2) }, busy, 0, 2)).not.toBeNull();
  });
});

describe('trials', () => {
  const cells: Cell[] = cellsOf(['busypoll', 'threaded'], {
    syscallNs: 90,
    equalCores: false,
    handover: true,
  }).slice(0, 2);

  it('run there and back, until each cell has enough undisturbed ones', async () => {
    const order: string[] = [];
    const bad = new Set(['threaded 1', 'threaded 2']);
    const done = await rowTrials(
      ROW,
      cells,
      { trials: 2, retries: 2 },
      async (_row, cell, nr) => {
        order.push(`${cell.mode} ${nr}`);
        return trial(cell, [1], { disturbed: bad.has(`${cell.mode} ${nr}`) ? 'noise' : null });
      },
      () => false,
    );
    expect(order).toEqual([
      'busypoll 1',
      'threaded 1',
      'threaded 2',
      'busypoll 2',
      'threaded 3',
      'threaded 4',
    ]);
    expect([...done.values()].map((t) => t.length)).toEqual([2, 4]);
  });

  it('end at the limit, and when they are stopped', async () => {
    let runs = 0;
    const noisy = async (_row: unknown, cell: Cell): Promise<Trial> => {
      runs++;
      return trial(cell, [1], { disturbed: 'noise' });
    };
    await rowTrials(ROW, cells, { trials: 1, retries: 3 }, noisy, () => false);
    expect(runs).toBe(8);
    await rowTrials(ROW, cells, { trials: 1, retries: 3 }, noisy, () => runs >= 9);
    expect(runs).toBe(9);
  });

  it('that are disturbed count only where there is no other, and are told', () => {
    const quiet = trial(cells[0], [10, 20], { missed: 1, emptyPolls: 7 });
    const noisy = trial(cells[0], [1e6, 1e6], { missed: 5, emptyPolls: 9, disturbed: 'noise' });
    expect(summaryOf([noisy, quiet], 0.5)).toMatchObject({
      p50_ns: 10,
      max_ns: 20,
      missed: 1,
      empty_polls: 7,
      disturbed_trials: 1,
      trials: 2,
      marked: false,
      utilisation: 0.5,
      syscall_ns: 90,
    });
    expect(summaryOf([noisy], 0.5)).toMatchObject({ p50_ns: 1e6, marked: true, trials: 1 });
  });

  it('sum up to cores and CPU time a packet, null where the host does not tell', () => {
    const threads = [
      threadCost('app/rr', { cpuNs: 4e6 }),
      threadCost('napi/eth0-1', { cpuNs: 3e6, wakeups: 2 }),
    ];
    const cost: Cost = { wallNs: 5e6, threads, stealNs: 1e6 };
    const s = summaryOf([trial(cells[0], [1, 2, 3, 4], { cost, spanNs: 4e6 })], 0);
    expect(s.cores).toBeCloseTo(1.4);
    expect(s.cpu_us_per_packet).toBeCloseTo((1.4 * 4e6) / 4 / 1e3);
    expect(s).toMatchObject({ wakeups: 2, steal_us: 1000, run_delay_us: 0 });
    expect(s.threads.map((t) => [t.name, t.cpu_us, t.wakeups])).toEqual([
      ['app/rr', 4000, 0],
      ['napi/eth0-1', 3000, 2],
    ]);
    const dark = { ...cost, threads: [threadCost('app/rr', { cpuNs: null })] };
    expect(summaryOf([trial(cells[0], [1], { cost: dark })], 0)).toMatchObject({
      cores: null,
      cpu_us_per_packet: null,
      wakeups: 0,
    });
    expect(summaryOf([trial(cells[0], [])], 0)).toMatchObject({ p50_ns: null, packets: 0 });
  });

  it('keep the times of single polls together', () => {
    const a = trial(cells[0], [1], { log2: Int32Array.of(0, 2) });
    const b = trial(cells[0], [1], { log2: Int32Array.of(1, 3) });
    expect(summaryOf([a, b], 0).poll_ns_log2).toEqual([1, 5]);
    expect(summaryOf([trial(cells[0], [1])], 0).poll_ns_log2).toBeNull();
  });
});

describe('what a system call costs', () => {
  it('is a difference of two ways into native code', () => {
    const cost = syscallCost();
    if (cost === null) return;
    expect(cost.withCallNs).toBeGreaterThan(0);
    expect(cost.withoutNs).toBeGreaterThan(0);
    expect(cost.ns).toBeGreaterThanOrEqual(0);
  });
});
