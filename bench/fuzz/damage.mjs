// SPDX-License-Identifier: GPL-2.0-only
/** Ways to damage bytes that know nothing of what the bytes mean. */

/** Values that lengths and counts go wrong at. */
const EXTREMES = [0, 1, 2, 0x7f, 0x80, 0xff];

/** Flips one to eight bits, most of them near the start. In place. */
export function flipBits(random, bytes) {
  if (bytes.length === 0) return bytes;
  for (let n = random.between(1, 8); n > 0; n--) {
    bytes[position(random, bytes.length)] ^= 1 << random.below(8);
  }
  return bytes;
}

/** Sets one to four bytes to values at the edges. In place. */
export function setExtremes(random, bytes) {
  if (bytes.length === 0) return bytes;
  const at = position(random, bytes.length);
  const value = random.pick(EXTREMES);
  for (let n = random.between(1, 4); n > 0 && at + n <= bytes.length; n--) bytes[at + n - 1] = value;
  return bytes;
}

/** Cuts it off anywhere. */
export function truncate(random, bytes) {
  return bytes.slice(0, random.below(bytes.length + 1));
}

/** Takes a piece out of its middle. */
export function remove(random, bytes) {
  const at = position(random, bytes.length + 1);
  return joined(bytes.subarray(0, at), bytes.subarray(at + random.between(1, 16)));
}

/** Puts garbage into its middle. */
export function insert(random, bytes) {
  const at = position(random, bytes.length + 1);
  return joined(bytes.subarray(0, at), garbage(random, random.between(1, 40)), bytes.subarray(at));
}

/** Says a piece of it twice. */
export function repeat(random, bytes) {
  const at = position(random, bytes.length + 1);
  const to = Math.min(bytes.length, at + random.between(1, 64));
  return joined(bytes.subarray(0, to), bytes.subarray(at));
}

/** @returns one array of all */
export function joined(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** @returns bytes without any sense */
export function garbage(random, length) {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = random.below(256);
  return out;
}

/** Any of the ways. @returns the damaged bytes, perhaps the same array */
export function damaged(random, bytes) {
  return random.pick([flipBits, flipBits, setExtremes, setExtremes, truncate, remove, insert, repeat])(
    random,
    bytes,
  );
}

/** Headers stand at the start, so most damage goes there. */
function position(random, length) {
  return random.below(random.chance(0.7) ? Math.min(length, 64) : length);
}
