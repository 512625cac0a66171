// SPDX-License-Identifier: GPL-2.0-only
/**
 * Which variables a function still needs at a place: only these belong to the continuation, so two runs that differ in
 * dead values are one state.
 *
 * A variable is needed at a site if it is mentioned behind it, or anywhere in a loop around the site that it outlives,
 * or in a nested function. Mentions are by name: where one name has several declarations the answer errs towards
 * "needed", which costs states and never soundness.
 */
import { assignedNames, childrenOf, isFunction, isLoop, isReference, type Node } from './syntax.js';

interface Mentions {
  readonly positions: number[];
  nested: boolean;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** A function under transformation. */
export class FunctionScope {
  readonly node: Node;
  readonly outer: FunctionScope | null;
  readonly name: string;
  /** Names in scope, innermost block last. */
  private readonly blocks: string[][] = [];
  /** The same with names whose declarations are still to come: closures can hold these. */
  private readonly hoisted: string[][] = [];
  /** Temporaries made so far. */
  temps = 0;
  /** Pending operands: temporaries and variables that were read before the site and are used after it. */
  readonly pending: string[] = [];
  /** Sites here are of unknown state. */
  opaque = false;
  /** The function registers sites. */
  used = false;
  /** `this` belongs to the state. */
  hasThis = false;
  /** A constructor: shared accesses below are refused, so nothing is captured. */
  isConstructor = false;
  /** A getter, setter or implicit conversion. */
  isAccessor = false;
  /** Functions are made in it. */
  hasNested = false;
  /** Names assigned inside nested functions: reading them early is not the same as reading them late. */
  readonly assignedInside: Set<string>;
  /** All names mentioned, nested functions included. */
  readonly mentions = new Map<string, Mentions>();
  private readonly declaredAt = new Map<string, number>();
  private readonly loops: Range[] = [];
  private assigned: Set<string> | null = null;

  constructor(node: Node, outer: FunctionScope | null, name: string) {
    this.node = node;
    this.outer = outer;
    this.name = name;
    this.assignedInside = new Set();
    this.scan(node, null, false);
  }

  private scan(n: Node, parent: Node | null, nested: boolean): void {
    if (isReference(n, parent)) {
      const m = this.mentions.get(n.name as string);
      if (m === undefined) this.mentions.set(n.name as string, { positions: [n.start], nested });
      else {
        m.positions.push(n.start);
        m.nested ||= nested;
      }
      return;
    }
    if (!nested && isLoop(n)) this.loops.push({ start: n.start, end: n.end });
    const inside = nested || (n !== this.node && isFunction(n));
    this.hasNested ||= inside;
    if (n !== this.node && isFunction(n))
      for (const name of assignedNames(n, true)) this.assignedInside.add(name);
    for (const c of childrenOf(n)) this.scan(c, n, inside);
  }

  /** Enters a block. @param later names that it declares somewhere */
  enter(later: readonly string[]): void {
    this.blocks.push([]);
    this.hoisted.push([...later]);
  }

  /** Leaves it. */
  leave(): void {
    this.blocks.pop();
    this.hoisted.pop();
  }

  /** Brings names into the innermost block. @param at where they are declared; a loop's own variables: its start */
  declare(names: readonly string[], at: number): void {
    const block = this.blocks[this.blocks.length - 1];
    const all = this.hoisted[this.hoisted.length - 1];
    for (const name of names) {
      block.push(name);
      all.push(name);
      const before = this.declaredAt.get(name);
      this.declaredAt.set(name, before === undefined ? at : Math.min(before, at));
    }
  }

  /** @returns true if a nested function holds one of the names and some assignment changes it */
  sharesVariables(names: readonly string[]): boolean {
    this.assigned ??= assignedNames(this.node, true);
    return names.some((name) => this.mentions.get(name)?.nested === true && this.assigned?.has(name));
  }

  /** @returns all names of the function's own that are in scope here */
  names(): string[] {
    return [...new Set(this.blocks.flat())];
  }

  /** @returns all names that a nested function can mention here */
  allNames(): string[] {
    return [...new Set(this.hoisted.flat())];
  }

  /** @returns true for variables of this function and those around it; names of the module are constants */
  knows(name: string): boolean {
    return this.hoisted.some((b) => b.includes(name)) || (this.outer?.knows(name) ?? false);
  }

  private needed(name: string, after: number): boolean {
    if (isToken(name)) return true;
    const m = this.mentions.get(name);
    if (m === undefined) return false;
    if (m.nested) return true;
    const declared = this.declaredAt.get(name) ?? 0;
    for (const p of m.positions) {
      if (p >= after) return true;
      for (const loop of this.loops) {
        // `after` is the end of the site: inside the loop, or its very end.
        const around = loop.start < after && after <= loop.end;
        if (around && declared <= loop.start && p >= loop.start) return true;
      }
    }
    return false;
  }

  /**
   * @param after position behind the site: mentions from there on are still to come
   * @returns the variables that belong to the state at a site
   */
  live(after: number): string[] {
    if (this.isConstructor) return [];
    const out = this.names().filter((name) => this.needed(name, after));
    for (let o = this.outer; o !== null; o = o.outer) {
      for (const name of o.allNames())
        if (!out.includes(name) && (this.mentions.has(name) || isToken(name))) out.push(name);
    }
    for (const name of this.pending) if (!out.includes(name)) out.push(name);
    if (this.hasThis) out.unshift('this');
    return out;
  }

  /** @returns variables of the functions around that a nested function mentions */
  heldBy(inner: FunctionScope): string[] {
    const out = new Set<string>();
    if (inner.node.type === 'ArrowFunctionExpression' && mentionsThis(inner.node)) out.add('this');
    for (let o: FunctionScope | null = this; o !== null; o = o.outer) {
      for (const name of o.allNames()) if (inner.mentions.has(name) || isToken(name)) out.add(name);
    }
    return [...out];
  }
}

/**
 * Closures that change the same variable and closures that change two variables of equal value are not the same: a block
 * whose variables are shared so has a token, an object made anew each time it is entered, which all of them hold.
 */
export function isToken(name: string): boolean {
  return /^\$v\d+$/.test(name);
}

/** @returns true if `this` (of the function itself) is mentioned */
export function mentionsThis(n: Node): boolean {
  if (n.type === 'ThisExpression' || n.type === 'Super') return true;
  for (const c of childrenOf(n)) {
    if (isFunction(c) && c.type !== 'ArrowFunctionExpression') continue;
    if (mentionsThis(c)) return true;
  }
  return false;
}
