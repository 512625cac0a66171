// SPDX-License-Identifier: GPL-2.0-only
/** Objects that belong to the engine and to all threads: what hangs on the global object. */
import { constantId } from './constants.js';
import { RefusedError } from './refuse.js';
import { refuse, running } from './runner.js';

/** Functions that change what a freeze does not reach, on whatever they are called on; and those that call others so. */
const CARRIED: ReadonlySet<unknown> = new Set(
  [
    ...[Map.prototype, Set.prototype].flatMap((p) =>
      ['set', 'add', 'delete', 'clear'].map((n) => methodOf(p, n)),
    ),
    ...Object.getOwnPropertyNames(Date.prototype)
      .filter((name) => name.startsWith('set'))
      .map((name) => methodOf(Date.prototype, name)),
    Function.prototype,
    Function.prototype.call,
    Function.prototype.apply,
    Function.prototype.bind,
  ].filter((f) => f !== undefined),
);

function methodOf(o: object, name: string): unknown {
  return Object.getOwnPropertyDescriptor(o, name)?.value;
}

let shared: WeakSet<object> | undefined;

/** @returns all that the global object leads to, getters not called */
function realm(): WeakSet<object> {
  const found = new WeakSet<object>();
  const todo: object[] = [];
  const add = (v: unknown): void => {
    if ((typeof v !== 'object' && typeof v !== 'function') || v === null || found.has(v)) return;
    found.add(v);
    todo.push(v);
  };
  add(globalThis);
  // No property leads to these.
  add(Object.getPrototypeOf([][Symbol.iterator]()));
  add(Object.getPrototypeOf(new Map().entries()));
  add(Object.getPrototypeOf(new Set().entries()));
  add(Object.getPrototypeOf(''[Symbol.iterator]()));
  for (let o = todo.pop(); o !== undefined; o = todo.pop()) {
    add(Object.getPrototypeOf(o));
    for (const key of Reflect.ownKeys(o)) {
      const d = Object.getOwnPropertyDescriptor(o, key);
      add(d?.value);
      add(d?.get);
      add(d?.set);
    }
  }
  return found;
}

/** A property of `o` is about to be changed by another name than its own. @returns `o` */
export function changed<T>(o: T, where: string): T {
  if (running.phase !== 'run' || running.aborting) return o;
  if ((typeof o !== 'object' && typeof o !== 'function') || o === null || constantId(o) !== undefined)
    return o;
  shared ??= realm();
  if (shared.has(o)) refuse(`${where}: a thread changes an object that belongs to all threads`);
  return o;
}

/** `f` is about to be called on an object of the caller's choice. @returns `f` */
export function carried<T>(f: T, where: string): T {
  if (typeof f !== 'function' || !CARRIED.has(f)) return f;
  const message = `${where}: a method that changes its object cannot be checked on another one; call it as its method`;
  if (running.phase !== 'run') throw new RefusedError(message);
  return running.aborting ? f : refuse(message);
}
