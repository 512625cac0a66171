// SPDX-License-Identifier: GPL-2.0-only
/**
 * Mechanical mutants of a module: what each operator makes of each place where it fits. Works on the built JavaScript,
 * as the edits of the hand-made mutants do.
 *
 *   drop        a call that stands for itself is taken out (store, notify, lock, wake-up, list operation)
 *   load-only   a read-modify-write whose result is used only reads
 *   torn        a compare-and-swap, exchange or fetch-and-add in two steps: another thread gets in between
 *   plain       an atomic load or store becomes a plain access
 *   late-wait   a sleeper compares with the word as it is now, not as it was when the sleep was decided
 *   wake-one    of all sleepers one is woken
 *   true, false a condition, or one operand of && and ||, is constant
 *   mask        a bit is left out of a mask, or a mask is left out
 *   swap        two statements, or two operands of && and ||, change places
 */
import { parse } from 'acorn';
import { childrenOf, isFunction, type Node } from '../../check/syntax.js';

/** One way to break a module. */
export interface Mutation {
  /** Function it stands in, '' at module level. */
  readonly fn: string;
  readonly op: string;
  /** What was there, white space collapsed. */
  readonly text: string;
  readonly line: number;
  readonly column: number;
  readonly start: number;
  readonly end: number;
  readonly replace: string;
  /** Where the statement begins that it stands in: what reaches the one reaches the other. -1 at module level. */
  readonly statement: number;
}

/** Functions that the mutants call; they go to the end of the module. */
export const HELPERS = `
function sweepTornCas(m, i, a, b) { const w = Atomics.load(m, i); if (w === a) Atomics.store(m, i, b); return w; }
function sweepTornExchange(m, i, v) { const w = Atomics.load(m, i); Atomics.store(m, i, v); return w; }
function sweepTornOr(m, i, v) { const w = Atomics.load(m, i); Atomics.store(m, i, w | v); return w; }
function sweepTornAnd(m, i, v) { const w = Atomics.load(m, i); Atomics.store(m, i, w & v); return w; }
function sweepTornAdd(m, i, v) { const w = Atomics.load(m, i); Atomics.store(m, i, w + v); return w; }
function sweepTornSub(m, i, v) { const w = Atomics.load(m, i); Atomics.store(m, i, w - v); return w; }
`;

const TORN: ReadonlyMap<string, string> = new Map([
  ['compareExchange', 'sweepTornCas'],
  ['exchange', 'sweepTornExchange'],
  ['or', 'sweepTornOr'],
  ['and', 'sweepTornAnd'],
  ['add', 'sweepTornAdd'],
  ['sub', 'sweepTornSub'],
]);

/**
 * Calls that order nothing: clocks, arithmetic, checks of arguments, names, a thread's own lists and views, and memory
 * that nobody else knows yet.
 */
const PURE =
  /^(trace|nowUs|nowNs|usleep|clockMs|min|ceil|cacheAlign|sizeClass|ringWords|check\w+|cpuRelax|push|get|set|index|slot|Task|kmalloc|allocPercpu|writeName|readName|netdevName|newObjectId)$/;
/** Calls that others can tell the order of, also against a plain access. */
const BOUNDARY =
  /^(spin\w*|irqLockCpu|irqUnlockCpu|localBh\w+|lockBase|publish|release|load|store|exchange|compareExchange|or|and|add|sub)$/;
const CONSTANT = /^[A-Z][A-Z0-9_]+$/;
const COMPARISON = /^(===|!==|<|<=|>|>=)$/;

/** @returns the mutations of a module, in source order */
export function mutationsOf(source: string): Mutation[] {
  const tree = parse(source, {
    ecmaVersion: 'latest',
    sourceType: 'module',
    locations: true,
  }) as unknown as Node;
  const out: Mutation[] = [];
  new Mutator(source, out).visit(tree, null, '');
  return out.sort((a, b) => a.start - b.start || a.op.localeCompare(b.op));
}

class Mutator {
  private readonly source: string;
  private readonly out: Mutation[];
  /** Variables of the function in hand whose values come from shared memory, or from a call that touches it. */
  private shared: ReadonlySet<string> = new Set();
  /** Conditions that were done with their parent. */
  private readonly done = new Set<Node>();
  private inStatement = -1;

  constructor(source: string, out: Mutation[]) {
    this.source = source;
    this.out = out;
  }

  visit(n: Node, parent: Node | null, fn: string): void {
    const inner = nameOf(n, parent) ?? fn;
    const outside = this.inStatement;
    const sharedOutside = this.shared;
    if (isFunction(n)) this.shared = sharedVariables(n);
    if (inner !== '' && isPlainStatement(n)) this.inStatement = n.start;
    this.statement(n, inner);
    this.atomic(n, parent, inner);
    this.mask(n, parent, inner);
    if (inner !== '') this.condition(n, inner);
    for (const c of childrenOf(n)) this.visit(c, n, inner);
    this.inStatement = outside;
    this.shared = sharedOutside;
  }

