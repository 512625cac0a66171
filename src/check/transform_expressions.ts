// SPDX-License-Identifier: GPL-2.0-only
/**
 * The transform of expressions: each call and each indexed access becomes a site. What an expression has evaluated
 * before a site is held by the engine alone, so it goes through temporaries that the site captures.
 */
import type { FunctionScope } from './scopes.js';
import { SITE_KIND_CALL, SITE_KIND_INDEX, SITE_KIND_NEW } from './sites.js';
import { childrenOf, inChain, isFunction, isPlain, isRandom, type Node } from './syntax.js';
import type { FunctionTransform } from './transform_functions.js';
import { guardCall, guardCarrier } from './transform_guards.js';
import type { TransformWork } from './transform_work.js';

/** Methods of built-ins that call back: a shared access in the callback is refused where it can be seen. */
const CALLS_BACK =
  /^(forEach|map|filter|some|every|reduce|reduceRight|find|findIndex|findLast|sort|replace|replaceAll|from|flatMap)$/;

/** A list that is spread is read at once. */
const SPREAD = ['[...', ']'] as const;

export class ExpressionTransform {
  private readonly work: TransformWork;
  private readonly functions: FunctionTransform;

  constructor(work: TransformWork, functions: FunctionTransform) {
    this.work = work;
    this.functions = functions;
  }

  /** By type of node. */
  readonly visitors: Readonly<Record<string, (n: Node, F: FunctionScope) => void>> = {
    // `#p in o`: the left side is a name, no value.
    BinaryExpression: (n, F) =>
      this.release(F, this.operands(n.left.type === 'PrivateIdentifier' ? [n.right] : [n.left, n.right], F)),
    ArrayExpression: (n, F) => this.release(F, this.operands(n.elements as (Node | null)[], F)),
    TemplateLiteral: (n, F) =>
      this.release(
        F,
        this.operands(n.expressions as Node[], F, [], () => ['`${', '}`']),
      ),
    ObjectExpression: (n, F) => this.objectExpression(n, F),
    AssignmentExpression: (n, F) => this.assignment(n, F),
    MemberExpression: (n, F) => this.member(n, F),
    CallExpression: (n, F) => this.call(n, F),
    NewExpression: (n, F) => this.call(n, F),
  };

  /**
   * Walks operands in the order of evaluation; what later sites have to remember goes into temporaries.
   * @param more what is evaluated behind the list, with the same operands pending
   * @param taken what makes of an operand the value that the engine takes at once: contents, a string
   * @returns the depth of pending operands before, for `release`
   */
  private operands(
    list: readonly (Node | null)[],
    F: FunctionScope,
    more: readonly Node[] = [],
    taken: (e: Node) => readonly [string, string] | null = () => null,
  ): number {
    const depth = F.pending.length;
    const nodes = list.filter((x): x is Node => x !== null && x !== undefined);
    for (let j = 0; j < nodes.length; j++) {
      const e = nodes[j].type === 'SpreadElement' ? (nodes[j].argument as Node) : nodes[j];
      this.work.walk(e, F);
      const later = [...nodes.slice(j + 1), ...more];
      if (!later.some((x) => this.work.hasSite(x))) continue;
      if (inChain(e)) this.work.fail(e, 'an optional chain goes on behind a call; split the statement');
      const now = taken(e) ?? (nodes[j].type === 'SpreadElement' ? SPREAD : null);
      if (now !== null && e.type !== 'Literal') {
        const t = `$t${F.temps++}`;
        this.work.wrap(e, `(${t} = ${now[0]}`, `${now[1]})`);
        F.pending.push(t);
      } else if (this.work.stable(e, later, F)) {
        if (e.type === 'Identifier' && F.knows(e.name as string)) F.pending.push(e.name as string);
      } else if (e.type !== 'Super') {
        const t = `$t${F.temps++}`;
        this.work.wrap(e, `(${t} = `, ')');
        F.pending.push(t);
      }
    }
    return depth;
  }

