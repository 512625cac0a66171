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
import type { FunctionScope } from './scopes.js';
import { renameShadowing } from './shadowing.js';
import { childrenOf, isFunction, isRandom, type Node, patternNames } from './syntax.js';
import { ExpressionTransform } from './transform_expressions.js';
import { FunctionTransform } from './transform_functions.js';
import { guardCarrier } from './transform_guards.js';
import { refuseAliases, refuseModuleBlocks } from './transform_refusals.js';
import { StatementTransform } from './transform_statements.js';
import { TransformWork } from './transform_work.js';

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
  'ArrayBuffer',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'Promise',
];

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

function parsed(source: string, file: string): Node {
  try {
    return parse(source, {
      ecmaVersion: 'latest',
      sourceType: 'module',
      locations: true,
      allowHashBang: true,
    }) as unknown as Node;
  } catch (e) {
    const at = (e as { loc?: { line: number } }).loc?.line ?? 1;
    throw new RefusedError(`${file}:${at}: not an ES module: ${(e as Error).message}`);
  }
}

/** @returns the names that a module declares and imports */
function moduleNames(ast: Node): string[] {
  const names: string[] = [];
  for (const st of ast.body as Node[]) {
    const d = (/^Export(Named|Default)Declaration$/.test(st.type) ? st.declaration : st) as Node | null;
    if (d?.type === 'VariableDeclaration')
      for (const x of d.declarations as Node[]) patternNames(x.id as Node, names);
    else if (d?.id) names.push((d.id as Node).name as string);
    if (st.type === 'ImportDeclaration')
      for (const x of st.specifiers as Node[]) names.push((x.local as Node).name);
  }
  return names;
}

/** @returns the addresses of what a module imports by a path */
function importedByPath(ast: Node, url: string): string[] {
  const found: string[] = [];
  for (const st of ast.body as Node[]) {
    const from = (st.source as Node | null | undefined)?.value as string | undefined;
    if (from !== undefined && /^(\.{0,2}\/|file:)/.test(from)) found.push(new URL(from, url).href);
  }
  return found;
}

class Transformer {
  private readonly original: string;
  private readonly source: string;
  private readonly ast: Node;
  private readonly options: TransformOptions;
  private readonly s: MagicString;
  private readonly work: TransformWork;
  private readonly functions: FunctionTransform;
  private readonly statements: StatementTransform;
  private readonly visitors: Readonly<Record<string, (n: Node, F: FunctionScope) => void>>;

