// SPDX-License-Identifier: GPL-2.0-only
/** `softnet rr` as a user runs it. Its figures are the host's business; what it says of packets is checked. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CLI, runCli } from '../helpers/cli.js';

const dir = mkdtempSync(join(tmpdir(), 'softnet-rr-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Summary {
  p5_ns: number;
  p50_ns: number;
  p95_ns: number;
  p99_ns: number;
  max_ns: number;
  packets: number;
  missed: number;
  cpu_us_per_packet: number | null;
  cores: number | null;
  utilisation: number;
  syscall_ns: number;
  socket_calls: number;
  empty_polls: number;
  wakeups: number | null;
  forced_switches: number | null;
  run_delay_us: number | null;
  disturbed_trials: number;
  trials: number;
  marked: boolean;
  as_xsk_rr_prints: Record<string, number>;
  poll_ns_log2: number[] | null;
}
interface Document {
  command: string;
  parameters: Record<string, unknown>;
  host: { cores: number };
  syscall: { charged_ns: number; measured_ns: number | null };
  interrupted: boolean;
  rows: {
    title: string;
    period_us: number;
    delay_us: number;
    modes: Record<string, Summary>;
    uncharged: Record<string, Summary>;
    equal_cores?: { budget_cores: number; modes: Record<string, Summary> };
    handover?: Summary;
    ratios: Record<string, number | null>;
  }[];
  reports?: { cell: string; intervals: { packets: number }[] }[];
}

/** 500 packets a second for two fifths of a second: 200 of each cell that are measured. */
const SMALL = ['rr', '-P', '2000', '--duration', '0.4', '--trials', '1', '--retries', '0'];
const PACKETS = 200;
const MODES = ['interrupts', 'busypoll', 'busypoll-separate', 'threaded'];

/** Every packet is accounted for (the exit code says so), and 7 stands for a host that disturbed it. */
async function run(...args: string[]): Promise<Document> {
  const r = await runCli([...SMALL, '--json', ...args]);
  expect(r.stderr.split('\n').filter((line) => line !== '' && !/warning: too few cores/.test(line))).toEqual(
    [],
  );
  const document = JSON.parse(r.stdout) as Document;
  const all = document.rows.flatMap((row) => [
    ...Object.values(row.modes),
    ...Object.values(row.uncharged),
    ...Object.values(row.equal_cores?.modes ?? {}),
  ]);
  const trusted = !all.some((s) => s.marked) && availableParallelism() >= 2;
  expect(r.code).toBe(trusted ? 0 : 7);
  return document;
}

function expectSane(s: Summary): void {
  expect(s.packets + s.missed).toBe(PACKETS);
  expect(s.packets).toBeGreaterThan(0);
  expect(s.p5_ns).toBeGreaterThan(0);
  expect(s.p50_ns).toBeGreaterThanOrEqual(s.p5_ns);
  expect(s.p95_ns).toBeGreaterThanOrEqual(s.p50_ns);
  expect(s.p99_ns).toBeGreaterThanOrEqual(s.p95_ns);
  expect(s.max_ns).toBeGreaterThanOrEqual(s.p99_ns);
  for (const p of ['p5_ns', 'p50_ns', 'p95_ns', 'p99_ns'] as const) {
    expect(s.as_xsk_rr_prints[p]).toBeLessThanOrEqual(s[p]);
  }
  expect(s.trials).toBe(1);
  expect(s.marked).toBe(s.disturbed_trials > 0);
  if (process.platform !== 'linux') return;
  expect(s.cpu_us_per_packet).toBeGreaterThan(0);
  expect(s.cores).toBeGreaterThan(0);
  for (const v of [s.wakeups, s.forced_switches, s.run_delay_us]) expect(v).toBeGreaterThanOrEqual(0);
}

