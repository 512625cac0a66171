// SPDX-License-Identifier: GPL-2.0-only
/**
 * Runs mutants of the sweep: each against the litmus tests that reach its place, until one notices.
 *
 * Whether a test notices is decided by states alone, so it is the same on a machine that has other things to do: time
 * only ends what does not end by itself, and it is the process's CPU time.
 */
import { CheckUsageError, type Limits, RefusedError } from '../../check/index.js';
import { type LoadedTest, Suite, type SuiteSource } from '../../check/suite.js';
import { checkSteps, type Verdict } from '../../check/verdict.js';
import { CONTENTS } from '../contents.js';
import { EDITS } from '../edits.js';
import { editOf, reachEdit, SWEPT, type SweepMutant } from './modules.js';

const SUITE: SuiteSource = {
  file: new URL('../index.js', import.meta.url),
  edits: EDITS,
  mutants: [],
  // To load all files for each mutant would take longer than most searches.
  parts: Object.entries(CONTENTS).map(([file, tests]) => ({
    file: new URL(`../${file}.js`, import.meta.url),
    tests,
  })),
};

/**
 * States that each litmus test of this package may have. The suite is run with it (test/unit/check_cli.test.ts): a mutant
 * that makes a test larger fails the suite.
 */
export const SUITE_MAX_STATES = 1_500_000;
/** Tests larger than this take no part in the sweep. */
const REACH_MAX_STATES = 350_000;
/** Far more than a search of so many states takes, whatever else the machine does. */
const MAX_SECONDS = 60;
/** Ends a search that does not even come to a look at that time. */
const MAX_WALL_SECONDS = 1200;

/** States that a mutant may make of a test at first: twice as many as it has, or this. */
const FIRST_MAX_STATES = 150_000;
/** The same for a search of that many states: what has not ended then goes round a loop, each turn longer than the last. */
const FIRST_MAX_SECONDS = 20;

/** A test that reaches a statement, and the states it has without a mutant. */
export interface ReachingTest {
  readonly name: string;
  readonly states: number;
}

/** For each statement (`file:offset`) the tests that reach it, the smallest first. */
export type Reach = Readonly<Record<string, readonly ReachingTest[]>>;

/** What came of a mutant. */
export interface SweepResult {
  readonly key: string;
  /**
   * A verdict's kind; `refused`, `setup`: the check fails otherwise than by a verdict; `states`: a test has more states
   * than any test may have; `endless`: a small test came to no end; `survived`; `unreached`; `slow`: it is not known,
   * because the machine was too slow.
   */
  readonly outcome: string;
  readonly test: string;
  readonly steps: number;
  readonly timeMs: number;
}

/** Called now and then: whoever waits learns that the search goes on. */
export type Alive = () => Promise<void>;

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function run({ test, program }: LoadedTest, maxStates: number, alive: Alive): Promise<Verdict> {
  const maxSeconds = maxStates === FIRST_MAX_STATES ? FIRST_MAX_SECONDS : MAX_SECONDS;
  const limits: Limits = { maxStates, maxSeconds: MAX_WALL_SECONDS };
  const until = cpuSeconds() + maxSeconds;
  const steps = checkSteps(test, program, limits, { first: true });
  for (;;) {
    const step = steps.next(cpuSeconds() > until);
    if (step.done === true) return step.value;
    await alive();
  }
}

/** Runs the suite once and notes which statements each test reaches. */
export async function reachOf(alive: Alive): Promise<Reach> {
  let reached = new Set<string>();
  (globalThis as Record<string, unknown>).sweepReached = (at: string) => reached.add(at);
  const suite = await Suite.open(SUITE, SWEPT.map(reachEdit));
  const by = new Map<string, ReachingTest[]>();
  for (const name of suite.names) {
    const loaded = await suite.load(name);
    reached = new Set();
    const { outcome, search } = await run(loaded, REACH_MAX_STATES, alive);
    if (outcome === 'incomplete' && search.states > REACH_MAX_STATES) continue;
    if (outcome !== 'holds') throw new Error(`${name} does not hold without any mutant: ${outcome}`);
    for (const at of reached) {
      const tests = by.get(at) ?? [];
      tests.push({ name, states: search.states });
      by.set(at, tests);
    }
  }
  return Object.fromEntries([...by].map(([at, tests]) => [at, tests.sort((a, b) => a.states - b.states)]));
}

/** Runs one mutant against the tests given. */
export async function runSweepMutant(
  mutant: SweepMutant,
  tests: readonly ReachingTest[],
  alive: Alive,
): Promise<SweepResult> {
  const begin = performance.now();
  const result = (outcome: string, test: string, steps = 0): SweepResult => ({
    key: mutant.key,
    outcome,
    test,
    steps,
    timeMs: Math.round(performance.now() - begin),
  });
  const suite = await Suite.open(SUITE, [editOf(mutant)]);
  let slow = '';
  /** @returns what the test says of the mutant; null: it holds; `cut`: not within so many states */
  const ask = async (name: string, maxStates: number): Promise<SweepResult | 'cut' | null> => {
    let test: LoadedTest;
    try {
      test = await suite.load(name);
    } catch (e) {
      if (e instanceof RefusedError || e instanceof CheckUsageError) return result('refused', 'load');
      throw new Error(`${mutant.key}: ${String(e)}`);
    }
    try {
      const { outcome, counterexample: c, search } = await run(test, maxStates, alive);
      if (c !== null) return result(c.kind, name, c.steps);
      if (outcome !== 'incomplete') return null;
      if (search.states > maxStates) return 'cut';
      if (maxStates === FIRST_MAX_STATES) return result('endless', name);
      slow = name;
      return null;
    } catch (e) {
      // Setup throws, or the code can no longer be checked: the test fails either way.
      return result(e instanceof RefusedError ? 'refused' : 'setup', name);
    }
  };
  const cut: string[] = [];
  for (const { name, states } of tests) {
    const r = await ask(name, Math.max(FIRST_MAX_STATES, 2 * states));
    if (r === 'cut') cut.push(name);
    else if (r !== null) return r;
  }
  for (const name of cut) {
    const r = await ask(name, SUITE_MAX_STATES);
    if (r === 'cut') return result('states', name);
    if (r !== null) return r;
  }
  return result(slow === '' ? 'survived' : 'slow', slow);
}
