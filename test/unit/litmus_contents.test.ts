// SPDX-License-Identifier: GPL-2.0-only
// softnet check loads the files of litmus tests one by one, by a table of what is in them: the table tells the truth.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { litmusTests, OpenProgram } from '../../dist/check/index.js';
import { CONTENTS } from '../../dist/litmus/contents.js';
import { EDITS } from '../../dist/litmus/edits.js';
import { LONG_TESTS } from '../../dist/litmus/long.js';
import { MUTANTS } from '../../dist/litmus/mutants/index.js';

const at = (file: string): URL => new URL(`../../dist/litmus/${file}`, import.meta.url);

it('src/litmus/contents.ts names the files of the index and the tests of each', async () => {
  const index = readFileSync(fileURLToPath(at('index.js')), 'utf8');
  const files = Array.from(index.matchAll(/from '\.\/(\w+)\.js'/g), (m) => m[1]);
  const open = new OpenProgram({ edits: EDITS });
  const found: Record<string, string[]> = {};
  for (const file of files)
    found[file] = litmusTests((await open.load(at(`${file}.js`))).exports).map((t) => t.name);
  expect(CONTENTS).toEqual(found);
  expect(Object.keys(CONTENTS)).toEqual(files);
  open.checkEdits(EDITS);
});

it('two files have no test of the same name', () => {
  const names = Object.values(CONTENTS).flat();
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

it('two mutants have no name in common, and their tests are there', () => {
  const names = MUTANTS.map((m) => m.name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  const tests = Object.values(CONTENTS).flat();
  expect(MUTANTS.filter((m) => !tests.includes(m.test)).map((m) => m.name)).toEqual([]);
});

it('src/litmus/long.ts names tests that are there', () => {
  const tests = Object.values(CONTENTS).flat();
  expect(LONG_TESTS.filter((name, i) => !tests.includes(name) || LONG_TESTS.indexOf(name) !== i)).toEqual([]);
});

it('a file loaded behind others is the same program as when it is loaded alone', async () => {
  const alone = await new OpenProgram({ edits: EDITS }).load(at('rings.js'));
  const open = new OpenProgram({ edits: EDITS });
  const before = await open.load(at('locks.js'));
  expect((await open.load(at('rings.js'))).digest).toBe(alone.digest);
  expect(before.digest).not.toBe(alone.digest);
});
