// SPDX-License-Identifier: GPL-2.0-only
/** softnet check: explores every interleaving of litmus tests. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { traceHtml } from '../check/html.js';
import type { Limits } from '../check/limits.js';
import type { Litmus } from '../check/litmus.js';
import type { Program } from '../check/load.js';
import { CheckUsageError, RefusedError } from '../check/refuse.js';
import { traceText, verdictJson, verdictText } from '../check/report.js';
import { loadSuite, readSuite, type SuiteSource } from '../check/suite.js';
import { check, parseReplay, replayTrace, type Verdict } from '../check/verdict.js';
import { EDITS } from '../litmus/edits.js';
import { MUTANTS } from '../litmus/mutants/index.js';
import { checkMutants } from './check_mutants.js';
import { EXIT_CHECK_FAILED, EXIT_OK, EXIT_UNTRUSTED, EXIT_USAGE } from './exit_codes.js';

/** The litmus tests of this package. */
const OWN_TESTS = new URL('../litmus/index.js', import.meta.url);

/** Options of the command. */
export interface CheckOptions {
  readonly list: boolean;
  readonly json: boolean;
  readonly module?: string;
  readonly instrument: readonly string[];
  readonly maxStates: number;
  readonly maxSeconds: number;
  readonly replay?: string;
  readonly trace?: string;
  readonly mutants: boolean;
}

/**
 * Runs the command.
 * @returns the exit code: 0 all hold, 1 one is violated, 2 wrong use or code that cannot be checked, 7 a search was cut
 */
export async function checkCommand(names: readonly string[], o: CheckOptions): Promise<number> {
  try {
    return await run(names, o);
  } catch (e) {
    if (!(e instanceof RefusedError) && !(e instanceof CheckUsageError)) throw e;
    process.stderr.write(`softnet check: ${e instanceof RefusedError ? 'refused: ' : ''}${e.message}\n`);
    return EXIT_USAGE;
  }
}

async function run(names: readonly string[], o: CheckOptions): Promise<number> {
  const limits: Limits = { maxStates: o.maxStates, maxSeconds: o.maxSeconds };
  const suite: SuiteSource =
    o.module === undefined
      ? { file: OWN_TESTS, edits: EDITS, mutants: MUTANTS }
      : await readSuite(resolve(o.module), o.instrument);
  if (o.mutants) {
    if (o.replay !== undefined || o.trace !== undefined)
      throw new CheckUsageError('--mutants goes with no --replay and no --trace');
    return checkMutants(suite, names, limits, o);
  }
  const { program, tests: all } = await loadSuite(suite);
  if (all.length === 0)
    throw new CheckUsageError(`${o.module} exports no litmus test; export what litmus() returns`);
  if (o.replay !== undefined) return replay(o, all, program);
  const tests = select(all, names);
  if (o.list) return list(tests, o.json);
  return explore(tests, program, limits, o);
}

function select(all: readonly Litmus[], names: readonly string[]): readonly Litmus[] {
  for (const name of names) {
    if (!all.some((t) => t.name === name)) {
      throw new CheckUsageError(`there is no litmus test ${name}; softnet check --list shows them`);
    }
  }
  return names.length === 0 ? all : all.filter((t) => names.includes(t.name));
}

function list(tests: readonly Litmus[], json: boolean): number {
  if (json) {
    const rows = tests.map((t) => ({ test: t.name, threads: t.threadNames, forbids: t.forbids, why: t.why }));
    process.stdout.write(`${JSON.stringify({ tests: rows }, null, 2)}\n`);
  } else {
    const width = Math.max(...tests.map((t) => t.name.length));
    for (const t of tests) process.stdout.write(`${t.name.padEnd(width)}  ${t.forbids}\n`);
  }
  return EXIT_OK;
}

function replay(o: CheckOptions, all: readonly Litmus[], program: Program): number {
  const text = o.replay as string;
  const r = parseReplay(text);
  const trace = replayTrace(text, all, program);
  const test = all.find((t) => t.name === r.name) as Litmus;
  if (o.trace !== undefined) save(o.trace, traceHtml(r.name, r.kind, test.threadNames, trace));
  if (o.json) process.stdout.write(`${JSON.stringify({ test: r.name, kind: r.kind, trace }, null, 2)}\n`);
  else process.stdout.write(`Test ${r.name}, ${r.kind}\n${traceText(trace)}\n`);
  return EXIT_OK;
}

function explore(tests: readonly Litmus[], program: Program, limits: Limits, o: CheckOptions): number {
  const begin = performance.now();
  const verdicts: Verdict[] = [];
  for (const t of tests) {
    const v = check(t, program, limits);
    verdicts.push(v);
    if (!o.json) process.stdout.write(`${verdictText(v)}\n`);
  }
  const failed = verdicts.filter((v) => v.outcome === 'violated');
  const cut = verdicts.filter((v) => v.outcome === 'incomplete');
  const timeMs = performance.now() - begin;
  if (o.trace !== undefined) writeTrace(o.trace, failed[0]);
  if (o.json) {
    const states = verdicts.reduce((n, v) => n + v.search.states, 0);
    const doc = {
      digest: program.digest,
      max_states: limits.maxStates,
      max_seconds: limits.maxSeconds,
      time_ns: Math.round(timeMs * 1e6),
      states,
      tests: verdicts.map(verdictJson),
    };
    process.stdout.write(`${JSON.stringify(doc, null, 2)}\n`);
  } else {
    process.stdout.write(
      `${tests.length} tests: ${tests.length - failed.length - cut.length} hold, ${failed.length} violated, ` +
        `${cut.length} incomplete; ${(timeMs / 1e3).toFixed(1)} s\n`,
    );
  }
  if (failed.length > 0) return EXIT_CHECK_FAILED;
  return cut.length > 0 ? EXIT_UNTRUSTED : EXIT_OK;
}

function writeTrace(file: string, v: Verdict | undefined): void {
  const c = v?.counterexample;
  if (v === undefined || c === null || c === undefined) {
    process.stderr.write(`softnet check: no counterexample, so ${file} is not written\n`);
    return;
  }
  save(file, traceHtml(v.test.name, `${c.kind}: ${c.message}`, v.test.threadNames, c.trace));
}

function save(file: string, html: string): void {
  try {
    writeFileSync(file, html);
  } catch (e) {
    throw new CheckUsageError(`the trace cannot be written: ${(e as Error).message}`);
  }
}
