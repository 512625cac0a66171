// SPDX-License-Identifier: GPL-2.0-only
/** `softnet stream` as a user runs it: its table, its JSON, its claim, every frame accounted for, bad input, Ctrl-C. */
import { describe, expect, it } from 'vitest';
import { runCli, startCli } from '../helpers/cli.js';

const SETTINGS = ['vanilla', 'guest_threaded', 'both_threaded'] as const;
type Setting = (typeof SETTINGS)[number];

interface Cell {
  readonly kpps: number;
  readonly delta_pct: number | null;
  readonly offered_frames: number;
  readonly cpu_share: { readonly [who: string]: number } | null;
  readonly drops: { readonly [place: string]: number };
  readonly jain: number | null;
  readonly threads: readonly { readonly name: string; readonly cpu_ms: number | null }[];
}

interface Document {
  readonly options: { readonly [name: string]: unknown };
  readonly host: { readonly peak_rss_mib: number };
  readonly capacity_kpps: { readonly [size: string]: number };
  readonly rows: readonly {
    readonly size: number;
    readonly flows: number;
    readonly offered_kpps: number;
    readonly overload: number | null;
    readonly settings: { readonly [setting in Setting]?: Cell };
  }[];
  readonly curve?: readonly {
    readonly offered_kpps: number;
    readonly settings: { readonly [setting in Setting]?: { readonly kpps: number } };
  }[];
  readonly frames: {
    readonly [setting in Setting]?: {
      readonly offered: number;
      readonly received: number;
      readonly dropped: number;
      readonly unaccounted: number;
    };
  };
  readonly failures: readonly string[];
}

/** Runs the command. Where the host disturbs it, it says so, and its figures are still what they are. */
async function document(...args: readonly string[]): Promise<Document> {
  const r = await runCli(['stream', '--json', '--quick', ...args]);
  expect([0, 7], r.stderr).toContain(r.code);
  return JSON.parse(r.stdout) as Document;
}

function accountedFor(d: Document, settings: readonly Setting[]): void {
  expect(d.failures).toEqual([]);
  expect(Object.keys(d.frames)).toEqual(settings);
  for (const f of Object.values(d.frames)) {
    expect(f.offered).toBeGreaterThan(0);
    expect(f.received + f.dropped).toBe(f.offered);
    expect(f.unaccounted).toBe(0);
  }
}

