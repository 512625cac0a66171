// SPDX-License-Identifier: GPL-2.0-only
/** Helpers over the syntax tree (ESTree, as acorn builds it). */

/** A node; the fields differ by `type`. */
export interface Node {
  type: string;
  start: number;
  end: number;
  loc: { start: { line: number; column: number } };
  // biome-ignore lint/suspicious/noExplicitAny: fields depend on the type of the node
  [field: string]: any;
}

const NO_CHILDREN: ReadonlySet<string> = new Set(['type', 'start', 'end', 'loc', 'range']);

/** @returns the nodes right below, in source order of fields */
export function childrenOf(n: Node): Node[] {
  const out: Node[] = [];
  for (const key in n) {
    if (NO_CHILDREN.has(key)) continue;
    const v: unknown = n[key];
    if (Array.isArray(v)) {
      for (const x of v) if (isNode(x)) out.push(x);
    } else if (isNode(v)) {
      out.push(v);
    }
  }
  return out;
}

function isNode(v: unknown): v is Node {
  return typeof v === 'object' && v !== null && typeof (v as Node).type === 'string';
}

/** @returns true for functions of all spellings */
export function isFunction(n: Node): boolean {
  return (
    n.type === 'FunctionDeclaration' ||
    n.type === 'FunctionExpression' ||
    n.type === 'ArrowFunctionExpression'
  );
}

/** @returns true for loops */
export function isLoop(n: Node): boolean {
  return /^(For|ForOf|ForIn|While|DoWhile)Statement$/.test(n.type);
}

/** Collects the names that a pattern declares. */
export function patternNames(p: Node | null | undefined, out: string[]): void {
  if (p === null || p === undefined) return;
  switch (p.type) {
    case 'Identifier':
      out.push(p.name as string);
      return;
    case 'ObjectPattern':
      for (const x of p.properties as Node[]) patternNames((x.value ?? x.argument) as Node, out);
      return;
    case 'ArrayPattern':
      for (const x of p.elements as (Node | null)[]) patternNames(x, out);
      return;
    case 'AssignmentPattern':
      patternNames(p.left as Node, out);
      return;
    case 'RestElement':
      patternNames(p.argument as Node, out);
  }
}

/** @returns true if `n` stands for a variable (not a property name, a label or the like) below `parent` */
export function isReference(n: Node, parent: Node | null): boolean {
  if (n.type !== 'Identifier') return false;
  if (parent === null) return true;
  if (parent.type === 'MemberExpression') return parent.object === n || parent.computed === true;
  if (parent.type === 'Property')
    return parent.value === n || parent.computed === true || parent.shorthand === true;
  if (parent.type === 'MethodDefinition' || parent.type === 'PropertyDefinition') {
    return parent.value === n || parent.computed === true;
  }
  return !/^(LabeledStatement|BreakStatement|ContinueStatement|ExportSpecifier|ImportSpecifier)$/.test(
    parent.type,
  );
}

/** @returns the names declared by `var` in a function's body, nested functions left out */
export function varNames(body: Node): string[] {
  const out: string[] = [];
  const visit = (n: Node): void => {
    if (isFunction(n) || n.type === 'ClassDeclaration' || n.type === 'ClassExpression') return;
    if (n.type === 'VariableDeclaration' && n.kind === 'var') {
      for (const d of n.declarations as Node[]) patternNames(d.id as Node, out);
    }
    for (const c of childrenOf(n)) visit(c);
  };
  visit(body);
  return out;
}

/** @returns names that are assigned in `n` (=, +=, ++, for-of heads), nested functions included or not */
export function assignedNames(n: Node, nested: boolean): Set<string> {
  const out = new Set<string>();
  const visit = (x: Node): void => {
    if (!nested && isFunction(x)) return;
    const names: string[] = [];
    if (x.type === 'AssignmentExpression') patternNames(x.left as Node, names);
    if (x.type === 'UpdateExpression') patternNames(x.argument as Node, names);
    if (x.type === 'ForOfStatement' || x.type === 'ForInStatement') patternNames(x.left as Node, names);
    for (const name of names) out.add(name);
    for (const c of childrenOf(x)) visit(c);
  };
  visit(n);
  return out;
}

/** @returns the names that the statements of a block declare in it */
export function declaredNames(body: readonly Node[]): string[] {
  const out: string[] = [];
  for (const st of body) {
    if (st.type === 'VariableDeclaration')
      for (const d of st.declarations as Node[]) patternNames(d.id as Node, out);
    else if (/^(Function|Class)Declaration$/.test(st.type) && st.id) out.push(st.id.name as string);
  }
  return out;
}

/** @returns true for `Math.random` */
export function isRandom(n: Node): boolean {
  return (
    n.type === 'MemberExpression' &&
    n.computed !== true &&
    n.object.name === 'Math' &&
    n.property.name === 'random'
  );
}

/** @returns true for expressions that can be evaluated again at any time */
export function isPlain(n: Node): boolean {
  if (n.type === 'Identifier' || n.type === 'ThisExpression') return true;
  if (n.type === 'Literal') return typeof n.value !== 'object';
  return (
    n.type === 'MemberExpression' &&
    isPlain(n.object as Node) &&
    (n.computed !== true || isPlain(n.property as Node))
  );
}

/** @returns true inside an optional chain: parentheses around it would change what the chain skips */
export function inChain(n: Node): boolean {
  if (n.type !== 'MemberExpression' && n.type !== 'CallExpression') return false;
  return n.optional === true || inChain((n.type === 'CallExpression' ? n.callee : n.object) as Node);
}
