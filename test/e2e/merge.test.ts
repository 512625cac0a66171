// SPDX-License-Identifier: GPL-2.0-only
/** `softnet merge`: what the parts of a campaign have recorded, as one verdict. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, SMALL_TORTURE } from '../helpers/cli.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'softnet-merge-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('softnet merge', () => {
  it('makes one verdict of two parts, and misses the one that is not there', async () => {
    const dirs = ['a', 'b'].map((d) => join(folder, d));
    const campaign = [...SMALL_TORTURE, '--duration', '1s', '--seed', '21', '--seeds', '2'];
    const parts = [];
    for (const [i, dir] of dirs.entries()) {
      parts.push(await runCli([...campaign, '--shard', `${i + 1}/2`, '--record', dir]));
    }
    expect(parts.map((p) => p.code)).toEqual([0, 0]);
    expect(dirs.map((d) => readdirSync(d).filter((f) => f.endsWith('.json')))).toEqual([
      ['torture-21.json'],
      ['torture-22.json'],
    ]);
    const both = await runCli(['merge', ...dirs]);
    expect(both.stdout).toMatch(/^21 +SUCCESS/m);
    expect(both.stdout).toMatch(/: 2 of 2 seeds: SUCCESS\n$/);
    expect(both.code).toBe(0);
    const one = await runCli(['merge', dirs[0]]);
    expect(one.stdout).toMatch(/^!!! no result of seed 22$/m);
    expect(one.stdout).toMatch(/: 1 of 2 seeds: FAILURE\n$/);
    expect(one.code).toBe(1);
  });

  it('does the same for litmus tests', async () => {
    const dir = join(folder, 'check');
    const tests = ['kmalloc-kfree', 'ring-length', 'ring-single-producer'];
    for (const part of ['1/2', '2/2']) {
      const r = await runCli(['check', ...tests, '--shard', part, '--record', dir]);
      expect(r.code).toBe(0);
    }
    const both = await runCli(['merge', dir]);
    expect(both.stdout).toMatch(/^kmalloc-kfree +SUCCESS +\d+ states, holds$/m);
    expect(both.stdout).toMatch(/: 3 of 3 tests: SUCCESS\n$/);
    expect(both.code).toBe(0);
  });

  it('has a verdict on each litmus test though none can be recorded', async () => {
    const dir = join(folder, 'check-full');
    mkdirSync(join(dir, 'check-ring-length.json', 'x'), { recursive: true });
    const r = await runCli(['check', 'ring-length', 'kmalloc-kfree', '--record', dir]);
    expect(r.stdout).toMatch(/2 tests: 2 hold/);
    expect(r.stderr).toMatch(
      /^softnet check: the record .*check-ring-length\.json cannot be written: E.*\n$/,
    );
    expect(r.code).toBe(2);
  });

  it.each([
    ['no campaign', { campaign: null }],
    ['no pieces', { pieces: [] }],
    ['pieces that are none', { pieces: [null, '1'] }],
    ['a failure of a piece that the campaign has not', { piece: '7', verdict: 'FAILURE' }],
    ['a command that records nothing', { command: 'softnet up' }],
    ['no verdict', { verdict: 'FINE' }],
  ])('refuses a damaged record, %s, with its path', async (_what, damage) => {
    const dir = mkdtempSync(join(folder, 'damaged-'));
    const good = {
      format: 1,
      command: 'softnet torture',
      campaign: { seed: 1 },
      pieces: ['1'],
      piece: '1',
      verdict: 'SUCCESS',
      summary: '',
      repeat: '',
      report: null,
    };
    writeFileSync(join(dir, 'torture-1.json'), JSON.stringify(good));
    expect((await runCli(['merge', dir])).code).toBe(0);
    for (const all of [[good, damage], [damage]]) {
      for (const [i, d] of all.entries())
        writeFileSync(join(dir, `torture-${i + 1}.json`), JSON.stringify({ ...good, ...d }));
      const r = await runCli(['merge', dir]);
      expect(r.stderr).toMatch(/^softnet: record: .*torture-\d\.json is not possible; give a record .*\n$/);
      expect([r.code, r.stdout]).toEqual([2, '']);
    }
  });

  it('refuses what is no record', async () => {
    const bad = join(folder, 'bad');
    cpSync(join(ROOT, 'docs'), bad, { recursive: true });
    expect((await runCli(['merge', bad])).code).toBe(2);
    writeFileSync(join(bad, 'torture-1.json'), '{"format": 1}\n');
    const r = await runCli(['merge', bad]);
    expect(r.code).toBe(2);
    expect(r.stderr).toMatch(/torture-1\.json/);
    expect((await runCli(['merge', join(folder, 'nowhere')])).code).toBe(2);
  });
});
