// SPDX-License-Identifier: GPL-2.0-only
/**
 * Replays a schedule step by step: every thread is re-run with its own whole history, on the memory itself. It shares
 * nothing with the search but the runner, so a counterexample that replays is one of the real code.
 */
import { isAssertion, type ThreadStates } from './litmus.js';
import { applyReal } from './model_memory.js';
import {
  isAtomic,
  OP_END,
  OP_FAIL,
  OP_NAMES,
  OP_NOTIFY,
  OP_READ,
  OP_WAIT,
  OP_WRITE,
  sizeOf,
  TYPES,
  type Value,
  WAIT_NOT_EQUAL,
  WAIT_OK,
  WAIT_TIMED_OUT,
} from './ops.js';
import { type Pending, run } from './runner.js';
import { beginRun, siteStack } from './runtime.js';
import type { Setting } from './setting.js';
import { positionOf, type SourcePosition } from './source_position.js';

/** One line of a trace. */
export interface TraceStep {
  readonly thread: string;
  /** Name of the operation: load, store, …, wait, notify, read, write, throw. */
  readonly op: string;
  /** False for plain accesses and the end of a thread. */
  readonly atomic: boolean;
  /** The word by its field, '' where there is none. */
  readonly word: string;
  readonly before: string;
  readonly after: string;
  /** What it gave or did, in words. */
  readonly note: string;
  /** Where it stands, callers behind it. */
  readonly chain: readonly SourcePosition[];
}

interface ThreadState {
  results: Value[];
  ops: number[];
  next: Pending;
  sites: number[];
  /** Address slept on, -1: awake. */
  asleepOn: number;
}

export class Replay {
  readonly setting: Setting;
  readonly steps: TraceStep[] = [];
  readonly threads: ThreadState[] = [];
  /** Threads asleep, in the order they fell asleep. */
  private sleepers: number[] = [];

  constructor(setting: Setting) {
    this.setting = setting;
    setting.memory.restore(setting.base);
    for (let t = 0; t < setting.bodies.length; t++) {
      this.threads.push({ results: [], ops: [], next: NOTHING, sites: [], asleepOn: -1 });
    }
    for (let t = 0; t < setting.bodies.length; t++) this.look(t);
    for (let t = 0; t < setting.bodies.length; t++) this.settle(t);
  }

  /** Finds out what a thread does next. */
  private look(t: number): void {
    const s = this.threads[t];
    const ops = Int32Array.from(s.ops);
    const history = { results: s.results, ops, length: s.results.length };
    const p = run(this.setting.bodies[t], history, beginRun, () => {
      s.sites = siteStack();
      return false;
    });
    s.next = { ...p };
  }

  private chain(t: number): SourcePosition[] {
    return this.threads[t].sites
      .map(positionOf)
      .filter((p): p is SourcePosition => p !== null)
      .reverse();
  }

  private real(p: Pending): { view: Int32Array; index: number } {
    const b = this.setting.memory.bufferAt(p.addr);
    const size = sizeOf(p.type);
    return { view: new TYPES[p.type](b.sab) as Int32Array, index: (p.addr - b.base) / size };
  }

  private done(t: number, r: Value): void {
    const s = this.threads[t];
    s.results.push(r);
    s.ops.push(s.next.kind, s.next.addr);
    this.look(t);
  }

  private say(t: number, p: Pending, before: string, after: string, note: string): void {
    this.steps.push({
      thread: this.setting.names[t],
      op: OP_NAMES[p.kind],
      atomic: isAtomic(p.kind),
      word: p.addr < 0 ? '' : this.setting.wordName(p.addr),
      before,
      after,
      note,
      chain: this.chain(t),
    });
  }

  /** Plain accesses run at once, behind the atomic before them. */
  private settle(t: number): void {
    const s = this.threads[t];
    for (let n = 0; s.next.kind === OP_READ || s.next.kind === OP_WRITE; n++) {
      if (n > 1000) return; // an endless loop of plain accesses: the trace shows its beginning
      const p = s.next;
      const { view, index } = this.real(p);
      const before = String(view[index]);
      const r = applyReal(view, index, p.kind, p.a, p.b);
      this.say(t, p, before, String(view[index]), '');
      this.done(t, r);
    }
    if (s.next.kind === OP_FAIL) this.say(t, s.next, '', '', String(s.next.error));
  }