  /** A condition on shared state: on words, on what was read from them, or on a named state. */
  private isShared(n: Node): boolean {
    const named = n.type === 'BinaryExpression' && isConstant(n.right);
    return named || touches(n) || [...this.shared].some((name) => mentions(n, name));
  }

  private text(n: Node): string {
    return this.source.slice(n.start, n.end);
  }

  private add(n: Node, fn: string, op: string, replace: string, end = n.end): void {
    const { line, column } = n.loc.start;
    const text = this.source
      .slice(n.start, end)
      .replace(/\/\/.*$/gm, '')
      .replace(/\s+/g, ' ')
      .trim();
    const statement = op === 'swap' && n.type !== 'LogicalExpression' ? n.start : this.inStatement;
    this.out.push({ fn, op, text, line, column, start: n.start, end, replace, statement });
  }

  private statement(n: Node, fn: string): void {
    if (n.type === 'ExpressionStatement' && fn !== '') {
      const { expression } = n;
      if (expression.type === 'CallExpression' && callsIn(expression) && calleeName(expression) !== 'kfree')
        this.add(n, fn, 'drop', ';');
    }
    if (n.type === 'BlockStatement') {
      const body = n.body as Node[];
      for (let i = 0; i + 1 < body.length; i++) this.swap(body[i], body[i + 1], fn);
    }
    if (n.type === 'LogicalExpression' && callsIn(n.left) && callsIn(n.right)) {
      this.add(n, fn, 'swap', `(${this.text(n.right)}) ${n.operator} (${this.text(n.left)})`);
    }
  }

  /** Two steps change places if both touch something that others may see and the second does without the first. */
  private swap(a: Node, b: Node, fn: string): void {
    if (!isStep(a) || !(isStep(b) || isTest(b)) || !ordered(a, b)) return;
    const between = this.source.slice(a.end, b.start);
    if (isTest(b)) {
      // The first goes behind the test, before either branch.
      if (a.type !== 'ExpressionStatement' || !callsIn(b.test)) return;
      const test = `const sweepTest = ${this.text(b.test)};`;
      const rest = `if (sweepTest)${this.source.slice(b.test.end + 1, b.end)}`;
      this.add(a, fn, 'swap', `{ ${test} ${this.text(a)} ${rest} }`, b.end);
      return;
    }
    if (a.type === 'VariableDeclaration' && a.declarations.some((d: Node) => mentions(b, d.id.name))) return;
    this.add(a, fn, 'swap', `${this.text(b)}${between}${this.text(a)}`, b.end);
  }

  private atomic(n: Node, parent: Node | null, fn: string): void {
    const method = atomicMethod(n);
    if (method === null) return;
    const args = (n.arguments as Node[]).map((a) => this.text(a));
    const [m, i, v] = args;
    const torn = TORN.get(method);
    if (torn !== undefined) {
      this.add(n, fn, 'torn', `${torn}(${args.join(', ')})`);
      if (parent?.type !== 'ExpressionStatement') this.add(n, fn, 'load-only', `Atomics.load(${m}, ${i})`);
    }
    if (method === 'load') this.add(n, fn, 'plain', `${m}[${i}]`);
    if (method === 'store') this.add(n, fn, 'plain', `${m}[${i}] = ${v}`);
    if (method === 'wait') {
      const rest = args.slice(3).map((a) => `, ${a}`);
      this.add(n, fn, 'late-wait', `Atomics.wait(${m}, ${i}, Atomics.load(${m}, ${i})${rest.join('')})`);
    }
    if (method === 'notify' && args.length === 2)
      this.add(n, fn, 'wake-one', `Atomics.notify(${m}, ${i}, 1)`);
  }

  private mask(n: Node, parent: Node | null, fn: string): void {
    if (n.type === 'AssignmentExpression' && n.operator === '|=' && parent?.type === 'ExpressionStatement') {
      this.add(n, fn, 'mask', this.text(n.left));
    }
    if (n.type !== 'BinaryExpression') return;
    if (n.operator === '&') this.add(n, fn, 'mask', this.text(n.left));
    if (n.operator !== '|') return;
    const constantLeft = isConstant(n.left);
    if (isConstant(n.right)) this.add(n, fn, 'mask', this.text(n.left));
    if (constantLeft && n.left.type !== 'BinaryExpression') this.add(n, fn, 'mask', this.text(n.right));
  }

