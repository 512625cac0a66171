// SPDX-License-Identifier: GPL-2.0-only
/** The transform of functions, closures, classes and their members. */
import { FunctionScope, mentionsThis } from './scopes.js';
import {
  assignedNames,
  childrenOf,
  declaredNames,
  isFunction,
  isReference,
  type Node,
  patternNames,
  varNames,
} from './syntax.js';
import type { TransformWork } from './transform_work.js';

/** Members that the engine calls by itself, not through a call that stands in the source. */
const IMPLICIT = /^(toString|valueOf|toJSON|then)$/;

export class FunctionTransform {
  private readonly work: TransformWork;

  constructor(work: TransformWork) {
    this.work = work;
  }

  private functionName(n: Node, parent: Node | null): string {
    if (n.id) return n.id.name as string;
    const key = parent?.key as Node | undefined;
    if (key !== undefined) return (key.name ?? key.value ?? '') as string;
    if (parent?.type === 'VariableDeclarator' && parent.id.type === 'Identifier')
      return parent.id.name as string;
    return 'anonymous';
  }

  doFunction(n: Node, outer: FunctionScope | null, parent: Node | null): FunctionScope {
    if (n.async === true)
      this.work.fail(n, 'an async function cannot be checked; write blocking code (Atomics.wait)');
    if (n.generator === true) this.work.fail(n, 'a generator cannot be checked; write a plain function');
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
    if (outer !== null && n.type === 'FunctionExpression' && n.id) F.declare([n.id.name as string], n.start);
    for (const p of n.params as Node[]) {
      if (this.work.hasSite(p))
        this.work.fail(p, 'a call in the default value of a parameter; move it into the body');
      patternNames(p, params);
      this.work.walk(p, F);
    }
    const body = n.body as Node;
    const block = body.type === 'BlockStatement';
    F.declare(params, n.start);
    if (block) F.declare(varNames(body), n.start);
    if (n.type !== 'ArrowFunctionExpression' && F.mentions.has('arguments'))
      F.declare(['arguments'], n.start);
    const own = block ? [...params, ...varNames(body), ...declaredNames(body.body as Node[])] : params;
    const token = this.work.token(own, F, n.start);
    if (!block) {
      this.work.walk(body, F);
      // Functions made here must not pass for this one when the engine calls them.
      if (F.used || F.hasNested) {
        const temps =
          Array.from({ length: F.temps }, (_, i) => `, $t${i}`).join('') +
          (token === '' ? '' : `, ${token} = {}`);
        this.work.wrap(body, `(($d${temps}) => (`, '))($.in())');
      }
    } else {
      F.enter(declaredNames(body.body as Node[]));
      for (const st of body.body as Node[]) this.work.walk(st, F);
      F.leave();
      const temps =
        F.temps > 0 ? ` let ${Array.from({ length: F.temps }, (_, i) => `$t${i}`).join(', ')};` : '';
      if (F.used || F.hasNested)
        this.work.s.appendLeft(
          this.bodyStart(body),
          ` const $d = $.in();${temps}${token === '' ? '' : ` const ${token} = {};`}`,
        );
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
        this.work.fail(
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

  /** A closure inside a function: the runtime learns what it holds. */
  closure(n: Node, F: FunctionScope, parent: Node | null): string {
    const inner = this.doFunction(n, F, parent);
    const held = F.heldBy(inner);
    const assigned = assignedNames(n, true);
    const assigns = held.some((name) => assigned.has(name));
    return `, ${JSON.stringify(`${this.work.file}:${n.start}`)}, () => [${held.join(', ')}], ${assigns}, ${this.work.where(n)})`;
  }

  classBody(n: Node, F: FunctionScope | null): void {
    if (F !== null) this.work.fail(n, 'a class inside a function cannot be checked; move it to module level');
    this.work.walk(n.superClass as Node | null, null);
    const hidden: string[] = [];
    for (const m of n.body.body as Node[]) {
      if (m.type === 'MethodDefinition') {
        if (m.computed) this.work.walk(m.key as Node, null);
        this.doFunction(m.value as Node, null, m);
      } else if (m.type === 'PropertyDefinition') {
        if (m.key.type === 'PrivateIdentifier') {
          if (m.static)
            this.work.fail(m, 'a static private field is mutable module state; use a module constant');
          hidden.push(m.key.name as string);
        }
        if (m.value) this.work.walk(m.value as Node, null);
      } else {
        this.work.walk(m, null);
      }
    }
    if (hidden.length === 0) {
      this.work.s.appendLeft(n.body.start + 1, ' static { $.q(this); }');
      return;
    }
    const read = hidden.map((name) => `o.#${name}`).join(', ');
    this.work.s.appendLeft(
      n.body.start + 1,
      ` static { $.p(this, (o) => #${hidden[0]} in o ? [${read}] : null); }`,
    );
  }

  property(n: Node, F: FunctionScope | null): void {
    const value = n.value as Node;
    if (n.computed) this.work.walk(n.key as Node, F);
    if (n.kind !== 'init') {
      this.doFunction(value, F, n);
    } else if (n.method) {
      if (F === null) this.doFunction(value, null, n);
      else if (value.async || value.generator || n.computed) this.doFunction(value, F, n);
      else {
        // A method becomes a function expression, so that what it holds can be told.
        const tag = this.closure(value, F, n);
        this.work.s.prependRight(value.start, ': $.f(function ');
        this.work.s.appendLeft(value.end, tag);
      }
    } else {
      this.work.walk(value, F);
    }
  }
}
