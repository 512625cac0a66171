// SPDX-License-Identifier: GPL-2.0-only
/** Keys of continuations, compared word by word: open addressing over flat arrays. */

const EMPTY = -1;

/** Numbers keys in the order in which they come. */
export class KeyTable {
  count = 0;
  /** All keys, one behind the other. */
  private pool = new Int32Array(4096);
  /** Where each begins; the last ends where the next would begin. */
  private starts = new Int32Array(64);
  private hashes = new Int32Array(64);
  private table = new Int32Array(128).fill(EMPTY);

  /** @returns the number of a key, and puts it in if it is new (then it is `count` as it was before) */
  intern(words: Int32Array, length: number): number {
    let hash = 0x811c9dc5;
    for (let x = 0; x < length; x++) {
      hash = Math.imul(hash ^ words[x], 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    const mask = this.table.length - 1;
    let i = hash & mask;
    for (;;) {
      const j = this.table[i];
      if (j === EMPTY) break;
      if (this.hashes[j] === hash && this.equals(j, words, length)) return j;
      i = (i + 1) & mask;
    }
    return this.add(i, hash, words, length);
  }

  private equals(j: number, words: Int32Array, length: number): boolean {
    const at = this.starts[j];
    if (this.starts[j + 1] - at !== length) return false;
    let x = 0;
    while (x < length && this.pool[at + x] === words[x]) x++;
    return x === length;
  }

  private add(i: number, hash: number, words: Int32Array, length: number): number {
    const j = this.count++;
    if (j + 2 > this.starts.length) {
      this.starts = grown(this.starts, j + 2);
      this.hashes = grown(this.hashes, j + 2);
    }
    const at = this.starts[j];
    if (at + length > this.pool.length) this.pool = grown(this.pool, at + length);
    for (let x = 0; x < length; x++) this.pool[at + x] = words[x];
    this.starts[j + 1] = at + length;
    this.hashes[j] = hash;
    this.table[i] = j;
    if (this.count * 4 > this.table.length * 3) this.rehash();
    return j;
  }

  private rehash(): void {
    const table = new Int32Array(this.table.length * 2).fill(EMPTY);
    const mask = table.length - 1;
    for (let j = 0; j < this.count; j++) {
      let i = this.hashes[j] & mask;
      while (table[i] !== EMPTY) i = (i + 1) & mask;
      table[i] = j;
    }
    this.table = table;
  }
}

function grown(a: Int32Array<ArrayBuffer>, need: number): Int32Array<ArrayBuffer> {
  const next = new Int32Array(Math.max(need, a.length + (a.length >> 1)));
  next.set(a);
  return next;
}
