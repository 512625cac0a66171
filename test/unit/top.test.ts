// SPDX-License-Identifier: GPL-2.0-only
/** What softnet top makes of two answers. */
import { describe, expect, it } from 'vitest';
import { sorted, type TopAnswer, topView } from '../../dist/tools/top/sample.js';
import { screenLines, topLines } from '../../dist/tools/top/screen.js';

const cpu = { cpu: 0, online: true, softirq_ns: 1e9, processed: 100, dropped: 0, time_squeeze: 0 };
const napi = {
  dev: 'eth0',
  id: 8193,
  state: 'LISTED',
  mode: 'enabled',
  thread: 'napi/eth0-8193',
  thread_ns: 5e8,
  polls: 10,
  packets: 0xffffff00,
};

function answer(o: Partial<TopAnswer>): TopAnswer {
  return { now_ns: 0, cpus: [cpu], napis: [napi], drops: {}, ...o };
}

describe('the rates between two looks', () => {
  it('are per second, with counters that wrap', () => {
    const v = topView(
      answer({}),
      answer({
        now_ns: 2e9,
        cpus: [{ ...cpu, softirq_ns: 2e9, processed: 2100, dropped: 10, time_squeeze: 4 }],
        napis: [{ ...napi, thread_ns: 1.5e9, polls: 110, packets: 0x100 }],
        drops: { rx_missed: 6, no_socket: 0 },
      }),
    );
    expect(v.cpus).toEqual([{ cpu: 0, online: true, softirq: 0.5, pps: 1000, droppedPps: 5, squeezed: 2 }]);
    expect(v.napis).toMatchObject([{ pps: 256, pollsPerS: 50, perPoll: 5.12, cpuShare: 0.5 }]);
    expect(v.drops).toEqual({ rx_missed: 3 });
  });

  it('count an instance that is new, or was made anew, from 0, and know no times without /proc', () => {
    const again = { ...napi, packets: 500, thread: null, thread_ns: null };
    const v = topView(
      answer({ napis: [napi] }),
      answer({
        now_ns: 1e9,
        cpus: [{ ...cpu, softirq_ns: null }],
        napis: [
          { ...again, polls: 5 },
          { ...again, id: 9 },
        ],
      }),
    );
    expect(v.napis.map((n) => [n.pps, n.cpuShare])).toEqual([
      [756, null],
      [500, null],
    ]);
    expect(v.cpus[0].softirq).toBeNull();
    expect(topLines(v, v.napis)[0]).toContain(' n/a softirq');
  });

  it('are sorted by a key, and shown a line each', () => {
    const v = topView(
      answer({}),
      answer({
        now_ns: 1e9,
        napis: [
          { ...napi, id: 2, packets: 10 },
          { ...napi, id: 1, packets: 10 },
          { ...napi, id: 3, packets: 99 },
        ],
      }),
    );
    expect(sorted(v.napis, 'p').map((n) => n.id)).toEqual([3, 1, 2]);
    expect(sorted(v.napis, 'i').map((n) => n.id)).toEqual([1, 2, 3]);
    const lines = topLines({ ...v, cpus: [{ ...v.cpus[0], online: false }] }, v.napis);
    expect(lines[0]).toBe('CPU 0   offline');
    expect(lines.at(-2)).toMatch(/^ +1 eth0 +enabled /);
  });
});

describe('a screen', () => {
  const state = 'SCHED|LISTED|THREADED|SCHED_THREADED|THREADED_BUSY_POLL';
  const many = (cpus: number, napis: number) => {
    const next = answer({
      now_ns: 1e9,
      cpus: Array.from({ length: cpus }, (_, i) => ({ ...cpu, cpu: i })),
      napis: Array.from({ length: napis }, (_, i) => ({
        ...napi,
        id: 8193 + i,
        state,
        mode: 'busy-poll',
        packets: 5e5,
      })),
      drops: { no_socket: 9 },
    });
    return topView(answer({}), next);
  };
  const screen = (cpus: number, napis: number, at: number, columns: number, rows: number): string[] => {
    const view = many(cpus, napis);
    const s = { view, napis: view.napis, chosen: 8193 + at, note: '', keys: 'q quit' };
    return screenLines(s, columns, rows);
  };

  it('of 80 columns has the whole state of a busy polling thread, its mode and its rate', () => {
    const line = screen(2, 2, 0, 80, 24).find((l) => l.startsWith('>'));
    expect(line).toMatch(/^> +8193 eth0 busy-poll +500K .*% SCHED\|LISTED\|THR\|SCHED_THR\|THR_BUSY$/);
    const wide = screen(2, 2, 0, 200, 60).find((l) => l.startsWith('>'));
    expect(wide).toContain(` napi/eth0-8193 ${state}`);
  });

  it('shows the chosen instance whatever its size, and is no larger', () => {
    for (const [columns, rows] of [
      [1, 1],
      [20, 5],
      [40, 8],
      [80, 24],
      [100, 24],
      [200, 60],
    ]) {
      for (const cpus of [1, 20, 64]) {
        for (const at of [0, 1, 17, 39]) {
          const lines = screen(cpus, 40, at, columns, rows);
          expect(lines.length).toBeLessThanOrEqual(rows);
          expect(Math.max(...lines.map((l) => l.length))).toBeLessThanOrEqual(columns);
          if (columns >= 20) expect(lines.filter((l) => l.startsWith(`>  ${8193 + at}`)).length).toBe(1);
        }
      }
    }
  });

  it('gives CPUs the lines that instances leave, and says what is not on it', () => {
    expect(screen(8, 4, 0, 80, 24).filter((l) => l.startsWith('CPU ')).length).toBe(8);
    const lines = screen(20, 40, 39, 100, 24);
    expect(lines.find((l) => /^and \d+ more CPUs$/.test(l))).toBeDefined();
    expect(lines.find((l) => /^instances \d+-40 of 40$/.test(l))).toBeDefined();
    expect(lines.filter((l) => / busy-poll /.test(l)).length).toBe(10);
    expect(screen(20, 40, 39, 20, 5).map((l) => l.slice(0, 7))).toEqual([
      '   NAPI',
      '   8230',
      '   8231',
      '>  8232',
      'q quit',
    ]);
  });
});
