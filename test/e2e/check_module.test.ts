// SPDX-License-Identifier: GPL-2.0-only
// softnet check --module on a user's own files: the example of docs/check.md, its edits and mutants, and their errors.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'softnet-check-module-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const doc = readFileSync(fileURLToPath(new URL('../../docs/check.md', import.meta.url)), 'utf8');
/** The files that the document shows: a block that opens with its name. */
const shown = new Map(
  Array.from(doc.matchAll(/```js\n\/\/ (\S+\.mjs)\n([\s\S]*?)```/g), (m) => [m[1], m[2]] as const),
);
const code = shown.get('mailbox.mjs') ?? '';
const tests = shown.get('mailbox.litmus.mjs') ?? '';

let count = 0;
/** Writes both files into a folder of their own. @returns the path of the tests */
function write(litmus: string, mailbox = code): string {
  const at = mkdtempSync(join(folder, `${++count}-`));
  writeFileSync(join(at, 'mailbox.mjs'), mailbox);
  writeFileSync(join(at, 'mailbox.litmus.mjs'), litmus);
  return join(at, 'mailbox.litmus.mjs');
}

const check = (file: string, ...args: string[]) => runCli(['check', '--module', file, ...args]);

describe('edits of a module', () => {
  it('the example of the document holds, and does not end without its edit', async () => {
    const r = await check(write(tests));
    expect([r.code, r.stderr]).toEqual([0, '']);
    expect(r.stdout).toMatch(/^Test mailbox Required\nStates \d+\nOk$/m);
    const without = await check(
      write(tests.replace(/export const edits = .*\n/, '')),
      '--max-states',
      '3000',
    );
    expect(without.code).toBe(7);
    expect(without.stdout).toMatch(/^Incomplete: cut by --max-states 3000/m);
  });

  it.each([
    [
      'matches nowhere',
      "find: 'm[DONE]++'",
      "find: 'm[DONE]--'",
      /mailbox\.mjs: the text to replace stands there nowhere: "m\[DONE\]--"/,
    ],
    [
      'matches twice',
      "find: 'm[DONE]++'",
      "find: 'DONE'",
      /mailbox\.mjs: the text to replace stands there more than once: "DONE"/,
    ],
    [
      'concerns no file',
      "{ file: 'mailbox.mjs', find: 'm[DONE]++'",
      "{ file: 'letterbox.mjs', find: 'm[DONE]++'",
      /no module letterbox\.mjs was loaded/,
    ],
    ['is incomplete', ", replace: 'm[DONE] = 0'", '', /edits\[0\] must be \{ file, find, replace \}/],
    ['is no list', /export const edits = .*/, 'export const edits = {};', /edits must be an array/],
    [
      'has a syntax error',
      /export const edits = .*/,
      'export const edits = [;',
      /cannot be imported: SyntaxError/,
    ],
  ])('an edit that %s: exit code 2, and one line', async (_what, find, replace, message) => {
    const text = tests.replace(find, replace);
    expect(text).not.toBe(tests);
    for (const more of [[], ['--mutants']]) {
      const r = await check(write(text), ...more);
      expect(r.stderr).toMatch(message);
      expect(r.stderr.trim().split('\n')).toHaveLength(1);
      expect([r.code, r.stdout]).toEqual([2, '']);
    }
  });

  it('makes what would be refused checkable', async () => {
    const counted = code
      .replace('export function post', 'let posts = 0;\nexport function post')
      .replace('Atomics.store', 'posts++; Atomics.store');
    const plain = await check(write(tests, counted));
    expect([plain.code, plain.stderr]).toEqual([
      2,
      expect.stringMatching(/mailbox\.mjs:\d+: "let" at module level/),
    ]);
    const edits = [
      "{ file: 'mailbox.mjs', find: 'let posts = 0;', replace: '' },",
      "{ file: 'mailbox.mjs', find: 'posts++;', replace: '' },",
    ];
    const r = await check(
      write(tests.replace('export const edits = [', `export const edits = [${edits.join(' ')}`), counted),
    );
    expect([r.code, r.stderr]).toEqual([0, '']);
  });
});

describe('mutants of a module', () => {
  it('are caught, listed, and run by name', async () => {
    const file = write(tests);
    const r = await check(file, '--mutants');
    expect([r.code, r.stderr]).toEqual([0, '']);
    expect(r.stdout).toMatch(/^post-without-notify +mailbox +livelock +\d+ /m);
    const json = JSON.parse((await check(file, '--mutants', '--json', 'post-without-notify')).stdout) as {
      mutants: { mutant: string; caught: boolean; found: string }[];
    };
    expect(json.mutants).toMatchObject([{ mutant: 'post-without-notify', caught: true, found: 'livelock' }]);
    expect((await check(file, '--mutants', '--list')).stdout).toBe(
      'post-without-notify  the worker is not woken\n',
    );
    const none = await check(file, '--mutants', 'mailbox');
    expect([none.code, none.stderr]).toEqual([
      2,
      expect.stringMatching(/there is no mutant mailbox; softnet check --mutants --list/),
    ]);
  });

  it.each([
    ['is not caught', "replace: '' }", "replace: 'Atomics.notify(m, WORK);' }", /NOT CAUGHT/],
    ['is caught otherwise', "verdict: 'livelock'", "verdict: 'race'", /livelock, but race was expected/],
    [
      'is stale',
      "find: 'Atomics.notify(m, WORK, 1);'",
      "find: 'Atomics.notify(m, WORK, 2);'",
      /STALE: .*stands there nowhere/,
    ],
    ['names no test', "test: 'mailbox'", "test: 'letterbox'", /STALE: there is no litmus test letterbox/],
    ['is no JavaScript', "replace: '' }", "replace: '((' }", /STALE: .*not an ES module/],
  ])('one that %s: exit code 1, and the table says so', async (_what, find, replace, message) => {
    const text = tests.replace(find, replace);
    expect(text).not.toBe(tests);
    const r = await check(write(text), '--mutants');
    expect(r.stdout).toMatch(message);
    expect([r.code, r.stderr]).toEqual([1, '']);
  });

  it.each([
    [
      'verdict',
      "verdict: 'livelock'",
      "verdict: 'hang'",
      /verdict of post-without-notify must be one of assertion, .*livelock/,
    ],
    [
      'name',
      "name: 'post-without-notify',",
      '',
      /mutants\[0\] must be \{ name, why, edits, test, verdict \}/,
    ],
    ['edits', /edits: \[.*\],/, '', /changes nothing/],
    ['export', /export const mutants/, 'const mutants', /states no mutants; export const mutants/],
  ])('without a proper %s: exit code 2', async (_what, find, replace, message) => {
    const r = await check(write(tests.replace(find, replace)), '--mutants');
    expect([r.code, r.stdout, r.stderr]).toEqual([2, '', expect.stringMatching(message)]);
  });

  it('one whose search is cut by the limits: exit code 7', async () => {
    const text = tests.replace("replace: '' }", "replace: 'Atomics.notify(m, WORK); m[DONE]++;' }");
    const r = await check(write(text), '--mutants', '--max-states', '2');
    expect(r.stdout).toMatch(/INCOMPLETE: cut by --max-states 2/);
    expect(r.code).toBe(7);
  });
});
