// SPDX-License-Identifier: GPL-2.0-only
/**
 * Turns the values that a thread holds into words, so that equal states have equal words and others have not: each value
 * is a tag and what belongs to it, and says by itself where it ends. Aliases are kept: the second time an object comes
 * up it is a reference to the first. What cannot be seen into (an iterator, a promise, a closure made by code that is
 * not instrumented) makes the words useless: the state is then never merged.
 */
import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { constantId, isNative } from './constants.js';
import { FIRST_FREE_TAG, KeyWords, textId } from './key_words.js';
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

/** What a value is: the first of its words. A reference, a constant, … has a number behind it. */
const BIGINT = FIRST_FREE_TAG;
const TRUE = FIRST_FREE_TAG + 1;
const FALSE = FIRST_FREE_TAG + 2;
const UNDEFINED = FIRST_FREE_TAG + 3;
const NULL = FIRST_FREE_TAG + 4;
const CONSTANT = FIRST_FREE_TAG + 5;
const VIEW = FIRST_FREE_TAG + 6;
const BUFFER = FIRST_FREE_TAG + 7;
const SEEN = FIRST_FREE_TAG + 8;
const NAMESPACE = FIRST_FREE_TAG + 9;
const MAP = FIRST_FREE_TAG + 10;
const SET = FIRST_FREE_TAG + 11;
const ERROR = FIRST_FREE_TAG + 12;
const DENSE_ARRAY = FIRST_FREE_TAG + 13;
const ARRAY = FIRST_FREE_TAG + 14;
const OBJECT = FIRST_FREE_TAG + 15;
const TYPED_ARRAY = FIRST_FREE_TAG + 16;
const POOLED_BYTES = FIRST_FREE_TAG + 17;
const SHARED_BYTES = FIRST_FREE_TAG + 18;
const PRIVATE_BYTES = FIRST_FREE_TAG + 19;
const CLOSURE = FIRST_FREE_TAG + 20;
const FUNCTION = FIRST_FREE_TAG + 21;
const UNKNOWN = FIRST_FREE_TAG + 22;

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

/** Writes values of one state at a time. */
export class Serializer extends KeyWords {
  /** Something could not be seen into. */
  opaque = false;
  private readonly seen = new Map<object, number>();
  /** Where the first view of a pool starts. */
  private readonly pools = new Map<object, number>();
  private readonly look: Introspection;

  constructor(look: Introspection) {
    super();
    this.look = look;
  }

  /** Another state. */
  begin(): void {
    this.clear();
    this.opaque = false;
    this.seen.clear();
    this.pools.clear();
  }

  /** Writes a list of values. */
  list(values: readonly unknown[]): void {
    this.put(values.length);
    for (let i = 0; i < values.length; i++) this.value(values[i]);
  }

  /** Writes a value. */
  value(v: unknown): void {
    if (typeof v === 'number') this.number(v);
    else if (typeof v === 'string') this.text(v);
    else if (typeof v === 'boolean') this.put(v ? TRUE : FALSE);
    else if (v === undefined) this.put(UNDEFINED);
    else if (typeof v === 'bigint') this.put2(BIGINT, textId(String(v)));
    else if (typeof v === 'symbol') this.unknown();
    else if (v === null) this.put(NULL);
    else this.object(v);
  }

  private unknown(): void {
    this.opaque = true;
    this.put(UNKNOWN);
  }

  private object(o: object): void {
    const constant = constantId(o);
    const view = constant === undefined ? viewOf(o) : undefined;
    const buffer = constant === undefined && view === undefined ? modelBufferOf(o) : undefined;
    if (constant !== undefined) this.put2(CONSTANT, constant);
    else if (view !== undefined) {
      this.put2(VIEW, view.buffer.index);
      this.put(view.type);
      this.put2(view.byteOffset, view.length);
    } else if (buffer !== undefined) this.put2(BUFFER, buffer.index);
    else {
      const before = this.seen.get(o);
      if (before !== undefined) this.put2(SEEN, before);
      else {
        this.seen.set(o, this.seen.size);
        this.contents(o);
      }
    }
  }

  /** What an object holds that comes up for the first time. */
  private contents(o: object): void {
    if (types.isProxy(o)) this.unknown();
    else if (typeof o === 'function') this.fn(o);
    else if (types.isModuleNamespaceObject(o)) this.put2(NAMESPACE, identity(o));
    else if (ArrayBuffer.isView(o)) this.typedArray(o);
    else if (types.isAnyArrayBuffer(o)) this.buffer(o);
    else {
      const proto = Object.getPrototypeOf(o) as object | null;
      const usual = Array.isArray(o) ? Array.prototype : Object.prototype;
      if (proto !== usual && this.look.foreign(o)) this.unknown();
      else if (Array.isArray(o)) this.array(o, proto);
      else this.plain(o, proto);
    }
  }

