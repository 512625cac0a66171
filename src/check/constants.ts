// SPDX-License-Identifier: GPL-2.0-only
/**
 * Module state: threads are re-run many times in one process, so nothing at module level may change. Constants are
 * frozen to the bottom when their module has been evaluated; what cannot be frozen gets mutators that throw, or is
 * refused.
 */
import { types } from 'node:util';
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

/** How closures are seen into. */
export interface ClosureLook {
  /** @returns the variables a function of instrumented code holds, undefined for one of the engine */
  held(fn: object): readonly unknown[] | undefined;
  /** @returns true for an instance of a class that is not instrumented */
  foreign(o: object): boolean;
  /** @returns true if a closure assigns a variable that it holds */
  assigns(fn: object): boolean;
}

const MAP_MUTATORS: readonly string[] = ['set', 'add', 'delete', 'clear'];
const DATE_MUTATORS = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'));

/** Prototypes of constants whose mutators are known. */
const BUILT_IN: ReadonlySet<object | null> = new Set([Map.prototype, Set.prototype, Date.prototype]);
/** Classes of the platform that are JavaScript, and have no state. */
const STATELESS: ReadonlySet<object | null> = new Set([TextEncoder.prototype]);

/** Gives an object whose state is out of reach of a freeze mutators that throw. */
function withoutMutators(value: object, kind: string, names: readonly string[]): void {
  const refused = (): never => {
    throw new TypeError(
      `this ${kind} belongs to a module or to the test: it must not change while threads run`,
    );
  };
  for (const name of names) if (name in value) Object.defineProperty(value, name, { value: refused });
}

/** @returns what a value is that can neither be frozen nor seen into, '' for all others */
function mutableKind(value: object): string {
  if (ArrayBuffer.isView(value)) return 'a typed array';
  if (types.isAnyArrayBuffer(value)) return 'a buffer that memory() did not make';
  if (types.isWeakMap(value) || types.isWeakSet(value)) return 'a WeakMap or WeakSet';
  if (types.isPromise(value)) return 'a promise';
  if (isNative((value as { next?: unknown }).next)) return 'an iterator';
  return '';
}

/**
 * Makes a value constant, with all that can be reached from it.
 * @param where place for the message of a refusal
 * @throws RefusedError for what cannot be made constant
 */
export function makeConstant(value: unknown, where: string, look: ClosureLook): void {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return;
  if (fixed.has(value) || viewOf(value) !== undefined || modelBufferOf(value) !== undefined) return;
  const kind = types.isProxy(value) ? '' : mutableKind(value);
  if (kind !== '')
    throw new RefusedError(`${where}: ${kind} is mutable module state; make it inside the thread's function`);
  const proto = Object.getPrototypeOf(value) as object | null;
  if (typeof value === 'object' && !types.isProxy(value) && !STATELESS.has(proto) && look.foreign(value)) {
    throw new RefusedError(
      `${where}: an object of a class that is not instrumented can hold state that no freeze reaches; make it inside ` +
        'the thread’s function, or --instrument the package',
    );
  }
  if ((types.isMap(value) || types.isSet(value) || types.isDate(value)) && !BUILT_IN.has(proto)) {
    throw new RefusedError(
      `${where}: an instance of a subclass of Map, Set or Date is mutable module state; make it inside the thread’s function`,
    );
  }
  if (types.isMap(value) || types.isSet(value)) {
    mark(value);
    withoutMutators(value, types.isMap(value) ? 'Map' : 'Set', MAP_MUTATORS);
    for (const [k, v] of types.isMap(value) ? value.entries() : value.entries()) {
      makeConstant(k, where, look);
      makeConstant(v, where, look);
    }
  } else if (types.isDate(value)) {
    mark(value);
    withoutMutators(value, 'Date', DATE_MUTATORS);
  } else if (typeof value === 'function') {
    const own = look.held(value);
    if (own === undefined && isNative(value)) return;
    if (look.assigns(value)) {
      throw new RefusedError(
        `${where}: a closure that changes a variable it holds is mutable state outside the test's memory; ` +
          "make it inside the thread's function",
      );
    }
    mark(value);
    for (const v of own ?? []) makeConstant(v, where, look);
  } else if (types.isRegExp(value) || types.isNativeError(value)) {
    mark(value);
  } else if (
    proto !== null &&
    proto !== Object.prototype &&
    proto !== Array.prototype &&
    isNative(proto.constructor)
  ) {
    return; // an object of the runtime, not of the code under test
  } else {
    mark(value);
  }
  Object.freeze(value);
  for (const key of Reflect.ownKeys(value)) {
    const d = Object.getOwnPropertyDescriptor(value, key);
    if (d !== undefined && 'value' in d) makeConstant(d.value, where, look);
  }
}

const NATIVE = /\{\s*\[native code\]\s*\}\s*$/;
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
