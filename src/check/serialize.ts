// SPDX-License-Identifier: GPL-2.0-only
/**
 * Turns the values that a thread holds into text, so that equal states have equal text. Aliases are kept: the second
 * time an object comes up it is a reference to the first. What cannot be seen into (an iterator, a promise, a closure
 * made by code that is not instrumented) makes the text useless: the state is then never merged.
 */
import { types } from 'node:util';
import { constantId, isNative } from './constants.js';
import { modelBufferOf } from './shared_memory.js';
import { viewOf } from './views.js';

/** What the transform told about a closure: where it was made, and the variables it holds. */
export interface ClosureTag {
  readonly id: string;
  readonly held: () => readonly unknown[];
}

/** Looks up the tag of a closure, and reads private fields. */
export interface Introspection {
  tagOf(fn: object): ClosureTag | undefined;
  /** @returns values of `#private` fields that instrumented classes declare, or null */
  privatesOf(o: object): readonly unknown[] | null;
}

const shapes = new WeakMap<object, number>();
let shapeCount = 0;

/** @returns a number that stands for an object by identity */
function identity(o: object): number {
  let id = shapes.get(o);
  if (id === undefined) {
    id = ++shapeCount;
    shapes.set(o, id);
  }
  return id;
}

/** Writes values of one state; make one for each state. */
export class Serializer {
  /** Something could not be seen into. */
  opaque = false;
  private readonly seen = new Map<object, number>();
  private readonly look: Introspection;

  constructor(look: Introspection) {
    this.look = look;
  }

  /** @returns the text of a list of values */
  list(values: readonly unknown[]): string {
    let text = '';
    for (const v of values) text += `${this.value(v)},`;
    return text;
  }

  /** @returns the text of a value */
  value(v: unknown): string {
    switch (typeof v) {
      case 'number':
        return Object.is(v, -0) ? '-0' : String(v);
      case 'string':
        return JSON.stringify(v);
      case 'boolean':
        return v ? 't' : 'f';
      case 'undefined':
        return 'u';
      case 'bigint':
        return `${v}n`;
      case 'symbol':
        return this.unknown();
      default:
        return v === null ? 'n' : this.object(v as object);
    }
  }

  private unknown(): string {
    this.opaque = true;
    return '?';
  }

  private object(o: object): string {
    const constant = constantId(o);
    if (constant !== undefined) return `C${constant}`;
    const view = viewOf(o);
    if (view !== undefined) return `V${view.buffer.index}:${view.type}:${view.byteOffset}:${view.length}`;
    const buffer = modelBufferOf(o);
    if (buffer !== undefined) return `B${buffer.index}`;
    const before = this.seen.get(o);
    if (before !== undefined) return `#${before}`;
    this.seen.set(o, this.seen.size);
    if (typeof o === 'function') return this.fn(o);
    if (types.isProxy(o)) return this.unknown();
    if (Array.isArray(o)) return `[${this.list(o)}${Object.keys(o).length === o.length ? '' : this.keys(o)}]`;
    if (types.isModuleNamespaceObject(o)) return `N${identity(o)}`;
    if (ArrayBuffer.isView(o)) return this.bytes(o);
    if (o instanceof Map) return `M{${this.list([...o].flat())}}`;
    if (o instanceof Set) return `S{${this.list([...o])}}`;
    if (types.isNativeError(o)) return `E${o.name}:${JSON.stringify(o.message)}${this.keys(o)}`;
    return this.plain(o);
  }

  private plain(o: object): string {
    const proto = Object.getPrototypeOf(o) as object | null;
    let shape = '';
    if (proto !== null && proto !== Object.prototype) {
      if (isNative(proto.constructor)) return this.unknown();
      shape = `@${identity(proto)}`;
    }
    const hidden = this.look.privatesOf(o);
    return `${shape}{${this.keys(o)}${hidden === null ? '' : `#(${this.list(hidden)})`}}`;
  }

  private keys(o: object): string {
    let text = '';
    for (const key of Object.keys(o)) {
      const d = Object.getOwnPropertyDescriptor(o, key);
      if (d === undefined || !('value' in d)) return this.unknown();
      text += `${key}:${this.value(d.value)},`;
    }
    return Object.getOwnPropertySymbols(o).length > 0 ? this.unknown() : text;
  }

  /** Runs of equal elements are counted: scratch arrays are mostly zeros. */
  private bytes(a: ArrayBufferView): string {
    if (a instanceof DataView) return this.unknown();
    const list = a as unknown as ArrayLike<number | bigint>;
    let text = `A${a.constructor.name}:`;
    for (let i = 0; i < list.length; ) {
      let n = 1;
      while (i + n < list.length && Object.is(list[i + n], list[i])) n++;
      text += n === 1 ? `${String(list[i])},` : `${String(list[i])}*${n},`;
      i += n;
    }
    return text;
  }

  private fn(f: object): string {
    const tag = this.look.tagOf(f);
    if (tag !== undefined) return `F${tag.id}(${this.list(tag.held())})`;
    // A function of a module, a class or a built-in is known by identity; a closure nobody tagged is new in each run.
    return `f${identity(f)}`;
  }
}
