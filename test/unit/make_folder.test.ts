// SPDX-License-Identifier: GPL-2.0-only
/** Folders and files that commands write: made where they can be, refused at once where not, and nothing put in a pipe's place. */
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { makeFolder } from '../../dist/tools/make_folder.js';
import { save } from '../../dist/tools/reproduce/results.js';

const dir = mkdtempSync(join(tmpdir(), 'softnet-test-'));
afterAll(() => rmSync(dir, { recursive: true }));

it('makes what is missing, and is content with what is there', () => {
  makeFolder(join(dir, 'a/b/c'));
  makeFolder(join(dir, 'a/b/c'));
  expect(readdirSync(join(dir, 'a/b'))).toEqual(['c']);
});

it.runIf(process.platform === 'linux')(
  'refuses a place where none can be made, and does not try for ever',
  () => {
    expect(() => makeFolder('/proc/nope/x/y')).toThrow(/ENOENT/);
    expect(() => makeFolder('/dev/null/x')).toThrow(/ENOTDIR|EEXIST/);
  },
);

it('saves a file as a whole, and writes into what is no file', () => {
  const file = join(dir, 'report.html');
  save(file, 'one');
  save(file, 'two');
  expect(readFileSync(file, 'utf8')).toBe('two');
  const pipe = join(dir, 'pipe');
  if (spawnSync('mkfifo', [pipe]).status !== 0) return;
  const reader = `${JSON.stringify(process.execPath)} -e "require('node:fs').createReadStream(process.argv[1]).pipe(process.stdout)"`;
  const got = spawnSync('sh', [
    '-c',
    `${reader} "$1" & "$2" -e "$3" "$1"; wait`,
    'sh',
    pipe,
    process.execPath,
    `import(${JSON.stringify(new URL('../../dist/tools/reproduce/results.js', import.meta.url).href)}).then((m) => m.save(process.argv[1], 'three'))`,
  ]);
  expect(String(got.stdout)).toBe('three');
  expect(lstatSync(pipe).isFIFO()).toBe(true);
});
