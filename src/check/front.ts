// SPDX-License-Identifier: GPL-2.0-only
/**
 * What each thread does next, learned by running it, and remembered: (continuation, result) → continuation.
 *
 * A continuation is reached over some history the first time; others that lead to the same sites and variables are
 * merged into it, so a thread is re-run only on new ground and loops close on themselves.
 *
 * A run costs its whole history again. So it does not end at the first operation that was not known: it goes on as if
 * the other threads stood still, and what it meets is remembered, until it comes to something known. The search sees
 * none of this but that a step it asks for later has been learned already.
 */
import { KeyTable } from './key_table.js';
import { TimeIsUp } from './limits.js';
import { OP_END, OP_FAIL, OP_READ, OP_WRITE, sizeOf, TYPE_I32, type Value } from './ops.js';
import { RefusedError } from './refuse.js';
import { type History, type Pending, run } from './runner.js';
import { beginRun, continuationKey, emptyKey, topSite } from './runtime.js';
import type { Serializer } from './serialize.js';
import type { Setting } from './setting.js';

/** A plain access since the thread's last atomic: byte address, bytes, whether it wrote, where it stands. */
export interface PlainAccess {
  readonly addr: number;
  readonly size: number;
  readonly writes: boolean;
  readonly site: number;
}

const NO_ACCESSES: readonly PlainAccess[] = Object.freeze([]);

/** A thread that has stopped right before an operation. */
export class Continuation {
  readonly id: number;
  readonly thread: number;
  readonly parent: Continuation | null;
  /** Result of the parent's operation that led here. */
  readonly result: Value;
  /** Operations before this one, on the way it was first reached. */
  readonly length: number;
  kind = 0;
  addr = -1;
  /** Word of `addr`, for 32-bit elements. */
  word = 0;
  type = 0;
  a: Value = 0;
  b: Value = 0;
  error: unknown = undefined;
  site = 0;
  /** 32-bit element: the search's fast path. */
  simple = false;
  plain: readonly PlainAccess[] = NO_ACCESSES;
  /** Never merged: the continuation could not be known. */
  opaque = false;
  // Successors by result: two in place, the rest in a map.
  v0: Value = 0;
  n0: Continuation | null = null;
  v1: Value = 0;
  n1: Continuation | null = null;
  more: Map<Value | string, Continuation> | null = null;
  /** Other histories that were merged into this one (audit only). */
  others: { parent: Continuation; result: Value }[] | null = null;

  constructor(id: number, thread: number, parent: Continuation | null, result: Value) {
    this.id = id;
    this.thread = thread;
    this.parent = parent;
    this.result = result;
    this.length = parent === null ? 0 : parent.length + 1;
  }
}

/** A result as a key of a map: -0 and NaN are values of their own. */
function resultKey(r: Value): Value | string {
  return Object.is(r, -0) ? '-0' : r;
}

/** What the memory in hand would give a thread that goes on alone. */
export interface Lookahead {
  /** Does the operation of `c`. @returns its result, or undefined if that cannot be told or the thread would sleep */
  guess(c: Continuation): Value | undefined;
  /** Takes back what the guesses since the last call wrote. */
  forget(): void;
}

/** A run goes on for so many operations at most: an endless loop that counts meets nothing known. */
const MAX_AHEAD = 256;

/** Counts of what the front did. */
export interface FrontStats {
  /** Times a thread was run. */
  runs: number;
  /** Operations replayed in these. */
  replayed: number;
  /** Distinct continuations. */
  continuations: number;
  merged: number;
  opaque: number;
  audits: number;
}

export class Front {
  readonly stats: FrontStats = { runs: 0, replayed: 0, continuations: 0, merged: 0, opaque: 0, audits: 0 };
  /** Check each merge by running the other history, too. */
  audit = false;
  /** Merge at all: off for comparing with a search that does not. */
  merge = true;
  /** When the search must have ended, by performance.now(). */
  untilMs = Infinity;
  private readonly setting: Setting;
  /** By thread. */
  private readonly keys: readonly KeyTable[];
  /** By thread, and by the number of the key. */
  private readonly byKey: readonly Continuation[][];
  private readonly history: History = { results: [], ops: new Int32Array(512), length: 0 };
  private readonly lookahead: Lookahead;
  private nextId = 1;
  // The run in hand: its thread, the continuation it has come to and the result it goes on with, what it met first, and
  // for the audit the history that its last operation was merged with.
  private thread = 0;
  private tail: Continuation | null = null;
  private result: Value = 0;
  private first: Continuation | null = null;
  private ahead = 0;
  private mergedInto: Continuation | null = null;
  private readonly atEdge = (p: Pending, ended: boolean): boolean => this.meet(p, ended);

