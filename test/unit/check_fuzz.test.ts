// SPDX-License-Identifier: GPL-2.0-only
// The checker checked: explorers agree on random programs, and faults put into the checker make them disagree.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as checker from '../../dist/check/index.js';
import { fuzz } from '../helpers/check_fuzz.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'softnet-fuzz-'));
// Below node_modules, so that the copies find the packages they import.
const copies = join(root, 'node_modules', '.softnet-check-faults');

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(copies, { recursive: true, force: true });
});

describe('random programs', () => {
  it('gives one set of outcomes by naive enumeration, with merging and without', async () => {
    const seen = await fuzz(checker, folder, 1000, 40);
    expect(seen.disagreements).toEqual([]);
    // The comparison must have had something to compare.
    expect(seen.compared).toBeGreaterThan(20);
    expect(seen.merged).toBeGreaterThan(100);
    expect(seen.audits).toBeGreaterThan(100);
    expect(seen.outcomes).toBeGreaterThan(seen.compared);
  });
});

/** A fault: one edit of the built checker. */
const FAULTS: readonly [what: string, file: string, find: string, replace: string][] = [
  ['variables left out of the key', 'scopes.js', 'if (p >= after)', 'if (p >= after + 40)'],
  ['variables of loops left out', 'scopes.js', 'if (around && declared', 'if (false && declared'],
  ['pending operands left out', 'scopes.js', 'for (const name of this.pending)', 'for (const name of [])'],
  ['private fields left out', 'serialize.js', 'this.look.privatesOf(o)', 'null'],
  ['catch swallows the abort', 'runtime.js', 'if (isAbort(e) || running.aborting)', 'if (false)'],
  [
    'iterations merged',
    'transform_statements.js',
    'F.opaque = true;\n        this.bodyOf(n.body, names, F);',
    'this.bodyOf(n.body, names, F);',
  ],
  ['notify wakes everybody', 'stepper.js', 'if (rank <= most)', 'if (rank >= 1)'],
  ['sleepers forget their order', 'stepper.js', 'this.sleepersOn(c.addr) + 1', '1'],
  ['time-outs never come', 'stepper.js', '? c.b !== 0 :', '? false :'],
  ['a failed compareExchange writes', 'model_memory.js', 'if (was === a)', 'if (true)'],
  ['a wait sleeps though the value differs', 'stepper.js', 'if (this.memory.read(c) === c.a)', 'if (true)'],
  ['aliases are forgotten', 'serialize.js', 'this.seen.get(o)', 'undefined'],
  ['names that shadow keep their names', 'shadowing.js', 'if (hiding.length === 0)', 'if (true)'],
  ['-0 is taken for 0', 'key_words.js', '!Object.is(v, -0)', 'true'],
  ['what closures hold left out', 'serialize.js', 'this.list(tag.held())', 'this.list([])'],
  ['what was written is not taken back', 'search.js', 'memory.rollback();', ''],
  ['what a run guessed is not taken back', 'stepper.js', 'this.memory.rollback(this.guessesFrom);', ''],
  ['a guessed result is kept for another', 'front.js', 'this.result = r;', ''],
];

function runCopy(name: string): Promise<{ code: number; out: string }> {
  const script = join(root, 'test', 'helpers', 'check_fuzz.mjs');
  const index = pathToFileURL(join(copies, name, 'index.js')).href;
  return new Promise((resolve) => {
    execFile(process.execPath, [script, index, folder, '2000', '6', '3000'], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, out: stdout + stderr });
    });
  });
}

describe('faults in the checker', () => {
  beforeAll(() => {
    mkdirSync(copies, { recursive: true });
  });

  it('an unchanged copy agrees', async () => {
    cpSync(join(root, 'dist', 'check'), join(copies, 'unchanged'), { recursive: true });
    const { code, out } = await runCopy('unchanged');
    expect(out).toContain('"disagreements":[]');
    expect(code).toBe(0);
  });

  it.each(FAULTS)('%s: noticed', async (what, file, find, replace) => {
    const name = what.replaceAll(' ', '-');
    cpSync(join(root, 'dist', 'check'), join(copies, name), { recursive: true });
    const path = join(copies, name, file);
    const source = readFileSync(path, 'utf8');
    expect(source.split(find).length, `${JSON.stringify(find)} stands in ${file} once`).toBe(2);
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
    const { code, out } = await runCopy(name);
    expect(code, out).toBe(1);
    // Noticed by disagreement, not because the copy does not even start.
    expect(out).toMatch(/"disagreements":\["/);
  });
});
