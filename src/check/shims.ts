// SPDX-License-Identifier: GPL-2.0-only
/**
 * What instrumented modules get instead of the globals of the same names: Atomics, SharedArrayBuffer, the typed
 * arrays, and clocks that stand still. Anything that is not the test's shared memory goes to the real ones.
 */
import {
  type AnyTypedArray,
  coerce,
  OP_ADD,
  OP_AND,
  OP_CAS,
  OP_EXCHANGE,
  OP_LOAD,
  OP_NOTIFY,
  OP_OR,
  OP_STORE,
  OP_SUB,
  OP_WAIT,
  OP_XOR,
  TYPES,
  type Value,
  WAIT_RESULTS,
} from './ops.js';
import { operate, refuse, running } from './runner.js';
import { modelBufferOf } from './shared_memory.js';
import { makeView, type View, viewOf } from './views.js';

type Any = never;

const NativeAtomics = globalThis.Atomics;
/** Most threads that a notify wakes when no count is given. */
const ALL = 0x7fffffff;

function place(view: View, index: unknown): number {
  const i = Math.trunc(Number(index)) || 0;
  if (i < 0 || i >= view.length) throw new RangeError(`Invalid atomic access index ${String(index)}`);
  if (TYPES[view.type].name.startsWith('Float') || TYPES[view.type] === (Uint8ClampedArray as unknown)) {
    throw new TypeError(`Atomics do not work on ${TYPES[view.type].name}`);
  }
  return view.address(i);
}

/** @throws TypeError for elements that nobody can sleep on */
function waitable(view: View, what: string): void {
  const name = TYPES[view.type].name;
  if (name !== 'Int32Array' && name !== 'BigInt64Array')
    throw new TypeError(`Atomics.${what} does not work on ${name}`);
}

/** The view to run an operation on, or undefined where the real one is to do it. */
function checked(array: unknown): View | undefined {
  const view = viewOf(array);
  return view !== undefined && running.phase === 'run' ? view : undefined;
}

function real(array: unknown): Any {
  return (viewOf(array)?.real ?? array) as Any;
}

function readModifyWrite(kind: number, name: 'add' | 'sub' | 'and' | 'or' | 'xor' | 'exchange') {
  return (array: unknown, index: unknown, value: unknown): Value => {
    const view = checked(array);
    if (view === undefined) return NativeAtomics[name](real(array), index as Any, value as Any);
    return operate(kind, place(view, index), view.type, coerce(view.type, value), 0, '');
  };
}

/** Waiting on memory that no other thread has: nobody ever notifies. */
function waitAlone(array: AnyTypedArray, index: number, value: Value, timeoutMs: number): string {
  if (NativeAtomics.load(array as Any, index) !== value) return 'not-equal';
  if (timeoutMs === Infinity) refuse('a thread sleeps on memory that no other thread has');
  return 'timed-out';
}

export const atomicsShim: Atomics = Object.assign(Object.create(NativeAtomics) as Atomics, {
  load(array: unknown, index: unknown) {
    const view = checked(array);
    if (view === undefined) return NativeAtomics.load(real(array), index as Any);
    return operate(OP_LOAD, place(view, index), view.type, 0, 0, '');
  },
  store(array: unknown, index: unknown, value: unknown) {
    const view = checked(array);
    if (view === undefined) return NativeAtomics.store(real(array), index as Any, value as Any);
    // The result is the operand as an integer, not as the element keeps it.
    const v = typeof value === 'bigint' ? value : Math.trunc(Number(value)) || 0;
    operate(OP_STORE, place(view, index), view.type, coerce(view.type, v), 0, '');
    return v;
  },
  add: readModifyWrite(OP_ADD, 'add'),
  sub: readModifyWrite(OP_SUB, 'sub'),
  and: readModifyWrite(OP_AND, 'and'),
  or: readModifyWrite(OP_OR, 'or'),
  xor: readModifyWrite(OP_XOR, 'xor'),
  exchange: readModifyWrite(OP_EXCHANGE, 'exchange'),
  compareExchange(array: unknown, index: unknown, expected: unknown, value: unknown) {
    const view = checked(array);
    if (view === undefined) {
      return NativeAtomics.compareExchange(real(array), index as Any, expected as Any, value as Any);
    }
    const { type } = view;
    return operate(OP_CAS, place(view, index), type, coerce(type, expected), coerce(type, value), '');
  },
  wait(array: unknown, index: unknown, value: unknown, timeoutMs?: unknown) {
    const ms = timeoutMs === undefined || Number.isNaN(Number(timeoutMs)) ? Infinity : Number(timeoutMs);
    const view = viewOf(array);
    if (view === undefined) {
      if (running.phase !== 'run') return NativeAtomics.wait(array as Any, index as Any, value as Any, ms);
      return waitAlone(array as AnyTypedArray, Number(index), value as Value, ms);
    }
    if (running.phase !== 'run')
      throw new TypeError('Atomics.wait in setup, final or goal would never return');
    waitable(view, 'wait');
    const timed = ms === Infinity ? 0 : 1;
    const r = operate(OP_WAIT, place(view, index), view.type, coerce(view.type, value), timed, '');
    return WAIT_RESULTS[r as number];
  },
  notify(array: unknown, index: unknown, count?: unknown) {
    const view = viewOf(array);
    // Nobody sleeps on memory of the thread's own.
    if (view === undefined) return NativeAtomics.notify(array as Any, index as Any, count as Any);
    waitable(view, 'notify');
    if (running.phase !== 'run') return 0;
    const n = count === undefined ? ALL : Math.max(0, Math.min(ALL, Math.trunc(Number(count)) || 0));
    return operate(OP_NOTIFY, place(view, index), view.type, n, 0, '');
  },
  waitAsync() {
    return refuse('Atomics.waitAsync is asynchronous');
  },
  isLockFree: (size: number) => NativeAtomics.isLockFree(size),
  pause() {},
}) as unknown as Atomics;