  private release(F: FunctionScope, depth: number): void {
    F.pending.length = depth;
  }

  private objectExpression(n: Node, F: FunctionScope): void {
    const properties = n.properties as Node[];
    const depth = F.pending.length;
    for (let j = 0; j < properties.length; j++) {
      const p = properties[j];
      const later = properties.slice(j + 1);
      if (p.type === 'Property' && (p.kind !== 'init' || p.method || isFunction(p.value as Node))) {
        if (p.computed && !this.isFixed(p.key as Node, F) && later.some((x) => this.work.hasSite(x)))
          this.work.fail(p, 'a computed name of a function with a call behind it; split the statement');
        this.functions.property(p, F);
        continue;
      }
      const list =
        p.type === 'SpreadElement' ? [p] : p.computed ? [p.key as Node, p.value as Node] : [p.value as Node];
      // What stands in an object half made has to be remembered by the sites of the properties behind it.
      this.operands(list, F, later, (e) =>
        p.type === 'SpreadElement' ? ['{...', '}'] : e === p.key ? ['$.k(', ')'] : null,
      );
      if (p.shorthand && later.some((x) => this.work.hasSite(x)))
        this.work.s.prependRight(p.start, `${p.key.name}: `);
    }
    this.release(F, depth);
  }

  /** @returns true if the value of an expression is a constant: a literal, a name of the module or the engine */
  private isFixed(n: Node, F: FunctionScope): boolean {
    if (n.type === 'Literal') return true;
    let root = n;
    while (root.type === 'MemberExpression' && root.computed !== true) root = root.object as Node;
    return root.type === 'Identifier' && !F.knows(root.name as string);
  }

  /** Fetches a method before the arguments: those that have sites could replace it. */
  private fetched(callee: Node, args: readonly Node[], F: FunctionScope): void {
    if (callee.type !== 'MemberExpression' || !args.some((x) => this.work.hasSite(x))) return;
    const object = callee.object as Node;
    if (object.type === 'Super' || this.isFixed(object, F)) return;
    if (callee.computed)
      this.work.fail(callee, 'a method by index with a call among its arguments; split the statement');
    let from = 'this';
    if (object.type === 'Identifier' && this.work.stable(object, args, F)) from = object.name as string;
    else if (object.type !== 'ThisExpression') from = F.pending[F.pending.length - 1];
    const name = callee.property.name as string;
    const t = `$t${F.temps++}`;
    const value =
      callee.property.type === 'PrivateIdentifier'
        ? `${from}.#${name}`
        : `$.g(${from}, ${JSON.stringify(name)})`;
    this.work.wrap(object, '(', `, ${t} = ${value}, ${from})`);
    F.pending.push(t);
  }

  private assignment(n: Node, F: FunctionScope): void {
    const left = n.left as Node;
    const right = n.right as Node;
    const logical = /^(&&|\|\||\?\?)=$/.test(n.operator as string);
    const compound = n.operator !== '=' && !logical;
    if (left.type !== 'MemberExpression') {
      if (left.type !== 'Identifier' && this.work.hasSite(left))
        this.work.fail(left, 'a call inside a pattern; split the statement');
      if (compound && this.work.hasSite(right)) {
        if (!this.work.stable(left, [right], F)) {
          this.work.fail(
            n,
            `x ${n.operator} <call> reads x before the call, which may change it; split the statement`,
          );
        }
        F.pending.push(left.name as string);
        this.work.walk(right, F);
        F.pending.pop();
        return;
      }
      this.work.walk(left, F);
      this.work.patternSource(left, right, true, F, () => this.work.walk(right, F));
      return;
    }
    if (compound && this.work.hasSite(right)) {
      this.work.fail(
        n,
        `x ${n.operator} <call or indexed access> reads x first; split it into two statements`,
      );
    }
    const parts = left.computed ? [left.object, left.property, right] : [left.object, right];
    const depth = this.operands(parts as Node[], F);
    this.work.guardTarget(left, F);
    if (left.computed) {
      if (n.operator === '=') {
        this.work.wrap(right, '$.i(', `, ${this.work.site(n, F, SITE_KIND_INDEX, n.end)})`);
      } else {
        if (logical) this.work.fail(n, `${n.operator} on an indexed access; write an if`);
        this.work.wrap(
          left.property as Node,
          '$.i(',
          `, ${this.work.site(n, F, SITE_KIND_INDEX, left.end)})`,
        );
      }
    }
    this.release(F, depth);
  }

