// SPDX-License-Identifier: GPL-2.0-only
/**
 * Module state: threads are re-run many times in one process, so nothing at module level may change. Constants are
 * frozen to the bottom when their module has been evaluated; what cannot be frozen gets mutators that throw, or is
 * refused.
 */
import { RefusedError } from './refuse.js';
import { modelBufferOf } from './shared_memory.js';
import { viewOf } from './views.js';

const fixed = new WeakMap<object, number>();
let count = 0;

/** @returns the number of an object that never changes, or undefined */
export function constantId(v: object): number | undefined {
  return fixed.get(v);
}

function mark(v: object): void {
  fixed.set(v, ++count);
}

const MUTATORS: readonly string[] = ['set', 'add', 'delete', 'clear'];

function readOnly(kind: string): () => never {
  return () => {
    throw new TypeError(
      `this ${kind} belongs to a module or to the test: it must not change while threads run`,
    );
  };
}

/**
 * Makes a value constant, with all that can be reached from it.
 * @param where place for the message of a refusal
 * @param captured the variables a closure of instrumented code holds, or undefined
 * @throws RefusedError for what cannot be made constant
 */
export function makeConstant(
  value: unknown,
  where: string,
  captured: (fn: object) => readonly unknown[] | undefined,
): void {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return;
  if (fixed.has(value) || viewOf(value) !== undefined || modelBufferOf(value) !== undefined) return;
  if (ArrayBuffer.isView(value)) {
    throw new RefusedError(
      `${where}: a typed array is mutable module state; make it inside the thread's function`,
    );
  }
  const proto = Object.getPrototypeOf(value) as object | null;
  if (value instanceof Map || value instanceof Set) {
    mark(value);
    for (const name of MUTATORS) {
      if (name in value) Object.defineProperty(value, name, { value: readOnly(value.constructor.name) });
    }
    Object.freeze(value);
    for (const [k, v] of value.entries()) {
      makeConstant(k, where, captured);
      makeConstant(v, where, captured);
    }
    return;
  }
  const own = typeof value === 'function' ? captured(value) : undefined;
  if (typeof value === 'function') {
    if (own === undefined && isNative(value)) return;
  } else if (
    proto !== null &&
    proto !== Object.prototype &&
    proto !== Array.prototype &&
    isNative(proto.constructor)
  ) {
    return; // an object of the runtime, not of the code under test
  }
  mark(value);
  Object.freeze(value);
  for (const v of own ?? []) makeConstant(v, where, captured);
  for (const key of Reflect.ownKeys(value)) {
    const d = Object.getOwnPropertyDescriptor(value, key);
    if (d !== undefined && 'value' in d) makeConstant(d.value, where, captured);
  }
}

const NATIVE = /\[native code\]/;
const nativeCache = new WeakMap<object, boolean>();

/** @returns true for functions that are not JavaScript source */
export function isNative(fn: unknown): boolean {
  if (typeof fn !== 'function') return false;
  let known = nativeCache.get(fn);
  if (known === undefined) {
    known = NATIVE.test(Function.prototype.toString.call(fn));
    nativeCache.set(fn, known);
  }
  return known;
}
