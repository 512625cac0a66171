// SPDX-License-Identifier: GPL-2.0-only
/** What the transform refuses since it would be mutable state beside the test's memory that nobody could see. */
import { childrenOf, declaredNames, isFunction, isReference, type Node, patternNames } from './syntax.js';
import { CARRIERS, CHANGES, MUTATORS } from './transform_guards.js';
import type { TransformWork } from './transform_work.js';

type Fail = (n: Node, what: string) => never;

/** Objects of the engine and of Node that anybody can write to. */
const GLOBALS = /^(globalThis|global|process|Math|JSON|Reflect|Intl|console|navigator|crypto)$/;
/** Of these, the ones whose properties are such objects, too. */
const ROOTS = /^(globalThis|global)$/;

/**
 * Refuses global objects as values: a change through another name could not be told. And the mutators of Map, Set and
 * Date taken from them: on a constant they would go round its guard.
 * @param known tells mentions of variables of the module and its functions
 */
export function refuseAliases(n: Node, fail: Fail, known: (n: Node) => boolean): void {
  if (n.type === 'MemberExpression') {
    const object = n.object as Node;
    const name = n.computed === true ? object : (n.property as Node);
    if (
      object.type === 'Identifier' &&
      /^(Map|Set|Date)$/.test(object.name as string) &&
      !known(object) &&
      name.name === 'prototype'
    )
      fail(n, `${object.name}.prototype cannot be checked; call the method of an object`);
    if (
      object.type === 'MemberExpression' &&
      object.computed !== true &&
      MUTATORS.test(object.property.name as string) &&
      CARRIERS.test((name.name as string) ?? '')
    )
      fail(n, `${object.property.name}.${name.name} cannot be checked; call the method itself`);
  }
  if (n.type === 'ObjectPattern') {
    for (const p of n.properties as Node[]) {
      const name = (p.key?.name ?? p.key?.value) as unknown;
      if (typeof name === 'string' && p.computed !== true && (CHANGES.test(name) || CARRIERS.test(name)))
        fail(p, `${name} taken from an object cannot be checked; call it as its method`);
    }
  }
  for (const c of childrenOf(n)) {
    if (
      c.type === 'MemberExpression' &&
      c.computed !== true &&
      !(n.type === 'CallExpression' && n.callee === c) &&
      c.object.name === 'Object' &&
      CHANGES.test(c.property.name as string)
    )
      fail(c, `Object.${c.property.name} taken as a value cannot be checked; call it as it is`);
    refuseAliases(c, fail, known);
    if (n.type === 'MemberExpression' && n.object === c) continue;
    if (n.type === 'UnaryExpression' || !isAlias(c, n, known)) continue;
    if (n.type === 'CallExpression' && n.callee === c) continue;
    fail(
      c,
      'an object that belongs to all threads is taken as a value; write its whole name where it is used',
    );
  }
}

function isAlias(n: Node, parent: Node, known: (n: Node) => boolean): boolean {
  if (n.type === 'Identifier') return isReference(n, parent) && GLOBALS.test(n.name as string) && !known(n);
  if (n.type !== 'MemberExpression' || n.computed === true) return false;
  const object = n.object as Node;
  if (object.type === 'Identifier' && !known(object)) {
    if (object.name === 'process') return n.property.name === 'env';
    return ROOTS.test(object.name as string) && GLOBALS.test(n.property.name as string);
  }
  return false;
}

/** Refuses variables of blocks at module level that a function could hold: they are mutable module state. */
export function refuseModuleBlocks(n: Node, work: TransformWork): void {
  if (n.type === 'BlockStatement' || n.type === 'StaticBlock') check(n, n.body as Node[]);
  else if (n.type === 'SwitchStatement')
    check(
      n,
      (n.cases as Node[]).flatMap((c) => c.consequent as Node[]),
    );
  else if (/^For(Of|In)?Statement$/.test(n.type)) {
    const head = (n.type === 'ForStatement' ? n.init : n.left) as Node | null;
    if (head?.type === 'VariableDeclaration') check(n, [head]);
  } else if (n.type === 'CatchClause' && n.param) {
    const names: string[] = [];
    patternNames(n.param as Node, names);
    refuse(n, names);
  }

  function check(block: Node, body: readonly Node[]): void {
    refuse(block, declaredNames(body));
  }

  function refuse(block: Node, names: readonly string[]): void {
    if (names.length > 0 && heldInside(block, names, false))
      work.fail(
        block,
        'a function holds a variable of a block at module level, which is mutable module state; declare it at module level',
      );
  }
}

function heldInside(n: Node, names: readonly string[], inside: boolean): boolean {
  for (const c of childrenOf(n)) {
    const within = inside || isFunction(c);
    if (within && isReference(c, n) && names.includes(c.name as string)) return true;
    if (heldInside(c, names, within)) return true;
  }
  return false;
}
