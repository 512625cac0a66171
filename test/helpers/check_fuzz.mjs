// SPDX-License-Identifier: GPL-2.0-only
// Random programs on which three explorers must agree: every schedule by replay of whole histories, the search without
// merging, and the search with merging, each merge audited.
//
// Run by itself (node check_fuzz.mjs CHECKER_INDEX_URL FOLDER FIRST COUNT MOST) it ends with 1 if they do not: so faults put
// into a copy of the checker can be seen to be noticed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Small, fast, seeded (mulberry32). */
function random(seed) {
  let a = seed >>> 0;
  return (n) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

const SHARED = 3; // words all threads work on, atomically

/** A random program: the source of a litmus test's threads. */
class Generator {
  constructor(seed) {
    this.rnd = random(seed);
    this.names = 0;
    this.budget = 0;
    this.thread = 0;
    this.helpers = [];
  }

  pick(list) {
    return list[this.rnd(list.length)];
  }

  value(vars) {
    return vars.length > 0 && this.rnd(3) > 0 ? this.pick(vars) : String(this.rnd(3));
  }

  /** One shared operation. */
  op(vars) {
    this.budget--;
    const { rnd } = this;
    const a = rnd(SHARED);
    const v = this.value(vars);
    const own = SHARED + this.thread;
    switch (rnd(17)) {
      case 0:
      case 1:
        return `Atomics.load(m, ${a})`;
      case 2:
        return `Atomics.add(m, ${a}, 1)`;
      case 3:
        return `Atomics.or(m, ${a}, ${v})`;
      case 4:
        return `Atomics.compareExchange(m, ${a}, ${rnd(2)}, ${v})`;
      case 5:
        return `Atomics.store(m, ${a}, ${v} & 3)`;
      case 6:
        return `v.get(${a})`;
      case 7:
        return `v.at(${a}).swap(${v} & 3)`;
      case 8:
        return `Atomics.and(m, ${a}, ${rnd(4)})`;
      case 9:
        return `'onwti'.indexOf(Atomics.wait(m, ${a}, ${rnd(2)}, 5)[0])`;
      case 10:
        return `Atomics.notify(m, ${a}${rnd(2) ? ', 1' : ''})`;
      case 11:
        return `Atomics.add(w.b, ${a * 4 + rnd(2)}, ${1 + rnd(255)})`;
      case 12:
        return `Atomics.sub(m, ${a}, ${v})`;
      case 13:
        this.budget++;
        return `(m[${own}] = ${v})`;
      case 14:
        this.budget++;
        return `m[${own}]${this.pick(['', '++', '--'])}`;
      case 15:
        return `(Atomics.wait(m, ${a}, ${rnd(2)}) === 'ok' ? 1 : 0)`;
      default:
        return `Number(Atomics.add(w.q, ${rnd(2)}, ${rnd(3)}n) & 3n)`;
    }
  }

  /** @returns a variable that can be assigned */
  named(vars) {
    return this.pick(vars.filter((n) => n.startsWith('x')).concat('acc'));
  }

  expr(vars, depth = 0) {
    if (this.budget <= 0) return this.value(vars);
    const e = () => this.expr(vars, depth + 1);
    switch (this.rnd(depth > 1 ? 3 : 18)) {
      case 0:
        return this.value(vars);
      case 1:
      case 2:
        return this.op(vars);
      case 3:
        return `(${e()} + ${e()})`;
      case 4:
        return `(${e()} ^ ${this.value(vars)})`;
      case 5:
        return `(${e()} & 1 ? ${e()} : ${this.value(vars)})`;
      case 6:
        return this.helpers.length > 0 ? `${this.pick(this.helpers)}(m, v, ${e()}, ${e()})` : this.op(vars);
      case 7:
        return `((${e()} & 1) && ${e()})`;
      case 8:
        return `[${e()}, ...[${e()}], ${this.value(vars)}].reduce((s, x) => s * 3 + x, 0)`;
      case 9:
        return `Number(\`\${${e()} & 3}\${${e()} & 3}\`)`;
      case 10:
        return `weigh({ a: ${e()}, b: ${e()} })`;
      case 11:
        return `bump(${e()})`;
      case 12:
        return `(v?.get(${this.rnd(SHARED)}) ?? 0)`;
      case 13:
        // Shorthand, of a variable that bump changes behind it.
        return `total({ ${this.named(vars)}, y: ${e()}, z: bump(${this.value(vars)}) })`;
      case 14:
        return `total({ ...loc, ...{ a: ${e()} }, b: ${e()} })`;
      case 15:
        return `other(${e()}${this.rnd(2) ? `, ${e()}` : ''})`;
      case 16:
        return `((a, { b = a, c } = { c: ${this.rnd(3)} }) => a + b + c)(${e()}${this.rnd(2) ? `, { c: ${e()} }` : ''})`;
      default:
        return `mix(...[${e()}, ${e()}])`;
    }
  }

  block(vars, depth) {
    const out = [];
    const mine = [...vars];
    for (let i = 1 + this.rnd(3); i > 0 && this.budget > 0; i--) {
      switch (this.rnd(15)) {
        case 0:
        case 1: {
          const x = `x${this.names++}`;
          out.push(`let ${x} = ${this.expr(mine)};`);
          mine.push(x);
          break;
        }
        case 2: {
          const x = this.named(mine);
          out.push(`${x} = (${this.expr(mine)}) & 7;`);
          break;
        }
        case 3:
          out.push(`if (${this.expr(mine)} & 1) {\n${this.block(mine, depth + 1)}\n}`);
          if (this.rnd(2)) out.push(`else {\n${this.block(mine, depth + 1)}\n}`);
          break;
        case 4:
          if (depth < 1) {
            const k = `i${this.names++}`;
            out.push(`for (let ${k} = 0; ${k} < 2; ${k}++) {\n${this.block([...mine, k], depth + 1)}\n}`);
          }
          break;
        case 5:
          out.push(`loc.n = (loc.n + ${this.expr(mine)}) & 7;`);
          break;
        case 6:
          out.push(`try {\n${this.block(mine, depth + 1)}\nif (loc.n & 1) throw new Error('e' + acc);\n}`);
          out.push(`catch (e) {\nacc = (acc + e.message.length) & 7;\n${this.block(mine, depth + 1)}\n}`);
          if (this.rnd(2)) out.push(`finally {\n${this.block(mine, depth + 1)}\n}`);
          break;
        case 7:
          if (depth < 1) {
            out.push(
              `for (const k of [0, ${this.value(mine)}]) {\n${this.block([...mine, 'k'], depth + 1)}\n}`,
            );
          }
          break;
        case 8:
          out.push(`switch (${this.expr(mine)} & 3) {\ncase 0:\n${this.block(mine, depth + 1)}\nbreak;`);
          out.push(`case 1:\nacc ^= 1;\ndefault:\nacc ^= 2;\n}`);
          break;
        case 10: {
          const x = this.named(mine);
          const before = mine.filter((n) => n !== x);
          const inside = this.block([...before, ...(x === 'acc' ? [] : [x])], depth + 1);
          const start = x === 'acc' ? this.value(before) : this.expr(before);
          // A name that shadows, in a block or in the head of a loop.
          if (depth < 1 && this.rnd(2))
            out.push(`for (let ${x} of [1, ${this.value(before)}]) {\n${inside}\n}`);
          else out.push(`{\nlet ${x} = ${start};\n${inside}\n}`);
          break;
        }
        case 11: {
          const x = `x${this.names++}`;
          const y = `x${this.names++}`;
          out.push(`let { ${x} = ${this.value(mine)}, ${y} } = { ${y}: ${this.expr(mine)} };`);
          mine.push(x, y);
          break;
        }
        case 12: {
          const z = `z${this.names++}`;
          out.push(`const ${z} = ${this.expr(mine)} & 1 ? -0 : 0;\n${this.expr(mine)};`);
          out.push(`acc = (acc + (Object.is(${z}, -0) ? 1 : 3)) & 7;`);
          break;
        }
        case 9:
          out.push(`acc = acc * 3 + ${this.expr(mine)} & 15;`);
          break;
        default:
          out.push(`${this.expr(mine)};`);
      }
    }
    return out.join('\n');
  }

  litmus(name) {
    const threads = 2 + (this.rnd(4) === 0 ? 1 : 0);
    let source = '';
    for (let h = 0; h < 2; h++) {
      this.budget = 2;
      this.thread = -1;
      const own = this.block(['p', 'q'], 1).replace(new RegExp(`m\\[${SHARED - 1}\\]`, 'g'), 'loc.n');
      source += `function ${name}h${h}(m, v, p, q) {\nconst w = v.w;\nconst loc = { n: 0 };\nlet acc = 0;\n`;
      source += `const bump = (x) => { acc = (acc + x) & 7; return acc; };\n${own}\nreturn p + q + loc.n + acc;\n}\n`;
      this.helpers.push(`${name}h${h}`);
    }
    const bodies = [];
    for (let t = 0; t < threads; t++) {
      this.budget = threads === 2 ? 4 : 2;
      this.thread = t;
      const body = this.block([], 0);
      bodies.push(`t${t}(w) {
const m = w.m;
const v = new V(w, 0);
const loc = { n: 0 };
let acc = 0;
const bump = (x) => { acc = (acc + x) & 7; return acc; };
${body}
Atomics.add(m, ${SHARED - 1}, (acc + loc.n) & 3);
}`);
    }
    source += `tests.push(litmus({ name: '${name}', memory, threads: {\n${bodies.join(',\n')}\n}, goal: false, forbids: 'nothing', why: 'fuzz' }));\n`;
    return source;
  }
}

const HEAD = `import { litmus } from 'softnet/check';
const memory = () => {
  const sab = new SharedArrayBuffer(24);
  const other = new SharedArrayBuffer(16);
  return { m: new Int32Array(sab), b: new Uint8Array(sab), q: new BigInt64Array(other) };
};
class V {
  #at;
  constructor(w, at) { this.w = w; this.#at = at; }
  get(a) { return Atomics.load(this.w.m, a); }
  at(a) { return new V(this.w, a); }
  swap(x) { return Atomics.exchange(this.w.m, this.#at, x); }
}
const weigh = (o) => o.a * 3 + o.b;
const mix = (a, b) => (a << 1) ^ b;
const other = (a, b = a + 2) => a * 3 + b;
const total = (o) => {
  let sum = 0;
  for (const k in o) sum = sum * 3 + o[k];
  return sum;
};
class Hidden {
  #n = 0;
  add(x) { this.#n += x; }
  read() { return this.#n; }
}
const constantly = (x) => () => x;
export const tests = collect();
function collect() {
const tests = [];
`;

const set = (a) => `(w) => { Atomics.store(w.m, ${a}, 1); }`;
const sleep = (own) => `(w) => { Atomics.wait(w.m, 0, 0); w.m[${own}] = 1; }`;

/** Programs made by hand, each for one thing that can go wrong; threads as source. */
const CORNERS = {
  variable: [
    '(w) => { const a = Atomics.load(w.m, 0); Atomics.load(w.m, 1); Atomics.store(w.m, 3, a); }',
    set(0),
  ],
  operand: [
    '(w) => { Atomics.store(w.m, 3, Atomics.load(w.m, 0) * 2 + Atomics.load(w.m, 1)); }',
    set(0),
    set(1),
  ],
  hidden: [
    '(w) => { const h = new Hidden(); h.add(Atomics.load(w.m, 0)); Atomics.load(w.m, 1); Atomics.store(w.m, 3, h.read()); }',
    set(0),
  ],
  iteration: [
    '(w) => { for (const k of [0, 0]) Atomics.add(w.m, 0, 1); }',
    '(w) => { Atomics.add(w.m, 0, 1); }',
  ],
  cleanup: [
    '(w) => { let a = Atomics.load(w.m, 0); try { Atomics.load(w.m, 1); Atomics.store(w.m, 3, a); } finally { a = 0; } }',
    set(0),
  ],
  alias: [
    '(w) => { const o = { n: 0 }; const p = Atomics.load(w.m, 0) ? o : { n: 0 }; Atomics.load(w.m, 1); p.n = 1; Atomics.store(w.m, 3, o.n); }',
    set(0),
  ],
  closure: [
    '(w) => { const f = constantly(Atomics.load(w.m, 0)); Atomics.load(w.m, 1); Atomics.store(w.m, 3, f()); }',
    set(0),
  ],
  loop: [
    '(w) => { let a = 0; for (let i = 0; i < 2; i++) { if (i === 1) Atomics.store(w.m, 3, a); a = Atomics.load(w.m, 0); Atomics.load(w.m, 1); } }',
    set(0),
  ],
  swallow: [
    '(w) => { let a = 0; try { a = Atomics.load(w.m, 0); Atomics.load(w.m, 1); } catch { a = 5; } Atomics.store(w.m, 3, a); }',
    set(0),
  ],
  one: [sleep(3), sleep(4), '(w) => { Atomics.notify(w.m, 0, 1); }'],
  order: [sleep(3), sleep(4), '(w) => { Atomics.notify(w.m, 0, 1); Atomics.notify(w.m, 0, 1); }'],
  timed: [
    "(w) => { Atomics.store(w.m, 3, Atomics.wait(w.m, 0, 0, 1) === 'ok' ? 1 : 2); }",
    '(w) => { Atomics.notify(w.m, 0); }',
  ],
  shadow: [
    '(w) => { const a = Atomics.load(w.m, 0); { const a = 1; Atomics.load(w.m, a); } Atomics.store(w.m, 3, a); }',
    set(0),
  ],
  shorthand: [
    '(w) => { let a = Atomics.load(w.m, 0); const o = { a, b: (a = 2, Atomics.load(w.m, 1)) }; Atomics.store(w.m, 3, o.a); }',
    set(0),
  ],
  spread: [
    '(w) => { const s = [Atomics.load(w.m, 0)]; const o = [...s, (s[0] = 2, Atomics.load(w.m, 1))]; Atomics.store(w.m, 3, o[0]); }',
    set(0),
  ],
  zero: [
    '(w) => { const z = Atomics.load(w.m, 0) ? -0 : 0; Atomics.load(w.m, 1); Atomics.store(w.m, 3, Object.is(z, -0) ? 1 : 2); }',
    set(0),
  ],
  unequal: ['(w) => { Atomics.compareExchange(w.m, 3, 5, 2); }', set(0)],
  fill: ['(w) => { w.m.fill(Atomics.load(w.m, 0) + 1, 3, 5); Atomics.load(w.m, 1); }', set(0)],
};

function corners() {
  return Object.entries(CORNERS)
    .map(([name, bodies]) => {
      const threads = bodies.map((b, t) => `t${t}: ${b}`).join(',\n');
      return `tests.push(litmus({ name: '${name}', memory, threads: {\n${threads}\n}, goal: false, forbids: 'nothing', why: 'corner' }));\n`;
    })
    .join('');
}

/** @returns a module of random litmus tests */
export function fuzzModule(first, count) {
  let source = HEAD + corners();
  for (let i = 0; i < count; i++) source += new Generator(first + i).litmus(`p${first + i}`);
  return `${source}return tests;\n}\n`;
}

function outcome(setting, sleepsOn) {
  return `${Array.from(setting.memory.snapshot()).join()}|${sleepsOn.join()}`;
}

/** Every schedule, by replay. @returns outcomes, or null if there are more than `most` */
function enumerate({ Replay }, setting, most) {
  const outcomes = new Set();
  let steps = 0;
  const visit = (path) => {
    const replay = new Replay(setting);
    for (const t of path) replay.step(t);
    steps += path.length + 1;
    if (steps > most) return false;
    const movers = replay.threads.map((_, t) => t).filter((t) => replay.canMove(t));
    if (movers.length === 0) {
      outcomes.add(
        outcome(
          setting,
          replay.threads.map((s) => s.asleepOn),
        ),
      );
      return true;
    }
    return movers.every((t) => visit([...path, t]));
  };
  const all = visit([]);
  setting.memory.restore(setting.base);
  return all ? outcomes : null;
}

function explore(checker, setting, options) {
  const outcomes = new Set();
  const limits = { maxStates: 100_000, maxSeconds: 5 };
  const result = checker.search(setting, limits, {
    ...options,
    atRest: (sleepsOn) => outcomes.add(outcome(setting, sleepsOn)),
  });
  return { outcomes, result };
}

const text = (set) => [...set].sort().join('\n');

/**
 * Compares the explorers on `count` programs.
 * @returns what was compared; `disagreements` names the programs on which they differ
 */
export async function fuzz(checker, folder, first, count, most = 8000) {
  const file = join(folder, `fuzz-${first}-${count}.mjs`);
  writeFileSync(file, fuzzModule(first, count));
  const program = await checker.loadProgram(pathToFileURL(file));
  const seen = { compared: 0, tooLarge: 0, merged: 0, audits: 0, opaque: 0, outcomes: 0, disagreements: [] };
  for (const test of checker.litmusTests(program.exports)) {
    try {
      const setting = new checker.Setting(test);
      const merged = explore(checker, setting, { audit: true });
      const apart = explore(checker, setting, { merge: false });
      if (text(merged.outcomes) !== text(apart.outcomes)) {
        seen.disagreements.push(`${test.name}: merged and unmerged search differ`);
      }
      seen.merged += merged.result.front.merged;
      seen.audits += merged.result.front.audits;
      seen.opaque += merged.result.front.opaque;
      const failed = merged.result.findings.find((f) => f.kind === 'exception' || f.kind === 'race');
      if (failed !== undefined) seen.disagreements.push(`${test.name}: ${failed.message}`);
      const naive = enumerate(checker, setting, most);
      if (naive === null) seen.tooLarge++;
      else {
        seen.compared++;
        seen.outcomes += naive.size;
        if (text(naive) !== text(merged.outcomes)) {
          seen.disagreements.push(
            `${test.name}: naive enumeration finds ${naive.size}, search ${merged.outcomes.size}`,
          );
        }
      }
    } catch (e) {
      seen.disagreements.push(`${test.name}: ${e.message}`);
    }
  }
  return seen;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [index, folder, first, count, most] = process.argv.slice(2);
  const seen = await fuzz(await import(index), folder, Number(first), Number(count), Number(most));
  console.log(JSON.stringify(seen));
  process.exitCode = seen.disagreements.length > 0 ? 1 : 0;
}
