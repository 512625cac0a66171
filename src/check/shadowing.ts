// SPDX-License-Identifier: GPL-2.0-only
/**
 * Names that shadow. A site captures variables by name, so a variable that an inner block hides from a site could not be
 * captured there: the inner one gets a name of its own, of the same length, so that lines and columns stay.
 */
import MagicString from 'magic-string';
import { declaredNames, isFunction, isReference, type Node, patternNames, varNames } from './syntax.js';

/** A name in a scope, and where it is written. */
interface Binding {
  readonly uses: { readonly node: Node; readonly shorthand: boolean }[];
  /** It hides a variable of the functions around it, from inside a block. */
  hides: boolean;
}

type Scope = { readonly names: Map<string, Binding>; readonly outer: Scope | null };

/** What was renamed: the text, and the spelling in the source of each new name. */
export interface Renamed {
  readonly code: string;
  readonly spelled: ReadonlyMap<string, string>;
}

/**
 * @param fail refuses what cannot be renamed
 * @param free takes the mentions of names that no function declares
 * @returns the source without shadowing inside functions, null if there is none
 */
export function renameShadowing(
  source: string,
  ast: Node,
  fail: (n: Node, what: string) => never,
  free: Set<Node>,
): Renamed | null {
  const all: { name: string; binding: Binding }[] = [];
  const taken = new Set<string>();

  const open = (outer: Scope | null, names: readonly string[], block: boolean): Scope => {
    const scope: Scope = { names: new Map(), outer };
    for (const name of names) {
      if (scope.names.has(name)) continue;
      const binding: Binding = { uses: [], hides: block && find(outer, name) !== undefined };
      scope.names.set(name, binding);
      if (binding.hides) all.push({ name, binding });
    }
    return scope;
  };
  const find = (scope: Scope | null, name: string): Binding | undefined => {
    for (let s = scope; s !== null; s = s.outer) {
      const b = s.names.get(name);
      if (b !== undefined) return b;
    }
    return undefined;
  };

  /** `S` is null outside of functions: names there are constants. */
  const visit = (n: Node, parent: Node | null, S: Scope | null): void => {
    if (n.type === 'Identifier') {
      if (!isReference(n, parent)) return;
      taken.add(n.name as string);
      const found = find(S, n.name as string);
      if (found === undefined) free.add(n);
      else found.uses.push({ node: n, shorthand: false });
      return;
    }
    if (isFunction(n)) {
      visitFunction(n, S);
      return;
    }
    if (n.type === 'Property' && n.shorthand === true) {
      const value = n.value as Node;
      const name = (n.key as Node).name as string;
      taken.add(name);
      find(S, name)?.uses.push({ node: n.key as Node, shorthand: true });
      if (value.type === 'AssignmentPattern') visit(value.right as Node, value, S);
      return;
    }
    let inner = S;
    if (S !== null) {
      if (n.type === 'BlockStatement') inner = open(S, declaredHere(n.body as Node[]), true);
      else if (n.type === 'SwitchStatement') {
        visit(n.discriminant as Node, n, S);
        inner = open(S, declaredHere((n.cases as Node[]).flatMap((c) => c.consequent as Node[])), true);
        for (const c of n.cases as Node[]) visit(c, n, inner);
        return;
      } else if (/^For(Of|In)?Statement$/.test(n.type)) {
        const head = (n.type === 'ForStatement' ? n.init : n.left) as Node | null;
        inner = open(S, head?.type === 'VariableDeclaration' ? declaredHere([head]) : [], true);
        // What is iterated over is evaluated with the names of the head in their dead zone.
      } else if (n.type === 'CatchClause') {
        const names: string[] = [];
        patternNames(n.param as Node | null, names);
        const clash = varNames(n.body as Node).find((v) => names.includes(v));
        if (clash !== undefined) fail(n, `"var ${clash}" has the name of the caught error; rename it`);
        inner = open(S, names, true);
      }
    }
    for (const key in n) {
      if (key === 'loc') continue;
      const v: unknown = n[key];
      for (const c of (Array.isArray(v) ? v : [v]) as Node[])
        if (typeof c === 'object' && c !== null && typeof c.type === 'string') visit(c, n, inner);
    }
  };

  const visitFunction = (n: Node, S: Scope | null): void => {
    if (n.id) {
      taken.add(n.id.name as string);
      if (n.type === 'FunctionDeclaration')
        find(S, n.id.name as string)?.uses.push({ node: n.id as Node, shorthand: false });
    }
    const own = open(S, n.type === 'FunctionExpression' && n.id ? [n.id.name as string] : [], false);
    const params: string[] = [];
    for (const p of n.params as Node[]) patternNames(p, params);
    const P = open(own, params, false);
    for (const p of n.params as Node[]) visit(p, n, P);
    const body = n.body as Node;
    if (body.type !== 'BlockStatement') {
      visit(body, n, P);
      return;
    }
    const vars = varNames(body).filter((v) => !P.names.has(v));
    const B = open(P, [...vars, ...declaredHere(body.body as Node[])], false);
    for (const st of body.body as Node[]) visit(st, body, B);
  };

  visit(ast, null, null);
  const hiding = all.filter((x) => x.binding.hides && x.binding.uses.length > 0);
  if (hiding.length === 0) return null;
  const s = new MagicString(source);
  const spelled = new Map<string, string>();
  let next = 0x4e00;
  for (const { name, binding } of hiding) {
    let fresh: string;
    do fresh = name.slice(0, -1) + String.fromCharCode(next++);
    while (taken.has(fresh));
    taken.add(fresh);
    spelled.set(fresh, name);
    const done = new Set<number>();
    for (const { node, shorthand } of binding.uses) {
      if (done.has(node.start)) continue;
      done.add(node.start);
      s.overwrite(node.start, node.end, shorthand ? `${name}: ${fresh}` : fresh);
    }
  }
  return { code: s.toString(), spelled };
}

/** @returns what statements declare in their block; `var` belongs to the function */
function declaredHere(body: readonly Node[]): string[] {
  return declaredNames(body.filter((st) => st.type !== 'VariableDeclaration' || st.kind !== 'var'));
}
