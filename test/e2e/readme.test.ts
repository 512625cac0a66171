// SPDX-License-Identifier: GPL-2.0-only
/** What the README shows is what there is, and it runs. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { runCli } from '../helpers/cli.js';

const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const readme = readFileSync(root('README.md'), 'utf8');

describe('the README', () => {
  it.each(readdirSync(root('examples')))('shows examples/%s as it is', (name) => {
    const code = readFileSync(root(`examples/${name}`), 'utf8')
      .split('\n')
      .filter((line) => !line.startsWith('// '))
      .join('\n')
      .trim();
    expect(readme).toContain(code);
  });

  it('has an example that runs', async () => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [root('examples/receive.mjs')]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^\d+ packets\/s\n\{ packets: 1000000, bytes: 22000000 \} \{\}\n$/);
  });

  it('has an example of loopback that runs, and accounts for every datagram', async () => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [root('examples/loopback.mjs')]);
    expect(stderr).toBe('');
    expect(stdout).toBe('{ sent: 100000, accounted: 100000 }\n');
  });

  it('names only files and options that exist', async () => {
    const files = readme.match(/`((?:src|docs|examples|test|bench)\/[\w./-]+\.(?:ts|md|mjs|js))`/g) ?? [];
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) expect(() => readFileSync(root(file.slice(1, -1)))).not.toThrow();
    for (const section of readme.split(/^## /m)) {
      const command = /^`softnet ([a-z]+)/.exec(section)?.[1];
      if (command === undefined) continue;
      const help = (await runCli([command, '--help'])).stdout;
      for (const option of section.match(/`--[a-z-]+/g) ?? []) expect(help).toContain(option.slice(1));
    }
  });
});

describe('softnet pahole', () => {
  it('shows a struct’s words, offsets, cache lines and writers', async () => {
    const r = await runCli(['pahole', 'napi_struct']);
    expect(r.code).toBe(0);
    expect(r.stdout).toMatch(/struct napi_struct \{/);
    expect(r.stdout).toMatch(/cache line 0: written by any thread, compare-and-swap/);
    expect(r.stdout).toMatch(/word state; +\/\* +0 +4 \*\//);
    expect(r.stdout).toMatch(/size: \d+, cachelines: \d+/);
  });

  it('lists all of them, also as JSON, and refuses unknown ones', async () => {
    const all = await runCli(['pahole']);
    for (const name of ['task_struct', 'napi_struct', 'sk_buff', 'softnet_data', 'ring']) {
      expect(all.stdout).toContain(name);
    }
    const json = JSON.parse((await runCli(['pahole', 'ring', '--json'])).stdout) as {
      structs: { name: string; size_bytes: number; fields: { name: string; offset_bytes: number }[] }[];
    };
    expect(json.structs[0].fields.map((f) => [f.name, f.offset_bytes])).toEqual([
      ['prod', 0],
      ['cons', 64],
    ]);
    const unknown = await runCli(['pahole', 'nothing']);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(/no struct nothing; there are .*napi_struct/);
  });
});
