// SPDX-License-Identifier: GPL-2.0-only
/** The packed package holds all that it needs to run from a folder of its own, and nothing it should not. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { FIXTURE_FRAMES } from '../helpers/cli.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'softnet-pack-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it('npm pack gives a package that replays its bundled capture, and exports what it says', async () => {
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], {
    cwd: root,
  });
  const packed = JSON.parse(stdout) as unknown;
  const [{ filename, files }] = (Array.isArray(packed) ? packed : Object.values(packed as object)) as {
    filename: string;
    files: { path: string }[];
  }[];
  const paths = files.map((f) => f.path);
  for (const path of ['dist/cli.js', 'dist/index.d.ts', 'README.md', 'LICENSE', 'CHANGELOG.md']) {
    expect(paths).toContain(path);
  }
  expect(paths.filter((p) => /^(src|bench|node_modules|test\/(unit|e2e|helpers))\//.test(p))).toEqual([]);
  await run('tar', ['-xzf', join(dir, filename), '-C', dir]);
  // Its dependencies, as npm would have put them beside it.
  symlinkSync(join(root, 'node_modules'), join(dir, 'package', 'node_modules'));
  const replay = await run(process.execPath, [join(dir, 'package', 'dist', 'cli.js'), 'replay', '--json']);
  const { runs } = JSON.parse(replay.stdout) as { runs: { packets: { delivered: number } }[] };
  expect(runs.map((r) => r.packets.delivered)).toEqual([FIXTURE_FRAMES, FIXTURE_FRAMES]);
  const { exports: faces } = JSON.parse(readFileSync(join(dir, 'package', 'package.json'), 'utf8')) as {
    exports: Record<string, { default: string; types: string } | string>;
  };
  for (const face of Object.values(faces)) {
    if (typeof face === 'string') continue;
    expect(paths).toContain(face.default.slice(2));
    expect(paths).toContain(face.types.slice(2));
  }
}, 120_000);
