// SPDX-License-Identifier: GPL-2.0-only
// softnet check on tests that are wrong, long or interrupted: one clear line, the right exit code, and what there is.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CLI, runCli, startCli } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'softnet-check-errors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function write(body: string): string {
  const file = join(folder, `m${++count}.mjs`);
  writeFileSync(file, `import { litmus, must } from 'softnet/check';\n${body}\n`);
  return file;
}

const MEMORY = 'memory: () => new Int32Array(new SharedArrayBuffer(16))';
/** A test on lines 2 and 3 of its module; `fields` stand on line 3. */
const test = (fields: string, name = 't'): string =>
  `export const ${name} = litmus({ name: '${name}', forbids: 'x', why: 'y',\n${fields} });`;
const thread = (body: string, name = 't'): string => test(`${MEMORY}, threads: { a(m) { ${body} } }`, name);
const OK = 'Atomics.store(m, 0, 1);';
const BAD = "Atomics.load(m, 0); must(false, 'never');";
/** Some seconds of states at least. */
const LONG = 'for (let i = 0;; i++) Atomics.store(m, 0, i);';
const check = (body: string, ...args: string[]) => runCli(['check', '--module', write(body), ...args]);

describe('limits and refusals', () => {
  it('--max-seconds cuts a long run of plain accesses', async () => {
    const r = await check(
      thread('for (let i = 0; i < 99999; i++) m[i & 3] = i;'),
      '--max-seconds',
      '1',
      '--json',
    );
    const doc = JSON.parse(r.stdout);
    expect(doc.tests).toMatchObject([
      { outcome: 'incomplete', cut_by: '--max-seconds 1', counterexample: null },
    ]);
    expect(r.code).toBe(7);
  });

  it.each([
    ['destructuring', 'const [x] = m;'],
    ['a method of views', 'm.map((x) => x);'],
    ['randomness', 'Math.random();'],
    ['an endless loop', 'for (;;);'],
    ['a timer', 'setTimeout(() => {}, 1);'],
    ['a DataView', 'new DataView(m.buffer);'],
  ])('%s is refused with test, file and line', async (_what, body) => {
    const r = await check(thread(body));
    expect(r.stderr).toMatch(/^softnet check: refused: litmus t: \S+\.mjs:3: .+\n$/);
    expect(r.code).toBe(2);
  });

  it('a refused test does not take the others along', async () => {
    const body = `${thread('Math.random();', 'r')}\n${thread(OK)}\n${test('memory() { null.x; }, threads: { a() {} }', 'u')}`;
    const r = await check(body, '--json');
    expect(JSON.parse(r.stdout).tests).toMatchObject([
      { test: 'r', outcome: 'refused', message: expect.stringMatching(/:3: Math\.random/) },
      { test: 't', outcome: 'holds' },
      { test: 'u', outcome: 'unusable' },
    ]);
    expect(r.code).toBe(2);
    expect((await check(`${body}\n${thread(BAD, 'v')}`)).code).toBe(1);
  });

  it('prints when it was ready, and what states cost', async () => {
    const doc = JSON.parse((await check(thread(OK), '--json')).stdout);
    expect(doc.start_ns).toBeGreaterThan(1e6);
    expect(doc.max_rss_bytes).toBeGreaterThan(1e6);
    expect(doc.states_per_s).toBeGreaterThan(0);
    expect(doc.tests[0].bytes_per_state).toBeGreaterThan(0);
  });
});

describe('mistakes in a test: exit code 2 and one line', () => {
  const threads = 'threads: { a(m) { Atomics.store(m, 0, 1); } }';
  it.each([
    [
      'memory that throws',
      `memory() { null.x; }, ${threads}`,
      /litmus t: memory\(\) throws TypeError: .*\.mjs:3\)/,
    ],
    ['setup that throws', `${MEMORY}, ${threads}, setup() { throw 'G'; }`, /litmus t: setup\(\) throws G/],
    [
      'goal that throws',
      `${MEMORY}, ${threads}, goal() { throw new Error('G'); }`,
      /goal\(\) throws Error: G .*:3\)/,
    ],
    [
      'setup that waits for what nobody does',
      `${MEMORY}, ${threads}, setup(m) { while (Atomics.load(m, 1) === 0) m[2]++; }`,
      /setup\(\) throws Error: a loop goes on for ever, and no other thread runs now .*:3\)/,
    ],
    [
      'memory that does not end',
      `memory() { for (;;); }, ${threads}`,
      /memory\(\) throws Error: a loop goes on/,
    ],
    ['no memory', threads, /litmus "t": memory must be a function; it is undefined/],
    [
      'a goal that is a number',
      `${MEMORY}, ${threads}, goal: 5`,
      /goal must be a function or false; it is number/,
    ],
    [
      'a thread that is a number',
      `${MEMORY}, threads: { a: 5 }`,
      /threads\.a must be a function; it is number/,
    ],
    ['no threads', MEMORY, /threads must be an object of functions/],
    [
      'a thread that is not there',
      `${MEMORY}, ${threads}, goal: (_m, _s, t) => t.asleep('typo')`,
      /goal asks for a thread "typo"; there are a/,
    ],
  ])('%s', async (_what, fields, message) => {
    const r = await check(test(fields));
    expect(r.stderr).toMatch(message);
    expect(r.stderr.trim().split('\n')).toHaveLength(1);
    expect(r.code).toBe(2);
  });

  it('a CommonJS module', async () => {
    writeFileSync(join(folder, 'old.cjs'), 'module.exports = { x: 1 };\n');
    const r = await check(`import old from './old.cjs';\n${thread('must(old.x === 1, "x");')}`);
    expect([r.code, r.stderr]).toEqual([2, expect.stringMatching(/old\.cjs: a CommonJS module cannot be/)]);
  });
});

