// SPDX-License-Identifier: GPL-2.0-only
/**
 * Turns the values that a thread holds into text, so that equal states have equal text. Aliases are kept: the second
 * time an object comes up it is a reference to the first. What cannot be seen into (an iterator, a promise, a closure
 * made by code that is not instrumented) makes the text useless: the state is then never merged.
 */
import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { constantId, isNative } from './constants.js';
import { modelBufferOf } from './shared_memory.js';
import { viewOf } from './views.js';

/** What the transform told about a closure: where it was made, and the variables it holds. */
export interface ClosureTag {
  readonly id: string;
  readonly held: () => readonly unknown[];
  /** It assigns a variable that it holds. */
  readonly assigns: boolean;
}

/** Looks up the tag of a closure, and reads private fields. */
export interface Introspection {
  tagOf(fn: object): ClosureTag | undefined;
  /** @returns true for an instance of a class that is not instrumented: it may have private state */
  foreign(o: object): boolean;
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
  /** Where the first view of a pool starts. */
  private readonly pools = new Map<object, number>();
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
    if (types.isProxy(o)) return this.unknown();
    if (typeof o === 'function') return this.fn(o);
    if (types.isModuleNamespaceObject(o)) return `N${identity(o)}`;
    if (ArrayBuffer.isView(o)) return this.typedArray(o);
    if (types.isAnyArrayBuffer(o)) return this.buffer(o);
    const proto = Object.getPrototypeOf(o) as object | null;
    if (Array.isArray(o))
      return proto !== Array.prototype && this.look.foreign(o) ? this.unknown() : this.array(o);
    if (proto !== Object.prototype && this.look.foreign(o)) return this.unknown();
    if (types.isMap(o))
      return `M${shapeOf(proto, Map.prototype)}{${this.list([...Map.prototype.entries.call(o)].flat())}}${this.own(o)}`;
    if (types.isSet(o))
      return `S${shapeOf(proto, Set.prototype)}{${this.list([...Set.prototype.values.call(o)])}}${this.own(o)}`;
    if (types.isNativeError(o)) return `E@${proto === null ? 0 : identity(proto)}${this.own(o)}`;
    if (proto !== null && proto !== Object.prototype && isNative(proto.constructor)) return this.unknown();
    return `${shapeOf(proto, Object.prototype)}${this.own(o)}`;
  }

  private array(o: unknown[]): string {
    let dense = Object.isExtensible(o) && Object.getPrototypeOf(o) === Array.prototype;
    // With all indices there, any more names than these and "length" are properties of other kinds.
    for (let i = 0; dense && i < o.length; i++) dense = Object.hasOwn(o, i);
    if (dense && Reflect.ownKeys(o).length === o.length + 1) return `[${this.list(o)}]`;
    return `[${shapeOf(Object.getPrototypeOf(o) as object | null, Array.prototype)}${this.own(o)}]`;
  }

  /** Own properties: enumerable or not, with what may be done to them; private fields. */
  private own(o: object): string {
    let text = Object.isExtensible(o) ? '' : '!';
    for (const key of Reflect.ownKeys(o)) {
      if (typeof key === 'symbol') return this.unknown();
      if (key === 'stack' && types.isNativeError(o)) continue;
      const d = Object.getOwnPropertyDescriptor(o, key);
      if (d === undefined || !('value' in d)) return this.unknown();
      const rights = (d.writable ? 1 : 0) | (d.enumerable ? 2 : 0) | (d.configurable ? 4 : 0);
      text += `${JSON.stringify(key)}${rights === 7 ? '' : rights}:${this.value(d.value)},`;
    }
    const hidden = this.look.privatesOf(o);
    return `{${text}${hidden === null ? '' : `#(${this.list(hidden)})`}}`;
  }

  /** A view and its buffer: two views of one buffer are not two views of two. */
  private typedArray(a: ArrayBufferView): string {
    if (a instanceof DataView) return this.unknown();
    const proto = Object.getPrototypeOf(a) as object;
    const head = `A@${identity(proto)}:${a.byteLength}`;
    // Node's small Buffers are cut from a pool: where in it, and what lies around, is of no interest.
    if (Buffer.isBuffer(a) && a.byteLength !== a.buffer.byteLength) {
      const first = this.pools.get(a.buffer) ?? a.byteOffset;
      this.pools.set(a.buffer, first);
      return `${head}:${this.seenAs(a.buffer)}+${a.byteOffset - first}:${runs(a)}`;
    }
    return `${head}+${a.byteOffset}:${this.object(a.buffer)}`;
  }

  private seenAs(b: object): number {
    const before = this.seen.get(b) ?? this.seen.size;
    this.seen.set(b, before);
    return before;
  }

  private buffer(b: ArrayBufferLike): string {
    if ((b as { resizable?: boolean }).resizable === true || (b as { growable?: boolean }).growable === true)
      return this.unknown();
    return `${types.isSharedArrayBuffer(b) ? 'Y' : 'X'}${runs(new Uint8Array(b))}`;
  }

  private fn(f: object): string {
    let extra = '';
    for (const key of Reflect.ownKeys(f)) {
      if (key === 'length' || key === 'name' || key === 'arguments' || key === 'caller') continue;
      if (key === 'prototype') {
        const made = (f as { prototype: unknown }).prototype;
        if (typeof made === 'object' && made !== null && Reflect.ownKeys(made).length > 1)
          return this.unknown();
        continue;
      }
      const d = Object.getOwnPropertyDescriptor(f, key);
      if (typeof key === 'symbol' || d === undefined || !('value' in d)) return this.unknown();
      extra += `${JSON.stringify(key)}:${this.value(d.value)},`;
    }
    const tag = this.look.tagOf(f);
    if (tag !== undefined) return `F${tag.id}(${this.list(tag.held())})${extra}`;
    // A function of a module, a class or a built-in is known by identity; a closure nobody tagged is new in each run.
    return `f${identity(f)}${extra}`;
  }
}

function shapeOf(proto: object | null, usual: object): string {
  return proto === usual ? '' : `@${proto === null ? 0 : identity(proto)}`;
}

/** Runs of equal bytes are counted: scratch arrays are mostly zeros. */
function runs(a: ArrayBufferView): string {
  const list = new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
  let text = `${list.length}:`;
  for (let i = 0; i < list.length; ) {
    let n = 1;
    while (i + n < list.length && list[i + n] === list[i]) n++;
    text += n === 1 ? `${list[i]},` : `${list[i]}*${n},`;
    i += n;
  }
  return text;
}