  constructor(setting: Setting, lookahead: Lookahead) {
    this.setting = setting;
    this.lookahead = lookahead;
    this.keys = setting.bodies.map(() => new KeyTable());
    this.byKey = setting.bodies.map(() => []);
  }

  /** @returns the continuation of a thread that has done nothing yet */
  start(thread: number): Continuation {
    return this.explore(thread, null, 0);
  }

  /**
   * @returns what the thread does next when the operation of `c` gives `r`
   */
  advance(c: Continuation, r: Value): Continuation {
    if (c.n0 !== null && Object.is(c.v0, r)) return c.n0;
    if (c.n1 !== null && Object.is(c.v1, r)) return c.n1;
    return this.advanceSlow(c, r);
  }

  private advanceSlow(c: Continuation, r: Value): Continuation {
    const known = c.more?.get(resultKey(r));
    if (known !== undefined) return known;
    // A run of the thread costs more than a look at the clock; a long run of plain accesses is one step of the search.
    if (performance.now() > this.untilMs) throw new TimeIsUp();
    return this.explore(c.thread, c, r);
  }

  /** Runs the thread on a history that ends in (parent, result), and on. @returns what it does right behind it */
  private explore(thread: number, parent: Continuation | null, result: Value): Continuation {
    this.fillHistory(parent, result);
    this.stats.runs++;
    this.stats.replayed += this.history.length;
    this.thread = thread;
    this.tail = parent;
    this.result = result;
    this.first = null;
    this.ahead = 0;
    this.mergedInto = null;
    try {
      run(this.setting.bodies[thread], this.history, beginRun, this.atEdge);
    } catch (e) {
      // What is wrong further on is said when the search gets there.
      if (!(e instanceof RefusedError) || this.first === null) throw e;
    }
    this.lookahead.forget();
    if (this.audit) this.auditRun(parent, result);
    return this.first as Continuation | null as Continuation;
  }

  /** The run in hand has come to an operation, or to its end. @returns true to go on */
  private meet(p: Pending, ended: boolean): boolean {
    const { tail, history } = this;
    const made = this.make(p);
    const c = this.canonical(made, ended ? (p.kind === OP_FAIL ? null : emptyKey()) : continuationKey(), p);
    if (tail !== null) succeed(tail, this.result, c);
    this.first ??= c;
    if (ended || c !== made || this.ahead++ === MAX_AHEAD) return false;
    const r = this.lookahead.guess(c);
    if (r === undefined) return false;
    const at = history.length;
    if (history.ops.length < (at + 1) * 2) {
      const ops = new Int32Array((at + 1) * 4);
      ops.set(history.ops);
      history.ops = ops;
    }
    history.results[at] = r;
    history.ops[at * 2] = c.kind;
    history.ops[at * 2 + 1] = c.addr;
    history.length = at + 1;
    this.tail = c;
    this.result = r;
    return true;
  }

  private make(p: Pending): Continuation {
    const { tail } = this;
    const c = new Continuation(this.nextId++, this.thread, tail, this.result);
    c.kind = p.kind;
    c.addr = p.addr;
    c.type = p.type;
    c.a = p.a;
    c.b = p.b;
    c.error = p.error;
    c.word = p.addr >> 2;
    c.simple = p.type === TYPE_I32;
    c.site = topSite();
    c.plain = tail === null ? NO_ACCESSES : plainAfter(tail);
    return c;
  }

  private fillHistory(parent: Continuation | null, result: Value): void {
    const h = this.history;
    h.length = parent === null ? 0 : parent.length + 1;
    if (h.ops.length < h.length * 2) h.ops = new Int32Array(h.length * 4);
    let r = result;
    let k = h.length;
    for (let c = parent; c !== null; c = c.parent) {
      k--;
      h.results[k] = r;
      h.ops[k * 2] = c.kind;
      h.ops[k * 2 + 1] = c.addr;
      r = c.result;
    }
  }

