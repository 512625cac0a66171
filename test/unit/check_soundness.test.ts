// SPDX-License-Identifier: GPL-2.0-only
// Programs with an outcome that only some interleaving has, hidden in state that is easy to overlook: the checker finds it, or
// refuses the program. It never says "holds".
import { describe, expect, it } from 'vitest';
import { check, RefusedError } from '../../dist/check/index.js';
import { checkSource, loadTests, writeModule } from '../helpers/check_module.js';

const SET = 'b(m) { Atomics.store(m, 0, 1); }';

function source(before: string, threads: string, more = ''): string {
  const memory = more.includes('memory:') ? '' : 'memory: () => new Int32Array(new SharedArrayBuffer(16)),';
  return (
    `${before}\nexport const t = litmus({ name: 't', ${memory} ${more}\n` +
    `threads: { ${threads.replace(', SET', `, ${SET}`)} }, goal: false, forbids: 'nothing', why: 'test' });\n`
  );
}

type Case<K> = readonly [what: string, before: string, threads: string, kind: K, more?: string];

/** The last statement of thread a fails in some interleavings only. */
const FOUND: readonly Case<string>[] = [
  [
    'errClass',
    'class E1 extends Error {} class E2 extends Error {}',
    "a(m) { let e = Atomics.load(m,0) ? new E1('x') : new E2('x'); Atomics.load(m,1); must(!(e instanceof E1), 'E1'); }, SET",
    'assertion',
  ],
  [
    'errCause',
    '',
    "a(m) { let e = new Error('x', { cause: Atomics.load(m,0) }); Atomics.load(m,1); must(e.cause === 0, 'cause'); }, SET",
    'assertion',
  ],
  [
    'nonEnum',
    '',
    "a(m) { const o = {}; Object.defineProperty(o, 'x', { value: Atomics.load(m,0) }); Atomics.load(m,1); must(o.x === 0, 'x'); }, SET",
    'assertion',
  ],
  [
    'fnProp',
    '',
    "a(m) { const f = () => 1; f.x = Atomics.load(m,0); Atomics.load(m,1); must(f.x === 0, 'x'); }, SET",
    'assertion',
  ],
  [
    'nullProto',
    '',
    "a(m) { const o = Atomics.load(m,0) ? Object.create(null) : {}; Atomics.load(m,1); must('toString' in o, 'x'); }, SET",
    'assertion',
  ],
  [
    'mapSub',
    'class M2 extends Map { x = 0; }',
    "a(m) { const o = new M2(); o.x = Atomics.load(m,0); Atomics.load(m,1); must(o.x === 0, 'x'); }, SET",
    'assertion',
  ],
  [
    'arrSub',
    'class A2 extends Array { isTwo() { return true } } class A3 extends Array { isTwo() { return false } }',
    "a(m) { const o = Atomics.load(m,0) ? new A2() : new A3(); Atomics.load(m,1); must(!o.isTwo(), 'x'); }, SET",
    'assertion',
  ],
  [
    'taAlias',
    '',
    "a(m) { const s = new Uint8Array(4); const t = Atomics.load(m,0) ? s.subarray(0,2) : new Uint8Array(2); Atomics.load(m,1); t[0] = 1; must(s[0] === 0, 'alias'); }, SET",
    'assertion',
  ],
  [
    'taHidden',
    '',
    "a(m) { const s = new Uint8Array(4); s[3] = Atomics.load(m,0); const t = s.subarray(0,1); Atomics.load(m,1); must(new Uint8Array(t.buffer)[3] === 0, 'hidden'); }, SET",
    'assertion',
  ],
  [
    'ab',
    '',
    "a(m) { const b = new ArrayBuffer(4); new Uint8Array(b)[0] = Atomics.load(m,0); Atomics.load(m,1); must(new Uint8Array(b)[0] === 0, 'hidden'); }, SET",
    'assertion',
  ],
  [
    'envAlias',
    'const mk = () => { let n = 0; return { inc: () => { n++; }, get: () => n }; };',
    "a(m) { const x = mk(); const y = mk(); const inc = x.inc; const get = Atomics.load(m,0) ? x.get : y.get; Atomics.load(m,1); inc(); must(get() === 0, 'env'); }, SET",
    'assertion',
  ],
  [
    'envAliasLoop',
    '',
    "a(m) { const fs = []; for (let i = 0; i < 1; i++) { let n = 0; fs.push(() => { n++; }, () => n); } for (let i = 0; i < 1; i++) { let n = 0; fs.push(() => n); } const p = [fs[0], fs[1]]; const o = []; for (let k = 0; k < 2; k++) { let n = 0; o.push({inc: () => { n++; }, get: () => n}); } const inc = o[0].inc; const get = Atomics.load(m,0) ? o[0].get : o[1].get; o.length = 0; Atomics.load(m,1); inc(); must(get() === 0, 'env'); }, SET",
    'assertion',
  ],
  [
    'nativeConv',
    '',
    "a(m) { const q = Math.max(Atomics.load(m,0), { valueOf: Atomics.load.bind(Atomics, m, 1) }); must(q === 0, 'q'); }, SET",
    'assertion',
  ],
  [
    'labels',
    '',
    "a(m) { let n = 0; outer: for (let i = 0; i < 3; i++) { for (;;) { if (Atomics.load(m,0)) break outer; n++; continue outer; } } must(n < 3, 'n') }, SET",
    'assertion',
  ],
  [
    'dow',
    '',
    "a(m) { let n = 0, p; do { p = n; n = n + 1; } while (Atomics.load(m, 0) === 0 && n < 3); must(p < 2, 'n') }, SET",
    'assertion',
  ],
  [
    'varHoist',
    '',
    "a(m) { for (let i = 0; i < 2; i++) { if (i === 1) must(v === 0, 'v'); var v = Atomics.load(m,0); Atomics.load(m,1); } }, SET",
    'assertion',
  ],
  [
    'optcall',
    '',
    "a(m) { const o = Atomics.load(m,0) ? { f: () => 1 } : null; Atomics.load(m,1); must((o?.f() ?? 0) === 0, 'o') }, SET",
    'assertion',
  ],
  [
    'restParams',
    'const f = (...r) => { Atomics.load(r[0], 1); return r[1]; };',
    "a(m) { must(f(m, Atomics.load(m,0)) === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'args',
    'function f() { Atomics.load(arguments[0], 1); return arguments[1]; }',
    "a(m) { must(f(m, Atomics.load(m,0)) === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'defaults',
    'function f(m, x = 7, y = x) { Atomics.load(m, 1); return y; }',
    "a(m) { must(f(m, Atomics.load(m,0) || undefined) !== 1, 'r') }, SET",
    'assertion',
  ],
  [
    'logAssign',
    '',
    "a(m) { const o = {}; o.x ||= Atomics.load(m,0); o.x ??= 3; Atomics.load(m,1); must(o.x === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'comma',
    '',
    "a(m) { let x; const y = (x = Atomics.load(m,0), Atomics.load(m,1), x); must(y === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'superM',
    'class B1 { g(m) { return Atomics.load(m,0) + this.k; } } class B2 extends B1 { constructor() { super(); this.k = 0; } g(m) { const v = super.g(m); Atomics.load(m,1); return v; } }',
    "a(m) { must(new B2().g(m) === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'privMeth',
    'class Q { #m; constructor(m) { this.#m = m; } #r() { return Atomics.load(this.#m, 0); } get2() { const v = this.#r(); Atomics.load(this.#m, 1); return v; } }',
    "a(m) { must(new Q(m).get2() === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'switchFall',
    '',
    "a(m) { let r = 0; switch (Atomics.load(m,0)) { case 0: r = 1; break; case Atomics.load(m,1) + 1: r = 2; default: r += 4; } must(r !== 6, 'r') }, SET",
    'assertion',
  ],
  [
    'tryRet',
    'function f(m) { try { return Atomics.load(m,0); } finally { Atomics.load(m,1); } }',
    "a(m) { must(f(m) === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'destr',
    '',
    "a(m) { let a = 0, b = 0; [a, b] = [Atomics.load(m,0), Atomics.load(m,1)]; ({ a, c: b = 4 } = { a: b + a }); must(a === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'mapIter',
    '',
    "a(m) { const q = new Map([[1, Atomics.load(m,0)]]); Atomics.load(m,1); q.forEach((v) => must(v === 0, 'r')); }, SET",
    'assertion',
  ],
  [
    'symKey',
    "const S = Symbol('s');",
    "a(m) { const o = { [S]: Atomics.load(m,0) }; Atomics.load(m,1); must(o[S] === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'wait64',
    '',
    "a(m) { const q = new BigInt64Array(m.buffer, 8, 1); Atomics.wait(q, 0, 0n); must(Atomics.load(q,0) === 5n, 'r') }, b(m) { const q = new BigInt64Array(m.buffer, 8, 1); Atomics.store(q, 0, 6n); Atomics.notify(q, 0); }",
    'assertion',
  ],
  [
    'recursion',
    'const rec = (m, d) => d === 0 ? 0 : Atomics.load(m, 0) + rec(m, d - 1);',
    "a(m) { must(rec(m, 3) !== 2, 'r') }, SET",
    'assertion',
  ],
  [
    'newArgs',
    'class Pt { constructor(x, y) { this.x = x; this.y = y; } }',
    "a(m) { const p = new Pt(Atomics.load(m,0), Atomics.load(m,1)); Atomics.load(m,1); must(p.x === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'getterMutable',
    '',
    "a(m) { const o = { v: 0, get x() { return this.v; } }; o.v = Atomics.load(m,0); Atomics.load(m,1); must(o.x === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'whileAssign',
    '',
    "a(m) { let v, n = 0; while ((v = Atomics.load(m,0)) === 0 && n++ < 2); must(v === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'nestedFnDecl',
    '',
    "a(m) { let n = 0; function g() { n = Atomics.load(m,0); } g(); Atomics.load(m,1); must(n === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'hoistCall',
    '',
    "a(m) { const r = g(); Atomics.load(m, 1); must(r === 0, 'r'); function g() { return Atomics.load(m,0); } }, SET",
    'assertion',
  ],
  [
    'arrayHole',
    '',
    "a(m) { const o = [, 1]; if (Atomics.load(m,0)) { o[0] = undefined; } else { o.z = undefined; } Atomics.load(m,1); must(!(0 in o), 'r') }, SET",
    'assertion',
  ],
  [
    'keyOrder',
    '',
    "a(m) { const o = Atomics.load(m,0) ? {a: 1, b: 2} : {b: 2, a: 1}; Atomics.load(m,1); must(Object.keys(o)[0] === 'b', 'r') }, SET",
    'assertion',
  ],
  [
    'boxed',
    '',
    "a(m) { const o = Object(Atomics.load(m,0)); Atomics.load(m,1); must(+o === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'date',
    '',
    "a(m) { const o = new Date(Atomics.load(m,0)); Atomics.load(m,1); must(+o === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'regexLocal',
    '',
    "a(m) { const re = /x/g; if (Atomics.load(m,0)) re.test('xx'); Atomics.load(m,1); must(re.lastIndex === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'bound',
    'function add(a, b) { return a + b; }',
    "a(m) { const f = add.bind(null, Atomics.load(m,0)); Atomics.load(m,1); must(f(0) === 0, 'r') }, SET",
    'assertion',
  ],
  [
    'argsMod',
    'function f(m, x) { x = x + 1; Atomics.load(m,1); return x; }',
    "a(m) { must(f(m, Atomics.load(m,0)) === 1, 'r') }, SET",
    'assertion',
  ],
  [
    'a static field',
    'const K = class { static n = 0; static inc() { return ++K.n; } };',
    'a(m) { K.inc(); Atomics.load(m,0); }, SET',
    'exception',
  ],
  [
    'an object frozen in some histories',
    '',
    'a(m) { const o = {x: 1}; if (Atomics.load(m,0)) Object.freeze(o); Atomics.load(m,1); o.x = 2; }, SET',
    'exception',
  ],
  [
    'a private field of what memory() returns',
    'class Cache { #n = 0; inc() { return ++this.#n; } }',
    "a({m, c}) { c.inc(); Atomics.load(m,0); must(c.inc() < 3, 'x') }, b({m, c}) { c.inc(); Atomics.store(m, 0, 1); }",
    'exception',
    'memory: () => ({ m: new Int32Array(new SharedArrayBuffer(16)), c: new Cache() }),',
  ],
  [
    'a property of a function of the module',
    'const f = () => { f.n = (f.n ?? 0) + 1; return f.n; };',
    "a(m) { if (Atomics.load(m,0) === 0) f(); Atomics.load(m,1); must(f() < 2, 'x') }, SET",
    'exception',
  ],
  [
    'a private field of a constant',
    'class Cn { #n = 0; inc() { return ++this.#n; } } const c = new Cn();',
    'a(m) { c.inc(); Atomics.load(m,0); }, SET',
    'exception',
  ],
  [
    'lastIndex of a constant',
    'const re = /x/g;',
    "a(m) { re.test('xx'); Atomics.load(m,0); }, SET",
    'exception',
  ],
];

