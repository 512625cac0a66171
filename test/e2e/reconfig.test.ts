// SPDX-License-Identifier: GPL-2.0-only
/** `softnet reconfig`: what becomes of threads and frames when channels and link change under traffic. */
import { describe, expect, it } from 'vitest';
import type { RunReport } from '../../dist/tools/reconfig/run.js';
import { runCli } from '../helpers/cli.js';

const COMMON = ['reconfig', '--cycles', '10', '--seed', '3'];

async function runs(...args: readonly string[]): Promise<RunReport[]> {
  const r = await runCli([...COMMON, '--json', ...args]);
  expect(r.stderr).toBe('');
  expect(r.code).toBe(0);
  return (JSON.parse(r.stdout) as { runs: RunReport[] }).runs;
}

describe('softnet reconfig', () => {
  it('shows what each way of keeping threads does on a driver that adds before it deletes', async () => {
    const all = await runs('--personality', 'config=persistent,reconfig=safe-switch');
    expect(all.map((r) => r.persist)).toEqual(['off', 'v1', 'fixed']);
    const [off, v1, fixed] = all;
    for (const r of all) {
      expect(r).toMatchObject({ cycles: 10, lost: 0, personality: 'config=persistent,reconfig=safe-switch' });
      expect(r.cycle_us.p50).toBeGreaterThan(0);
      expect(r.cycle_us.p99).toBeGreaterThanOrEqual(r.cycle_us.p50);
    }
    expect(off).toMatchObject({ threads_leaked: 0, pids_stable: false });
    expect(off.threads_created).toBeGreaterThan(40);
    // Its defects 1 and 2.
    expect(v1.threads_leaked).toBeGreaterThan(0);
    expect(v1.pids_stable).toBe(false);
    expect(v1.affinity_kept).not.toBe(true);
    expect(fixed).toMatchObject({ threads_created: 0, threads_leaked: 0, pids_stable: true });
    expect(fixed.affinity_kept).not.toBe(false);
  });

  it('with fixed keeps every thread on each driver with persistent config, and none without', async () => {
    const personalities = ['reconfig=delta', 'reconfig=rebuild', 'config=none'];
    const all = await runs('--persist', 'fixed', ...personalities.flatMap((p) => ['--personality', p]));
    expect(all.map((r) => r.personality)).toEqual([
      'config=persistent,reconfig=delta',
      'config=persistent,reconfig=rebuild',
      'config=none,reconfig=delta',
    ]);
    expect(all.map((r) => r.pids_stable)).toEqual([true, true, false]);
    expect(all.map((r) => r.threads_leaked)).toEqual([0, 0, 0]);
    expect(all.map((r) => r.lost)).toEqual([0, 0, 0]);
    expect(all.map((r) => r.threads_created > 0)).toEqual([false, false, true]);
  });

  it('repeats its parameters in the first line and in the last, with the verdict', async () => {
    const r = await runCli([
      ...COMMON,
      '--persist',
      'fixed',
      '--personality',
      'reconfig=delta',
      '--traffic',
      '5000',
    ]);
    expect(r.code).toBe(0);
    const lines = r.stdout.trimEnd().split('\n');
    expect(lines[0]).toContain('cycles=10; personality=config=persistent,reconfig=delta; persist=fixed');
    expect(lines[0]).toContain('traffic=5000; seed=3');
    expect(lines.at(-1)).toBe(`${lines[0]}: SUCCESS`);
  });

  it.each([
    [['--persist', 'on'], 'off, v1, fixed'],
    [['--personality', 'reconfig=never'], 'rebuild or delta or safe-switch'],
    [['--personality', 'queues=4'], 'config=persistent|none'],
    [['--cycles', '0'], 'whole number'],
    [['--traffic', 'fast'], 'packets per second'],
  ])('refuses %j in one line', async (args, what) => {
    const r = await runCli(['reconfig', ...args]);
    expect(r.code).toBe(2);
    expect(r.stderr).toContain(what);
  });
});
