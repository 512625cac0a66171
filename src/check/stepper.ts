// SPDX-License-Identifier: GPL-2.0-only
/**
 * One step of the search: one atomic operation of one thread, and the plain accesses behind it.
 *
 * A thread's word is the number of its continuation and, if it sleeps, its rank among those asleep on the same address
 * (notify wakes in that order). A wait with a time-out may end at any moment.
 */
import type { Finding } from './finding.js';
import { type Continuation, Front, type Lookahead } from './front.js';
import { AssertionFailure, isAssertion } from './litmus.js';
import { ModelMemory } from './model_memory.js';
import {
  isAtomic,
  OP_END,
  OP_FAIL,
  OP_NOTIFY,
  OP_WAIT,
  type Value,
  WAIT_NOT_EQUAL,
  WAIT_OK,
  WAIT_TIMED_OUT,
} from './ops.js';
import type { Setting } from './setting.js';

/** Bits of a thread's word that hold its rank among sleepers; 0: awake. */
const RANK_BITS = 4;
const RANK_MASK = (1 << RANK_BITS) - 1;
/** So many plain accesses without an atomic are taken for an endless loop. */
const MAX_PLAIN = 100_000;

/** @returns true for the word of a thread that sleeps */
export function isAsleep(word: number): boolean {
  return (word & RANK_MASK) !== 0;
}

export class Stepper implements Lookahead {
  readonly setting: Setting;
  readonly front: Front;
  readonly memory: ModelMemory;
  readonly threads: number;
  /** The state in hand: memory vector, then a word for each thread. */
  readonly now: Int32Array;
  /** What went wrong in the last step, null if nothing did. */
  failed: Finding['kind'] | null = null;
  failure = '';
  private readonly byId: Continuation[] = [];
  /** Where the guesses began to write, -1: none has been made. */
  private guessesFrom = -1;

  constructor(setting: Setting) {
    this.setting = setting;
    this.memory = new ModelMemory(setting.base);
    this.front = new Front(setting, this);
    this.threads = setting.bodies.length;
    this.now = new Int32Array(this.threads + 1);
  }

  /** @returns the continuation in a thread's word */
  at(word: number): Continuation {
    return this.byId[word >>> RANK_BITS];
  }

  guess(c: Continuation): Value | undefined {
    if (c.kind === OP_WAIT) return this.memory.read(c) === c.a ? undefined : WAIT_NOT_EQUAL;
    // Whom it wakes would go on, too.
    if (c.kind === OP_NOTIFY) return this.sleepersOn(c.addr) === 0 ? 0 : undefined;
    if (this.guessesFrom < 0) this.guessesFrom = this.memory.mark;
    return this.memory.apply(c);
  }

  forget(): void {
    if (this.guessesFrom >= 0) this.memory.rollback(this.guessesFrom);
    this.guessesFrom = -1;
  }

  /** Puts all threads before their first atomic. */
  start(): void {
    for (let t = 0; t < this.threads; t++) {
      this.settle(t, this.front.start(t));
      if (this.failed !== null) break;
    }
  }

  /** @returns true if a thread with this word can move */
  canMove(word: number): boolean {
    const c = this.byId[word >>> RANK_BITS];
    return (word & RANK_MASK) !== 0 ? c.b !== 0 : c.kind !== OP_END && c.kind !== OP_FAIL;
  }

  /** Moves thread `t` of the state in hand; a sleeper times out. @returns which threads changed, a bit each */
  move(t: number): number {
    this.failed = null;
    const packed = this.now[t + 1];
    const c = this.byId[packed >>> RANK_BITS];
    return (packed & RANK_MASK) !== 0 ? this.timeOut(t, c) : this.step(t, c);
  }

  /** Runs a thread's plain accesses until it stands before an atomic. */
  private settle(t: number, first: Continuation): void {
    let c = first;
    let plain = 0;
    while (!isAtomic(c.kind) && c.kind !== OP_END && c.kind !== OP_FAIL) {
      const r = this.memory.apply(c);
      c = this.front.advance(c, r);
      if (++plain > MAX_PLAIN) {
        this.failed = 'livelock';
        this.failure = `${this.setting.names[t]} goes on for ever with plain accesses alone`;
        break;
      }
    }
    if (c.kind === OP_FAIL) {
      const { error } = c;
      this.failed = isAssertion(error) ? 'assertion' : 'exception';
      this.failure = `${this.setting.names[t]}: ${error instanceof AssertionFailure ? error.message : String(error)}`;
    }
    this.byId[c.id] = c;
    this.now[t + 1] = c.id << RANK_BITS;
  }

  /** Does one atomic operation of thread `t`. @returns which threads changed, a bit each */
  private step(t: number, c: Continuation): number {
    if (c.kind === OP_WAIT) {
      if (this.memory.read(c) === c.a) {
        this.now[t + 1] |= this.sleepersOn(c.addr) + 1;
        return 1 << t;
      }
      this.settle(t, this.front.advance(c, WAIT_NOT_EQUAL));
      return 1 << t;
    }
    if (c.kind === OP_NOTIFY) return this.notify(t, c);
    const r = this.memory.apply(c);
    this.settle(t, this.front.advance(c, r));
    return 1 << t;
  }

  private sleepersOn(addr: number): number {
    let n = 0;
    for (let u = 1; u <= this.threads; u++) {
      const packed = this.now[u];
      if ((packed & RANK_MASK) !== 0 && this.byId[packed >>> RANK_BITS].addr === addr) n++;
    }
    return n;
  }

  private notify(t: number, c: Continuation): number {
    const { now, threads } = this;
    const most = c.a as number;
    let woken = 0;
    let changed = 1 << t;
    for (let u = 0; u < threads; u++) {
      const packed = now[u + 1];
      const rank = packed & RANK_MASK;
      if (rank === 0 || this.byId[packed >>> RANK_BITS].addr !== c.addr) continue;
      if (rank <= most) {
        woken++;
        changed |= 1 << u;
        now[u + 1] = packed & ~RANK_MASK;
      } else {
        now[u + 1] = packed - most;
      }
    }
    this.settle(t, this.front.advance(c, woken as Value));
    for (let u = 0; u < threads; u++) {
      if (u === t || ((changed >> u) & 1) === 0) continue;
      this.settle(u, this.front.advance(this.byId[now[u + 1] >>> RANK_BITS], WAIT_OK));
    }
    return changed;
  }

  private timeOut(t: number, c: Continuation): number {
    const { now } = this;
    const rank = now[t + 1] & RANK_MASK;
    now[t + 1] &= ~RANK_MASK;
    for (let u = 1; u <= this.threads; u++) {
      const packed = now[u];
      if ((packed & RANK_MASK) > rank && this.byId[packed >>> RANK_BITS].addr === c.addr) now[u] = packed - 1;
    }
    this.settle(t, this.front.advance(c, WAIT_TIMED_OUT));
    return 1 << t;
  }
}