  /**
   * @returns true if the state in hand shows a counterexample of this kind: a thread that threw, or a state of rest
   * that must not be; never for kinds that one state does not show (livelock, race)
   */
  shows(kind: string): boolean {
    const { setting, threads } = this;
    const thrown = threads.find((s) => s.next.kind === OP_FAIL);
    if (thrown !== undefined) return kind === (isAssertion(thrown.next.error) ? 'assertion' : 'exception');
    const states: ThreadStates = {
      asleep: (name) => threads[setting.names.indexOf(name)].asleepOn >= 0,
      ended: (name) => threads[setting.names.indexOf(name)].next.kind === OP_END,
    };
    if (kind === 'assertion' && throws(() => setting.goal(states))) return true;
    if (threads.some((_, t) => this.canMove(t))) return false;
    const asleep = threads.filter((s) => s.asleepOn >= 0).length;
    if (threads.some((s, t) => s.asleepOn >= 0 && !setting.daemon[t]))
      return kind === (asleep > 1 ? 'deadlock' : 'asleep');
    return kind === (asleep > 0 ? 'lost-wakeup' : 'assertion') && throws(() => setting.final());
  }

  /** @returns true if thread `t` can move */
  canMove(t: number): boolean {
    const s = this.threads[t];
    if (s.asleepOn >= 0) return s.next.b === 1;
    return s.next.kind !== OP_END && s.next.kind !== OP_FAIL;
  }

  /** Thread `t` makes its step; a sleeper in a timed wait times out. @throws Error if it cannot */
  step(t: number): void {
    if (!this.canMove(t)) throw new Error(`${this.setting.names[t]} cannot move`);
    const s = this.threads[t];
    const p = s.next;
    if (s.asleepOn >= 0) {
      this.sleepers = this.sleepers.filter((u) => u !== t);
      s.asleepOn = -1;
      this.say(t, p, '', '', 'timed-out');
      this.done(t, WAIT_TIMED_OUT);
      this.settle(t);
      return;
    }
    const { view, index } = this.real(p);
    const before = String(view[index]);
    if (p.kind === OP_WAIT) {
      if (view[index] !== p.a) {
        this.say(t, p, before, before, `not-equal to ${String(p.a)}`);
        this.done(t, WAIT_NOT_EQUAL);
        this.settle(t);
      } else {
        this.say(t, p, before, before, p.b === 1 ? 'sleeps, with a time-out' : 'sleeps');
        s.asleepOn = p.addr;
        this.sleepers.push(t);
      }
      return;
    }
    if (p.kind === OP_NOTIFY) {
      const woken = this.sleepers.filter((u) => this.threads[u].asleepOn === p.addr).slice(0, p.a as number);
      this.sleepers = this.sleepers.filter((u) => !woken.includes(u));
      const names = woken.map((u) => this.setting.names[u]).join(', ');
      this.say(t, p, before, before, `wakes ${names === '' ? 'nobody' : names}`);
      this.done(t, woken.length);
      this.settle(t);
      for (const u of woken) {
        this.threads[u].asleepOn = -1;
        this.done(u, WAIT_OK);
        this.settle(u);
      }
      return;
    }
    const r = applyReal(view, index, p.kind, p.a, p.b);
    const after = String(view[index]);
    const failed = OP_NAMES[p.kind] === 'compareExchange' && r !== p.a;
    this.say(t, p, before, after, failed ? `fails: expected ${String(p.a)}` : '');
    this.done(t, r);
    this.settle(t);
  }
}

function throws(call: () => unknown): boolean {
  try {
    call();
    return false;
  } catch {
    return true;
  }
}

const NOTHING: Pending = { kind: 0, addr: -1, type: 0, a: 0, b: 0, extra: '', error: undefined };