describe('verdicts', () => {
  it('final that walks round in a circle is an assertion that fails', async () => {
    const fields = `${MEMORY}, threads: { a(m) { Atomics.store(m, 0, 1); } }, final(m) { while (m[0] === 1); }`;
    const r = await check(test(fields));
    expect(r.stdout).toMatch(/a loop goes on for ever/);
    expect(r.code).toBe(1);
  });

  it('must in goal is an assertion, and replays', async () => {
    const goal = "goal(m) { must(Atomics.load(m, 0) === 0, 'zero'); return true; }";
    const body = test(`${MEMORY}, threads: { a(m) { Atomics.store(m, 0, 1); } }, ${goal}`);
    const file = write(body);
    const r = await runCli(['check', '--module', file]);
    expect([r.code, r.stdout]).toEqual([1, expect.stringMatching(/an assertion failed: goal: zero/)]);
    const string = /^Replay (\S+)$/m.exec(r.stdout)?.[1] ?? '';
    expect((await runCli(['check', '--module', file, '--replay', string])).code).toBe(0);
  });

  it('notify on elements that nobody can sleep on is a TypeError', async () => {
    const r = await check(
      test(
        'memory: () => new Uint8Array(new SharedArrayBuffer(4)), threads: { a(m) { Atomics.notify(m, 0); } }',
      ),
    );
    expect([r.code, r.stdout]).toEqual([1, expect.stringMatching(/TypeError: Atomics\.notify/)]);
  });

  it('the clock stands still for Date as a function', async () => {
    const r = await check(thread("Atomics.load(m, 0); must(Date() === new Date().toString(), 'clock');"));
    expect([r.code, r.stderr]).toEqual([0, '']);
  });

  it.each([
    ['assertion', thread('Atomics.load(m, 0); Atomics.load(m, 1); must(false, "x");')],
    ['exception', thread('Atomics.load(m, 0); Atomics.load(m, 1); null.x;')],
    ['asleep', thread('Atomics.load(m, 0); Atomics.wait(m, 0, 0);')],
    ['livelock', thread('for (;;) Atomics.store(m, 0, 1);')],
    [
      'race',
      test(
        `${MEMORY}, threads: { a(m) { Atomics.load(m, 1); m[0] = 1; }, b(m) { Atomics.load(m, 1); m[0] = 2; } }`,
      ),
    ],
    [
      'lost-wakeup',
      `${test(`${MEMORY}, daemons: ['a'], threads: { a(m) { Atomics.load(m, 0); Atomics.wait(m, 0, 0); } }, final() { must(false, 'f'); }`)}`,
    ],
    [
      'deadlock',
      test(`${MEMORY}, threads: { a(m) { Atomics.wait(m, 0, 0); }, b(m) { Atomics.wait(m, 1, 0); } }`),
    ],
  ])('a replay string of %s replays; a truncated or relabelled one is refused', async (kind, body) => {
    const file = write(body);
    const replay = (s: string) => runCli(['check', '--module', file, '--replay', s]);
    const found = await runCli(['check', '--module', file]);
    const string = /^Replay (\S+)$/m.exec(found.stdout)?.[1] ?? '';
    expect(string).toContain(`:${kind}:`);
    expect((await replay(string)).code).toBe(0);
    const wrong = [string.replace(`:${kind}:`, kind === 'race' ? ':asleep:' : ':race:')];
    if (/\d$/.test(string)) wrong.push(string.slice(0, -1));
    for (const s of wrong) {
      const r = await replay(s);
      expect([r.code, r.stdout, r.stderr]).toEqual([
        2,
        '',
        expect.stringMatching(/damaged: its last step shows no/),
      ]);
    }
  });
});

describe('the outside world', () => {
  it('a reader that goes away does not change the exit code', async () => {
    const many = Array.from({ length: 40 }, (_, i) => thread(OK, `h${i}`)).join('\n');
    const file = write(`${many}\n${thread(BAD, 'z')}`);
    const child = spawn(process.execPath, [CLI, 'check', '--module', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let err = '';
    child.stderr.on('data', (d: Buffer) => {
      err += d.toString();
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([code, err]).toEqual([1, '']);
  });

  it.each([['text'], ['json']])('Ctrl-C prints what there is: %s', async (form) => {
    const file = write(`${thread(OK, 'first')}\n${thread(LONG, 'second')}\n${thread(OK, 'third')}`);
    // The trace of nothing is said at the end; a refused test says on stderr that the search is under way.
    const run = startCli([
      'check',
      '--module',
      write(`${thread('Math.random();', 'mark')}\nexport * from ${JSON.stringify(file)};`),
      ...(form === 'json' ? ['--json'] : []),
    ]);
    run.child.stderr?.once('data', () => run.child.kill('SIGINT'));
    const r = await run.done;
    expect(r.code).toBe(130);
    if (form === 'json') {
      const doc = JSON.parse(r.stdout);
      expect(doc.interrupted).toBe(true);
      const seen = [...doc.tests.map((t: { test: string }) => t.test), ...doc.not_run];
      expect(seen).toHaveLength(4);
      expect(doc.not_run.length).toBeGreaterThan(0);
    } else expect(r.stdout).toMatch(/^4 tests: .* not run; /m);
  });
});