  private member(n: Node, F: FunctionScope): void {
    if (n.computed !== true) {
      if (isRandom(n)) this.work.s.overwrite(n.start, n.end, '$.random');
      else {
        this.work.walk(n.object as Node, F);
        guardCarrier(n, this.work);
      }
      return;
    }
    const depth = this.operands([n.object as Node, n.property as Node], F);
    const args = this.work.site(n, F, SITE_KIND_INDEX, n.end);
    this.release(F, depth);
    this.work.wrap(n.property as Node, '$.i(', `, ${args})`);
  }

  private call(n: Node, F: FunctionScope): void {
    const callee = n.callee as Node;
    const args = n.arguments as Node[];
    if (callee.name === 'eval' || (callee.name === 'Function' && n.type === 'NewExpression')) {
      this.work.fail(n, 'code made at run time cannot be checked');
    }
    this.refuseCallback(n);
    if (isRandom(callee)) this.work.s.overwrite(callee.start, callee.end, '$.random');
    const parts: Node[] = [];
    if (isRandom(callee)) {
      // Math belongs to the engine: nothing to remember.
    } else if (callee.type === 'MemberExpression') {
      parts.push(callee.object as Node);
      if (callee.computed) parts.push(callee.property as Node);
    } else if (callee.type !== 'Super') {
      parts.push(callee);
    }
    const depth = this.operands(parts, F, args);
    this.fetched(callee, args, F);
    this.operands(args, F);
    guardCall(n, this.work);
    const kind = n.type === 'NewExpression' || callee.type === 'Super' ? SITE_KIND_NEW : SITE_KIND_CALL;
    const was = F.opaque;
    const probe = kind === SITE_KIND_NEW ? null : this.calleeProbe(callee, F);
    const tail = probe === null ? '' : `, () => ${probe}`;
    // A callee that cannot be looked up again might be a built-in that calls back.
    if (probe === null && kind === SITE_KIND_CALL) F.opaque = true;
    const reg = this.work.site(n, F, kind, n.end);
    F.opaque = was;
    this.release(F, depth);
    if (callee.type === 'MemberExpression') guardCarrier(callee, this.work);
    const last = args[args.length - 1];
    if (last !== undefined && last.type !== 'SpreadElement') {
      this.work.wrap(last, '$.a(', `, ${reg}${tail})`);
    } else if (n.type === 'NewExpression' && this.work.source[n.end - 1] !== ')') {
      this.work.s.appendLeft(n.end, `(...$.e(${reg}${tail}))`);
    } else {
      const at = n.end - 1;
      const comma = last !== undefined && !/,\s*$/.test(this.work.source.slice(last.end, at)) ? ', ' : '';
      this.work.s.appendLeft(at, `${comma}...$.e(${reg}${tail})`);
    }
  }

  /**
   * @returns an expression without effects for the function that is called, null where there is none
   */
  private calleeProbe(callee: Node, F: FunctionScope): string | null {
    const text = (x: Node): string => this.work.source.slice(x.start, x.end);
    if (isPlain(callee)) return text(callee);
    const keep = (x: Node): string => {
      if (isPlain(x)) return text(x);
      const t = `$t${F.temps++}`;
      this.work.wrap(x, `(${t} = `, ')');
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
          this.work.fail(x, `shared memory is touched in a callback of ${callee.property.name}; use a loop`);
        }
        for (const c of childrenOf(x)) visit(c);
      };
      visit(arg);
    }
  }
}
