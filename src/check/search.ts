// SPDX-License-Identifier: GPL-2.0-only
/**
 * Breadth-first search over exact states: memory, the continuation of each thread, who sleeps and in which order.
 *
 * A step is one atomic operation and the plain accesses behind it. Loops lead back to states seen before, so there is
 * no bound on steps; when the search ends it has seen every state, and the first counterexample is the shortest.
 *
 * A sleeping thread is stored as its continuation and its rank among those asleep on the same address (notify wakes in
 * that order). A wait with a time-out may end at any moment.
 */

import { FINDING_KINDS, type Finding } from './finding.js';
import { type Continuation, Front } from './front.js';
import { unreachable } from './goal.js';
import type { Limits } from './limits.js';
import { AssertionFailure, type ThreadStates } from './litmus.js';
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
import { type Race, RaceCheck } from './races.js';
import type { Setting } from './setting.js';
import { StateTable } from './state_table.js';

/** Bits of a thread's word that hold its rank among sleepers; 0: awake. */
const RANK_BITS = 4;
const RANK_MASK = (1 << RANK_BITS) - 1;
/** So many plain accesses without an atomic are taken for an endless loop. */
const MAX_PLAIN = 100_000;

/** What a search has seen. */
export interface SearchResult {
  /** Counterexamples, shortest first; empty if everything holds or nothing was found within the limits. */
  readonly findings: readonly Finding[];
  /** All states were seen. */
  readonly complete: boolean;
  /** Which limit cut it, '' if none did. */
  readonly cutBy: string;
  readonly states: number;
  readonly transitions: number;
  /** States where nothing can move, with a violation and without. */
  readonly positive: number;
  readonly negative: number;
  readonly timeMs: number;
  /** Bytes of the tables. */
  readonly bytes: number;
  /** Words that some thread writes. */
  readonly slots: number;
  readonly front: Front['stats'];
}

export interface SearchOptions {
  /** Stop at the first counterexample (the shortest); else go on and count. */
  readonly first?: boolean;
  readonly audit?: boolean;
  readonly merge?: boolean;
  /** Called for every state where nothing can move, memory in place: the address each thread sleeps on, or -1. */
  readonly atRest?: (sleepsOn: readonly number[]) => void;
}

/** Explores a test. @throws RefusedError for code that cannot be checked soundly */
export function search(setting: Setting, limits: Limits, options: SearchOptions = {}): SearchResult {
  return new Search(setting, limits, options).run();
}

class Search {
  private readonly setting: Setting;
  private readonly limits: Limits;
  private readonly options: SearchOptions;
  private readonly front: Front;
  private readonly memory: ModelMemory;
  private readonly table: StateTable;
  private readonly races: RaceCheck;
  private readonly threads: number;
  /** The state in hand: memory vector, then a word for each thread. */
  private readonly now: Int32Array;
  private readonly byId: Continuation[] = [];
  private readonly findings: Finding[] = [];
  private readonly wantEdges: boolean;
  /** Transitions in order of their source: `edgeEnd[i]` ends those of state i. */
  private edges = new Int32Array(4096);
  private edgeEnd = new Int32Array(1024);
  private edgeCount = 0;
  private good: number[] = [];
  private failed: Finding['kind'] | null = null;
  private failure = '';
  private positive = 0;
  private negative = 0;
  private bad = new Set<number>();

  constructor(setting: Setting, limits: Limits, options: SearchOptions) {
    this.setting = setting;
    this.limits = limits;
    this.options = options;
    this.front = new Front(setting);
    this.front.audit = options.audit ?? false;
    this.front.merge = options.merge ?? true;
    this.memory = new ModelMemory(setting.base);
    this.races = new RaceCheck(this.memory);
    this.threads = setting.bodies.length;
    this.table = new StateTable(this.threads + 1);
    this.now = new Int32Array(this.threads + 1);
    this.wantEdges = setting.test.spec.goal !== false;
  }

