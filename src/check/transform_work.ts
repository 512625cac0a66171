// SPDX-License-Identifier: GPL-2.0-only
/** What all parts of the transform share: the text under work, its sites, and how to refuse. */
import type MagicString from 'magic-string';
import { RefusedError } from './refuse.js';
import type { FunctionScope } from './scopes.js';
import { SITE_ACCESSOR, SITE_OPAQUE, type SiteRow } from './sites.js';
import {
  assignedNames,
  childrenOf,
  inChain,
  isFunction,
  isReference,
  type Node,
  patternNames,
} from './syntax.js';

/** Walks a node; `F` is the function it stands in, null at module level. */
export type Walk = (n: Node | null | undefined, F: FunctionScope | null) => void;

export class TransformWork {
  readonly source: string;
  readonly s: MagicString;
  /** Path of the module, for messages. */
  readonly file: string;
  /** Sites so far. */
  readonly rows: SiteRow[] = [];
  readonly walk: Walk;
  /** How names that were changed are written in the source. */
  spelled: ReadonlyMap<string, string> = new Map();
  private readonly firstSite: number;
  private tokens = 0;
  private readonly siteCache = new Map<Node, boolean>();

  constructor(source: string, s: MagicString, url: string, firstSite: number, walk: Walk) {
    this.source = source;
    this.s = s;
    this.file = url.replace(/^file:\/\//, '');
    this.firstSite = firstSite;
    this.walk = walk;
  }

  /** Refuses the code, with its place. */
  fail(n: Node, what: string): never {
    throw new RefusedError(`${this.file}:${n.loc.start.line}: ${what}`);
  }

  /** @returns file and line of a node, as a literal */
  where(n: Node): string {
    return JSON.stringify(`${this.file}:${n.loc.start.line}`);
  }

  /** Puts text around a node; inner nodes first, so that they nest. */
  wrap(n: Node, open: string, close: string): void {
    this.s.prependRight(n.start, open);
    this.s.appendLeft(n.end, close);
  }

  /** @returns true if evaluating `n` passes a site, nested functions left out */
  hasSite(n: Node | null | undefined): boolean {
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

  /**
   * Declares a token (see isToken) if closures share and change variables of the block that was entered.
   * @returns its name, '' for none
   */
  token(names: readonly string[], F: FunctionScope, at: number): string {
    if (!F.sharesVariables(names)) return '';
    const name = `$v${this.tokens++}`;
    F.declare([name], at);
    return name;
  }

  /** Makes a site. @returns the arguments that a registration takes */
  site(n: Node, F: FunctionScope, kind: number, after: number): string {
    F.used = true;
    const flags = (F.opaque ? SITE_OPAQUE : 0) | (F.isAccessor ? SITE_ACCESSOR : 0);
    this.rows.push([n.loc.start.line, n.loc.start.column, kind, flags, this.spelled.get(F.name) ?? F.name]);
    const id = this.firstSite + this.rows.length - 1;
    return `$d, ${id}, () => [${F.live(after).join(', ')}]`;
  }

  /** @returns true if a value read now is the same as one read later, while `later` is evaluated */
  stable(n: Node, later: readonly Node[], F: FunctionScope): boolean {
    if (n.type === 'Literal' || n.type === 'ThisExpression' || n.type === 'Super') return true;
    if (n.type === 'UnaryExpression') return (n.argument as Node).type === 'Literal';
    if (n.type !== 'Identifier') return false;
    const name = n.name as string;
    if (F.assignedInside.has(name)) return false;
    for (let o = F.outer; o !== null; o = o.outer) if (o.assignedInside.has(name)) return false;
    return !later.some((x) => assignedNames(x, false).has(name));
  }

  /**
   * Walks what a pattern takes apart. Defaults, computed keys and targets stand before it and are evaluated behind it.
   * @param assigned false where the pattern's names are declared by it: they have no value yet
   */
  patternSource(pattern: Node, right: Node, assigned: boolean, F: FunctionScope, walk: () => void): void {
    if (!/^(Object|Array)Pattern$/.test(pattern.type)) {
      walk();
      return;
    }
    const own: string[] = [];
    if (!assigned) patternNames(pattern, own);
    const depth = F.pending.length;
    const collect = (n: Node, parent: Node | null): void => {
      if (isReference(n, parent) && !own.includes(n.name as string) && F.knows(n.name as string))
        F.pending.push(n.name as string);
      for (const c of childrenOf(n)) collect(c, n);
    };
    if (this.hasSite(right)) collect(pattern, null);
    walk();
    F.pending.length = depth;
    this.wrap(right, '$.n(', ')');
  }

  /**
   * A property is about to be changed: of an object that is not the thread's own where the way to it starts at a global
   * or at a name of the module, and where a private field belongs to a constant (a freeze does not reach these).
   */
  guardTarget(target: Node, F: FunctionScope): void {
    if (target.type !== 'MemberExpression') return;
    const object = target.object as Node;
    if (object.type === 'Super') return;
    let root = object;
    while (root.type === 'MemberExpression') root = root.object as Node;
    if (target.property.type === 'PrivateIdentifier') this.wrap(object, '$.h(', ')');
    else if (root.type === 'Identifier' && !F.knows(root.name as string))
      this.wrap(object, '$.w(', `, ${this.where(target)})`);
    else if (
      root.type !== 'ThisExpression' &&
      target.property.type !== 'PrivateIdentifier' &&
      !inChain(object)
    )
      this.wrap(object, '$.t(', `, ${this.where(target)})`);
  }
}
