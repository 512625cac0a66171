// SPDX-License-Identifier: GPL-2.0-only
/**
 * Stand-ins of typed arrays over the test's shared buffers.
 *
 * In setup, final and goal they reach the memory itself; while a thread runs every element access is an operation of
 * the runner. Methods that touch many elements (fill, set, slice, copyWithin) become as many operations, and what
 * they hold meanwhile goes into the key of the thread's state. Other methods are refused while a thread runs.
 */
import { type AnyTypedArray, coerce, OP_READ, OP_WRITE, TYPES, type Value, valueText } from './ops.js';
import { operate, refuse, running } from './runner.js';
import { type ModelBuffer, modelBufferOf } from './shared_memory.js';

/** What a view is: a place, an element type, a length. */
export class View {
  readonly buffer: ModelBuffer;
  readonly type: number;
  readonly byteOffset: number;
  readonly length: number;
  /** The same memory as a real typed array. */
  readonly real: AnyTypedArray;
  /** Bytes of an element. */
  readonly size: number;

  constructor(buffer: ModelBuffer, type: number, byteOffset: number, length: number) {
    this.buffer = buffer;
    this.type = type;
    this.byteOffset = byteOffset;
    this.length = length;
    this.real = new TYPES[type](buffer.sab, byteOffset, length);
    this.size = TYPES[type].BYTES_PER_ELEMENT;
  }

  /** @returns the byte address of an element in the common space */
  address(index: number): number {
    return this.buffer.base + this.byteOffset + index * this.size;
  }
}

const views = new WeakMap<object, View>();

/** @returns what stands behind a stand-in of a view, or undefined for anything else */
export function viewOf(value: unknown): View | undefined {
  return typeof value === 'object' && value !== null ? views.get(value) : undefined;
}

const viewMethods = new WeakSet<object>();

/** @returns true for the methods of stand-ins of views */
export function isViewMethod(value: unknown): boolean {
  return typeof value === 'function' && viewMethods.has(value);
}

/**
 * Makes a view over a stand-in of a buffer, with the errors of the real constructor.
 * @returns the stand-in, or undefined if `args[0]` is no shared buffer of a test
 */
export function makeView(type: number, args: readonly unknown[]): AnyTypedArray | undefined {
  const buffer = modelBufferOf(args[0]);
  if (buffer === undefined) return undefined;
  const size = TYPES[type].BYTES_PER_ELEMENT;
  const offset = args[1] === undefined ? 0 : Number(args[1]);
  if (offset % size !== 0)
    throw new RangeError(`start offset of ${TYPES[type].name} should be a multiple of ${size}`);
  if (args[2] === undefined && (buffer.byteLength - offset) % size !== 0) {
    throw new RangeError(`byte length of ${TYPES[type].name} should be a multiple of ${size}`);
  }
  const length = args[2] === undefined ? (buffer.byteLength - offset) / size : Number(args[2]);
  if (offset < 0 || length < 0 || offset + length * size > buffer.byteLength) {
    throw new RangeError(`Invalid typed array length: ${length}`);
  }
  return standInFor(new View(buffer, type, offset, length));
}

function standInFor(view: View): AnyTypedArray {
  const standIn = new Proxy(view.real, new ViewHandler(view)) as AnyTypedArray;
  views.set(standIn, view);
  return standIn;
}

/** @returns the element index a property key stands for, -1 if it is no index, -2 if it is one out of range */
function indexOf(key: string, length: number): number {
  const i = Number(key);
  if (String(i) !== key) return -1;
  return Number.isInteger(i) && i >= 0 && i < length && !Object.is(i, -0) ? i : -2;
}

class ViewHandler implements ProxyHandler<AnyTypedArray> {
  readonly view: View;

  constructor(view: View) {
    this.view = view;
  }

  get(target: AnyTypedArray, key: string | symbol): unknown {
    const { view } = this;
    if (typeof key === 'string') {
      const i = indexOf(key, view.length);
      if (i >= 0) {
        if (running.phase !== 'run') return target[i];
        return operate(OP_READ, view.address(i), view.type, 0, 0, '');
      }
      if (i === -2) return undefined;
      if (key === 'buffer') return view.buffer.standIn;
      const method = METHODS[key];
      if (method !== undefined) {
        const bound = (...args: unknown[]): unknown => method(view, args);
        viewMethods.add(bound);
        return bound;
      }
    }
    const value: unknown = Reflect.get(target, key, target);
    if (typeof value !== 'function' || key === 'constructor') return value;
    if (running.phase !== 'run') return value.bind(target);
    return refuse(`${TYPES[view.type].name}.${String(key)} on shared memory; use an index loop`);
  }