  run(): SearchResult {
    const begin = performance.now();
    const { table, limits, memory, now, threads } = this;
    for (let t = 0; t < threads; t++) {
      this.settle(t, this.front.start(t));
      if (this.failed !== null) break;
    }
    now[0] = memory.intern();
    table.intern(now, -1, 0);
    this.checkNew(0, (1 << threads) - 1);
    let cutBy = '';
    let i = 0;
    const before = new Int32Array(threads + 1);
    for (; i < table.count; i++) {
      if (this.findings.length > 0 && this.options.first === true) break;
      if (table.count > limits.maxStates) cutBy = `--max-states ${limits.maxStates}`;
      else if ((i & 0x3ff) === 0 && performance.now() - begin > limits.maxSeconds * 1e3) {
        cutBy = `--max-seconds ${limits.maxSeconds}`;
      }
      if (cutBy !== '') break;
      const at = i * table.width;
      for (let x = 0; x <= threads; x++) before[x] = table.pool[at + x];
      this.expand(i, before);
      if (this.wantEdges) {
        if (i >= this.edgeEnd.length) this.edgeEnd = grow(this.edgeEnd);
        this.edgeEnd[i] = this.edgeCount;
      }
    }
    const complete = i === table.count;
    if (complete && this.wantEdges && this.findings.length === 0) this.checkGoal();
    const result: SearchResult = {
      findings: this.findings,
      complete,
      cutBy,
      states: table.count,
      transitions: this.transitions,
      positive: this.positive,
      negative: this.negative,
      timeMs: performance.now() - begin,
      bytes: this.table.byteLength + memory.table.byteLength + (this.wantEdges ? this.edgeBytes() : 0),
      slots: memory.words.length,
      front: this.front.stats,
    };
    this.setting.memory.restore(this.setting.base);
    return result;
  }

  private transitions = 0;

  private edgeBytes(): number {
    return this.edges.byteLength + this.edgeEnd.byteLength;
  }

  private expand(i: number, before: Int32Array): void {
    const { memory, now, threads } = this;
    if (this.bad.has(i)) {
      this.good.push(i);
      return;
    }
    memory.load(before[0]);
    let moved = false;
    for (let t = 0; t < threads; t++) {
      const packed = before[t + 1];
      const c = this.byId[packed >>> RANK_BITS];
      const asleep = (packed & RANK_MASK) !== 0;
      if (asleep ? c.b === 0 : c.kind === OP_END || c.kind === OP_FAIL) continue;
      moved = true;
      for (let x = 0; x <= threads; x++) now[x] = before[x];
      this.failed = null;
      const changed = asleep ? this.timeOut(t, c) : this.step(t, c);
      if (memory.dirty) now[0] = memory.intern();
      const count = this.table.count;
      const j = this.table.intern(now, i, t);
      this.transitions++;
      if (this.wantEdges) this.addEdge(j);
      if (j === count) this.checkNew(j, changed);
      memory.rollback();
    }
    if (!moved) this.atRest(i, before);
  }

