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

const MAP = 'const c=new Map();';
/** What goes behind a change: it must be seen, or refused. */
const THEN = `${L1}; must(c.size===0,'x')`;

const REFUSED: readonly Case[] = [
  ['Object.assign to a global', `Object.assign(globalThis,{zz:${L0}}); ${L1}; must(globalThis.zz===0,'x')`],
  ['Object.assign to Math', `Object.assign(Math,{zz:${L0}}); ${L1}; must(Math.zz===0,'x')`],
  ['Object.assign to a class', `Object.assign(Array,{zz:${L0}}); ${L1}; must(Array.zz===0,'x')`],
  [
    'Object.assign by another name',
    `const f=Object.assign; f(Array,{zz:${L0}}); ${L1}; must(Array.zz===0,'x')`,
  ],
  [
    'Object.assign taken out',
    `const {assign}=Object; assign(Array,{zz:${L0}}); ${L1}; must(Array.zz===0,'x')`,
  ],
  [
    'a property defined on a prototype',
    `Object.defineProperty(Array.prototype,'zz',{value:${L0},configurable:true}); ${L1}; must([].zz===0,'x')`,
  ],
  ['Reflect.set on a class', `Reflect.set(Array,'zz',${L0}); ${L1}; must(Array.zz===0,'x')`],
  ['a class by another name', `const A=Array; A.zz=${L0}; ${L1}; must(Array.zz===0,'x')`],
  ['a class by an instance', `[].constructor.zz=${L0}; ${L1}; must(Array.zz===0,'x')`],
  ['a prototype by an instance', `const p=Object.getPrototypeOf([]); p.zz=${L0}; ${L1}; must([].zz===0,'x')`],
  ['Reflect.apply of a mutator', `Reflect.apply(new Map().set,c,[1,${L0}]); ${THEN}`, MAP],
  ['a mutator taken out', `const {set}=new Map(); set.call(c,1,${L0}); ${THEN}`, MAP],
  [
    'a mutator of the module, bound',
    `add(${L0}); ${L1}; must(s.size===0,'x')`,
    'const s=new Set(); const add=s.add.bind(s);',
  ],
  ['a mutator by index', `const k='set'; new Map()[k].call(c,1,${L0}); ${THEN}`, MAP],
  ['a mutator that is called by index', `const f=new Map().set,k='call'; f[k](c,1,7); ${THEN}`, MAP],
  [
    'a mutator of the prototype by an instance',
    `const f=Object.getPrototypeOf(c).set; f.call(c,1,${L0}); ${THEN}`,
    MAP,
  ],
  ['a mutator as callback', `[${L0}].forEach(new Map().set,c); ${THEN}`, MAP],
  ['a mutator as callback of from', `Array.from([${L0}],new Set().add,c); ${THEN}`, 'const c=new Set();'],
  [
    'bind, bound',
    `un(new Map().set)(c,1,${L0}); ${THEN}`,
    `${MAP} const un=Function.prototype.bind.bind(Function.prototype.call);`,
  ],
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

/** Changes of constants that throw. */
const THROWN: readonly Case[] = [
  [
    'a mutator of the module, taken out',
    `Reflect.apply(set,c,[1,${L0}]); ${THEN}`,
    `${MAP} const {set}=new Map();`,
  ],
  ['a mutator of a constant by another name', `f.call(c,1,${L0}); ${THEN}`, `${MAP} const f=c.set;`],
  [
    'a mutator of the class above',
    `new C().put.call(c,1,${L0}); ${THEN}`,
    `class C extends Map{put(k,v){super.set(k,v)}} ${MAP}`,
  ],
];

/** What looks like these, and changes nothing but what the thread made. */
const SOUND: readonly Case[] = [
  [
    'call, apply and bind',
    `const g=(a)=>a; must(g.call(null,${L0})+g.apply(null,[0])+g.bind(null)(0)<2,'x')`,
  ],
  [
    'members with such names',
    `const o={call:(x)=>x,set:0,assign:(x)=>x}; must(o.call(${L0})+o.assign(0)+o.set<2,'x')`,
  ],
  [
    'an object of its own',
    `const o={}; Object.assign(o,{a:${L0}}); Reflect.set(o,'b',0); must(o.a+o.b<2,'x')`,
  ],
  [
    'a private name in an object',
    `must(Q.has([new Q()],m),'x')`,
    'class Q{#p=1; static has(o,m){return #p in o[Atomics.load(m,1)]}}',
  ],
];

/** Ways to read shared memory that no site stands for, on line 6. */
const UNSEEN: readonly string[] = [
  'const [x]=m',
  'const {0:x}=m',
  'const {length,...x}=m',
  'const {a:{0:x}}={a:m}',
  'let x; [x]=m',
  '(([x])=>x)(m)',
  'for(const [x] of [m]);',
  'const x={...m}',
  'const x=[...m]',
  'for(const x in m);',
  'Object.getOwnPropertyDescriptor(m,0)',
  'Object.getOwnPropertyDescriptors(m)',
  'Object.keys(m)',
  'Object.assign({},m)',
  'Math.max.apply(null,m)',
];

describe('soundness, more', () => {
  it.each(THROWN.map((c) => ({ what: c[0], c })))('$what: an exception', async ({ c }) => {
    const [, body, before = ''] = c;
    for (const merge of [false, true]) expect(await outcome(before, body, merge)).toBe('violated');
  });

  it.each(SOUND.map((c) => ({ what: c[0], c })))('$what: no refusal', async ({ c }) => {
    const [, body, before = ''] = c;
    for (const merge of [false, true]) expect(await outcome(before, body, merge)).toBe('holds');
  });

  it.each(UNSEEN)('%s of shared memory is refused with its place', async (body) => {
    expect(await outcome('', `\n${body}`, true)).toMatch(/^refused litmus t: \S+\.mjs:8: /);
  });

  it.each([['Object.setPrototypeOf(m,null)'], ['Object.preventExtensions(m)']])(
    '%s: an exception',
    async (body) => {
      expect(await outcome('', `${L0}; ${body}`, true)).toBe('violated');
    },
  );

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
