// SPDX-License-Identifier: GPL-2.0-only
// What cannot be checked soundly is refused, with file and line; what looks like it and is sound passes.
import { describe, expect, it } from 'vitest';
import { check, RefusedError } from '../../dist/check/index.js';
import { checkSource, loadTests, writeModule } from '../helpers/check_module.js';

const rest = "goal: false, forbids: 'nothing', why: 'test'";
const one = (body: string, before = ''): string =>
  `${before}\nexport const t = litmus({ name: 't', memory: () => new Int32Array(new SharedArrayBuffer(16)),\n` +
  `threads: { a(m) { ${body} } }, ${rest} });\n`;

async function refusal(source: string): Promise<string> {
  try {
    await checkSource(source);
  } catch (e) {
    expect(e).toBeInstanceOf(RefusedError);
    return (e as Error).message;
  }
  throw new Error('it was not refused');
}

describe('refused at load, with file and line', () => {
  it.each([
    ['an async function', one('', 'async function f() {}'), /\.mjs:2: an async function/],
    ['a generator', one('', 'function* f() {}'), /\.mjs:2: a generator/],
    ['mutable module state', one('', 'let count = 0;'), /\.mjs:2: "let" at module level/],
    ['top-level await', one('', 'await null;'), /\.mjs:2: await/],
    ['a dynamic import', one("import('node:fs');"), /\.mjs:4: a dynamic import/],
    [
      'Atomics in a constructor',
      one('', 'class C { constructor(m) { Atomics.load(m, 0); } }'),
      /:2: .*constructor/,
    ],
    [
      'Atomics in a getter',
      one('', 'class C { get x() { return Atomics.load(this.m, 0); } }'),
      /:2: .*getter/,
    ],
    [
      'Atomics in a callback',
      one('[1].forEach(() => { Atomics.add(m, 0, 1); });'),
      /:4: .*callback of forEach/,
    ],
    ['m[i] += shared', one('m[0] += Atomics.load(m, 1);'), /:4: .*split it/],
    ['eval', one("eval('1');"), /:4: /],
    ['a static private field', one('', 'class C { static #n = 0; }'), /:2: a static private field/],
    [
      'a closure that counts at module level',
      one('', 'const next = (() => { let n = 0; return () => ++n; })();'),
      /:2: a closure made at module level/,
    ],
    ['a typed array at module level', one('', 'const scratch = new Int32Array(4);'), /:2: .*typed array/],
  ])('%s', async (_what, source, message) => {
    expect(await refusal(source)).toMatch(message);
  });
});

describe('refused when a thread gets there, with file and line', () => {
  it.each([
    [
      'a callback of a built-in',
      one('[0].forEach((i) => touch(m, i));', 'const touch = (m, i) => Atomics.load(m, i);'),
    ],
    [
      'a constructor by way of a function',
      one('new C(m);', 'const f = (m) => Atomics.load(m, 0); class C { constructor(m) { f(m); } }'),
    ],
    [
      'a getter by way of a function',
      one(
        'const o = new C(m); o.x;',
        'const f = (m) => Atomics.load(m, 0); class C { constructor(m) { this.m = m; } get x() { return f(this.m); } }',
      ),
    ],
    [
      'an iterator of its own',
      one(
        'const it = new It(m); must(true, String(Atomics.load(m, 0))); for (const x of it) must(true, String(x));',
        `class It { constructor(m) { this.m = m; this.n = 0; } [Symbol.iterator]() { return this; }
          next() { this.n++; return { done: this.n > 2, value: Atomics.load(this.m, 0) }; } }`,
      ),
    ],
    [
      'an implicit conversion by way of a function',
      one(
        'const o = { valueOf: () => touch(m) }; must(true, ""); Atomics.load(m, 1) + o;',
        'const touch = (m) => Atomics.load(m, 0);',
      ),
    ],
    [
      'a callback after a call',
      one(
        'must(true, ""); const f = (i) => touch(m, i); [0].forEach(f);',
        'const touch = (m, i) => Atomics.load(m, i);',
      ),
    ],
  ])('%s', async (_what, source) => {
    expect(await refusal(source)).toMatch(/\.mjs:\d+:\d+: shared memory is touched/);
  });

  it.each([
    ['spread over shared memory', one('Math.max(...m);')],
    ['destructuring of shared memory', one('const [a, b] = m;')],
    ['randomness', one('Atomics.store(m, 0, Math.random() * 4);')],
    ['a loop without end', one('for (;;) {}')],
    ['waiting on private memory', one('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);')],
  ])('%s', async (_what, source) => {
    expect(await refusal(source)).toBeTruthy();
  });

  it('state of the module that changes shows as an exception', async () => {
    const v = await checkSource(one('seen.push(1);', 'const seen = [];'));
    expect(v.counterexample).toMatchObject({ kind: 'exception' });
    const w = await checkSource(one('seen.set(1, 1);', 'const seen = new Map();'));
    expect(w.counterexample?.message).toMatch(/must not change/);
  });
});

