// SPDX-License-Identifier: GPL-2.0-only
/** Command lines of the scripts in bench/. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const BENCH = fileURLToPath(new URL('../../bench/', import.meta.url));
/** All but a module of litmus tests, which nobody runs. */
const SCRIPTS = readdirSync(BENCH).filter((f) => f.endsWith('.mjs') && f !== 'check_graph.mjs');

const run = (name: string, ...args: string[]) =>
  spawnSync(process.execPath, [BENCH + name, ...args], { encoding: 'utf8' });

describe.each(SCRIPTS)('%s', (name) => {
  it('has a help', () => {
    const r = run(name, '--help');
    expect(r.stdout).toMatch(new RegExp(`^Usage: node bench/${name} `));
    expect([r.status, r.stderr]).toEqual([0, '']);
  });

  it('refuses an option that it has not, in one line', () => {
    const r = run(name, '--rain');
    expect([r.status, r.stdout]).toEqual([2, '']);
    expect(r.stderr).toBe(`${name.replace('.mjs', '')}: unknown option '--rain'\n`);
  });
});

describe('values of options', () => {
  it.each([
    ['backlog_stress.mjs', '--modes', 'ipi,rain'],
    ['backlog_stress.mjs', '--pps', 'x'],
    ['control_stress.mjs', '--seconds', '0'],
    ['mutant_sweep.mjs', '--jobs', '0'],
    ['torture_mutants.mjs', '--seconds', 'x'],
    ['torture_mutants.mjs', 'no-such-mutant'],
    ['path_pairs.mjs'],
    ['path_pairs.mjs', '--trace', '0'],
  ])('of %s %s %s are refused in one line', (name, ...args) => {
    const r = run(name, ...args);
    expect([r.status, r.stdout]).toEqual([2, '']);
    expect(r.stderr).toMatch(/^[a-z_]+: .*\n$/);
  });
});
