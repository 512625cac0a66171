// SPDX-License-Identifier: GPL-2.0-only
// softnet check on several threads says what it says on one, in the same order, and ends as it does.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { runCli, startCli } from '../helpers/cli.js';

const known = fileURLToPath(new URL('../litmus/known.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'softnet-check-jobs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function write(source: string): string {
  const path = join(folder, `m${++count}.mjs`);
  writeFileSync(path, `import { litmus, must } from 'softnet/check';\n${source}`);
  return path;
}

/** A test with one thread. */
const test = (name: string, body: string): string =>
  `export const ${name} = litmus({ name: '${name}', memory: () => new Int32Array(new SharedArrayBuffer(8)), ` +
  `threads: { a(m) { ${body} }, b(m) { Atomics.add(m, 1, 1); } }, forbids: 'f', why: 'w' });\n`;

/** What does not depend on time. */
function lasting(out: string): unknown {
  const doc = JSON.parse(out);
  const rows = doc.tests.map((t: Record<string, unknown>) => ({ ...t, time_ns: 0, states_per_s: 0 }));
  return { ...doc, tests: rows, time_ns: 0, start_ns: 0, states_per_s: 0, max_rss_bytes: 0 };
}

it('three threads find what one finds: verdicts, counts, counterexamples, order', async () => {
  const one = await runCli(['check', '--module', known, '--json', '--jobs', '1']);
  const three = await runCli(['check', '--module', known, '--json', '--jobs', '3']);
  expect(lasting(three.stdout)).toEqual(lasting(one.stdout));
  expect([three.code, three.stderr]).toEqual([one.code, one.stderr]);
  expect(one.code).toBe(1);
});

it('mutants on two threads: every one once, in order', async () => {
  const names = ['first', 'second', 'third', 'fourth'];
  const mutants = names.map((name) => ({
    name,
    why: 'it adds another number',
    edits: [{ file: 'm1.mjs', find: "'f'", replace: `'${name}'` }],
    test: 'adds',
    verdict: 'assertion',
  }));
  expect(count).toBe(0);
  const file = write(
    `${test('adds', 'must(Atomics.add(m, 0, 1) === 0, "x");')}export const mutants = ${JSON.stringify(mutants)};`,
  );
  const r = await runCli(['check', '--module', file, '--mutants', '--json', '--jobs', '2']);
  const rows = JSON.parse(r.stdout).mutants.map((m: { mutant: string; found: null }) => [m.mutant, m.found]);
  expect(rows).toEqual(names.map((name) => [name, null]));
  expect(r.code).toBe(1);
});

it('what cannot be loaded ends all threads, with one line', async () => {
  const file = write('export async function f() {}');
  const r = await runCli(['check', '--module', file, '--jobs', '4']);
  expect(r.code).toBe(2);
  expect(r.stderr.trim().split('\n')).toHaveLength(1);
});

it('Ctrl-C ends the searches of all threads', async () => {
  const long = 'for (let i = 0; i < 3000; i++) Atomics.add(m, 0, 1); Atomics.load(m, 1);';
  const file = write(
    `${test('mark', 'Math.random();')}${['x', 'y', 'z'].map((name) => test(name, long.repeat(3))).join('')}`,
  );
  const run = startCli(['check', '--module', file, '--jobs', '3', '--json']);
  run.child.stderr?.once('data', () => run.child.kill('SIGINT'));
  const r = await run.done;
  expect(r.code).toBe(130);
  const doc = JSON.parse(r.stdout);
  expect(doc.interrupted).toBe(true);
  const seen = [...doc.tests.map((t: { test: string }) => t.test), ...doc.not_run];
  expect(seen.sort()).toEqual(['mark', 'x', 'y', 'z']);
});