describe('sound, and accepted', () => {
  it('methods of views: fill, set, slice, copyWithin, subarray', async () => {
    const v = await checkSource(
      one(`m.fill(3, 0, 2); m.set([7], 2); m.copyWithin(3, 2, 3); const c = m.slice(2); m.subarray(1, 2)[0] = c[1] + 1;
        must(m[0] === 3 && m[1] === 8 && m[2] === 7 && m[3] === 7, 'values');`),
    );
    expect(v.outcome).toBe('holds');
  });

  it('several arrays over several buffers, of all element types', async () => {
    const v = await checkSource(`
      export const t = litmus({
        name: 't',
        memory: () => {
          const a = new SharedArrayBuffer(16);
          const b = new SharedArrayBuffer(24);
          return { i: new Int32Array(a), u8: new Uint8Array(a), f: new Float64Array(b, 8, 2), q: new BigInt64Array(b, 0, 1), h: new Uint16Array(a, 8) };
        },
        threads: {
          x(w) { Atomics.store(w.u8, 3, 255); Atomics.add(w.q, 0, 5n); Atomics.store(w.h, 1, 70000); },
          y(w) { w.f[0] = 0.5; w.f[1] = -0; Atomics.sub(w.q, 0, 7n); must(Object.is(w.f[1], -0) && w.f[0] === 0.5, 'f'); },
        },
        final(w) { must(w.i[0] === -16777216 && w.q[0] === -2n && w.h[1] === 4464 && w.f[0] === 0.5, 'values'); },
        forbids: 'wrong values', why: 'memory is memory' });`);
    expect(v.counterexample).toBeNull();
    expect(v.outcome).toBe('holds');
  });

  it('catch and finally of the code under test', async () => {
    const v = await checkSource(
      one(`let n = 0; try { Atomics.load(m, 0); throw new Error('x'); } catch { n = Atomics.add(m, 1, 1) + 1; } finally { Atomics.add(m, 2, n); }
        must(Atomics.load(m, 1) === 1 && Atomics.load(m, 2) === 1, 'each ran once');`),
    );
    expect(v.outcome).toBe('holds');
  });

  it('a program of several modules, and a replay that is refused once one of them has changed', async () => {
    writeModule('export const put = (m, v) => { m[0] = v; };\n', 'part.mjs');
    const main = writeModule(
      `import { litmus } from 'softnet/check';\nimport { put } from './part.mjs';\nexport const t = litmus({ name: 't',
       memory: () => new Int32Array(new SharedArrayBuffer(4)), threads: { a: (m) => put(m, 1), b: (m) => put(m, 2) },
       forbids: 'a race', why: 'both write' });\n`,
      'main.mjs',
    );
    const before = await loadTests(main);
    const v = check(before.tests.get('t')!, before.program);
    expect(v.counterexample?.kind).toBe('race');
    expect(v.counterexample?.places[0]).toMatch(/part\.mjs:1/);
    writeModule('export const put = (m, v) => { Atomics.store(m, 0, v); };\n', 'part.mjs');
    const after = await loadTests(main);
    expect(after.program.digest).not.toBe(before.program.digest);
    expect(check(after.tests.get('t')!, after.program).outcome).toBe('holds');
  });
});