  constructor(original: string, options: TransformOptions) {
    const file = options.url.replace(/^file:\/\//, '');
    let ast = parsed(original, file);
    const fail = (n: Node, what: string): never => {
      throw new RefusedError(`${file}:${n.loc.start.line}: ${what}`);
    };
    const free = new Set<Node>();
    const renamed = renameShadowing(original, ast, fail, free);
    const own = new Set(moduleNames(ast));
    refuseAliases(ast, fail, (x) => !free.has(x) || own.has(x.name as string));
    const source = renamed?.code ?? original;
    if (renamed !== null) ast = parsed(source, file);
    this.original = original;
    this.source = source;
    this.ast = ast;
    this.options = options;
    this.s = new MagicString(source);
    this.work = new TransformWork(source, this.s, options.url, options.firstSite, (n, F) => this.walk(n, F));
    if (renamed !== null) this.work.spelled = renamed.spelled;
    this.functions = new FunctionTransform(this.work);
    this.statements = new StatementTransform(this.work, this.functions);
    const expressions = new ExpressionTransform(this.work, this.functions);
    this.visitors = { ...this.statements.visitors, ...expressions.visitors };
  }

  run(): Transformed {
    const { source, s, options, ast } = this;
    const own = this.topLevelNames(ast);
    for (const st of ast.body as Node[]) this.topLevel(st);
    const hash = createHash('sha256').update(this.original).digest('hex').slice(0, 16);
    const names = SHIMMED.filter((n) => !own.has(n) && new RegExp(`\\b${n}\\b`).test(source));
    const head =
      `import { ${['$', ...names].join(', ')} } from ${JSON.stringify(options.runtime)}; ` +
      `$.mod(${JSON.stringify(options.session)}, ${JSON.stringify(options.url)}, '${hash}', ${options.firstSite}, ` +
      `${JSON.stringify(this.work.rows)}, ${JSON.stringify(importedByPath(ast, options.url))}); `;
    const bang = source.startsWith('#!') ? source.indexOf('\n') + 1 : 0;
    s.appendLeft(bang, head);
    for (const st of ast.body as Node[]) this.freezeDeclared(st);
    return { code: s.toString(), sites: this.work.rows.length };
  }

  private topLevelNames(ast: Node): Set<string> {
    const names = moduleNames(ast);
    if (names.includes('$')) this.work.fail(ast, 'the name $ is taken at module level; rename it');
    return new Set(names);
  }

  private topLevel(st: Node): void {
    if (/^Export(Named|Default)Declaration$/.test(st.type)) {
      const d = st.declaration as Node | null;
      if (d === null || d === undefined) return;
      if (/Declaration$/.test(d.type)) this.topLevel(d);
      else {
        this.walk(d, null);
        this.work.wrap(d, '$.m(', `, ${this.work.where(d)})`);
      }
      return;
    }
    if (/^(Import|ExportAll)/.test(st.type)) return;
    if (st.type === 'VariableDeclaration') {
      if (st.kind !== 'const') {
        this.work.fail(
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
          (init.type !== 'Literal' || init.regex !== undefined) &&
          !/^(UnaryExpression|BinaryExpression|ClassExpression)$/.test(init.type)
        ) {
          this.work.wrap(init, '$.m(', `, ${this.work.where(d)})`);
        }
      }
      return;
    }
    this.walk(st, null);
  }

  /** Functions and classes of the module are frozen at its end: they could carry state, too. */
  private freezeDeclared(st: Node): void {
    const d = (/^Export(Named|Default)Declaration$/.test(st.type) ? st.declaration : st) as Node | null;
    if (d === null || d === undefined) return;
    const freeze = (name: string, n: Node): void => {
      this.s.append(`\n; $.m($.q(${name}), ${this.work.where(n)});`);
    };
    if (d.type === 'VariableDeclaration') {
      // Not wrapped where they stand: they would lose the name that they get from the variable.
      for (const x of d.declarations as Node[]) {
        if (x.id.type === 'Identifier' && (isFunction(x.init as Node) || x.init.type === 'ClassExpression'))
          freeze(x.id.name as string, x);
      }
    } else if (/^(Function|Class)Declaration$/.test(d.type)) {
      if (d.id) freeze(d.id.name as string, d);
      else if (st.type === 'ExportDefaultDeclaration') {
        this.s.overwrite(st.start, d.start, 'const $default = ');
        this.s.appendLeft(d.end, '; export { $default as default };');
        freeze('$default', d);
      }
    }
  }

  private walk(n: Node | null | undefined, F: FunctionScope | null): void {
    if (n === null || n === undefined) return;
    if (F === null) refuseModuleBlocks(n, this.work);
    const visit = F === null ? undefined : this.visitors[n.type];
    if (visit !== undefined) {
      visit(n, F as FunctionScope);
      return;
    }
    switch (n.type) {
      case 'FunctionDeclaration':
        if (F === null) this.functions.doFunction(n, null, null);
        else {
          F.declare([n.id.name as string], n.start);
          const tag = this.functions.closure(n, F, null);
          this.s.appendLeft(n.end, ` $.f(${n.id.name}${tag};`);
        }
        return;
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        if (F === null) this.functions.doFunction(n, null, null);
        else this.work.wrap(n, '$.f(', this.functions.closure(n, F, null));
        return;
      case 'ClassDeclaration':
      case 'ClassExpression':
        this.functions.classBody(n, F);
        return;
      case 'Property':
        this.functions.property(n, F);
        return;
      case 'WhileStatement':
      case 'DoWhileStatement':
      case 'ForStatement':
      case 'ForOfStatement':
      case 'ForInStatement':
        for (const c of childrenOf(n)) this.walk(c, F);
        this.statements.loopBody(n.body as Node);
        return;
      case 'TryStatement':
        this.statements.tryStatement(n, F);
        return;
      case 'AwaitExpression':
      case 'YieldExpression':
        this.work.fail(
          n,
          `${n.type === 'AwaitExpression' ? 'await' : 'yield'} cannot be checked; write blocking code`,
        );
        return;
      case 'ImportExpression':
        this.work.fail(n, 'a dynamic import cannot be checked; import at the top');
        return;
      case 'TaggedTemplateExpression':
        this.work.fail(n, 'a tagged template cannot be checked; call the function');
        return;
      case 'MemberExpression':
        if (isRandom(n)) {
          this.s.overwrite(n.start, n.end, '$.random');
          return;
        }
        for (const c of childrenOf(n)) this.walk(c, F);
        guardCarrier(n, this.work);
        return;
      case 'UpdateExpression':
        if (F !== null) this.work.guardTarget(n.argument as Node, F);
        break;
      case 'UnaryExpression':
        if (F !== null && n.operator === 'delete') this.work.guardTarget(n.argument as Node, F);
        break;
      case 'CallExpression':
        if (n.callee.name === 'eval') this.work.fail(n, 'eval cannot be checked');
        break;
    }
    for (const c of childrenOf(n)) this.walk(c, F);
  }
}