describe('softnet rr', () => {
  it('measures all modes, charged and uncharged, with equal cores, and the bare hand-over; writes .hgrm files', async () => {
    const hgrm = join(dir, 'all');
    const d = await run('-T', '-d', '5', '--hgrm', hgrm, '--syscall-ns', '300');
    expect(d.command).toBe('softnet rr');
    expect(d.parameters).toMatchObject({ modes: MODES, loop: 'open', syscall_ns: 300, wait: 'spin' });
    expect(d.syscall.charged_ns).toBe(300);
    expect(d.interrupted).toBe(false);
    expect(d.rows).toHaveLength(1);
    const [row] = d.rows;
    expect(row).toMatchObject({ title: '0.5 Kpkt/s + 5us delay', period_us: 2000, delay_us: 5 });
    expect(Object.keys(row.modes)).toEqual(MODES);
    for (const s of Object.values(row.modes)) {
      expectSane(s);
      expect(s.utilisation).toBeCloseTo(0.0025);
    }
    // Who polls polls in vain, too.
    for (const mode of ['busypoll', 'busypoll-separate', 'threaded']) {
      expect(row.modes[mode].empty_polls).toBeGreaterThan(0);
    }
    for (const mode of ['busypoll', 'busypoll-separate']) {
      expect(row.modes[mode].socket_calls).toBeGreaterThan(0);
      expect(row.modes[mode].poll_ns_log2?.some((n) => n > 0)).toBe(true);
      expect(row.modes[mode].syscall_ns).toBe(300);
      expectSane(row.uncharged[mode]);
      expect(row.uncharged[mode].syscall_ns).toBe(0);
    }
    // Threads and interrupts need no calls.
    for (const mode of ['interrupts', 'threaded']) {
      expect(row.modes[mode]).toMatchObject({ socket_calls: 0, poll_ns_log2: null });
    }
    expect(row.equal_cores?.budget_cores).toBe(2);
    expectSane(row.equal_cores!.modes.busypoll);
    expect(row.handover?.packets).toBe(PACKETS);
    expect(row.ratios.threaded_p50_to_handover).toBeGreaterThan(0);
    const files = readdirSync(hgrm);
    expect(files).toHaveLength(8);
    expect(files).toContain('2000us-period-5us-delay-busypoll-separate-uncharged.hgrm');
    const text = readFileSync(join(hgrm, '2000us-period-5us-delay-threaded.hgrm'), 'utf8');
    expect(text).toMatch(/^ +Value +Percentile TotalCount 1\/\(1-Percentile\)\n\n/);
    expect(text).toContain(`Total count    = ${String(row.modes.threaded.packets).padStart(12)}]`);
  }, 300_000);

  it('runs a closed loop without -T, with a client that sleeps, in pieces', async () => {
    const d = await run(
      '--modes',
      'threaded,interrupts',
      '--wait',
      'sleep',
      '-l',
      '0.05',
      '--turnaround',
      '20',
    );
    expect(d.parameters).toMatchObject({
      loop: 'closed',
      turnaround_us: 20,
      modes: ['interrupts', 'threaded'],
    });
    for (const s of Object.values(d.rows[0].modes)) {
      expectSane(s);
      // A round trip holds the wire's time, and each wait is a call.
      expect(s.p5_ns).toBeGreaterThanOrEqual(20_000);
      expect(s.socket_calls).toBeGreaterThan(0);
    }
    expect(d.rows[0]).not.toHaveProperty('handover');
    expect(d.reports?.map((r) => r.cell)).toEqual(['interrupts', 'threaded']);
    const [first] = d.reports!;
    const seen = first.intervals.map((i) => i.packets).reduce((a, b) => a + b, 0);
    expect(seen).toBe(d.rows[0].modes.interrupts.packets);
  });

  it('runs a closed loop that polls by socket calls', async () => {
    const d = await run('--modes', 'busypoll,busypoll-separate', '--no-equal-cores', '--syscall-ns', '0');
    expect(Object.keys(d.rows[0].uncharged)).toEqual([]);
    for (const s of Object.values(d.rows[0].modes)) {
      expectSane(s);
      expect(s.empty_polls).toBeGreaterThan(0);
    }
  });

  it('prints the table of the seed, what was charged, what it costs, and the verdict in the last line', async () => {
    const r = await runCli([...SMALL, '-t', '-n', '-T', '--hist']);
    const lines = r.stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(
      /^softnet rr: rows=\[2000:0\]; modes=\[busypoll-separate,threaded\]; loop=open;/,
    );
    expect(r.stdout).toMatch(
      /Every socket call is charged \d+ ns \(what entering and leaving the kernel costs/,
    );
    expect(r.stdout).toMatch(/^\| Experiment +\| SO_BUSYPOLL\(separate\) \| NAPI threaded +\|$/m);
    expect(r.stdout).toMatch(/^\| 0.5 Kpkt\/s \+ 0us delay \|/m);
    expect(r.stdout).toContain('Nothing charged for socket calls (--syscall-ns 0):');
    expect(r.stdout).toContain('As xsk_rr prints them');
    expect(r.stdout).toMatch(/^\[\d+K?, \d+K?\) +\d+ \|@*/m);
    expect(lines.at(-1)).toMatch(/: SUCCESS(, not to be trusted)?$/);
    expect(lines.at(-1)?.startsWith(lines[0])).toBe(true);
    expect([0, 7]).toContain(r.code);
  });

  it('says on a host with one core that nothing can be told, exit 7', async () => {
    if (process.platform !== 'linux') return;
    const child = spawn('taskset', [
      '-c',
      '0',
      process.execPath,
      CLI,
      ...SMALL,
      '--modes',
      'interrupts',
      '--wait',
      'sleep',
    ]);
    let stderr = '';
    let stdout = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    expect(stderr).toMatch(/warning: too few cores: interrupts needs? 2, this host has 1/);
    expect(stdout).toMatch(/not to be trusted\n$/);
    expect(code).toBe(7);
  });

  it('prints what there is when it is interrupted', async () => {
    const args = [CLI, 'rr', '--duration', '60', '--trials', '1'];
    const child = spawn(process.execPath, args);
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout === '') child.kill('SIGINT');
      stdout += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(stdout.trimEnd()).toMatch(/: interrupted, SUCCESS/);
    expect(code).toBe(130);
  });

  it.each([
    [['--modes', 'napi'], 'interrupts, busypoll, busypoll-separate, threaded'],
    [['--modes', 'threaded', '-n'], 'cannot be used with'],
    [['--rows', 'seed', '-P', '83'], 'cannot be used with'],
    [['--rows', '83'], 'such as 83:0,31.25:30'],
    [['-P', '0'], 'microseconds from 1'],
    [['-d', '5'], 'together with a period'],
    [['-P', '1', '--duration', '600'], 'short enough'],
    [['--wait', 'doze'], 'spin, sleep'],
    [['--pin', '1,1'], 'two cores'],
    [['--syscall-ns', '-1'], 'nanoseconds from 0'],
    [['-P', '83', '--hgrm', '/dev/null/x'], 'a directory that can be made'],
  ])('refuses %j in one line', async (args, what) => {
    const r = await runCli(['rr', ...args]);
    expect(r.code).toBe(2);
    expect(r.stdout).toBe('');
    expect(r.stderr.split('\n').find((line) => line.includes(what))).toBeDefined();
  });
});