  /** An object that is neither function nor array nor bytes. */
  private plain(o: object, proto: object | null): void {
    if (types.isMap(o)) {
      this.put2(MAP, shapeOf(proto, Map.prototype));
      this.list([...Map.prototype.entries.call(o)].flat());
    } else if (types.isSet(o)) {
      this.put2(SET, shapeOf(proto, Set.prototype));
      this.list([...Set.prototype.values.call(o)]);
    } else if (types.isNativeError(o)) this.put2(ERROR, shapeOf(proto, Object.prototype));
    else if (proto !== null && proto !== Object.prototype && isNative(proto.constructor)) this.unknown();
    else this.put2(OBJECT, shapeOf(proto, Object.prototype));
    this.own(o);
  }

  private array(o: unknown[], proto: object | null): void {
    let dense = Object.isExtensible(o) && proto === Array.prototype;
    // With all indices there, any more names than these and "length" are properties of other kinds.
    for (let i = 0; dense && i < o.length; i++) dense = Object.hasOwn(o, i);
    if (dense && Reflect.ownKeys(o).length === o.length + 1) {
      this.put(DENSE_ARRAY);
      this.list(o);
    } else {
      this.put2(ARRAY, shapeOf(proto, Array.prototype));
      this.own(o);
    }
  }

  /** Own properties: enumerable or not, with what may be done to them; private fields. */
  private own(o: object): void {
    const keys = Reflect.ownKeys(o);
    this.put2(keys.length, Object.isExtensible(o) ? 1 : 0);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      if (key === 'stack' && types.isNativeError(o)) {
        this.put(UNDEFINED);
        continue;
      }
      const d = Object.getOwnPropertyDescriptor(o, key);
      if (typeof key === 'symbol' || d === undefined || !('value' in d)) {
        this.unknown();
        return;
      }
      const rights = (d.writable ? 1 : 0) | (d.enumerable ? 2 : 0) | (d.configurable ? 4 : 0);
      this.put2(textId(key), rights);
      this.value(d.value);
    }
    const hidden = this.look.privatesOf(o);
    if (hidden === null) this.put(NULL);
    else this.list(hidden);
  }

  /** A view and its buffer: two views of one buffer are not two views of two. */
  private typedArray(a: ArrayBufferView): void {
    const proto = Object.getPrototypeOf(a) as object;
    if (a instanceof DataView) this.unknown();
    else if (Buffer.isBuffer(a) && a.byteLength !== a.buffer.byteLength) {
      // Node's small Buffers are cut from a pool: where in it, and what lies around, is of no interest.
      const first = this.pools.get(a.buffer) ?? a.byteOffset;
      this.pools.set(a.buffer, first);
      this.put2(POOLED_BYTES, identity(proto));
      this.put2(this.seenAs(a.buffer), a.byteOffset - first);
      this.bytes(a.buffer, a.byteOffset, a.byteLength);
    } else {
      this.put2(TYPED_ARRAY, identity(proto));
      this.put2(a.byteOffset, a.byteLength);
      this.object(a.buffer);
    }
  }

  private seenAs(b: object): number {
    const before = this.seen.get(b) ?? this.seen.size;
    this.seen.set(b, before);
    return before;
  }

  private buffer(b: ArrayBufferLike): void {
    if ((b as { resizable?: boolean }).resizable === true || (b as { growable?: boolean }).growable === true)
      this.unknown();
    this.put(types.isSharedArrayBuffer(b) ? SHARED_BYTES : PRIVATE_BYTES);
    this.bytes(b, 0, b.byteLength);
  }

  /** Runs of equal words are counted: scratch arrays are mostly zeros. */
  private bytes(b: ArrayBufferLike, offset: number, length: number): void {
    const whole = offset % 4 === 0 ? length >> 2 : 0;
    this.put2(length, whole);
    const words = new Int32Array(b, whole === 0 ? 0 : offset, whole);
    for (let i = 0; i < whole; ) {
      const word = words[i];
      let n = 1;
      while (i + n < whole && words[i + n] === word) n++;
      this.put2(n, word);
      i += n;
    }
    const rest = new Uint8Array(b, offset + whole * 4, length - whole * 4);
    for (let i = 0; i < rest.length; i++) this.put(rest[i]);
  }

  private fn(f: object): void {
    const tag = this.look.tagOf(f);
    // A function of a module, a class or a built-in is known by identity; a closure nobody tagged is new in each run.
    if (tag === undefined) this.put2(FUNCTION, identity(f));
    else this.put2(CLOSURE, textId(tag.id));
    if (tag !== undefined) this.list(tag.held());
    for (const key of Reflect.ownKeys(f)) {
      if (key === 'length' || key === 'name' || key === 'arguments' || key === 'caller') continue;
      if (key === 'prototype') {
        const made = (f as { prototype: unknown }).prototype;
        if (typeof made === 'object' && made !== null && Reflect.ownKeys(made).length > 1) this.unknown();
        continue;
      }
      const d = Object.getOwnPropertyDescriptor(f, key);
      if (typeof key === 'symbol' || d === undefined || !('value' in d)) {
        this.unknown();
        return;
      }
      this.text(key);
      this.value(d.value);
    }
    this.put(NULL);
  }
}

/** @returns 0 for the usual prototype, else a number for it */
function shapeOf(proto: object | null, usual: object): number {
  return proto === usual ? 0 : proto === null ? -1 : identity(proto);
}