const REFUSED: readonly Case<RegExp>[] = [
  [
    'an ArrayBuffer at module level',
    'const buf = new ArrayBuffer(8);',
    'a(m) { const u = new Uint8Array(buf); u[0]++; Atomics.load(m,0); }, SET',
    /a buffer that memory/,
  ],
  [
    'a SharedArrayBuffer at module level',
    'const sab = new SharedArrayBuffer(8);',
    "a(m) { const u = new Int32Array(sab); must(Atomics.load(u, 0) === 0, 'seen'); }, b(m) { const u = new Int32Array(sab); Atomics.store(u,0,1); }",
    /a buffer that memory/,
  ],
  [
    'a WeakMap at module level',
    'const wm = new WeakMap();',
    "a(m) { const o = {}; wm.set(o, Atomics.load(m,0)); Atomics.load(m,1); must(wm.get(o) === 0, 'one') }, SET",
    /a WeakMap/,
  ],
  [
    'an iterator at module level',
    'const it = [1,2,3].values();',
    'a(m) { it.next(); Atomics.load(m,0); }, SET',
    /an iterator/,
  ],
  [
    'a timer',
    '',
    "a(m) { setTimeout(() => Atomics.store(m, 0, 1), 0); }, b(m) { must(Atomics.load(m,0) === 0, 'z') }",
    /setTimeout in a thread/,
  ],
  [
    'a promise',
    '',
    "a(m) { Promise.resolve().then(() => Atomics.store(m, 0, 1)); }, b(m) { must(Atomics.load(m,0) === 0, 'z') }",
    /Promise in a thread/,
  ],
  [
    'a microtask',
    '',
    "a(m) { queueMicrotask(() => Atomics.store(m, 0, 1)); }, b(m) { must(Atomics.load(m,0) === 0, 'z') }",
    /queueMicrotask in a thread/,
  ],
  [
    'an iterator made before any call',
    "function outer(m) { const it = { [Symbol.iterator]() { return this; }, next() { const v = Atomics.load(m, 0); return { done: v > 0, value: v }; } }; let n = 0; for (const x of it) n++; must(n < 3, 'three'); }",
    'a(m) { outer(m) }, SET',
    /did not call itself/,
  ],
  [
    'a field initializer',
    'class B { constructor(a, m) { this.a = a; this.m = m; } } class D extends B { v = Atomics.load(this.m, 1); }',
    "a(m) { const c = new D(Atomics.load(m,0), m); must(c.a === 0, 'a'); }, SET",
    /inside a constructor/,
  ],
  [
    'a global',
    '',
    "a(m) { globalThis.zz = Atomics.load(m,0); Atomics.load(m,1); must(globalThis.zz === 0, 'g'); }, SET",
    /changes an object outside/,
  ],
  [
    'an object of the process',
    '',
    "a(m) { process.env.ZZ = 'q' + Atomics.load(m,0); Atomics.load(m,1); must(process.env.ZZ === 'q0', 'g'); }, SET",
    /changes an object outside/,
  ],
  [
    'a getter that was called before',
    '',
    "a(m) { const flag = {on: false}; let n = 0; const get = function () { if (!flag.on) return 0; const v = Atomics.load(m, 0); return v; }; const o = Object.defineProperty({}, 'x', { get }); Atomics.load(m, 1); get(); flag.on = true; const k = o.x + o.x * 2; must(k !== 2, 'k') }, SET",
    /did not call itself/,
  ],
  [
    'a closure of setup that counts',
    '',
    "a(m, s) { s.inc(); Atomics.load(m,0); must(s.get() < 2, 'x') }, b(m, s) { s.inc(); Atomics.store(m, 0, 1); }",
    /a closure that changes a variable/,
    'setup() { let n = 0; return { inc: () => { n++; }, get: () => n }; },',
  ],
];

