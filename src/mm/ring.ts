// SPDX-License-Identifier: GPL-2.0-only
/**
 * Descriptor rings: one producer, one consumer, batches.
 *
 * States of a slot: free (prod - cons < capacity and not yet published), published, consumed (= free).
 *
 * Owners
 *   prod   whoever holds the producer's role; one holder at a time
 *   cons   whoever holds the consumer's role; one holder at a time
 *   slots  the producer from reserve to publish, the consumer from available to release: plain accesses
 * A role may pass from thread to thread (a NAPI instance moves between softirq and its thread). The hand-over must
 * be ordered by an atomic of its own (SCHED does it), and the new holder calls `begin()`.
 *
 * Invariants: 0 <= prod - cons <= capacity (as wrapping 32-bit numbers); slots in [cons, prod) are not written.
 *
 * Ordering
 *   R1 publish: slots (plain) then store of prod      pairs with  R2
 *   R2 available: load of prod then slots (plain)     pairs with  R1
 *   R3 release: slots (plain) then store of cons      pairs with  R4
 *   R4 reserve: load of cons then slots (plain)       pairs with  R3
 */
import { line, struct, word } from './struct.js';

/** The words of a ring, in front of its slots. */
export const RING = struct(
  'ring',
  line('producer', { prod: word('slots published so far (wraps)') }),
  line('consumer', { cons: word('slots consumed so far (wraps)') }),
);

/** Words a ring takes: `capacity` slots (a power of two) of `slotWords` (a power of two). */
export function ringWords(capacity: number, slotWords: number): number {
  return RING.SIZE + capacity * slotWords;
}

/** The producer's side. Make once a thread, keep. */
export class RingProducer {
  readonly m: Int32Array;
  readonly prodAt: number;
  readonly consAt: number;
  readonly slots: number;
  readonly capacity: number;
  readonly mask: number;
  readonly slotShift: number;
  /** Next slot to write (wraps). */
  head = 0;
  /** Consumer's index as last seen: it has not gone back since. */
  private seenCons = 0;
  /** `head` and `seenCons` were loaded before. */
  private known = false;

  constructor(m: Int32Array, at: number, capacity: number, slotWords: number) {
    this.m = m;
    this.prodAt = at + RING.prod;
    this.consAt = at + RING.cons;
    this.slots = at + RING.SIZE;
    this.capacity = capacity;
    this.mask = capacity - 1;
    this.slotShift = 31 - Math.clz32(slotWords);
  }

  /** Takes the producer's role over from whoever had it. */
  begin(): void {
    this.head = Atomics.load(this.m, this.prodAt);
    this.seenCons = Atomics.load(this.m, this.consAt);
  }

  /** The same, where this view knows more if nobody else has had the role since: then it loads nothing of the consumer's. */
  beginAgain(): void {
    const head = Atomics.load(this.m, this.prodAt);
    if (this.known && head === this.head) return;
    this.known = true;
    this.head = head;
    this.seenCons = Atomics.load(this.m, this.consAt);
  }

  /** @returns slots published and not consumed: one look, by whoever has the role, with or without `begin` */
  length(): number {
    return (this.m[this.prodAt] - Atomics.load(this.m, this.consAt)) | 0;
  }

  /** @returns how many slots may be written now, at most `want` */
  reserve(want: number): number {
    let room = this.capacity - ((this.head - this.seenCons) | 0);
    if (room < want) {
      this.seenCons = Atomics.load(this.m, this.consAt); // R4
      room = this.capacity - ((this.head - this.seenCons) | 0);
    }
    return Math.min(room, want);
  }

  /** @returns the number of the i-th reserved slot, from 0 to capacity - 1 */
  index(i: number): number {
    return (this.head + i) & this.mask;
  }

  /** @returns the word index of the i-th reserved slot */
  slot(i: number): number {
    return this.slots + (((this.head + i) & this.mask) << this.slotShift);
  }

  /** @returns how many of the first `n` reserved slots stand in one piece from `slot(0)` on */
  contiguous(n: number): number {
    return Math.min(n, this.capacity - (this.head & this.mask));
  }

  /** Makes the first `n` reserved slots visible to the consumer. */
  publish(n: number): void {
    this.head = (this.head + n) | 0;
    Atomics.store(this.m, this.prodAt, this.head); // R1
  }
}

/** The consumer's side. Make once a thread, keep. */
export class RingConsumer {
  readonly m: Int32Array;
  readonly prodAt: number;
  readonly consAt: number;
  readonly slots: number;
  readonly mask: number;
  readonly slotShift: number;
  /** Next slot to read (wraps). */
  tail = 0;
  private seenProd = 0;

  constructor(m: Int32Array, at: number, capacity: number, slotWords: number) {
    this.m = m;
    this.prodAt = at + RING.prod;
    this.consAt = at + RING.cons;
    this.slots = at + RING.SIZE;
    this.mask = capacity - 1;
    this.slotShift = 31 - Math.clz32(slotWords);
  }

  /** Takes the consumer's role over from whoever had it. */
  begin(): void {
    this.tail = Atomics.load(this.m, this.consAt);
    this.seenProd = Atomics.load(this.m, this.prodAt);
  }

  /** @returns true if there is nothing to read: one look, by whoever has the role, with or without `begin` */
  empty(): boolean {
    return Atomics.load(this.m, this.prodAt) === this.m[this.consAt];
  }

  /** @returns how many slots may be read now, at most `want` */
  available(want: number): number {
    let n = (this.seenProd - this.tail) | 0;
    if (n < want) {
      this.seenProd = Atomics.load(this.m, this.prodAt); // R2
      n = (this.seenProd - this.tail) | 0;
    }
    return Math.min(n, want);
  }

  /** @returns the number of the i-th available slot, from 0 to capacity - 1 */
  index(i: number): number {
    return (this.tail + i) & this.mask;
  }

  /** @returns the word index of the i-th available slot */
  slot(i: number): number {
    return this.slots + (((this.tail + i) & this.mask) << this.slotShift);
  }

  /** @returns how many of the first `n` available slots stand in one piece from `slot(0)` on */
  contiguous(n: number): number {
    return Math.min(n, this.mask + 1 - (this.tail & this.mask));
  }

  /** Gives the first `n` available slots back to the producer. */
  release(n: number): void {
    this.tail = (this.tail + n) | 0;
    Atomics.store(this.m, this.consAt, this.tail); // R3
  }
}

/**
 * @returns slots published and not consumed, from 0 to the capacity, as they were at one moment; seen from outside it
 *   may have changed since: for statistics and for deciding to sleep
 */
export function ringLength(m: Int32Array, at: number): number {
  let cons = Atomics.load(m, at + RING.cons);
  for (;;) {
    const prod = Atomics.load(m, at + RING.prod);
    const again = Atomics.load(m, at + RING.cons);
    if (again === cons) return (prod - cons) | 0;
    cons = again;
  }
}
