// SPDX-License-Identifier: GPL-2.0-only
/** What a row reports: figures (measured) and checks (a measured figure against a wanted one). */

const HOLDS = {
  '>=': (measured, wanted) => measured >= wanted,
  '<=': (measured, wanted) => measured <= wanted,
  '<': (measured, wanted) => measured < wanted,
};

/**
 * A figure for information.
 * @param key its name in the JSON, with the unit at its end
 * @param label its name for people
 * @param unit 'ns', 'bytes', or what it counts ('packets/s')
 */
export function figure(key, label, value, unit) {
  return { key, label, value, unit };
}

/**
 * A threshold.
 * @param measured the figure, or `{ measured, low, high }` with the range over the rounds
 * @param op how it must compare with `wanted`
 */
export function check(key, label, measured, op, wanted, unit) {
  const range = typeof measured === 'number' ? { measured } : measured;
  const verdict = HOLDS[op](range.measured, wanted) ? 'ok' : 'short';
  return { key, label, ...range, op, wanted, unit, verdict };
}

/** Ends the row because its result is wrong: no figure of it means anything. */
export function mustBe(what, got, expected) {
  if (!Object.is(got, expected)) throw new Error(`${what}: got ${got}, expected ${expected}`);
}