describe('soundness', () => {
  it.each(FOUND.map((c) => ({ what: c[0], c })))('$what: found, whatever was merged', async ({ c }) => {
    const [, before, threads, kind, more] = c;
    const text = source(before, threads, more);
    // As the command runs it, and with every merge audited.
    const { program, tests } = await loadTests(
      writeModule(`import { litmus, must } from 'softnet/check';\n${text}`),
    );
    const v = check([...tests.values()][0], program);
    expect([v.outcome, v.counterexample?.kind]).toEqual(['violated', kind]);
    expect((await checkSource(text)).counterexample?.kind).toBe(kind);
  });

  it.each(REFUSED.map((c) => ({ what: c[0], c })))('$what: refused', async ({ c }) => {
    const [, before, threads, message, more] = c;
    const run = checkSource(source(before, threads, more));
    await expect(run).rejects.toThrow(RefusedError);
    await expect(run).rejects.toThrow(message);
  });

  it('a shared view is a view to ArrayBuffer.isView', async () => {
    const v = await checkSource(source('', "a(m) { must(ArrayBuffer.isView(m), 'no view'); }"));
    expect(v.outcome).toBe('holds');
  });

  it('closures that change what they hold are still merged: an endless loop ends', async () => {
    const v = await checkSource(
      source(
        '',
        'a(m) { let n = 0; const f = () => { n ^= 1; }; for (;;) { f(); Atomics.add(m, 0, n); Atomics.and(m, 0, 1); } }',
      ),
    );
    expect(v.outcome).toBe('holds');
  });

  it('a JSON module is constant, and belongs to the program', async () => {
    writeModule('{ "n": 1 }', 'data.json');
    const main = writeModule(
      `import { litmus } from 'softnet/check';\nimport data from './data.json' with { type: 'json' };\n${source('', 'a(m) { data.n++; Atomics.load(m, 0); }')}`,
      'json.mjs',
    );
    const first = await loadTests(main);
    expect(check([...first.tests.values()][0], first.program).counterexample?.kind).toBe('exception');
    writeModule('{ "n": 2 }', 'data.json');
    expect((await loadTests(main)).program.digest).not.toBe(first.program.digest);
  });
});
