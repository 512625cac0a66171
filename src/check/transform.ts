// SPDX-License-Identifier: GPL-2.0-only
/**
 * The load-time transform: plain code stays plain code, and each call and indexed access registers itself (site, and a
 * closure over the variables still needed) right before it happens. Lines are kept; text is only ever inserted.
 *
 * An expression is evaluated left to right, so at a site the operands to its left are held nowhere but on the engine's
 * stack: each such operand goes through a temporary that the site captures. What cannot be captured (a half-iterated
 * for-of, a pending `return` in finally) makes the site opaque; what cannot be made sound is refused with its place.
 */
import { createHash } from 'node:crypto';
import { parse } from 'acorn';
import MagicString from 'magic-string';
import { RefusedError } from './refuse.js';
import { FunctionScope, mentionsThis } from './scopes.js';
import {
  SITE_ACCESSOR,
  SITE_KIND_CALL,
  SITE_KIND_INDEX,
  SITE_KIND_NEW,
  SITE_OPAQUE,
  type SiteRow,
} from './sites.js';
import {
  assignedNames,
  childrenOf,
  isFunction,
  isReference,
  type Node,
  patternNames,
  varNames,
} from './syntax.js';

/** Globals that instrumented modules get from the checker. */
const SHIMMED: readonly string[] = [
  'Atomics',
  'SharedArrayBuffer',
  'DataView',
  'performance',
  'Date',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
];

/** Methods of built-ins that call back: a shared access in the callback is refused where it can be seen. */
const CALLS_BACK =
  /^(forEach|map|filter|some|every|reduce|reduceRight|find|findIndex|findLast|sort|replace|replaceAll|from|flatMap)$/;

/** Members that the engine calls by itself, not through a call that stands in the source. */
const IMPLICIT = /^(toString|valueOf|toJSON|then)$/;

export interface TransformOptions {
  /** Address of the runtime's face. */
  readonly runtime: string;
  /** Address of the module, for messages and traces. */
  readonly url: string;
  /** Which load this is: modules of one session are one program. */
  readonly session: string;
  /** Number of the first site. */
  readonly firstSite: number;
}

export interface Transformed {
  readonly code: string;
  readonly sites: number;
}

/**
 * Instruments a module.
 * @throws RefusedError for what cannot be checked soundly, with file and line
 */
export function transform(source: string, options: TransformOptions): Transformed {
  return new Transformer(source, options).run();
}

class Transformer {
  private readonly source: string;
  private readonly options: TransformOptions;
  private readonly s: MagicString;
  private readonly rows: SiteRow[] = [];
  private readonly siteCache = new Map<Node, boolean>();
  private readonly file: string;