  set(target: AnyTypedArray, key: string | symbol, value: unknown): boolean {
    const { view } = this;
    const i = typeof key === 'string' ? indexOf(key, view.length) : -1;
    if (i === -2) return true;
    if (i < 0) throw new TypeError(`property "${String(key)}" of a shared view cannot be set`);
    if (running.phase !== 'run') target[i] = value as never;
    else operate(OP_WRITE, view.address(i), view.type, coerce(view.type, value), 0, '');
    return true;
  }

  getOwnPropertyDescriptor(target: AnyTypedArray, key: string | symbol): PropertyDescriptor | undefined {
    if (running.phase === 'run')
      refuse(
        'a built-in asks for the properties of shared memory (spread, for-in, Object.…); use an index loop',
      );
    return Reflect.getOwnPropertyDescriptor(target, key);
  }

  setPrototypeOf(): boolean {
    throw new TypeError('the prototype of a shared view cannot be set');
  }

  preventExtensions(): boolean {
    throw new TypeError('a shared view cannot be frozen');
  }

  defineProperty(): boolean {
    throw new TypeError('properties of a shared view cannot be defined');
  }
}

function relative(value: unknown, length: number, fallback: number): number {
  if (value === undefined) return fallback;
  const n = Math.trunc(Number(value)) || 0;
  return n < 0 ? Math.max(0, length + n) : Math.min(n, length);
}

type Method = (view: View, args: readonly unknown[]) => unknown;

const METHODS: Readonly<Record<string, Method>> = Object.assign(
  Object.create(null) as Record<string, Method>,
  {
    subarray(view, args) {
      const from = relative(args[0], view.length, 0);
      const to = Math.max(from, relative(args[1], view.length, view.length));
      return standInFor(new View(view.buffer, view.type, view.byteOffset + from * view.size, to - from));
    },

    fill(view, args) {
      const from = relative(args[1], view.length, 0);
      const to = relative(args[2], view.length, view.length);
      if (running.phase !== 'run') return view.real.fill(args[0] as never, from, to);
      const v = coerce(view.type, args[0]);
      for (let i = from; i < to; i++) operate(OP_WRITE, view.address(i), view.type, v, 0, `fill ${to}`);
      return standInFor(view);
    },

    set(view, args) {
      const source = args[0] as ArrayLike<Value>;
      const from = Number(args[1] ?? 0);
      if (running.phase !== 'run') return view.real.set((viewOf(source)?.real ?? source) as never, from);
      if (from < 0 || from + source.length > view.length) throw new RangeError('offset is out of bounds');
      const values = readAll(source, `set ${view.address(from)}`);
      writeAll(view, from, values, 'set');
      return undefined;
    },

    slice(view, args) {
      const from = relative(args[0], view.length, 0);
      const to = Math.max(from, relative(args[1], view.length, view.length));
      if (running.phase !== 'run') return view.real.slice(from, to);
      const part = standInFor(
        new View(view.buffer, view.type, view.byteOffset + from * view.size, to - from),
      );
      const values = readAll(part as unknown as ArrayLike<Value>, 'slice');
      const copy = new TYPES[view.type](values.length);
      for (let i = 0; i < values.length; i++) copy[i] = values[i] as never;
      return copy;
    },

    copyWithin(view, args) {
      const to = relative(args[0], view.length, 0);
      const from = relative(args[1], view.length, 0);
      const end = relative(args[2], view.length, view.length);
      if (running.phase !== 'run') return view.real.copyWithin(to, from, end);
      const count = Math.min(end - from, view.length - to);
      if (count > 0) {
        const offset = view.byteOffset + from * view.size;
        const part = standInFor(new View(view.buffer, view.type, offset, count));
        writeAll(view, to, readAll(part as unknown as ArrayLike<Value>, `copy ${to}`), 'copy');
      }
      return standInFor(view);
    },
  } satisfies Record<string, Method>,
);

function readAll(source: ArrayLike<Value>, what: string): Value[] {
  const view = viewOf(source);
  const values: Value[] = [];
  for (let i = 0; i < source.length; i++) {
    if (view === undefined) values.push(source[i]);
    else
      values.push(
        operate(
          OP_READ,
          view.address(i),
          view.type,
          0,
          0,
          `${what} ${source.length} ${values.map(valueText).join()}`,
        ),
      );
  }
  return values;
}

function writeAll(view: View, from: number, values: readonly Value[], what: string): void {
  for (let i = 0; i < values.length; i++) {
    const v = coerce(view.type, values[i]);
    operate(
      OP_WRITE,
      view.address(from + i),
      view.type,
      v,
      0,
      `${what} ${from} ${i} ${values.map(valueText).join()}`,
    );
  }
}
