// SPDX-License-Identifier: GPL-2.0-only
/** softnet check --mutants: historical bugs put back in, each of which a litmus test must catch. */
import type { FindingKind } from '../check/finding.js';
import type { Limits } from '../check/limits.js';
import { litmusTests } from '../check/litmus.js';
import { loadProgram } from '../check/load.js';
import { CheckUsageError } from '../check/refuse.js';
import { check } from '../check/verdict.js';
import { EDITS } from '../litmus/edits.js';
import { MUTANTS, type Mutant } from '../litmus/mutants/index.js';
import { EXIT_CHECK_FAILED, EXIT_OK } from './exit_codes.js';
import { table } from './table.js';

/** The litmus tests of this project. */
export const OWN_TESTS = new URL('../litmus/index.js', import.meta.url);

interface Row {
  readonly mutant: Mutant;
  /** What the litmus test found, null if it did not notice. */
  readonly kind: FindingKind | null;
  readonly steps: number;
  readonly timeMs: number;
  /** Why the mutant could not be run, '' if it could. */
  readonly stale: string;
}

async function runMutant(mutant: Mutant, limits: Limits): Promise<Row> {
  const begin = performance.now();
  const row = (kind: FindingKind | null, steps: number, stale: string): Row => ({
    mutant,
    kind,
    steps,
    timeMs: performance.now() - begin,
    stale,
  });
  let program: Awaited<ReturnType<typeof loadProgram>>;
  try {
    program = await loadProgram(OWN_TESTS, { edits: [...EDITS, ...mutant.edits] });
  } catch (e) {
    if (e instanceof CheckUsageError) return row(null, 0, e.message);
    throw e;
  }
  const test = litmusTests(program.exports).find((t) => t.name === mutant.test);
  if (test === undefined) return row(null, 0, `there is no litmus test ${mutant.test}`);
  const { counterexample: c } = check(test, program, limits, { first: true });
  return row(c?.kind ?? null, c?.steps ?? 0, '');
}

function caught(r: Row): boolean {
  return r.stale === '' && r.kind === r.mutant.verdict;
}

function resultText(r: Row): string {
  if (r.stale !== '') return `STALE: ${r.stale}`;
  if (r.kind === null) return 'NOT CAUGHT';
  return r.kind === r.mutant.verdict ? r.kind : `${r.kind}, but ${r.mutant.verdict} was expected`;
}

/** Runs all mutants, or those named. @returns the exit code */
export async function checkMutants(names: readonly string[], limits: Limits, json: boolean): Promise<number> {
  for (const name of names) {
    if (!MUTANTS.some((m) => m.name === name)) throw new CheckUsageError(`there is no mutant ${name}`);
  }
  const begin = performance.now();
  const rows: Row[] = [];
  for (const m of MUTANTS)
    if (names.length === 0 || names.includes(m.name)) rows.push(await runMutant(m, limits));
  const missed = rows.filter((r) => !caught(r));
  if (json) {
    const doc = {
      time_ns: Math.round((performance.now() - begin) * 1e6),
      mutants: rows.map((r) => ({
        mutant: r.mutant.name,
        commit: r.mutant.commit,
        why: r.mutant.why,
        test: r.mutant.test,
        expected: r.mutant.verdict,
        found: r.kind,
        caught: caught(r),
        stale: r.stale === '' ? null : r.stale,
        steps: r.steps,
        time_ns: Math.round(r.timeMs * 1e6),
      })),
    };
    process.stdout.write(`${JSON.stringify(doc, null, 2)}\n`);
  } else {
    const body = rows.map((r) => [
      r.mutant.name,
      r.mutant.commit,
      r.mutant.test,
      resultText(r),
      String(r.steps),
      `${(r.timeMs / 1e3).toFixed(2)} s`,
    ]);
    process.stdout.write(
      `${table([['mutant', 'commit', 'caught by', 'verdict', 'steps', 'time'], ...body])}\n`,
    );
    process.stdout.write(
      `${rows.length} mutants: ${rows.length - missed.length} caught, ${missed.length} not\n`,
    );
  }
  return missed.length === 0 ? EXIT_OK : EXIT_CHECK_FAILED;
}
