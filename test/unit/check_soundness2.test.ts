// SPDX-License-Identifier: GPL-2.0-only
// More programs with an outcome that only some interleaving has: names, operands and private state that the engine alone holds.
// Each is refused, or its violation found, with merging and without.
import { describe, expect, it } from 'vitest';
import { check, RefusedError } from '../../dist/check/index.js';
import { loadTests, writeModule } from '../helpers/check_module.js';

const L0 = 'Atomics.load(m,0)';
const L1 = 'Atomics.load(m,1)';

const MODULE = (before: string, body: string): string =>
  `import { litmus, must } from 'softnet/check';
function take(m,s){s[0]=9;return ${L1}}
function put(m,o){o.x=9;return ${L1}}
function adv(m,o){o.f=()=>9;return ${L1}}
${before}
export const t = litmus({name:'t',memory:()=>{const b=new SharedArrayBuffer(32);return{m:new Int32Array(b,0,4),f:new Float64Array(b,16,1)}},
threads:{a({m,f}){${body}},b({m}){Atomics.store(m,0,1)}},goal:false,forbids:'x',why:'y'});
`;

/** @returns what the checker says: violated, holds, or the refusal */
async function outcome(before: string, body: string, merge: boolean): Promise<string> {
  try {
    const { program, tests } = await loadTests(writeModule(MODULE(before, body)));
    return check([...tests.values()][0], program, undefined, { merge }).outcome;
  } catch (e) {
    if (e instanceof RefusedError) return `refused ${e.message}`;
    throw e;
  }
}

type Case = readonly [what: string, body: string, before?: string];

const FOUND: readonly Case[] = [
  ['a block shadows', `const x=${L0}; {const x=5; Atomics.load(m,x-4)} must(x===0,'x')`],
  ['catch shadows', `const e=${L0}; try{throw 1}catch(e){Atomics.load(m,e)} must(e===0,'x')`],
  ['a loop shadows', `const i=${L0}; for(let i=0;i<1;i++) Atomics.load(m,i+1); must(i===0,'x')`],
  ['for-of shadows', `const i=${L0}; for(const i of [1]) Atomics.load(m,i); must(i===0,'x')`],
  [
    'loops shadow each other',
    `for(let i=${L0};i<2;i+=2){for(let i=1;i<2;i++) Atomics.load(m,i); must(i===0,'x')}`,
  ],
  ['a case shadows', `const x=${L0}; switch(1){case 1: const x=1; Atomics.load(m,x)} must(x===0,'x')`],
  [
    'a block of a closure shadows',
    `const x=${L0}; const g=()=>{{const x=1; Atomics.load(m,x)} return x}; must(g()===0,'x')`,
  ],
  ['shadowing and shorthand', `const x=${L0}; {const x=1; const o={x}; Atomics.load(m,o.x)} must(x===0,'x')`],
  ['shadowing pattern', `const x=${L0}; {const {x}={x:1}; Atomics.load(m,x)} must(x===0,'x')`],
  ['shadowing default', `const x=${L0}; {const {x=1}={}; Atomics.load(m,x)} must(x===0,'x')`],
  ['a name of its own function', `const g=function h(){h.n=${L0}; ${L1}; return h.n}; must(g()===0,'x')`],
  ['shorthand', `const x=${L0}; const o={x,y:${L1}}; must(o.x===0,'x')`],
  ['shorthand assigned', `let x=${L0}; const o={x,y:(x=2,${L1})}; must(o.x===0,'x')`],
  ['an operand assigned later', `let x=${L0}; const o={a:x,y:(x=2,1),z:${L1}}; must(o.a===0,'x')`],
  ['default of an array pattern', `const x=${L0}; const [y=x]=[undefined,${L1}]; must(y===0,'x')`],
  ['default of an object pattern', `const x=${L0}; const {y=x}={z:${L1}}; must(y===0,'x')`],
  ['default of an assigned pattern', `const x=${L0}; let y; ({y=x}={z:${L1}}); must(y===0,'x')`],
  ['target of a pattern', `const o={x:${L0}}; const p=o; ({z:o.y}={z:${L1}}); must(p.x===0,'x')`],
  ['spread in an array', `const s=[${L0}]; const o=[...s,take(m,s)]; must(o[0]===0,'x')`],
  ['spread in a call', `const s=[${L0}]; const f2=(a,b)=>a; must(f2(...s,take(m,s))===0,'x')`],
  ['spread in an object', `const s={x:${L0}}; const o={...s,w:put(m,s)}; must(o.x===0,'x')`],
  ['a template', `const s=[${L0}]; const o=\`\${s} \${take(m,s)}\`; must(o[0]==='0','x')`],
  ['a computed name', `const k=[${L0}]; const o={[k]:1,z:take(m,k)}; must('0' in o,'x')`],
  ['a computed name, its value', `const k=[${L0}]; const o={[k]:take(m,k)}; must('0' in o,'x')`],
  ['a fetched method', `const o={f:${L0}?(v)=>1:(v)=>0}; must(o.f(adv(m,o))===0,'x')`],
  [
    'private state of a class of the platform',
    `const u=new URLSearchParams(); u.set('k',${L0}); ${L1}; must(u.get('k')==='0','x')`,
  ],
  ['-0', `const s=${L0}; f[0]=s?-0:0; must(Object.is(f[0],0),'x')`],
  ['a target that an argument replaces', `let f2=${L0}?(v)=>1:(v)=>0; must(f2((f2=(v)=>9,${L1}))===0,'x')`],
];

