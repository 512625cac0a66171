// SPDX-License-Identifier: GPL-2.0-only
/** What is looked at in the states of a search: failures, races, states of rest, and whether the goal is in reach. */
import type { Finding } from './finding.js';
import { unreachable } from './goal.js';
import { TimeIsUp } from './limits.js';
import { isAssertion, type ThreadStates } from './litmus.js';
import { OP_END } from './ops.js';
import { type Race, RaceCheck } from './races.js';
import { CheckUsageError } from './refuse.js';
import type { StateTable } from './state_table.js';
import { isAsleep, type Stepper } from './stepper.js';

/** Most counterexamples that are kept. */
const MAX_FINDINGS = 16;

/** All transitions, in order of their source: `edgeEnd[i]` ends those of state i. */
export class Transitions {
  edges = new Int32Array(4096);
  edgeEnd = new Int32Array(1024);
  count = 0;

  add(target: number): void {
    if (this.count === this.edges.length) this.edges = grow(this.edges);
    this.edges[this.count++] = target;
  }

  /** Ends the transitions of a state. */
  end(source: number): void {
    if (source >= this.edgeEnd.length) this.edgeEnd = grow(this.edgeEnd);
    this.edgeEnd[source] = this.count;
  }

  get byteLength(): number {
    return this.edges.byteLength + this.edgeEnd.byteLength;
  }
}

function grow(a: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const next = new Int32Array(a.length + (a.length >> 1));
  next.set(a);
  return next;
}

export class Examiner {
  readonly findings: Finding[] = [];
  /** States with a violation: nothing is explored behind them. */
  readonly bad = new Set<number>();
  /** States that meet the goal, and those with a violation. */
  readonly good: number[] = [];
  /** States where nothing can move, with a violation and without. */
  positive = 0;
  negative = 0;
  private readonly stepper: Stepper;
  private readonly table: StateTable;
  private readonly races: RaceCheck;
  private readonly onRest: ((sleepsOn: readonly number[]) => void) | undefined;

  /** @param onRest called for every state where nothing can move, memory in place */
  constructor(stepper: Stepper, table: StateTable, onRest?: (sleepsOn: readonly number[]) => void) {
    this.stepper = stepper;
    this.table = table;
    this.onRest = onRest;
    this.races = new RaceCheck(stepper.memory);
  }

  private find(kind: Finding['kind'], message: string, state: number, race: Race | null = null): void {
    this.positive++;
    if (this.findings.length < MAX_FINDINGS)
      this.findings.push({ kind, message, path: this.table.path(state), race });
  }

  /**
   * Looks at a state that was seen for the first time: the state in hand.
   * @param changed threads that moved into it, a bit each
   */
  examine(state: number, changed: number): void {
    const { stepper } = this;
    if (stepper.failed !== null) {
      this.bad.add(state);
      this.find(stepper.failed, stepper.failure, state);
      stepper.failed = null;
      return;
    }
    const { now, threads } = stepper;
    for (let p = 0; p < threads; p++) {
      if (((changed >> p) & 1) === 0) continue;
      const a = stepper.at(now[p + 1]);
      const aAsleep = isAsleep(now[p + 1]);
      for (let q = 0; q < threads; q++) {
        if (q === p || (q < p && ((changed >> q) & 1) !== 0)) continue;
        const b = stepper.at(now[q + 1]);
        const race = this.races.between(a, aAsleep, b, isAsleep(now[q + 1]));
        if (race === null) continue;
        this.bad.add(state);
        const { names } = stepper.setting;
        const word = stepper.setting.wordName(race.addr);
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
    const { stepper } = this;
    const { names } = stepper.setting;
    const at = (name: string): number => {
      const t = names.indexOf(name);
      if (t < 0) {
        const { test, names } = stepper.setting;
        throw new CheckUsageError(
          `litmus ${test.name}: goal asks for a thread ${JSON.stringify(name)}; there are ${names.join(', ')}`,
        );
      }
      return v[t + 1];
    };
    return {
      asleep: (name) => isAsleep(at(name)),
      ended: (name) => stepper.at(at(name)).kind === OP_END,
    };
  }

  /** Puts the memory of the state in hand where setup, final and goal see it. */
  private expose(): void {
    const { memory, setting } = this.stepper;
    for (const w of memory.words) setting.memory.poke(w, memory.get(w));
  }

  /** Looks at a state where nothing can move. @param v its record */
  atRest(i: number, v: Int32Array): void {
    const { stepper } = this;
    const { setting } = stepper;
    if (setting.test.spec.goal === undefined) this.good.push(i);
    const { names, daemon } = setting;
    const stuck: string[] = [];
    let asleep = 0;
    for (let t = 0; t < stepper.threads; t++) {
      if (!isAsleep(v[t + 1])) continue;
      asleep++;
      if (!daemon[t]) {
        const c = stepper.at(v[t + 1]);
        stuck.push(`${names[t]} sleeps on ${setting.wordName(c.addr)}`);
      }
    }
    this.expose();
    this.onRest?.(names.map((_, t) => (isAsleep(v[t + 1]) ? stepper.at(v[t + 1]).addr : -1)));
    if (stuck.length > 0) {
      const all = asleep > 1;
      this.find(all ? 'deadlock' : 'asleep', stuck.join('; '), i);
      return;
    }
    try {
      setting.final();
      this.negative++;
    } catch (e) {
      this.find(asleep > 0 ? 'lost-wakeup' : 'assertion', e instanceof Error ? e.message : String(e), i);
    }
  }

  /** Looks whether from every state one that meets the goal can be reached. @throws TimeIsUp behind `untilMs` */
  checkGoal(transitions: Transitions, untilMs: number): void {
    const { table, stepper, good } = this;
    const { memory, setting } = stepper;
    if (typeof setting.test.spec.goal === 'function') {
      const v = new Int32Array(table.width);
      const threads = this.states(v);
      let last = -1;
      for (let i = 0; i < table.count; i++) {
        if ((i & 0xff) === 0 && performance.now() > untilMs) throw new TimeIsUp();
        for (let x = 0; x < table.width; x++) v[x] = table.pool[i * table.width + x];
        if (v[0] !== last) {
          memory.load(v[0]);
          this.expose();
          last = v[0];
        }
        try {
          if (setting.goal(threads)) good.push(i);
        } catch (e) {
          if (!isAssertion(e)) throw e;
          this.find('assertion', `goal: ${e.message}`, i);
          return;
        }
      }
    }
    const lost = unreachable(table.count, transitions.edges, transitions.edgeEnd, transitions.count, good);
    if (lost < 0) return;
    const v = table.pool.subarray(lost * table.width, (lost + 1) * table.width);
    const where = setting.names.map((name, t) => {
      const c = stepper.at(v[t + 1]);
      if (c.kind === OP_END) return `${name} has ended`;
      return `${name} ${isAsleep(v[t + 1]) ? 'sleeps' : 'stands'} at ${setting.wordName(c.addr)}`;
    });
    const goal = setting.test.spec.goal === undefined ? 'no state of rest' : 'no state that meets the goal';
    this.find('livelock', `from here ${goal} can be reached: ${where.join(', ')}`, lost);
  }
}