  private condition(n: Node, fn: string): void {
    if (/^(If|While|DoWhile|For)Statement$|^ConditionalExpression$/.test(n.type) && n.test != null)
      this.leaves(n.test, fn);
    else if (n.type === 'LogicalExpression') this.leaves(n, fn);
    else if (n.type === 'BinaryExpression' && COMPARISON.test(n.operator)) this.leaves(n, fn);
  }

  private leaves(n: Node, fn: string): void {
    if (this.done.has(n)) return;
    this.done.add(n);
    if (n.type === 'LogicalExpression') {
      this.leaves(n.left, fn);
      this.leaves(n.right, fn);
    } else if (n.type === 'UnaryExpression' && n.operator === '!') {
      this.leaves(n.argument, fn);
    } else if (this.isShared(n)) {
      this.add(n, fn, 'true', 'true');
      this.add(n, fn, 'false', 'false');
    }
  }
}

function nameOf(n: Node, parent: Node | null): string | null {
  if (n.type === 'FunctionDeclaration') return n.id.name;
  if (!isFunction(n)) return null;
  if (parent?.type === 'MethodDefinition' || parent?.type === 'Property') return parent.key.name;
  if (parent?.type === 'VariableDeclarator') return parent.id.name;
  return null;
}

function atomicMethod(n: Node): string | null {
  if (n.type !== 'CallExpression' || n.callee.type !== 'MemberExpression') return null;
  const { object, property } = n.callee;
  return object.type === 'Identifier' && object.name === 'Atomics' ? property.name : null;
}

/** A statement that is one step: a call, a write to an element, or a declaration from one of these. */
function isStep(n: Node): boolean {
  if (n.type === 'VariableDeclaration')
    return n.declarations.some((d: Node) => d.init != null && touches(d.init));
  if (n.type !== 'ExpressionStatement') return false;
  const e = n.expression as Node;
  return (
    e.type === 'CallExpression' ||
    (e.type === 'AssignmentExpression' && touches(e)) ||
    e.type === 'UpdateExpression'
  );
}

function isTest(n: Node): boolean {
  return n.type === 'IfStatement';
}

function touches(n: Node): boolean {
  return callsIn(n) || (n.type === 'MemberExpression' && n.computed === true) || childrenOf(n).some(touches);
}

function calleeName(n: Node): string {
  const { callee } = n;
  return (callee.type === 'MemberExpression' ? callee.property.name : callee.name) ?? '';
}

function calls(n: Node, which: (name: string) => boolean): boolean {
  if (n.type === 'CallExpression' && n.callee.type !== 'Super' && which(calleeName(n))) return true;
  return !isFunction(n) && childrenOf(n).some((c) => calls(c, which));
}

/** Calls something that may touch shared memory. */
function callsIn(n: Node): boolean {
  return calls(n, (name) => !PURE.test(name));
}

/** Two steps whose order another thread could see: two calls, or a lock or an atomic and a plain access. */
function ordered(a: Node, b: Node): boolean {
  const atBorder = (n: Node): boolean => calls(n, (name) => BOUNDARY.test(name));
  return (callsIn(a) && callsIn(b)) || atBorder(a) || atBorder(b);
}

/** @returns the variables of a function that are given a value from shared memory, directly or through each other */
function sharedVariables(fn: Node): Set<string> {
  const shared = new Set<string>();
  const given: [name: string, value: Node][] = [];
  const visit = (n: Node): void => {
    if (n.type === 'VariableDeclarator' && n.id.type === 'Identifier' && n.init != null)
      given.push([n.id.name, n.init]);
    if (n.type === 'AssignmentExpression' && n.left.type === 'Identifier') given.push([n.left.name, n.right]);
    for (const c of childrenOf(n)) visit(c);
  };
  visit(fn);
  for (let before = -1; shared.size > before; ) {
    before = shared.size;
    for (const [name, value] of given) {
      if (touches(value) || [...shared].some((other) => mentions(value, other))) shared.add(name);
    }
  }
  return shared;
}

function mentions(n: Node, name: string): boolean {
  return (n.type === 'Identifier' && n.name === name) || childrenOf(n).some((c) => mentions(c, name));
}

/** A named bit, its complement, or several of them. */
function isConstant(n: Node): boolean {
  if (n.type === 'Identifier') return CONSTANT.test(n.name);
  if (n.type === 'UnaryExpression') return n.operator === '~' && isConstant(n.argument);
  return n.type === 'BinaryExpression' && n.operator === '|' && isConstant(n.left) && isConstant(n.right);
}

/** A statement that can have another put in front of it. */
export function isPlainStatement(n: Node): boolean {
  return /Statement$|^VariableDeclaration$/.test(n.type) && n.type !== 'BlockStatement';
}
