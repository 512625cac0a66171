// SPDX-License-Identifier: GPL-2.0-only
/** The transform of statements inside functions: scopes, loops, and what the engine alone holds in some of them. */
import type { FunctionScope } from './scopes.js';
import { childrenOf, declaredNames, isFunction, type Node, patternNames } from './syntax.js';
import type { FunctionTransform } from './transform_functions.js';
import type { TransformWork } from './transform_work.js';

export class StatementTransform {
  private readonly work: TransformWork;
  private readonly functions: FunctionTransform;
  /** Names that the head of the loop declares whose body comes next. */
  private heads: readonly string[] = [];

  constructor(work: TransformWork, functions: FunctionTransform) {
    this.work = work;
    this.functions = functions;
  }

  /** By type of node. */
  readonly visitors: Readonly<Record<string, (n: Node, F: FunctionScope) => void>> = {
    BlockStatement: (n, F) => this.block(n, F),

    VariableDeclaration: (n, F) => {
      for (const d of n.declarations as Node[]) {
        const id = d.id as Node;
        if (this.work.hasSite(id)) this.work.fail(id, 'a call inside a pattern; split the statement');
        this.work.walk(id, F);
        const init = d.init as Node | null;
        if (
          init !== null &&
          (init.type === 'FunctionExpression' || init.type === 'ArrowFunctionExpression')
        ) {
          this.work.wrap(init, '$.f(', this.functions.closure(init, F, d));
        } else if (init !== null) {
          this.work.patternSource(id, init, n.kind === 'var', F, () => this.work.walk(init, F));
        }
        const names: string[] = [];
        patternNames(id, names);
        if (n.kind !== 'var') F.declare(names, d.start);
      }
    },

    ForStatement: (n, F) => {
      F.enter([]);
      const init = n.init as Node | null;
      this.work.walk(init, F);
      const names: string[] = [];
      if (init?.type === 'VariableDeclaration') {
        for (const d of init.declarations as Node[]) patternNames(d.id as Node, names);
        F.declare(names, n.start);
      }
      if (F.sharesVariables(names) && [init, n.test, n.update].some((x) => x && makesFunction(x as Node)))
        this.work.fail(n, 'a closure in the head of a loop; make it in the body');
      this.work.walk(n.test as Node | null, F);
      this.work.walk(n.update as Node | null, F);
      this.bodyOf(n.body as Node, names, F);
      this.loopBody(n.body as Node);
      F.leave();
    },

    ForOfStatement: (n, F) => this.iteration(n, F),
    ForInStatement: (n, F) => this.iteration(n, F),

    SwitchStatement: (n, F) => {
      this.work.walk(n.discriminant as Node, F);
      const was = F.opaque;
      const names = declaredNames((n.cases as Node[]).flatMap((c) => c.consequent as Node[]));
      if (F.sharesVariables(names))
        this.work.fail(n, 'a closure changes a variable of this switch; give the case a block');
      F.enter(names);
      for (const c of n.cases as Node[]) {
        // While the tests are evaluated the value switched on is held by the engine.
        F.opaque = true;
        this.work.walk(c.test as Node | null, F);
        F.opaque = was;
        for (const st of c.consequent as Node[]) this.work.walk(st, F);
      }
      F.leave();
    },
  };

  private block(n: Node, F: FunctionScope): void {
    const names = declaredNames(n.body as Node[]);
    F.enter(names);
    // A loop's own variables are new for each turn: the token of its body stands for them, too.
    const heads = this.heads;
    this.heads = [];
    const token = this.work.token([...names, ...heads], F, n.start);
    if (token !== '') this.work.s.appendLeft(n.start + 1, ` const ${token} = {};`);
    for (const st of n.body as Node[]) this.work.walk(st, F);
    F.leave();
  }

  /** Walks the body of a loop whose head declares names. */
  private bodyOf(body: Node, names: readonly string[], F: FunctionScope): void {
    if (F.sharesVariables(names) && body.type !== 'BlockStatement')
      this.work.fail(body, 'a closure changes a variable of this loop; give the loop a block');
    this.heads = names;
    this.work.walk(body, F);
    this.heads = [];
  }

  loopBody(body: Node): void {
    if (body.type === 'BlockStatement') this.work.s.appendLeft(body.start + 1, ' $.l();');
    else this.work.wrap(body, '{ $.l(); ', ' }');
  }

  private iteration(n: Node, F: FunctionScope): void {
    if (n.await === true) this.work.fail(n, 'for await cannot be checked; write blocking code');
    F.enter([]);
    if (readsIndex(n.left as Node))
      this.work.fail(n.left as Node, 'an index in the pattern of a loop; read it in the body');
    this.work.walk(n.right as Node, F);
    const names: string[] = [];
    if (n.left.type === 'VariableDeclaration') {
      patternNames(n.left.declarations[0].id as Node, names);
      F.declare(names, n.start);
    } else {
      this.work.walk(n.left as Node, F);
    }
    // The iterator's place is held by the engine.
    const was = F.opaque;
    F.opaque = true;
    this.bodyOf(n.body as Node, names, F);
    F.opaque = was;
    this.loopBody(n.body as Node);
    F.leave();
  }

  tryStatement(n: Node, F: FunctionScope | null): void {
    this.work.walk(n.block as Node, F);
    const handler = n.handler as Node | null;
    if (handler !== null) {
      const param = handler.param as Node | null;
      if (param !== null && param.type !== 'Identifier')
        this.work.fail(param, 'a pattern in catch; name the error');
      const name = param === null ? '$e' : (param.name as string);
      if (param === null) this.work.s.appendLeft(handler.start + 'catch'.length, ' ($e)');
      if (F !== null) {
        F.enter([]);
        F.declare([name], handler.start);
        if (F.sharesVariables([name]))
          this.work.fail(handler, 'a closure changes the caught error; copy it first');
      }
      this.work.walk(handler.body as Node, F);
      if (F !== null) F.leave();
      this.work.s.prependLeft(handler.body.start + 1, ` $.c(${name});`);
    }
    const last = n.finalizer as Node | null;
    if (last === null) return;
    // Whether the block ends in a return or a throw is held by the engine alone.
    const was = F?.opaque ?? false;
    if (F !== null) F.opaque = true;
    this.work.walk(last, F);
    if (F !== null) F.opaque = was;
    this.work.s.prependLeft(last.start + 1, ' if ($.ok()) {');
    this.work.s.appendLeft(last.end - 1, '}');
  }
}

/** @returns true if a function is made in `n` */
function makesFunction(n: Node): boolean {
  return isFunction(n) || childrenOf(n).some(makesFunction);
}

/** @returns true if a pattern reads elements, or what may be one */
function readsIndex(n: Node): boolean {
  if (n.type === 'Property' && (n.computed === true || n.key.type === 'Literal')) return true;
  return childrenOf(n).some(readsIndex);
}