  /** @returns `c`, or the continuation with the same key that was there before */
  private canonical(c: Continuation, key: Serializer | null, p: Pending): Continuation {
    this.stats.continuations++;
    if (c.kind === OP_FAIL) return c;
    if (key === null) {
      c.opaque = true;
      this.stats.opaque++;
      return c;
    }
    if (!this.merge && c.kind !== OP_END) return c;
    addPending(key, p, c.plain);
    const number = this.keys[c.thread].intern(key.words, key.length);
    const known = this.byKey[c.thread][number];
    if (known === undefined) {
      this.byKey[c.thread].push(c);
      return c;
    }
    this.stats.continuations--;
    this.stats.merged++;
    this.mergedInto = known;
    return known;
  }

  // --- audit: a merged history must go on exactly as the one it was merged into

  /** The run in hand has ended: each operation it met, and the merge that ended it. */
  private auditRun(parent: Continuation | null, r: Value): void {
    const { first, mergedInto: known, tail } = this;
    // Only the first step began at a continuation into which others may have been merged.
    if (parent !== null && parent.others !== null && first !== null)
      for (const o of parent.others) this.auditStep(parent, o, r, first);
    if (known === null || tail === null) return;
    const other = { parent: tail, result: this.result };
    if (known.n0 !== null) this.auditStep(known, other, known.v0, known.n0);
    if (known.n1 !== null) this.auditStep(known, other, known.v1, known.n1);
    if (known.more !== null) {
      for (const [v, next] of known.more) this.auditStep(known, other, v === '-0' ? -0 : (v as Value), next);
    }
    known.others ??= [];
    known.others.push(other);
  }

  private auditStep(
    c: Continuation,
    other: { parent: Continuation; result: Value },
    r: Value,
    next: Continuation,
  ): void {
    this.stats.audits++;
    const mine = this.keyAfter(c, r, next.plain);
    const alias = new Continuation(0, c.thread, other.parent, other.result);
    alias.kind = c.kind;
    alias.addr = c.addr;
    const theirs = this.keyAfter(alias, r, next.plain);
    if (mine !== theirs) {
      throw new Error(`unsound merge in thread ${this.setting.names[c.thread]}: ${mine} against ${theirs}`);
    }
  }

  private keyAfter(c: Continuation, r: Value, plain: readonly PlainAccess[]): string {
    this.fillHistory(c, r);
    let text = '';
    run(this.setting.bodies[c.thread], this.history, beginRun, (p, ended) => {
      const key = ended ? emptyKey() : continuationKey();
      if (key !== null) addPending(key, p, plain);
      text = key === null ? `opaque ${p.kind},${p.addr}` : key.words.subarray(0, key.length).join();
      return false;
    });
    return text;
  }
}

/** `next` is what comes behind `c` when its operation gives `r`. */
function succeed(c: Continuation, r: Value, next: Continuation): void {
  if (c.n0 === null) {
    c.v0 = r;
    c.n0 = next;
  } else if (c.n1 === null) {
    c.v1 = r;
    c.n1 = next;
  } else {
    c.more ??= new Map();
    c.more.set(resultKey(r), next);
  }
}

/** Writes what the thread does next behind what it holds. */
function addPending(key: Serializer, p: Pending, plain: readonly PlainAccess[]): void {
  key.put(p.kind);
  key.put(p.addr);
  key.put(p.type);
  key.value(p.a);
  key.value(p.b);
  key.text(p.extra);
  for (const x of plain) {
    key.put(x.addr);
    key.put(x.writes ? x.size : -x.size);
  }
}

/** @returns plain accesses since the last atomic once `c` is done: sorted, each once, a write includes a read */
function plainAfter(c: Continuation): readonly PlainAccess[] {
  const list = c.plain;
  const writes = c.kind === OP_WRITE;
  if (c.kind !== OP_READ && !writes) return NO_ACCESSES;
  const out: PlainAccess[] = [];
  let placed = false;
  const size = sizeOf(c.type);
  for (const x of list) {
    if (x.addr === c.addr && x.size === size) {
      if (x.writes || !writes) return list;
      placed = true;
      out.push({ addr: c.addr, size, writes: true, site: c.site });
      continue;
    }
    if (!placed && x.addr > c.addr) {
      placed = true;
      out.push({ addr: c.addr, size, writes, site: c.site });
    }
    out.push(x);
  }
  if (!placed) out.push({ addr: c.addr, size, writes, site: c.site });
  return out;
}