  constructor(source: string, options: TransformOptions) {
    this.source = source;
    this.options = options;
    this.s = new MagicString(source);
    this.file = options.url.replace(/^file:\/\//, '');
  }

  run(): Transformed {
    const { source, s, options } = this;
    let ast: Node;
    try {
      ast = parse(source, {
        ecmaVersion: 'latest',
        sourceType: 'module',
        locations: true,
        allowHashBang: true,
      }) as unknown as Node;
    } catch (e) {
      const at = (e as { loc?: { line: number } }).loc?.line ?? 1;
      throw new RefusedError(`${this.file}:${at}: not an ES module: ${(e as Error).message}`);
    }
    const own = this.topLevelNames(ast);
    for (const st of ast.body as Node[]) this.topLevel(st);
    const hash = createHash('sha256').update(source).digest('hex').slice(0, 16);
    const names = SHIMMED.filter((n) => !own.has(n) && new RegExp(`\\b${n}\\b`).test(source));
    const head =
      `import { ${['$', ...names].join(', ')} } from ${JSON.stringify(options.runtime)}; ` +
      `$.mod(${JSON.stringify(options.session)}, ${JSON.stringify(options.url)}, '${hash}', ${options.firstSite}, ` +
      `${JSON.stringify(this.rows)}); `;
    const bang = source.startsWith('#!') ? source.indexOf('\n') + 1 : 0;
    s.appendLeft(bang, head);
    for (const st of ast.body as Node[]) this.freezeDeclared(st);
    return { code: s.toString(), sites: this.rows.length };
  }

  // --- modules

  private fail(n: Node, what: string): never {
    throw new RefusedError(`${this.file}:${n.loc.start.line}: ${what}`);
  }

  private topLevelNames(ast: Node): Set<string> {
    const names: string[] = [];
    for (const st of ast.body as Node[]) {
      const d = (/^Export(Named|Default)Declaration$/.test(st.type) ? st.declaration : st) as Node | null;
      if (d?.type === 'VariableDeclaration')
        for (const x of d.declarations as Node[]) patternNames(x.id as Node, names);
      else if (d?.id) names.push((d.id as Node).name as string);
      if (st.type === 'ImportDeclaration')
        for (const x of st.specifiers as Node[]) names.push((x.local as Node).name);
    }
    if (names.includes('$')) this.fail(ast, 'the name $ is taken at module level; rename it');
    return new Set(names);
  }

  private topLevel(st: Node): void {
    if (/^Export(Named|Default)Declaration$/.test(st.type)) {
      const d = st.declaration as Node | null;
      if (d === null || d === undefined) return;
      if (/Declaration$/.test(d.type)) this.topLevel(d);
      else {
        this.walk(d, null);
        this.wrap(d, '$.m(', `, ${this.where(d)})`);
      }
      return;
    }
    if (/^(Import|ExportAll)/.test(st.type)) return;
    if (st.type === 'VariableDeclaration') {
      if (st.kind !== 'const') {
        this.fail(
          st,
          `"${st.kind}" at module level is mutable module state; make it const or move it into a function`,
        );
      }
      for (const d of st.declarations as Node[]) {
        const init = d.init as Node;
        this.walk(d.id as Node, null);
        this.walk(init, null);
        if (
          !isFunction(init) &&
          !/^(Literal|UnaryExpression|BinaryExpression|ClassExpression)$/.test(init.type)
        ) {
          this.wrap(init, '$.m(', `, ${this.where(d)})`);
        }
      }
      return;
    }
    this.walk(st, null);
  }

  /** Functions and classes of the module are frozen at its end: they could carry state, too. */
  private freezeDeclared(st: Node): void {
    const d = (/^Export(Named|Default)Declaration$/.test(st.type) ? st.declaration : st) as Node | null;
    if (d === null || d === undefined || !/^(Function|Class)Declaration$/.test(d.type) || !d.id) return;
    this.s.append(`\n; $.m(${d.id.name}, ${this.where(d)}); $.m(${d.id.name}.prototype, ${this.where(d)})`);
  }

  private where(n: Node): string {
    return JSON.stringify(`${this.file}:${n.loc.start.line}`);
  }

  // --- edits: inner ones first, so that they nest

  private wrap(n: Node, open: string, close: string): void {
    this.s.prependRight(n.start, open);
    this.s.appendLeft(n.end, close);
  }

  // --- sites

  /** @returns true if evaluating `n` passes a site, nested functions left out */
  private hasSite(n: Node | null | undefined): boolean {
    if (n === null || n === undefined) return false;
    const known = this.siteCache.get(n);
    if (known !== undefined) return known;
    let r =
      n.type === 'CallExpression' ||
      n.type === 'NewExpression' ||
      (n.type === 'MemberExpression' && n.computed === true);
    if (!r) for (const c of childrenOf(n)) if (!isFunction(c) && this.hasSite(c)) r = true;
    this.siteCache.set(n, r);
    return r;
  }

  /** Makes a site. @returns the arguments that a registration takes */
  private site(n: Node, F: FunctionScope, kind: number, after: number): string {
    F.used = true;
    const flags = (F.opaque ? SITE_OPAQUE : 0) | (F.isAccessor ? SITE_ACCESSOR : 0);
    this.rows.push([n.loc.start.line, n.loc.start.column, kind, flags, F.name]);
    const id = this.options.firstSite + this.rows.length - 1;
    return `$d, ${id}, () => [${F.live(after).join(', ')}]`;
  }

  /** @returns true if a value read now is the same as one read later, while `later` is evaluated */
  private stable(n: Node, later: readonly Node[], F: FunctionScope): boolean {
    if (n.type === 'Literal' || n.type === 'ThisExpression' || n.type === 'Super') return true;
    if (n.type === 'UnaryExpression') return (n.argument as Node).type === 'Literal';
    if (n.type !== 'Identifier') return false;
    const name = n.name as string;
    if (F.assignedInside.has(name)) return false;
    for (let o = F.outer; o !== null; o = o.outer) if (o.assignedInside.has(name)) return false;
    return !later.some((x) => assignedNames(x, false).has(name));
  }

  /**
   * Walks operands in the order of evaluation; what later sites have to remember goes into temporaries.
   * @param more true if sites follow behind the list
   * @returns the depth of pending operands before, for `release`
   */
  private operands(list: readonly (Node | null)[], F: FunctionScope, more = false): number {
    const depth = F.pending.length;
    const nodes = list.filter((x): x is Node => x !== null && x !== undefined);
    for (let j = 0; j < nodes.length; j++) {
      const e = nodes[j].type === 'SpreadElement' ? (nodes[j].argument as Node) : nodes[j];
      this.walk(e, F);
      const later = nodes.slice(j + 1);
      if (!more && !later.some((x) => this.hasSite(x))) continue;
      if (inChain(e)) this.fail(e, 'an optional chain goes on behind a call; split the statement');
      if (this.stable(e, later, F)) {
        if (e.type === 'Identifier' && F.knows(e.name as string)) F.pending.push(e.name as string);
      } else if (e.type !== 'Super') {
        const t = `$t${F.temps++}`;
        this.wrap(e, `(${t} = `, ')');
        F.pending.push(t);
      }
    }
    return depth;
  }

  // --- functions

  private functionName(n: Node, parent: Node | null): string {
    if (n.id) return n.id.name as string;
    const key = parent?.key as Node | undefined;
    if (key !== undefined) return (key.name ?? key.value ?? '') as string;
    if (parent?.type === 'VariableDeclarator' && parent.id.type === 'Identifier')
      return parent.id.name as string;
    return 'anonymous';
  }

  private doFunction(n: Node, outer: FunctionScope | null, parent: Node | null): FunctionScope {
    if (n.async === true)
      this.fail(n, 'an async function cannot be checked; write blocking code (Atomics.wait)');
    if (n.generator === true) this.fail(n, 'a generator cannot be checked; write a plain function');
    const F = new FunctionScope(n, outer, this.functionName(n, parent));
    const member = parent?.type === 'MethodDefinition' || parent?.type === 'Property' ? parent : null;
    F.isConstructor = member?.kind === 'constructor';
    F.isAccessor =
      member?.kind === 'get' ||
      member?.kind === 'set' ||
      (member !== null && (member.computed === true || IMPLICIT.test(F.name)) && parent?.type !== 'Property');
    F.hasThis = !F.isConstructor && mentionsThis(n);
    if (F.isConstructor || member?.kind === 'get' || member?.kind === 'set') this.refuseDirectAtomics(n, F);
    const params: string[] = [];
    F.enter([]);
    for (const p of n.params as Node[]) {
      if (this.hasSite(p)) this.fail(p, 'a call in the default value of a parameter; move it into the body');
      patternNames(p, params);
      this.walk(p, F);
    }
    const body = n.body as Node;
    const block = body.type === 'BlockStatement';
    F.declare(params, n.start);
    if (block) F.declare(varNames(body), n.start);
    if (n.type !== 'ArrowFunctionExpression' && F.mentions.has('arguments'))
      F.declare(['arguments'], n.start);
    if (!block) {
      if (!this.hasSite(body)) this.walk(body, F);
      else {
        this.walk(body, F);
        const temps = Array.from({ length: F.temps }, (_, i) => `, $t${i}`).join('');
        this.wrap(body, `(($d${temps}) => (`, '))($.in())');
      }
    } else {
      F.enter(this.blockNames(body.body as Node[]));
      for (const st of body.body as Node[]) this.walk(st, F);
      F.leave();
      const temps =
        F.temps > 0 ? ` let ${Array.from({ length: F.temps }, (_, i) => `$t${i}`).join(', ')};` : '';
      if (F.used) this.s.appendLeft(this.bodyStart(body), ` const $d = $.in();${temps}`);
    }
    F.leave();
    return F;
  }

  /** Behind the `{`, and behind directives. */
  private bodyStart(body: Node): number {
    let at = body.start + 1;
    for (const st of body.body as Node[]) {
      if (st.directive === undefined) break;
      at = st.end;
    }
    return at;
  }

  private refuseDirectAtomics(n: Node, F: FunctionScope): void {
    const visit = (x: Node): void => {
      if (x !== n && isFunction(x)) return;
      if (x.type === 'MemberExpression' && isReference(x.object as Node, x) && x.object.name === 'Atomics') {
        this.fail(
          x,
          F.isConstructor
            ? 'shared memory is touched in a constructor; do it after construction'
            : 'shared memory is touched in a getter or setter; make it a method',
        );
      }
      for (const c of childrenOf(x)) visit(c);
    };
    visit(n);
  }

  private blockNames(body: readonly Node[]): string[] {
    const out: string[] = [];
    for (const st of body) {
      if (st.type === 'VariableDeclaration')
        for (const d of st.declarations as Node[]) patternNames(d.id as Node, out);
      else if (/^(Function|Class)Declaration$/.test(st.type) && st.id) out.push(st.id.name as string);
    }
    return out;
  }

  /** A closure inside a function: the runtime learns what it holds. */
  private closure(n: Node, F: FunctionScope, parent: Node | null): string {
    const inner = this.doFunction(n, F, parent);
    const held = F.heldBy(inner);
    const assigned = assignedNames(n, true);
    const assigns = held.some((name) => assigned.has(name));
    return `, ${JSON.stringify(`${this.file}:${n.start}`)}, () => [${held.join(', ')}], ${assigns}, ${this.where(n)})`;
  }

  private block(body: readonly Node[], F: FunctionScope): void {
    F.enter(this.blockNames(body));
    for (const st of body) this.walk(st, F);
    F.leave();
  }

  private loopBody(body: Node): void {
    if (body.type === 'BlockStatement') this.s.appendLeft(body.start + 1, ' $.l();');
    else this.wrap(body, '{ $.l(); ', ' }');
  }

  // --- the walk

  private walk(n: Node | null | undefined, F: FunctionScope | null): void {
    if (n === null || n === undefined) return;
    const visit = F === null ? undefined : this.visitors[n.type];
    if (visit !== undefined) {
      visit(n, F as FunctionScope);
      return;
    }
    switch (n.type) {
      case 'FunctionDeclaration':
        if (F === null) this.doFunction(n, null, null);
        else {
          F.declare([n.id.name as string], n.start);
          const tag = this.closure(n, F, null);
          this.s.appendLeft(n.end, ` $.f(${n.id.name}${tag};`);
        }
        return;
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        if (F === null) this.doFunction(n, null, null);
        else this.wrap(n, '$.f(', this.closure(n, F, null));
        return;
      case 'ClassDeclaration':
      case 'ClassExpression':
        this.classBody(n, F);
        return;
      case 'Property':
        this.property(n, F);
        return;
      case 'WhileStatement':
      case 'DoWhileStatement':
      case 'ForStatement':
      case 'ForOfStatement':
      case 'ForInStatement':
        for (const c of childrenOf(n)) this.walk(c, F);
        this.loopBody(n.body as Node);
        return;
      case 'TryStatement':
        this.tryStatement(n, F);
        return;
      case 'AwaitExpression':
      case 'YieldExpression':
        this.fail(
          n,
          `${n.type === 'AwaitExpression' ? 'await' : 'yield'} cannot be checked; write blocking code`,
        );
        return;
      case 'ImportExpression':
        this.fail(n, 'a dynamic import cannot be checked; import at the top');
        return;
      case 'TaggedTemplateExpression':
        this.fail(n, 'a tagged template cannot be checked; call the function');
        return;
      case 'MemberExpression':
        if (isRandom(n)) {
          this.s.overwrite(n.start, n.end, '$.random');
          return;
        }
        break;
      case 'CallExpression':
        if (n.callee.name === 'eval') this.fail(n, 'eval cannot be checked');
        break;
    }
    for (const c of childrenOf(n)) this.walk(c, F);
  }

  private classBody(n: Node, F: FunctionScope | null): void {
    if (F !== null) this.fail(n, 'a class inside a function cannot be checked; move it to module level');
    this.walk(n.superClass as Node | null, null);
    const hidden: string[] = [];
    for (const m of n.body.body as Node[]) {
      if (m.type === 'MethodDefinition') {
        if (m.computed) this.walk(m.key as Node, null);
        this.doFunction(m.value as Node, null, m);
      } else if (m.type === 'PropertyDefinition') {
        if (m.key.type === 'PrivateIdentifier') {
          if (m.static) this.fail(m, 'a static private field is mutable module state; use a module constant');
          hidden.push(m.key.name as string);
        }
        if (m.value) this.walk(m.value as Node, null);
      } else {
        this.walk(m, null);
      }
    }
    if (hidden.length === 0) return;
    const read = hidden.map((name) => `o.#${name}`).join(', ');
    this.s.appendLeft(
      n.body.start + 1,
      ` static { $.p(this, (o) => #${hidden[0]} in o ? [${read}] : null); }`,
    );
  }

  private property(n: Node, F: FunctionScope | null): void {
    const value = n.value as Node;
    if (n.computed) this.walk(n.key as Node, F);
    if (n.kind !== 'init') {
      this.doFunction(value, F, n);
    } else if (n.method) {
      if (F === null) this.doFunction(value, null, n);
      else if (value.async || value.generator || n.computed) this.doFunction(value, F, n);
      else {
        // A method becomes a function expression, so that what it holds can be told.
        const tag = this.closure(value, F, n);
        this.s.prependRight(value.start, ': $.f(function ');
        this.s.appendLeft(value.end, tag);
      }
    } else {
      this.walk(value, F);
    }
  }

  private tryStatement(n: Node, F: FunctionScope | null): void {
    this.walk(n.block as Node, F);
    const handler = n.handler as Node | null;
    if (handler !== null) {
      const param = handler.param as Node | null;
      if (param !== null && param.type !== 'Identifier')
        this.fail(param, 'a pattern in catch; name the error');
      const name = param === null ? '$e' : (param.name as string);
      if (param === null) this.s.appendLeft(handler.start + 'catch'.length, ' ($e)');
      if (F !== null) {
        F.enter([]);
        F.declare([name], handler.start);
      }
      this.walk(handler.body as Node, F);
      if (F !== null) F.leave();
      this.s.prependLeft(handler.body.start + 1, ` $.c(${name});`);
    }
    const last = n.finalizer as Node | null;
    if (last === null) return;
    // Whether the block ends in a return or a throw is held by the engine alone.
    const was = F?.opaque ?? false;
    if (F !== null) F.opaque = true;
    this.walk(last, F);
    if (F !== null) F.opaque = was;
    this.s.prependLeft(last.start + 1, ' if ($.ok()) {');
    this.s.appendLeft(last.end - 1, '}');
  }

  // --- inside functions

  private readonly visitors: Record<string, (n: Node, F: FunctionScope) => void> = {
    BlockStatement: (n, F) => this.block(n.body as Node[], F),

    VariableDeclaration: (n, F) => {
      for (const d of n.declarations as Node[]) {
        const id = d.id as Node;
        if (this.hasSite(id)) this.fail(id, 'a call inside a pattern; split the statement');
        this.walk(id, F);
        const init = d.init as Node | null;
        if (
          init !== null &&
          (init.type === 'FunctionExpression' || init.type === 'ArrowFunctionExpression')
        ) {
          this.wrap(init, '$.f(', this.closure(init, F, d));
        } else {
          this.walk(init, F);
        }
        const names: string[] = [];
        patternNames(id, names);
        if (n.kind !== 'var') F.declare(names, d.start);
      }
    },

    ForStatement: (n, F) => {
      F.enter([]);
      const init = n.init as Node | null;
      this.walk(init, F);
      if (init?.type === 'VariableDeclaration') {
        const names: string[] = [];
        for (const d of init.declarations as Node[]) patternNames(d.id as Node, names);
        F.declare(names, n.start);
      }
      this.walk(n.test as Node | null, F);
      this.walk(n.update as Node | null, F);
      this.walk(n.body as Node, F);
      this.loopBody(n.body as Node);
      F.leave();
    },

    ForOfStatement: (n, F) => this.iteration(n, F),
    ForInStatement: (n, F) => this.iteration(n, F),

    SwitchStatement: (n, F) => {
      this.walk(n.discriminant as Node, F);
      const was = F.opaque;
      F.enter(this.blockNames((n.cases as Node[]).flatMap((c) => c.consequent as Node[])));
      for (const c of n.cases as Node[]) {
        // While the tests are evaluated the value switched on is held by the engine.
        F.opaque = true;
        this.walk(c.test as Node | null, F);
        F.opaque = was;
        for (const st of c.consequent as Node[]) this.walk(st, F);
      }
      F.leave();
    },

    BinaryExpression: (n, F) => this.release(F, this.operands([n.left, n.right], F)),
    ArrayExpression: (n, F) => this.release(F, this.operands(n.elements as (Node | null)[], F)),
    TemplateLiteral: (n, F) => this.release(F, this.operands(n.expressions as Node[], F)),
    ObjectExpression: (n, F) => this.objectExpression(n, F),
    AssignmentExpression: (n, F) => this.assignment(n, F),
    MemberExpression: (n, F) => this.member(n, F),
    CallExpression: (n, F) => this.call(n, F),
    NewExpression: (n, F) => this.call(n, F),
  };

  private release(F: FunctionScope, depth: number): void {
    F.pending.length = depth;
  }

  private iteration(n: Node, F: FunctionScope): void {
    if (n.await === true) this.fail(n, 'for await cannot be checked; write blocking code');
    F.enter([]);
    this.walk(n.right as Node, F);
    if (n.left.type === 'VariableDeclaration') {
      const names: string[] = [];
      patternNames(n.left.declarations[0].id as Node, names);
      F.declare(names, n.start);
    } else {
      this.walk(n.left as Node, F);
    }
    // The iterator's place is held by the engine.
    const was = F.opaque;
    F.opaque = true;
    this.walk(n.body as Node, F);
    F.opaque = was;
    this.loopBody(n.body as Node);
    F.leave();
  }

  private objectExpression(n: Node, F: FunctionScope): void {
    const properties = n.properties as Node[];
    const depth = F.pending.length;
    for (let j = 0; j < properties.length; j++) {
      const p = properties[j];
      const later = properties.slice(j + 1);
      if (
        p.type === 'Property' &&
        (p.kind !== 'init' || p.method || p.shorthand || isFunction(p.value as Node))
      ) {
        this.property(p, F);
        continue;
      }
      const list =
        p.type === 'SpreadElement' ? [p] : p.computed ? [p.key as Node, p.value as Node] : [p.value as Node];
      // What stands in an object half made has to be remembered by the sites of the properties behind it.
      this.operands(
        list,
        F,
        later.some((x) => this.hasSite(x)),
      );
    }
    this.release(F, depth);
  }

  private assignment(n: Node, F: FunctionScope): void {
    const left = n.left as Node;
    const right = n.right as Node;
    const logical = /^(&&|\|\||\?\?)=$/.test(n.operator as string);
    const compound = n.operator !== '=' && !logical;
    if (left.type !== 'MemberExpression') {
      if (left.type !== 'Identifier' && this.hasSite(left))
        this.fail(left, 'a call inside a pattern; split the statement');
      if (compound && this.hasSite(right)) {
        if (!this.stable(left, [right], F)) {
          this.fail(
            n,
            `x ${n.operator} <call> reads x before the call, which may change it; split the statement`,
          );
        }
        F.pending.push(left.name as string);
        this.walk(right, F);
        F.pending.pop();
        return;
      }
      this.walk(left, F);
      this.walk(right, F);
      return;
    }
    if (compound && this.hasSite(right)) {
      this.fail(n, `x ${n.operator} <call or indexed access> reads x first; split it into two statements`);
    }
    const parts = left.computed ? [left.object, left.property, right] : [left.object, right];
    const depth = this.operands(parts as Node[], F);
    if (left.computed) {
      if (n.operator === '=') {
        this.wrap(right, '$.i(', `, ${this.site(n, F, SITE_KIND_INDEX, n.end)})`);
      } else {
        if (logical) this.fail(n, `${n.operator} on an indexed access; write an if`);
        this.wrap(left.property as Node, '$.i(', `, ${this.site(n, F, SITE_KIND_INDEX, left.end)})`);
      }
    }
    this.release(F, depth);
  }

  private member(n: Node, F: FunctionScope): void {
    if (n.computed !== true) {
      if (isRandom(n)) this.s.overwrite(n.start, n.end, '$.random');
      else this.walk(n.object as Node, F);
      return;
    }
    const depth = this.operands([n.object as Node, n.property as Node], F);
    const args = this.site(n, F, SITE_KIND_INDEX, n.end);
    this.release(F, depth);
    this.wrap(n.property as Node, '$.i(', `, ${args})`);
  }

  private call(n: Node, F: FunctionScope): void {
    const callee = n.callee as Node;
    const args = n.arguments as Node[];
    if (callee.name === 'eval' || (callee.name === 'Function' && n.type === 'NewExpression')) {
      this.fail(n, 'code made at run time cannot be checked');
    }
    this.refuseCallback(n);
    if (isRandom(callee)) this.s.overwrite(callee.start, callee.end, '$.random');
    const parts: Node[] = [];
    if (isRandom(callee)) {
      // Math belongs to the engine: nothing to remember.
    } else if (callee.type === 'MemberExpression') {
      parts.push(callee.object as Node);
      if (callee.computed) parts.push(callee.property as Node);
    } else if (callee.type !== 'Super') {
      parts.push(callee);
    }
    const depth = this.operands([...parts, ...args], F);
    const kind = n.type === 'NewExpression' || callee.type === 'Super' ? SITE_KIND_NEW : SITE_KIND_CALL;
    const was = F.opaque;
    const probe = kind === SITE_KIND_NEW ? null : this.calleeProbe(callee, F);
    const tail = probe === null ? '' : `, () => ${probe}`;
    // A callee that cannot be looked up again might be a built-in that calls back.
    if (probe === null && kind === SITE_KIND_CALL) F.opaque = true;
    const reg = this.site(n, F, kind, n.end);
    F.opaque = was;
    this.release(F, depth);
    const last = args[args.length - 1];
    if (last !== undefined && last.type !== 'SpreadElement') {
      this.wrap(last, '$.a(', `, ${reg}${tail})`);
    } else if (n.type === 'NewExpression' && this.source[n.end - 1] !== ')') {
      this.s.appendLeft(n.end, `(...$.e(${reg}${tail}))`);
    } else {
      const at = n.end - 1;
      const comma = last !== undefined && !/,\s*$/.test(this.source.slice(last.end, at)) ? ', ' : '';
      this.s.appendLeft(at, `${comma}...$.e(${reg}${tail})`);
    }
  }

  /**
   * @returns an expression without effects for the function that is called, null where there is none
   */
  private calleeProbe(callee: Node, F: FunctionScope): string | null {
    const text = (x: Node): string => this.source.slice(x.start, x.end);
    if (isPlain(callee)) return text(callee);
    const keep = (x: Node): string => {
      if (isPlain(x)) return text(x);
      const t = `$t${F.temps++}`;
      this.wrap(x, `(${t} = `, ')');
      return t;
    };
    if (callee.type !== 'MemberExpression') return inChain(callee) ? null : keep(callee);
    const object = callee.object as Node;
    const property = callee.property as Node;
    if (object.type === 'Super' || inChain(object)) return null;
    return callee.computed === true
      ? `${keep(object)}[${keep(property)}]`
      : `${keep(object)}.${text(property)}`;
  }

  private refuseCallback(n: Node): void {
    const callee = n.callee as Node;
    if (
      callee.type !== 'MemberExpression' ||
      callee.computed ||
      !CALLS_BACK.test(callee.property.name as string)
    )
      return;
    for (const arg of n.arguments as Node[]) {
      if (!isFunction(arg)) continue;
      const visit = (x: Node): void => {
        if (x.type === 'MemberExpression' && x.object.name === 'Atomics') {
          this.fail(x, `shared memory is touched in a callback of ${callee.property.name}; use a loop`);
        }
        for (const c of childrenOf(x)) visit(c);
      };
      visit(arg);
    }
  }
}

/** @returns true for `Math.random` */
function isRandom(n: Node): boolean {
  return (
    n.type === 'MemberExpression' &&
    n.computed !== true &&
    n.object.name === 'Math' &&
    n.property.name === 'random'
  );
}

/** @returns true for expressions that can be evaluated again at any time */
function isPlain(n: Node): boolean {
  if (n.type === 'Identifier' || n.type === 'ThisExpression') return true;
  if (n.type === 'Literal') return typeof n.value !== 'object';
  return (
    n.type === 'MemberExpression' &&
    isPlain(n.object as Node) &&
    (n.computed !== true || isPlain(n.property as Node))
  );
}

/** @returns true inside an optional chain: parentheses around it would change what the chain skips */
function inChain(n: Node): boolean {
  if (n.type !== 'MemberExpression' && n.type !== 'CallExpression') return false;
  return n.optional === true || inChain((n.type === 'CallExpression' ? n.callee : n.object) as Node);
}