describe('softnet stream', () => {
  it('gives each row in each setting, and accounts for every frame, fragments too', async () => {
    const d = await document('--rows', '64/25,3000/2', '--seconds', '0.2');
    accountedFor(d, SETTINGS);
    expect(d.options).toMatchObject({ rows: ['64/25', '3000/2'], softirq_at_exit: 'inline', seconds: 0.2 });
    expect(Object.keys(d.capacity_kpps)).toEqual(['64', '3000']);
    expect(d.rows.map((r) => [r.size, r.flows])).toEqual([
      [64, 25],
      [3000, 2],
    ]);
    for (const row of d.rows) {
      expect(Object.keys(row.settings)).toEqual(SETTINGS);
      for (const [setting, cell] of Object.entries(row.settings)) {
        expect(cell.kpps).toBeGreaterThanOrEqual(0);
        // What had piled up before is received, too.
        expect(cell.kpps).toBeLessThan(1.5 * row.offered_kpps);
        if (setting === 'vanilla') expect(cell.delta_pct).toBe(0);
        if (cell.jain !== null) {
          expect(cell.jain).toBeGreaterThanOrEqual(1 / row.flows - 1e-9);
          expect(cell.jain).toBeLessThanOrEqual(1 + 1e-9);
        }
        for (const n of Object.values(cell.drops)) expect(n).toBeGreaterThanOrEqual(0);
        const { hypervisor_ring, tun } = cell.drops;
        if (setting !== 'both_threaded') expect([hypervisor_ring, tun]).toEqual([0, 0]);
        if (cell.cpu_share === null) continue;
        const { softirq, threads, receivers } = cell.cpu_share;
        for (const share of [softirq, threads, receivers]) expect(share).toBeGreaterThanOrEqual(0);
        if (setting === 'vanilla') expect(threads).toBe(0);
        else expect(softirq).toBeLessThan(0.1);
        expect(cell.threads.map((t) => t.name)).toContain('app/tasks');
      }
    }
    expect(d.host.peak_rss_mib).toBeLessThan(1024);
  });

  it('shows the starvation that threads end: many times the goodput, and as much to each flow', async () => {
    const d = await document('--rows', '64/50', '--settings', 'vanilla,guest_threaded', '--seconds', '0.5');
    accountedFor(d, ['vanilla', 'guest_threaded']);
    const { vanilla, guest_threaded: threaded } = d.rows[0].settings;
    expect(threaded!.kpps).toBeGreaterThan(2 * vanilla!.kpps);
    expect(threaded!.jain).toBeGreaterThan(0.5);
    if (vanilla!.cpu_share !== null) {
      expect(vanilla!.cpu_share.softirq).toBeGreaterThan(vanilla!.cpu_share.receivers);
      expect(threaded!.cpu_share?.softirq).toBeLessThan(threaded!.cpu_share!.threads);
    }
  });

  it('sweeps the load, and plots what comes of it', async () => {
    const args = ['--rows', 'none', '--curve', '--settings', 'vanilla,guest_threaded', '--seconds', '0.1'];
    const d = await document(...args);
    accountedFor(d, ['vanilla', 'guest_threaded']);
    expect(d.rows).toEqual([]);
    const offered = d.curve!.map((p) => p.offered_kpps);
    expect(offered.length).toBeGreaterThan(4);
    expect([...offered].sort((a, b) => a - b)).toEqual(offered);
    for (const p of d.curve!) expect(Object.keys(p.settings)).toEqual(['vanilla', 'guest_threaded']);
    const text = await runCli(['stream', '--quick', ...args]);
    expect([0, 7]).toContain(text.code);
    expect(text.stdout).toMatch(/^goodput, kpps \(v vanilla, g guest threaded, \* several\)$/m);
    expect(text.stdout).toMatch(/^ +[\d.]+ \|[ vg*]+$/m);
    expect(text.stdout).toMatch(/^vanilla: peak [\d.]+ kpps at \d+ offered; at least \d+% of it up to \d+$/m);
  });

  it('prints the table of the experiment, and repeats its options in the last line', async () => {
    const r = await runCli([
      'stream',
      '--rows',
      '1438/3',
      '--seconds',
      '0.1',
      '--trials',
      '1',
      '--hypervisor',
      'all',
    ]);
    expect([0, 7], r.stderr).toContain(r.code);
    const lines = r.stdout.trimEnd().split('\n');
    expect(lines[0]).toContain('rows=1438/3; settings=vanilla,guest_threaded,both_threaded');
    expect(lines[0]).toContain('hypervisor=all');
    expect(lines[1]).toMatch(/^capacity: 1438 bytes: \d+ kpps; offered 4 times that$/);
    expect(r.stdout).toMatch(
      /^size\/flows +vanilla +guest threaded +hypervisor and guest threaded +offered$/m,
    );
    expect(r.stdout).toMatch(/^1438\/3 +\*?[\d.]+( +\*?[\d.]+\/(-|x\d+|[+-]?\d+%)){2} +[\d.]+$/m);
    expect(r.stdout).toMatch(/^1438\/3 both_threaded +\d+% +\d+% +\d+% /m);
    expect(lines.at(-1)).toBe(`${lines[0]}: SUCCESS`);
  });

  it('prints what there is when it is interrupted', async () => {
    const run = startCli(['stream', '--seconds', '100']);
    // The first line is there as soon as signals are taken.
    run.child.stdout?.once('data', () => run.child.kill('SIGINT'));
    const r = await run.done;
    expect(r.stdout.trimEnd()).toMatch(/: interrupted, SUCCESS$/);
    expect(r.code).toBe(130);
  });

  it.each([
    [['--rows', '64'], 'SIZE/FLOWS'],
    [['--rows', '0/1'], 'whole number from 1 to 65507'],
    [['--rows', '65508/1'], 'whole number from 1 to 65507'],
    [['--rows', '64/201'], 'whole number from 1 to 200'],
    [['--settings', 'vanilla,vanilla'], 'vanilla, guest_threaded, both_threaded'],
    [['--settings', 'threaded'], 'vanilla, guest_threaded, both_threaded'],
    [['--softirq-at-exit', 'never'], 'inline, leave'],
    [['--hypervisor', 'none'], 'last, all'],
    [['--overload', '0'], 'a factor from 0.1 to 100'],
    [['--seconds', '0'], 'seconds from 0.05 to 600'],
    [['--trials', 'x'], 'whole number'],
    [['--curve-row', '64,25'], 'SIZE/FLOWS'],
  ])('refuses %j in one line', async (args, what) => {
    const r = await runCli(['stream', ...args]);
    expect(r.code).toBe(2);
    expect(r.stdout).toBe('');
    expect(
      r.stderr
        .toLowerCase()
        .split('\n')
        .find((line) => line.includes(what.toLowerCase())),
    ).toBeDefined();
  });
});
