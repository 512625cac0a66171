// SPDX-License-Identifier: GPL-2.0-only
/** `softnet torture`, as a user runs it. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyEdits } from '../../dist/check/edits.js';
import { MUTANTS } from '../../dist/litmus/mutants/index.js';
import type { Counts } from '../../dist/tools/torture/counts.js';
import { runCli, SMALL_TORTURE, startCli } from '../helpers/cli.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'softnet-torture-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('softnet torture', () => {
  it('runs two seeds: parameters in the first and the last line, SUCCESS', async () => {
    const r = await runCli([...SMALL_TORTURE, '--seed', '11', '--seeds', '2']);
    const lines = r.stdout.trim().split('\n');
    expect(r.stdout).not.toContain('!!!');
    expect(r.stderr).toBe('');
    expect(r.code).toBe(0);
    const parameters =
      /^softnet torture: duration=2s seed=11 seeds=2 shard=1\/1 profile=default faults=none /;
    expect(lines[0]).toMatch(parameters);
    expect(lines.at(-1)).toMatch(parameters);
    expect(lines.at(-1)).toMatch(/: SUCCESS$/);
    for (const seed of [11, 12]) {
      const line = lines.find((l) => l.startsWith(`seed ${seed}: `)) ?? '';
      const [, operations, rests] = /: (\d+) operations .* (\d+) rests/.exec(line) ?? [];
      expect(Number(operations)).toBeGreaterThan(10);
      expect(Number(rests)).toBeGreaterThanOrEqual(1);
      expect(line).toMatch(/: SUCCESS$/);
    }
  });

  it('survives faults, and goes on with another machine when one was ended', async () => {
    const faults =
      'kthread-fail=5,app-death=1,sigstop=1,gc=2,irq-late=5,irq-repeat=5,client-vanish=5,' +
      'irq-lost=5,ring-corrupt=5,clock-jump=2,worker-oom=0.2';
    const r = await runCli([
      ...SMALL_TORTURE,
      '--seed',
      '3',
      '--duration',
      '4s',
      '--faults',
      faults,
      '--json',
    ]);
    expect(r.stderr).toBe('');
    expect(r.code).toBe(0);
    const doc = JSON.parse(r.stdout) as {
      parameters: { faults: string };
      runs: { verdict: string; counts: Counts; repeat: string }[];
    };
    expect(doc.parameters.faults).toContain('kthread-fail=5');
    const [{ verdict, counts, repeat }] = doc.runs;
    expect(repeat).toMatch(/^softnet torture --duration 4s --seed 3 .*--faults \S*kthread-fail=5/);
    expect(verdict).toBe('SUCCESS');
    const hardware = ['irq-repeat', 'irq-late', 'irq-lost', 'ring-corrupt', 'clock-jump'];
    expect(hardware.reduce((n, name) => n + (counts.faults[name] ?? 0), 0)).toBeGreaterThan(0);
    // The last of several machines lives to the end.
    expect(counts.machines).toBeGreaterThanOrEqual(1);
    const deaths = (counts.faults['app-death'] ?? 0) + (counts.faults['worker-oom'] ?? 0);
    expect(deaths).toBeGreaterThanOrEqual(counts.machines - 1);
  });

  it('reports how long deaths took to be told, for want of memory too', async () => {
    const faults = ['--faults', 'worker-oom=2,app-death=2,thread-death=2'];
    const r = await runCli([...SMALL_TORTURE, '--seed', '5', '--duration', '6s', ...faults, '--json']);
    expect(r.code).toBe(0);
    const [{ counts }] = (JSON.parse(r.stdout) as { runs: { counts: Counts }[] }).runs;
    const lethal = ['worker-oom', 'app-death', 'thread-death'];
    const deaths = lethal.reduce((n, name) => n + (counts.faults[name] ?? 0), 0);
    expect(deaths).toBeGreaterThan(0);
    expect(counts.longest_death_ms).toBeGreaterThan(0);
    expect(counts.machines).toBeGreaterThanOrEqual(deaths);
  });

  it('tells every verdict though none can be recorded, and says so in its exit code', async () => {
    const dir = join(folder, 'full');
    const campaign = [
      ...SMALL_TORTURE,
      '--duration',
      '0.3s',
      '--seed',
      '31',
      '--seeds',
      '2',
      '--record',
      dir,
    ];
    // Folders of the names that the records are to have: whoever runs this, the rename is refused.
    for (const seed of [31, 32]) mkdirSync(join(dir, `torture-${seed}.json`, 'x'), { recursive: true });
    const r = await runCli(campaign);
    for (const seed of [31, 32]) expect(r.stdout).toMatch(new RegExp(`^seed ${seed}: .*: SUCCESS$`, 'm'));
    expect(r.stdout.trim().split('\n').at(-1)).toMatch(/: SUCCESS$/);
    const why = r.stderr.trim().split('\n');
    expect(why.length).toBe(2);
    expect(why[1]).toMatch(/^softnet torture: the record .*full\/torture-32\.json cannot be written: E/);
    expect(r.code).toBe(2);
    expect(readdirSync(dir).sort()).toEqual(['.softnet', 'torture-31.json', 'torture-32.json']);
  });

  it.each([
    [['--duration', '0s'], /duration/],
    [['--duration', 'soon'], /duration/],
    [['--seed', '-1'], /seed/],
    [['--shard', '0/2'], /shard/],
    [['--shard', '3/2'], /shard/],
    [['--profile', 'mild'], /profile/],
    [['--faults', 'rain'], /rain.*kthread-fail/],
    [['--faults', 'gc=often'], /gc=often/],
    [['--stutter', '-1'], /stutter/],
    [['--threads', '0'], /threads/],
    [['--record', '/proc/nowhere'], /\/proc\/nowhere.*folder/],
    [['--record', fileURLToPath(import.meta.url)], /torture\.test\.ts.*folder/],
  ])('refuses %j with one line and exit code 2', async (args, why) => {
    const r = await runCli(['torture', ...args]);
    expect(r.code).toBe(2);
    expect(r.stderr.split('\n')[0]).toMatch(why);
    expect(r.stdout).toBe('');
  });

  it('ends with a verdict on Ctrl-C', async () => {
    const { child, done } = startCli([...SMALL_TORTURE, '--duration', '1h', '--stat_interval', '1']);
    await new Promise<void>((resolve) => {
      let text = '';
      child.stdout?.on('data', (d: Buffer) => {
        text += d.toString();
        // It has done something, and is in the middle of it.
        if (/s: [1-9]\d* operations/.test(text)) resolve();
      });
    });
    child.kill('SIGINT');
    const r = await done;
    expect(r.stdout.trim().split('\n').at(-1)).toMatch(
      /^softnet torture: duration=1h .*: interrupted, .*: SUCCESS$/,
    );
    expect(r.code).toBe(130);
  });

  it('finds a bug that Linux has had, and says what, where, and how to see it again', () => {
    const mutant = MUTANTS.find((m) => m.name === 'sched-as-ownership');
    const copy = join(folder, 'mutant');
    cpSync(join(ROOT, 'dist'), join(copy, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    for (const { file } of mutant?.edits ?? []) {
      const path = join(copy, 'dist', file);
      writeFileSync(path, applyEdits(path, readFileSync(path, 'utf8'), mutant?.edits ?? []));
    }
    const args = [
      'torture',
      '--seed',
      '1',
      '--duration',
      '2m',
      '--profile',
      'modes',
      '--stutter',
      '2',
      '--stall',
      '4',
    ];
    const r = spawnSync(process.execPath, [join(copy, 'dist/cli.js'), ...args], { encoding: 'utf8' });
    expect(r.status).toBe(1);
    expect(r.stdout).toMatch(/^!!! seed 1: \S/m);
    expect(r.stdout).toMatch(/^!!! .*napi \d+ id \d+: 0x[0-9a-f]+ = .*LISTED \(bit 4\)/m);
    expect(r.stdout).toMatch(/^!!! +#\d+ control\d: \S/m);
    // What happened last, of all threads in one order.
    const [, latest] = r.stdout.split(/^!!! +latest trace events: \d+\n/m);
    const events = (latest ?? '').split('\n').flatMap((l) => /^!!! +(-?\d+\.\d) us /.exec(l)?.[1] ?? []);
    expect(events.length).toBeGreaterThan(25);
    expect(events.length).toBeLessThanOrEqual(200);
    expect(events.map(Number)).toEqual(events.map(Number).sort((a, b) => a - b));
    expect(latest).toMatch(/^!!! +-?\d+\.\d us {2}\S+ +CPU \d {2}(napi_state \S+|napi:napi_poll) /m);
    expect(r.stdout).toMatch(/^!!! repeat: softnet torture --duration 2m --seed 1 --profile modes /m);
    expect(r.stdout.trim().split('\n').at(-1)).toMatch(/: FAILURE$/);
  });
});
