// SPDX-License-Identifier: GPL-2.0-only
/** softnet check --mutants: bugs put in, each of which a litmus test must catch. */
import type { Limits } from '../../check/limits.js';
import { CheckUsageError } from '../../check/refuse.js';
import { type Mutant, type MutantResult, Suite, type SuiteSource } from '../../check/suite.js';
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_UNTRUSTED } from '../exit_codes.js';
import { table } from '../table.js';
import { named } from './names.js';
import { batchesOf, jobsFor, runPool } from './pool.js';
import { type CheckWork, stopWork, workState } from './work.js';

function resultText(r: MutantResult): string {
  if (r.stale !== '') return `STALE: ${r.stale}`;
  if (r.cutBy !== '') return `INCOMPLETE: cut by ${r.cutBy}`;
  if (r.kind === null) return 'NOT CAUGHT';
  return r.caught ? r.kind : `${r.kind}, but ${r.mutant.verdict} was expected`;
}

function resultJson(r: MutantResult): Record<string, unknown> {
  return {
    mutant: r.mutant.name,
    commit: r.mutant.commit ?? null,
    why: r.mutant.why,
    test: r.mutant.test,
    expected: r.mutant.verdict,
    found: r.kind,
    caught: r.caught,
    stale: r.stale === '' ? null : r.stale,
    cut_by: r.cutBy === '' ? null : r.cutBy,
    steps: r.steps,
    time_ns: Math.round(r.timeMs * 1e6),
  };
}

/** Shows which mutants there are. */
function list(mutants: readonly Mutant[], json: boolean): number {
  if (json) {
    const rows = mutants.map((m) => ({
      mutant: m.name,
      commit: m.commit ?? null,
      why: m.why,
      test: m.test,
      expected: m.verdict,
    }));
    process.stdout.write(`${JSON.stringify({ mutants: rows }, null, 2)}\n`);
  } else {
    const width = Math.max(...mutants.map((m) => m.name.length));
    for (const m of mutants) process.stdout.write(`${m.name.padEnd(width)}  ${m.why}\n`);
  }
  return EXIT_OK;
}

/**
 * Runs all mutants of a suite, or those named.
 * @returns the exit code: 1 if one is not caught or out of date, 7 if only limits were in the way
 * @throws RefusedError, CheckUsageError if the suite cannot be loaded as it is
 */
export async function checkMutants(
  suite: SuiteSource,
  names: readonly string[],
  limits: Limits,
  o: { readonly json: boolean; readonly list: boolean; readonly jobs?: number },
): Promise<number> {
  if (suite.mutants.length === 0) {
    throw new CheckUsageError(
      `${String(suite.file)} states no mutants; export const mutants = [{ name, why, edits, test, verdict }]`,
    );
  }
  const meant = named(
    suite.mutants.map((m) => m.name),
    names,
    (name) => new CheckUsageError(`there is no mutant ${name}; softnet check --mutants --list shows them`),
  );
  const mutants = suite.mutants.filter((m) => meant.includes(m.name));
  if (o.list) return list(mutants, o.json);
  const begin = performance.now();
  const all = await Suite.open(suite);
  const testOf = new Map(mutants.map((m) => [m.name, m.test]));
  const jobs = o.jobs ?? jobsFor(mutants.length);
  const batches = batchesOf(
    mutants.map((m) => m.name),
    (name) => testOf.get(name) ?? '',
    (test) => all.fileOf(test),
    suite.long ?? [],
    jobs,
  );
  const found = new Map<string, MutantResult>();
  const work: CheckWork = { source: suite, limits, mutants: true, html: false, batches, state: workState() };
  let interrupted = false;
  const onSignal = (): void => {
    interrupted = true;
    stopWork(work);
  };
  process.once('SIGINT', onSignal);
  await runPool(
    work,
    jobs,
    () => {},
    (r) => found.set((r as MutantResult).mutant.name, r as MutantResult),
  );
  process.removeListener('SIGINT', onSignal);
  const rows = mutants.map((m) => found.get(m.name)).filter((r) => r !== undefined);
  const missed = rows.filter((r) => !r.caught);
  if (o.json) {
    const doc = {
      max_states: limits.maxStates,
      max_seconds: limits.maxSeconds,
      time_ns: Math.round((performance.now() - begin) * 1e6),
      interrupted,
      not_run: mutants.filter((m) => !found.has(m.name)).map((m) => m.name),
      mutants: rows.map(resultJson),
    };
    process.stdout.write(`${JSON.stringify(doc, null, 2)}\n`);
  } else {
    const body = rows.map((r) => [
      r.mutant.name,
      r.mutant.commit ?? '',
      r.mutant.test,
      resultText(r),
      String(r.steps),
      `${(r.timeMs / 1e3).toFixed(2)} s`,
    ]);
    process.stdout.write(
      `${table([['mutant', 'commit', 'caught by', 'verdict', 'steps', 'time'], ...body])}\n`,
    );
    process.stdout.write(
      `${rows.length} mutants: ${rows.length - missed.length} caught, ${missed.length} not` +
        `${rows.length < mutants.length ? `, ${mutants.length - rows.length} not run` : ''}\n`,
    );
  }
  if (interrupted) return EXIT_INTERRUPTED;
  if (missed.length === 0) return EXIT_OK;
  return missed.every((r) => r.cutBy !== '') ? EXIT_UNTRUSTED : EXIT_CHECK_FAILED;
}
