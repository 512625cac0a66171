// SPDX-License-Identifier: GPL-2.0-only
/** What a thread can do to shared memory, as numbers: the kinds of operation and the element types. */

export const OP_LOAD = 1;
export const OP_STORE = 2;
export const OP_ADD = 3;
export const OP_SUB = 4;
export const OP_AND = 5;
export const OP_OR = 6;
export const OP_XOR = 7;
export const OP_EXCHANGE = 8;
export const OP_CAS = 9;
export const OP_WAIT = 10;
export const OP_NOTIFY = 11;
/** Plain accesses: not scheduling points, looked at by the race check. */
export const OP_READ = 12;
export const OP_WRITE = 13;
/** The thread's function returned. */
export const OP_END = 14;
/** The thread's function threw. */
export const OP_FAIL = 15;

/** Names of the kinds, as traces show them. */
export const OP_NAMES: readonly string[] = Object.freeze([
  '',
  'load',
  'store',
  'add',
  'sub',
  'and',
  'or',
  'xor',
  'exchange',
  'compareExchange',
  'wait',
  'notify',
  'read',
  'write',
  'end',
  'throw',
]);

/** Results of OP_WAIT as they stand in a thread's history. */
export const WAIT_OK = 0;
export const WAIT_NOT_EQUAL = 1;
export const WAIT_TIMED_OUT = 2;
export const WAIT_RESULTS = Object.freeze(['ok', 'not-equal', 'timed-out'] as const);

/** A value that an operation takes or gives: a BigInt for 64-bit integers, else a number. */
export type Value = number | bigint;

/** Any typed array. */
export type AnyTypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** A constructor of typed arrays. */
export interface AnyTypedArrayConstructor {
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): AnyTypedArray;
  new (length: number): AnyTypedArray;
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
}

/** Element types by number; `TYPE_I32` is the one the search has a fast path for. */
export const TYPES: readonly AnyTypedArrayConstructor[] = Object.freeze([
  Int32Array,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as unknown as AnyTypedArrayConstructor[]);

export const TYPE_I32 = 0;

/** @returns true for operations that interleave: everything but plain accesses and the end of a thread */
export function isAtomic(kind: number): boolean {
  return kind <= OP_NOTIFY;
}

/** @returns bytes that the operation touches */
export function sizeOf(type: number): number {
  return TYPES[type].BYTES_PER_ELEMENT;
}

const scratch = TYPES.map((T) => new T(1));

/** Converts a value as a store into an element of `type` does. @throws TypeError for a BigInt where a number belongs */
export function coerce(type: number, v: unknown): Value {
  const cell = scratch[type] as unknown as Value[];
  cell[0] = v as Value;
  return cell[0];
}

/** @returns the text of a value in a key: -0 is not 0 */
export function valueText(v: Value): string {
  return Object.is(v, -0) ? '-0' : String(v);
}
