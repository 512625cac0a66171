// SPDX-License-Identifier: GPL-2.0-only
/**
 * The set of states, compact: memory vectors in one table, states (number of the memory vector, and a word for each
 * thread) in another. Both are open-addressed over flat arrays that grow by half; nothing is allocated for a state.
 *
 * A memory vector has an element for each word that any thread has written so far ("slot"), as the difference to what
 * setup left: words that nobody writes cost nothing, and a new slot is zero in all older vectors.
 */

const EMPTY = -1;

/** @returns a hash of one slot's value, 0 for the value setup left: so a new slot changes no older hash */
export function slotHash(slot: number, difference: number): number {
  if (difference === 0) return 0;
  let h = Math.imul(difference ^ Math.imul(slot + 1, 0x9e3779b1), 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h ^ slot, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function grown(a: Int32Array<ArrayBuffer>, need: number): Int32Array<ArrayBuffer> {
  const next = new Int32Array(Math.max(need, a.length + (a.length >> 1)));
  next.set(a);
  return next;
}

/** Memory vectors. */
export class MemoryTable {
  count = 0;
  /** Elements of a vector. */
  stride = 0;
  pool: Int32Array<ArrayBuffer> = new Int32Array(1024);
  private hashes = new Int32Array(256);
  private table = new Int32Array(512).fill(EMPTY);

  /** Makes room for more slots. */
  setStride(stride: number): void {
    if (stride <= this.stride) return;
    const pool = new Int32Array(Math.max(1024, Math.ceil(this.count * 1.5) * stride));
    for (let i = 0; i < this.count; i++) {
      for (let x = 0; x < this.stride; x++) pool[i * stride + x] = this.pool[i * this.stride + x];
    }
    this.pool = pool;
    this.stride = stride;
  }

  /** @returns the number of a vector, and puts it in if it is new; `hash` is the xor of its slots' hashes */
  intern(v: Int32Array, hash: number): number {
    const { stride } = this;
    const mask = this.table.length - 1;
    let i = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const j = this.table[i];
      if (j === EMPTY) break;
      if (this.hashes[j] === hash) {
        const at = j * stride;
        let x = 0;
        while (x < stride && this.pool[at + x] === v[x]) x++;
        if (x === stride) return j;
      }
      i = (i + 1) & mask;
    }
    const j = this.count++;
    if ((j + 1) * stride > this.pool.length) this.pool = grown(this.pool, (j + 1) * stride);
    if (j >= this.hashes.length) this.hashes = grown(this.hashes, j + 1);
    const at = j * stride;
    for (let x = 0; x < stride; x++) this.pool[at + x] = v[x];
    this.hashes[j] = hash;
    this.table[i] = j;
    if (this.count * 4 > this.table.length * 3) this.rehash();
    return j;
  }

  /** @returns the hash of a vector */
  hashOf(id: number): number {
    return this.hashes[id];
  }

  private rehash(): void {
    const table = new Int32Array(this.table.length * 2).fill(EMPTY);
    const mask = table.length - 1;
    for (let j = 0; j < this.count; j++) {
      const hash = this.hashes[j];
      let i = (hash ^ (hash >>> 15)) & mask;
      while (table[i] !== EMPTY) i = (i + 1) & mask;
      table[i] = j;
    }
    this.table = table;
  }

  get byteLength(): number {
    return this.pool.byteLength + this.hashes.byteLength + this.table.byteLength;
  }
}

/** States: records of `width` words; the first is the memory vector. */
export class StateTable {
  count = 0;
  readonly width: number;
  pool: Int32Array<ArrayBuffer>;
  /** State each was first reached from, -1 for the first. */
  private parents = new Int32Array(1024);
  /** Thread that moved. */
  private movers = new Uint8Array(1024);
  private table = new Int32Array(2048).fill(EMPTY);

  constructor(width: number) {
    this.width = width;
    this.pool = new Int32Array(width * 1024);
  }

  private hash(a: Int32Array, at: number): number {
    let h = 0x811c9dc5;
    for (let x = 0; x < this.width; x++) {
      h = Math.imul(h ^ a[at + x], 0x85ebca6b);
      h ^= h >>> 15;
    }
    return h;
  }

  /** @returns the number of a state, and puts it in if it is new (then it is `count` as it was before) */
  intern(v: Int32Array, parent: number, mover: number): number {
    const { width } = this;
    const mask = this.table.length - 1;
    let i = this.hash(v, 0) & mask;
    for (;;) {
      const j = this.table[i];
      if (j === EMPTY) break;
      const at = j * width;
      let x = 0;
      while (x < width && this.pool[at + x] === v[x]) x++;
      if (x === width) return j;
      i = (i + 1) & mask;
    }
    const j = this.count++;
    if ((j + 1) * width > this.pool.length) this.pool = grown(this.pool, (j + 1) * width);
    if (j >= this.parents.length) {
      this.parents = grown(this.parents, j + 1);
      const movers = new Uint8Array(this.parents.length);
      movers.set(this.movers);
      this.movers = movers;
    }
    const at = j * width;
    for (let x = 0; x < width; x++) this.pool[at + x] = v[x];
    this.parents[j] = parent;
    this.movers[j] = mover;
    this.table[i] = j;
    if (this.count * 4 > this.table.length * 3) this.rehash();
    return j;
  }

  private rehash(): void {
    const table = new Int32Array(this.table.length * 2).fill(EMPTY);
    const mask = table.length - 1;
    for (let j = 0; j < this.count; j++) {
      let i = this.hash(this.pool, j * this.width) & mask;
      while (table[i] !== EMPTY) i = (i + 1) & mask;
      table[i] = j;
    }
    this.table = table;
  }

  /** @returns the threads that moved on the shortest way to a state */
  path(state: number): number[] {
    const out: number[] = [];
    for (let j = state; this.parents[j] >= 0; j = this.parents[j]) out.push(this.movers[j]);
    return out.reverse();
  }

  get byteLength(): number {
    return this.pool.byteLength + this.parents.byteLength + this.movers.byteLength + this.table.byteLength;
  }
}
