// SPDX-License-Identifier: GPL-2.0-only
/**
 * What each thread does next, learned by running it, and remembered: (continuation, result) → continuation.
 *
 * A continuation is reached over some history the first time; others that lead to the same sites and variables are
 * merged into it, so a thread is re-run only on new ground and loops close on themselves.
 */
import { KeyTable } from './key_table.js';
import { TimeIsUp } from './limits.js';
import { OP_END, OP_FAIL, OP_READ, OP_WRITE, sizeOf, TYPE_I32, type Value } from './ops.js';
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
  private nextId = 1;
  /** Key of the run before, null if it could not be known: good until the next run. */
  private lastKey: Serializer | null = null;

  constructor(setting: Setting) {
    this.setting = setting;
    this.keys = setting.bodies.map(() => new KeyTable());
    this.byKey = setting.bodies.map(() => []);
  }

  /** @returns the continuation of a thread that has done nothing yet */
  start(thread: number): Continuation {
    return this.canonical(this.explore(thread, null, 0), null, 0);
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
    const next = this.canonical(this.explore(c.thread, c, r), c, r);
    if (this.audit && c.others !== null) for (const o of c.others) this.auditStep(c, o, r, next);
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
    return next;
  }

  /** Runs the thread on a history that ends in (parent, result). The key is left in `lastKey`. */
  private explore(thread: number, parent: Continuation | null, result: Value): Continuation {
    const plain = parent === null ? NO_ACCESSES : plainAfter(parent);
    const c = new Continuation(this.nextId++, thread, parent, result);
    this.fillHistory(parent, result);
    const p = this.runThread(thread);
    c.kind = p.kind;
    c.addr = p.addr;
    c.type = p.type;
    c.a = p.a;
    c.b = p.b;
    c.error = p.error;
    c.word = p.addr >> 2;
    c.simple = p.type === TYPE_I32;
    c.site = topSite();
    c.plain = plain;
    if (this.lastKey !== null) addPending(this.lastKey, p, plain);
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

  private runThread(thread: number): Pending {
    this.stats.runs++;
    this.stats.replayed += this.history.length;
    this.lastKey = null;
    return run(this.setting.bodies[thread], this.history, beginRun, (aborted) => {
      this.lastKey = aborted ? continuationKey() : emptyKey();
    });
  }

  private canonical(c: Continuation, parent: Continuation | null, result: Value): Continuation {
    const key = this.lastKey;
    if (c.kind === OP_FAIL) {
      this.stats.continuations++;
      return c;
    }
    if (key === null) {
      c.opaque = true;
      this.stats.opaque++;
      this.stats.continuations++;
      return c;
    }
    if (!this.merge && c.kind !== OP_END) {
      this.stats.continuations++;
      return c;
    }
    const number = this.keys[c.thread].intern(key.words, key.length);
    const known = this.byKey[c.thread][number];
    if (known !== undefined) {
      this.stats.merged++;
      if (this.audit && parent !== null) this.auditMerge(known, { parent, result });
      return known;
    }
    this.byKey[c.thread].push(c);
    this.stats.continuations++;
    return c;
  }

  // --- audit: a merged history must go on exactly as the one it was merged into

  private auditMerge(c: Continuation, other: { parent: Continuation; result: Value }): void {
    if (c.n0 !== null) this.auditStep(c, other, c.v0, c.n0);
    if (c.n1 !== null) this.auditStep(c, other, c.v1, c.n1);
    if (c.more !== null) {
      for (const [v, next] of c.more) this.auditStep(c, other, v === '-0' ? -0 : (v as Value), next);
    }
    c.others ??= [];
    c.others.push(other);
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
    const p = this.runThread(c.thread);
    if (this.lastKey === null) return `opaque ${p.kind},${p.addr}`;
    addPending(this.lastKey, p, plain);
    return this.lastKey.words.subarray(0, this.lastKey.length).join();
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
