// SPDX-License-Identifier: GPL-2.0-only
/** The only module that instrumented modules import from the checker: the runtime, and globals under their own names. */
import { SHIMS } from './shims.js';

export { $ } from './runtime.js';

const shims = SHIMS as Record<string, never>;

const atomics = shims.Atomics;
const sharedArrayBuffer = shims.SharedArrayBuffer;
const dataView = shims.DataView;
const performanceClock = shims.performance;
const date = shims.Date;
const int8 = shims.Int8Array;
const uint8 = shims.Uint8Array;
const uint8Clamped = shims.Uint8ClampedArray;
const int16 = shims.Int16Array;
const uint16 = shims.Uint16Array;
const int32 = shims.Int32Array;
const uint32 = shims.Uint32Array;
const float32 = shims.Float32Array;
const float64 = shims.Float64Array;
const bigInt64 = shims.BigInt64Array;
const bigUint64 = shims.BigUint64Array;
const arrayBuffer = shims.ArrayBuffer;
const timeout = shims.setTimeout;
const interval = shims.setInterval;
const immediate = shims.setImmediate;
const microtask = shims.queueMicrotask;
const promise = shims.Promise;

export {
  arrayBuffer as ArrayBuffer,
  atomics as Atomics,
  bigInt64 as BigInt64Array,
  bigUint64 as BigUint64Array,
  dataView as DataView,
  date as Date,
  float32 as Float32Array,
  float64 as Float64Array,
  immediate as setImmediate,
  int8 as Int8Array,
  int16 as Int16Array,
  int32 as Int32Array,
  interval as setInterval,
  microtask as queueMicrotask,
  performanceClock as performance,
  promise as Promise,
  sharedArrayBuffer as SharedArrayBuffer,
  timeout as setTimeout,
  uint8 as Uint8Array,
  uint8Clamped as Uint8ClampedArray,
  uint16 as Uint16Array,
  uint32 as Uint32Array,
};
