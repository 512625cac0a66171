// SPDX-License-Identifier: GPL-2.0-only
//
// Shakes a thread: before one in so many atomic operations it gives the core away, so that others run in windows
// that are a few nanoseconds wide otherwise, also on a machine with few cores.

const OPERATIONS = ['load', 'store', 'add', 'sub', 'and', 'or', 'exchange', 'compareExchange', 'notify'];
const PARKING = new Int32Array(new SharedArrayBuffer(4));
/** Milliseconds: the shortest sleep there is, some 60 us. */
const PAUSE_MS = 0.001;

/**
 * Shakes this thread.
 * @param oneIn how rare a pause is: one in so many atomic operations
 * @param seed threads of one test take different ones
 * @returns a function that ends it
 */
export function shakeAtomics(oneIn, seed) {
  const wait = Atomics.wait;
  const originals = OPERATIONS.map((name) => [name, Atomics[name]]);
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  for (const [name, original] of originals) {
    Atomics[name] = (...args) => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      if ((state >>> 0) % oneIn === 0) wait(PARKING, 0, 0, PAUSE_MS);
      return original(...args);
    };
  }
  return () => {
    for (const [name, original] of originals) Atomics[name] = original;
  };
}
