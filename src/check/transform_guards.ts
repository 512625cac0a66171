// SPDX-License-Identifier: GPL-2.0-only
/**
 * Guards around the ways by which code reaches objects that it did not name: a function called on another object
 * (`f.call(o)`, a callback with its `this`), and properties changed by a function of the engine (`Object.assign`).
 */
import { inChain, type Node } from './syntax.js';
import type { TransformWork } from './transform_work.js';

/** Members that call a function on an object of the caller's choice. */
export const CARRIERS = /^(call|apply|bind)$/;
/** Methods of Map, Set and Date that change their object. */
export const MUTATORS = /^(set|add|delete|clear|set[A-Z]\w*)$/;
/** Functions of the engine that change properties of their first argument, and names of nothing else. */
export const CHANGES = /^(assign|defineProperty|defineProperties|setPrototypeOf)$/;
/** Those of Reflect. */
const REFLECTED = /^(set|deleteProperty|preventExtensions)$/;
/** Methods that take a callback and, behind it, what it is called on. */
const CALLBACK_AND_THIS = /^(forEach|map|filter|some|every|find|findIndex|findLast|findLastIndex|flatMap)$/;

/**
 * `f.call`, `f.apply`, `f.bind`: f is looked at before. `f[name]()` could be one of them.
 * @param n a member expression that has been walked
 */
export function guardCarrier(n: Node, work: TransformWork): void {
  const object = n.object as Node;
  if (object.type === 'Super' || object.name === 'Reflect') return;
  if (n.computed !== true && !(n.property.type === 'Identifier' && CARRIERS.test(n.property.name as string)))
    return;
  if (inChain(object)) {
    if (n.computed === true) return;
    work.fail(n, `${n.property.name} behind an optional chain; split the statement`);
  }
  work.wrap(object, '$.x(', `, ${work.where(n)})`);
}

/** Looks at what a function of the engine changes or calls. @param n a call whose arguments have been walked */
export function guardCall(n: Node, work: TransformWork): void {
  const callee = n.callee as Node;
  if (
    n.type === 'CallExpression' &&
    callee.object?.type === 'Super' &&
    MUTATORS.test(callee.property.name as string)
  ) {
    // A method that is called on a constant goes round the mutators that throw.
    work.wrap(n, '($.h(this), ', ')');
    return;
  }
  if (n.type !== 'CallExpression' || callee.type !== 'MemberExpression' || callee.computed === true) return;
  const name = (callee.property.name as string) ?? '';
  const reflect = callee.object.name === 'Reflect';
  const args = n.arguments as Node[];
  const guard = (arg: Node | undefined, open: string): void => {
    if (arg === undefined) return;
    if (arg.type === 'SpreadElement')
      work.fail(n, `the arguments of ${name} are spread; write them one by one`);
    work.wrap(arg, open, `, ${work.where(n)})`);
  };
  if (CHANGES.test(name) || (reflect && REFLECTED.test(name))) guard(args[0], '$.t(');
  else if (reflect && name === 'apply') guard(args[0], '$.x(');
  else if (CALLBACK_AND_THIS.test(name) && args.length > 1) guard(args[0], '$.x(');
  else if (name === 'from' && args.length > 2) guard(args[1], '$.x(');
}