const REFUSED: readonly Case[] = [
  [
    'a subclass of Map',
    `c.put(1,${L0}); ${L1}; must(c.get(1)===0,'x')`,
    'class C extends Map{put(k,v){super.set(k,v)}} const c=new C();',
  ],
  [
    'a subclass of Set',
    `c.put(${L0}); ${L1}; must(!c.has(1),'x')`,
    'class C extends Set{put(k){super.add(k)}} const c=new C();',
  ],
  [
    'a subclass of Date',
    `c.put(${L0}); ${L1}; must(+c===0,'x')`,
    'class C extends Date{put(k){super.setTime(k)}} const c=new C(0);',
  ],
  [
    'a mutator of the prototype',
    `Map.prototype.set.call(c,1,${L0}); ${L1}; must(c.get(1)===0,'x')`,
    'const c=new Map();',
  ],
  [
    'a mutator of another map',
    `new Map().set.call(c,1,${L0}); ${L1}; must(c.get(1)===0,'x')`,
    'const c=new Map();',
  ],
  [
    'a static block',
    `I.set(${L0}); ${L1}; must(I.get()===0,'x')`,
    'class I{static{let n=0;I.set=v=>{n=v};I.get=()=>n}}',
  ],
  [
    'a block of the module',
    `box.set(${L0}); ${L1}; must(box.get()===0,'x')`,
    'function box(){} {let n=0;box.set=v=>{n=v};box.get=()=>n}',
  ],
  [
    'a constant of a block of the module',
    `box.set(${L0}); ${L1}; must(box.get()===0,'x')`,
    'function box(){} {const o={n:0};box.set=v=>{o.n=v};box.get=()=>o.n}',
  ],
  ['globalThis by another name', `const g=globalThis; g.zz=${L0}; ${L1}; must(globalThis.zz===0,'x')`],
  [
    'globalThis by another name of the module',
    `g.zz=${L0}; ${L1}; must(g.zz===0,'x')`,
    'const g=globalThis;',
  ],
  ['process.env by another name', `const e=process.env; e.ZZ=${L0}; ${L1}; must(process.env.ZZ==='0','x')`],
  [
    'private state of a constant',
    `u.set('k',${L0}); ${L1}; must(u.get('k')==='0','x')`,
    'const u=new URLSearchParams();',
  ],
  ['a pattern on shared memory', `const p=[1,2]; const i=${L0}; p[i]; const {1:q}=m; must(q===0,'x')`],
  ['a descriptor of shared memory', `must(Object.getOwnPropertyDescriptor(m,0).value===0,'x')`],
];

describe('soundness, more', () => {
  it.each(FOUND.map((c) => ({ what: c[0], c })))('$what: found, merged or not', async ({ c }) => {
    const [, body, before = ''] = c;
    expect(await outcome(before, body, false)).toBe('violated');
    expect(await outcome(before, body, true)).toBe('violated');
  });

  it.each(REFUSED.map((c) => ({ what: c[0], c })))('$what: refused, merged or not', async ({ c }) => {
    const [, body, before = ''] = c;
    expect(await outcome(before, body, false)).toMatch(/^refused /);
    expect(await outcome(before, body, true)).toMatch(/^refused /);
  });
});