/** A constructor of typed arrays that knows the stand-ins of buffers. */
function constructorShim(type: number): unknown {
  const Real = TYPES[type];
  return new Proxy(Real as unknown as new (...args: unknown[]) => object, {
    construct(target, args, newTarget) {
      const view = makeView(type, args);
      if (view !== undefined) return view;
      const source = viewOf(args[0]);
      if (source !== undefined) {
        if (running.phase === 'run') refuse(`new ${Real.name} of a shared view; copy it with slice`);
        return Reflect.construct(target, [source.real], newTarget) as object;
      }
      return Reflect.construct(target, args, newTarget) as object;
    },
  });
}

const constructors = new Map(TYPES.map((T, type) => [T.name, constructorShim(type)]));

/** SharedArrayBuffer: the test's memory while a test makes it, private memory of a thread later. */
const sharedArrayBufferShim = new Proxy(SharedArrayBuffer, {
  construct(target, args, newTarget) {
    if (running.phase === 'memory' && running.memory !== null)
      return running.memory.allocate(new target(...(args as [number])).byteLength);
    return Reflect.construct(target, args, newTarget) as object;
  },
});

const dataViewShim = new Proxy(DataView, {
  construct(target, args, newTarget) {
    if (modelBufferOf(args[0]) !== undefined) {
      if (running.phase === 'run') refuse('a DataView over shared memory; use typed arrays');
      throw new TypeError('a DataView over shared memory cannot be checked; use typed arrays');
    }
    return Reflect.construct(target, args, newTarget) as object;
  },
});

/** In a thread the clock stands still: a time-out is an answer that Atomics.wait may give at any time. */
const performanceShim = new Proxy(globalThis.performance, {
  get(target, key) {
    if (key === 'now' && running.phase === 'run') return () => 0;
    const value: unknown = Reflect.get(target, key, target);
    return typeof value === 'function' ? value.bind(target) : value;
  },
});

const dateShim = new Proxy(Date, {
  apply(target, self, args) {
    if (running.phase === 'run') return new target(0).toString();
    return Reflect.apply(target, self, args) as unknown;
  },
  construct(target, args, newTarget) {
    if (running.phase === 'run' && args.length === 0)
      return Reflect.construct(target, [0], newTarget) as object;
    return Reflect.construct(target, args, newTarget) as object;
  },
  get(target, key) {
    if (key === 'now' && running.phase === 'run') return () => 0;
    return Reflect.get(target, key, target) as unknown;
  },
});

/** Code that runs later, when the thread has returned, would be no step of any thread. */
function noLater(name: string, real: unknown): unknown {
  if (typeof real !== 'function') return real;
  const check = (): void => {
    if (running.phase === 'run')
      refuse(`${name} in a thread: what is asynchronous cannot be checked; write blocking code`);
  };
  return new Proxy(real, {
    apply(target, self, args) {
      check();
      return Reflect.apply(target, self, args) as unknown;
    },
    construct(target, args, newTarget) {
      check();
      return Reflect.construct(target, args, newTarget) as object;
    },
    get(target, key) {
      check();
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' && key !== 'prototype' ? value.bind(target) : value;
    },
  });
}

/** Names of globals that make something happen later. */
const LATER = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Promise'] as const;

const arrayBufferShim = new Proxy(ArrayBuffer, {
  get(target, key) {
    if (key === 'isView') return (v: unknown) => viewOf(v) !== undefined || ArrayBuffer.isView(v);
    return Reflect.get(target, key, target) as unknown;
  },
});

/** `Math.random` of instrumented code. */
export function randomShim(): number {
  if (running.phase === 'run')
    refuse('Math.random: a thread must do the same in each run; pass the numbers in');
  return Math.random();
}

/** All names that instrumented modules import instead of the globals. */
export const SHIMS: Readonly<Record<string, unknown>> = Object.freeze({
  ...Object.fromEntries(constructors),
  Atomics: atomicsShim,
  SharedArrayBuffer: sharedArrayBufferShim,
  DataView: dataViewShim,
  performance: performanceShim,
  Date: dateShim,
  ArrayBuffer: arrayBufferShim,
  ...Object.fromEntries(LATER.map((name) => [name, noLater(name, globalThis[name])])),
});
