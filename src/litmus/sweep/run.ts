// SPDX-License-Identifier: GPL-2.0-only
/** Runs mutants of the sweep: each against the litmus tests that reach its place, until one notices. */

import {
  CheckUsageError,
  type Limits,
  type Litmus,
  litmusTests,
  loadProgram,
  RefusedError,
} from '../../check/index.js';
import { check } from '../../check/verdict.js';
import { EDITS } from '../edits.js';
import { editOf, reachEdit, SWEPT, type SweepMutant } from './modules.js';

const TESTS = new URL('../index.js', import.meta.url);

/** For each statement (`file:offset`) the tests that reach it, the fastest first. */
export type Reach = Readonly<Record<string, readonly string[]>>;

/** A mutant that blows up so many tests beyond the limits is not tried on more. */
const MOST_CUTS = 2;

/** What came of a mutant. */
export interface SweepResult {
  readonly key: string;
  /** A verdict's kind; refused, incomplete: the check fails otherwise than by a verdict; survived; unreached. */
  readonly outcome: string;
  readonly test: string;
  readonly steps: number;
  readonly timeMs: number;
}

/** Runs the suite once and notes which statements each test reaches. A test beyond the limits takes no part in the sweep. */
export async function reachOf(limits: Limits): Promise<Reach> {
  let reached = new Set<string>();
  (globalThis as Record<string, unknown>).sweepReached = (at: string) => reached.add(at);
  const program = await loadProgram(TESTS, { edits: [...EDITS, ...SWEPT.map(reachEdit)] });
  const times = new Map<string, number>();
  const by = new Map<string, string[]>();
  for (const test of litmusTests(program.exports)) {
    reached = new Set();
    const begin = performance.now();
    const verdict = check(test, program, limits, { first: true });
    if (verdict.outcome === 'incomplete') continue;
    if (verdict.outcome !== 'holds') throw new Error(`${test.name} does not hold without any mutant`);
    times.set(test.name, performance.now() - begin);
    for (const at of reached) {
      const tests = by.get(at);
      if (tests === undefined) by.set(at, [test.name]);
      else tests.push(test.name);
    }
  }
  const order = (a: string, b: string): number => (times.get(a) ?? 0) - (times.get(b) ?? 0);
  return Object.fromEntries([...by].map(([at, tests]) => [at, tests.sort(order)]));
}

/** Runs one mutant against the tests named. */
export async function runSweepMutant(
  mutant: SweepMutant,
  tests: readonly string[],
  limits: Limits,
): Promise<SweepResult> {
  const begin = performance.now();
  const result = (outcome: string, test: string, steps = 0): SweepResult => ({
    key: mutant.key,
    outcome,
    test,
    steps,
    timeMs: performance.now() - begin,
  });
  let all: Litmus[];
  let program: Awaited<ReturnType<typeof loadProgram>>;
  try {
    program = await loadProgram(TESTS, { edits: [...EDITS, editOf(mutant)] });
    all = litmusTests(program.exports);
  } catch (e) {
    if (e instanceof RefusedError || e instanceof CheckUsageError) return result('refused', 'load');
    throw new Error(`${mutant.key}: ${String(e)}`);
  }
  let cut = '';
  let cuts = 0;
  for (const name of tests) {
    const test = all.find((t) => t.name === name);
    if (test === undefined) throw new Error(`there is no test ${name}`);
    try {
      const { outcome, counterexample: c } = check(test, program, limits, { first: true });
      if (c !== null) return result(c.kind, name, c.steps);
      if (outcome === 'incomplete') {
        if (cut === '') cut = name;
        if (++cuts === MOST_CUTS) break;
      }
    } catch (e) {
      // Setup throws, or the code can no longer be checked: the test fails either way.
      return result(e instanceof RefusedError ? 'refused' : 'setup', name);
    }
  }
  return cut === '' ? result('survived', '') : result('incomplete', cut);
}
