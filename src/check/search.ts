// SPDX-License-Identifier: GPL-2.0-only
/**
 * Breadth-first search over exact states: memory, the continuation of each thread, who sleeps and in which order.
 *
 * Loops lead back to states seen before, so there is no bound on steps; when the search ends it has seen every state, and
 * the first counterexample is the shortest.
 */
import { Examiner, Transitions } from './examiner.js';
import type { Finding } from './finding.js';
import type { Front } from './front.js';
import { INTERRUPTED, type Limits, TimeIsUp } from './limits.js';
import type { Setting } from './setting.js';
import { StateTable } from './state_table.js';
import { Stepper } from './stepper.js';

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
  const steps = searchSteps(setting, limits, options);
  for (;;) {
    const step = steps.next(false);
    if (step.done === true) return step.value;
  }
}

/** The same in slices of about SLICE_MS, so that the caller's event loop turns; hand `true` to next() to stop. */
export function searchSteps(
  setting: Setting,
  limits: Limits,
  options: SearchOptions = {},
): Generator<void, SearchResult, boolean> {
  return new Search(setting, limits, options).steps();
}

const SLICE_MS = 50;

class Search {
  private readonly limits: Limits;
  private readonly options: SearchOptions;
  private readonly stepper: Stepper;
  private readonly table: StateTable;
  private readonly examiner: Examiner;
  /** Recorded only if a goal is to be reached. */
  private readonly transitions: Transitions | null;
  private taken = 0;

  constructor(setting: Setting, limits: Limits, options: SearchOptions) {
    this.limits = limits;
    this.options = options;
    this.stepper = new Stepper(setting);
    this.stepper.front.audit = options.audit ?? false;
    this.stepper.front.merge = options.merge ?? true;
    this.table = new StateTable(this.stepper.threads + 1);
    this.examiner = new Examiner(this.stepper, this.table, options.atRest);
    this.transitions = setting.test.spec.goal === false ? null : new Transitions();
  }

  *steps(): Generator<void, SearchResult, boolean> {
    const begin = performance.now();
    const { table, limits, stepper, examiner, transitions } = this;
    const { memory, threads, setting } = stepper;
    const untilMs = begin + limits.maxSeconds * 1e3;
    stepper.front.untilMs = untilMs;
    let cutBy = '';
    let i = 0;
    let complete = false;
    let sliceMs = begin;
    const before = new Int32Array(threads + 1);
    try {
      this.start();
      for (; i < table.count; i++) {
        if (examiner.findings.length > 0 && this.options.first === true) break;
        if (table.count > limits.maxStates) cutBy = `--max-states ${limits.maxStates}`;
        else if ((i & 0xff) === 0) {
          const nowMs = performance.now();
          if (nowMs > untilMs) throw new TimeIsUp();
          if (nowMs > sliceMs + SLICE_MS) {
            if (yield) cutBy = INTERRUPTED;
            sliceMs = performance.now();
          }
        }
        if (cutBy !== '') break;
        const at = i * table.width;
        for (let x = 0; x <= threads; x++) before[x] = table.pool[at + x];
        this.expand(i, before);
        transitions?.end(i);
      }
      if (i === table.count && transitions !== null && examiner.findings.length === 0)
        examiner.checkGoal(transitions, untilMs);
      complete = i === table.count;
    } catch (e) {
      if (!(e instanceof TimeIsUp)) throw e;
      cutBy = `--max-seconds ${limits.maxSeconds}`;
    }
    const result: SearchResult = {
      findings: examiner.findings,
      complete,
      cutBy,
      states: table.count,
      transitions: this.taken,
      positive: examiner.positive,
      negative: examiner.negative,
      timeMs: performance.now() - begin,
      bytes: table.byteLength + memory.table.byteLength + (transitions?.byteLength ?? 0),
      slots: memory.words.length,
      front: stepper.front.stats,
    };
    setting.memory.restore(setting.base);
    return result;
  }

  private start(): void {
    const { stepper, table, examiner } = this;
    stepper.start();
    stepper.now[0] = stepper.memory.intern();
    table.intern(stepper.now, -1, 0);
    examiner.examine(0, (1 << stepper.threads) - 1);
  }

  private expand(i: number, before: Int32Array): void {
    const { stepper, examiner, table, transitions } = this;
    const { memory, now, threads } = stepper;
    if (examiner.bad.has(i)) {
      examiner.good.push(i);
      return;
    }
    memory.load(before[0]);
    let moved = false;
    for (let t = 0; t < threads; t++) {
      if (!stepper.canMove(before[t + 1])) continue;
      moved = true;
      for (let x = 0; x <= threads; x++) now[x] = before[x];
      const changed = stepper.move(t);
      if (memory.dirty) now[0] = memory.intern();
      const count = table.count;
      const j = table.intern(now, i, t);
      this.taken++;
      if (transitions !== null) transitions.add(j);
      if (j === count) examiner.examine(j, changed);
      memory.rollback();
    }
    if (!moved) examiner.atRest(i, before);
  }
}