  private addEdge(j: number): void {
    if (this.edgeCount === this.edges.length) this.edges = grow(this.edges);
    this.edges[this.edgeCount++] = j;
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
      this.failed = error instanceof Error && error.name === 'AssertionError' ? 'assertion' : 'exception';
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

  // --- what is looked at in every new state

  private find(kind: Finding['kind'], message: string, state: number, race: Race | null = null): void {
    this.positive++;
    if (FINDING_KINDS.includes(kind) && this.findings.length < 16) {
      this.findings.push({ kind, message, path: this.table.path(state), race });
    }
  }

  private checkNew(state: number, changed: number): void {
    if (this.failed !== null) {
      this.bad.add(state);
      this.find(this.failed, this.failure, state);
      this.failed = null;
      return;
    }
    const { now, threads, byId } = this;
    for (let p = 0; p < threads; p++) {
      if (((changed >> p) & 1) === 0) continue;
      const a = byId[now[p + 1] >>> RANK_BITS];
      const aAsleep = (now[p + 1] & RANK_MASK) !== 0;
      for (let q = 0; q < threads; q++) {
        if (q === p || (q < p && ((changed >> q) & 1) !== 0)) continue;
        const b = byId[now[q + 1] >>> RANK_BITS];
        const race = this.races.between(a, aAsleep, b, (now[q + 1] & RANK_MASK) !== 0);
        if (race === null) continue;
        this.bad.add(state);
        const { names } = this.setting;
        const word = this.setting.wordName(race.addr);
        const [first, second] =
          race.first.site === 0 || a.plain.some((x) => x.site === race.first.site) ? [p, q] : [q, p];
        this.find(
          'race',
          `data race on ${word}: ${race.first.what} by ${names[first]}, ${race.second.what} by ${names[second]}`,
          state,
          race,
        );
        return;
      }
    }
  }

  private states(v: Int32Array): ThreadStates {
    const { byId } = this;
    const { names } = this.setting;
    const at = (name: string): number => {
      const t = names.indexOf(name);
      if (t < 0) throw new Error(`goal asks for a thread ${name} that the test has not`);
      return v[t + 1];
    };
    return {
      asleep: (name) => (at(name) & RANK_MASK) !== 0,
      ended: (name) => byId[at(name) >>> RANK_BITS].kind === OP_END,
    };
  }

  /** Puts the memory of the state in hand where setup, final and goal see it. */
  private expose(): void {
    const { words } = this.memory;
    const { memory } = this.setting;
    for (const w of words) memory.poke(w, this.memory.get(w));
  }

  private atRest(i: number, v: Int32Array): void {
    if (this.setting.test.spec.goal === undefined) this.good.push(i);
    const { names, daemon } = this.setting;
    const stuck: string[] = [];
    let asleep = 0;
    for (let t = 0; t < this.threads; t++) {
      if ((v[t + 1] & RANK_MASK) === 0) continue;
      asleep++;
      if (!daemon[t]) {
        const c = this.byId[v[t + 1] >>> RANK_BITS];
        stuck.push(`${names[t]} sleeps on ${this.setting.wordName(c.addr)}`);
      }
    }
    this.expose();
    this.options.atRest?.(
      this.setting.names.map((_, t) =>
        (v[t + 1] & RANK_MASK) === 0 ? -1 : this.byId[v[t + 1] >>> RANK_BITS].addr,
      ),
    );
    if (stuck.length > 0) {
      const all = asleep > 1;
      this.find(all ? 'deadlock' : 'asleep', stuck.join('; '), i);
      return;
    }
    try {
      this.setting.final();
      this.negative++;
    } catch (e) {
      this.find(asleep > 0 ? 'lost-wakeup' : 'assertion', e instanceof Error ? e.message : String(e), i);
    }
  }

  // --- goal: from every state a goal state can be reached

  private checkGoal(): void {
    const { table, memory, setting } = this;
    if (typeof setting.test.spec.goal === 'function') {
      const v = new Int32Array(table.width);
      const threads = this.states(v);
      let last = -1;
      for (let i = 0; i < table.count; i++) {
        for (let x = 0; x < table.width; x++) v[x] = table.pool[i * table.width + x];
        if (v[0] !== last) {
          memory.load(v[0]);
          this.expose();
          last = v[0];
        }
        if (setting.goal(threads)) this.good.push(i);
      }
    }
    const lost = unreachable(table.count, this.edges, this.edgeEnd, this.edgeCount, this.good);
    if (lost < 0) return;
    const v = table.pool.subarray(lost * table.width, (lost + 1) * table.width);
    const where = setting.names.map((name, t) => {
      const c = this.byId[v[t + 1] >>> RANK_BITS];
      if (c.kind === OP_END) return `${name} has ended`;
      return `${name} ${(v[t + 1] & RANK_MASK) !== 0 ? 'sleeps' : 'stands'} at ${setting.wordName(c.addr)}`;
    });
    const goal = setting.test.spec.goal === undefined ? 'no state of rest' : 'no state that meets the goal';
    this.find('livelock', `from here ${goal} can be reached: ${where.join(', ')}`, lost);
  }
}

function grow(a: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const next = new Int32Array(a.length + (a.length >> 1));
  next.set(a);
  return next;
}
