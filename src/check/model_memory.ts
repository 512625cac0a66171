// SPDX-License-Identifier: GPL-2.0-only
/** Memory of the state in hand, as differences to what setup left, and what each operation does to it. */
import type { Continuation } from './front.js';
import {
  type AnyTypedArray,
  OP_ADD,
  OP_AND,
  OP_CAS,
  OP_EXCHANGE,
  OP_LOAD,
  OP_OR,
  OP_READ,
  OP_STORE,
  OP_SUB,
  OP_WAIT,
  OP_WRITE,
  OP_XOR,
  TYPES,
  type Value,
} from './ops.js';
import { MemoryTable, slotHash } from './state_table.js';

/** Operands and result of an operation on an element that is no 32-bit integer. */
const scratch = new ArrayBuffer(8);
const scratchWords = new Int32Array(scratch);
const scratchViews = TYPES.map((T) => new T(scratch)) as AnyTypedArray[];

export class ModelMemory {
  readonly table = new MemoryTable();
  /** Differences of the state in hand, by slot. */
  v: Int32Array<ArrayBuffer> = new Int32Array(16);
  /** Xor of the hashes of its slots. */
  hash = 0;
  /** Word of each slot. */
  readonly words: number[] = [];
  private readonly base: Int32Array;
  private readonly slotOf: Int32Array;
  /** Slots written since `load`, and what they held. */
  private undoSlots = new Int32Array(64);
  private undoValues = new Int32Array(64);
  private undone = 0;

  constructor(base: Int32Array) {
    this.base = base;
    this.slotOf = new Int32Array(base.length).fill(-1);
  }

  /** Loads a vector of the table. */
  load(id: number): void {
    const { pool, stride } = this.table;
    const at = id * stride;
    for (let x = 0; x < stride; x++) this.v[x] = pool[at + x];
    this.hash = this.table.hashOf(id);
    this.undone = 0;
  }

  /** How much was written since `load`, for `rollback`. */
  get mark(): number {
    return this.undone;
  }

  /** Takes back what was written since `load`, or since `mark` was read. */
  rollback(mark = 0): void {
    while (this.undone > mark) {
      this.undone--;
      const slot = this.undoSlots[this.undone];
      this.hash ^= slotHash(slot, this.v[slot]);
      this.v[slot] = this.undoValues[this.undone];
      this.hash ^= slotHash(slot, this.v[slot]);
    }
  }

  /** @returns true if something was written since `load` or `rollback` */
  get dirty(): boolean {
    return this.undone > 0;
  }

  intern(): number {
    return this.table.intern(this.v, this.hash);
  }

  get(word: number): number {
    const slot = this.slotOf[word];
    return slot < 0 ? this.base[word] : (this.base[word] + this.v[slot]) | 0;
  }

  put(word: number, value: number): void {
    let slot = this.slotOf[word];
    const difference = (value - this.base[word]) | 0;
    if (slot < 0) {
      if (difference === 0) return;
      slot = this.addSlot(word);
    }
    const before = this.v[slot];
    if (difference === before) return;
    if (this.undone === this.undoSlots.length) this.growUndo();
    this.undoSlots[this.undone] = slot;
    this.undoValues[this.undone++] = before;
    this.hash ^= slotHash(slot, before) ^ slotHash(slot, difference);
    this.v[slot] = difference;
  }

  private growUndo(): void {
    const slots = new Int32Array(this.undoSlots.length * 2);
    slots.set(this.undoSlots);
    this.undoSlots = slots;
    const values = new Int32Array(slots.length);
    values.set(this.undoValues);
    this.undoValues = values;
  }

  private addSlot(word: number): number {
    const slot = this.words.length;
    this.words.push(word);
    this.slotOf[word] = slot;
    if (slot >= this.v.length) {
      const v = new Int32Array(this.v.length * 2);
      v.set(this.v);
      this.v = v;
    }
    this.table.setStride(slot + 1);
    return slot;
  }

  /**
   * Does an operation other than wait and notify.
   * @returns its result as it stands in a history (0 for stores)
   */
  apply(c: Continuation): Value {
    if (!c.simple) return this.applyWide(c);
    const w = c.word;
    const a = c.a as number;
    const was = this.get(w);
    switch (c.kind) {
      case OP_LOAD:
      case OP_READ:
        return was;
      case OP_STORE:
      case OP_WRITE:
        this.put(w, a);
        return 0;
      case OP_ADD:
        this.put(w, (was + a) | 0);
        return was;
      case OP_SUB:
        this.put(w, (was - a) | 0);
        return was;
      case OP_AND:
        this.put(w, was & a);
        return was;
      case OP_OR:
        this.put(w, was | a);
        return was;
      case OP_XOR:
        this.put(w, was ^ a);
        return was;
      case OP_EXCHANGE:
        this.put(w, a);
        return was;
      case OP_CAS:
        if (was === a) this.put(w, c.b as number);
        return was;
      default:
        throw new Error(`operation ${c.kind}`);
    }
  }

  /** @returns the element a wait looks at, or any other, as its type reads it */
  read(c: Continuation): Value {
    if (c.simple) return this.get(c.word);
    const { view, index } = this.bring(c);
    return view[index];
  }

  private bring(c: Continuation): { view: AnyTypedArray; index: number; first: number } {
    const first = (c.addr >> 3) * 2;
    scratchWords[0] = this.get(first);
    scratchWords[1] = this.get(first + 1);
    return { view: scratchViews[c.type], index: (c.addr & 7) / TYPES[c.type].BYTES_PER_ELEMENT, first };
  }

  private applyWide(c: Continuation): Value {
    const { view, index, first } = this.bring(c);
    const r = applyReal(view, index, c.kind, c.a, c.b);
    const low = scratchWords[0];
    const high = scratchWords[1];
    this.put(first, low);
    this.put(first + 1, high);
    return r;
  }
}

/** Does an operation on a real typed array: for elements of any type, and for replays. @returns as ModelMemory.apply */
export function applyReal(view: AnyTypedArray, index: number, kind: number, a: Value, b: Value): Value {
  const at = view as Int32Array;
  const x = a as number;
  switch (kind) {
    case OP_LOAD:
      return Atomics.load(at, index);
    case OP_READ:
    case OP_WAIT:
      return at[index];
    case OP_STORE:
      Atomics.store(at, index, x);
      return 0;
    case OP_WRITE:
      at[index] = x;
      return 0;
    case OP_ADD:
      return Atomics.add(at, index, x);
    case OP_SUB:
      return Atomics.sub(at, index, x);
    case OP_AND:
      return Atomics.and(at, index, x);
    case OP_OR:
      return Atomics.or(at, index, x);
    case OP_XOR:
      return Atomics.xor(at, index, x);
    case OP_EXCHANGE:
      return Atomics.exchange(at, index, x);
    case OP_CAS:
      return Atomics.compareExchange(at, index, x, b as number);
    default:
      throw new Error(`operation ${kind}`);
  }
}
