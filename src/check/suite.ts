// SPDX-License-Identifier: GPL-2.0-only
/**
 * A module of litmus tests with all that it states: beside the tests, source edits that make the code under test
 * checkable (`export const edits`), and bugs that the tests must catch (`export const mutants`).
 *
 * Edits have to be known before the code they concern is loaded, so a module that states any is first imported as plain
 * JavaScript, only to read them.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Edit } from './edits.js';
import { FINDING_KINDS, type FindingKind } from './finding.js';
import type { Limits } from './limits.js';
import { type Litmus, litmusTests } from './litmus.js';
import { loadPlain, loadProgram, type Program } from './load.js';
import { CheckUsageError } from './refuse.js';
import { check } from './verdict.js';

/** A bug put in on purpose, as edits of the source at load. */
export interface Mutant {
  readonly name: string;
  /** Where it comes from: a commit, an issue. */
  readonly commit?: string;
  /** What is wrong with it. */
  readonly why: string;
  /** Each text to replace must stand in its file exactly once: a stale mutant is a failure. */
  readonly edits: readonly Edit[];
  /** The litmus test that must catch it. */
  readonly test: string;
  /** The kind of counterexample that this test must find. */
  readonly verdict: FindingKind;
}

/** Where litmus tests are, and what belongs to them. */
export interface SuiteSource {
  /** Path, or file: address. */
  readonly file: string | URL;
  /** Packages whose code is instrumented, too. */
  readonly packages?: readonly string[];
  readonly edits: readonly Edit[];
  readonly mutants: readonly Mutant[];
}

/** A mutant's fate. */
export interface MutantResult {
  readonly mutant: Mutant;
  /** What the litmus test found, null if it did not notice. */
  readonly kind: FindingKind | null;
  /** Atomic steps of the counterexample. */
  readonly steps: number;
  readonly timeMs: number;
  /** Why the mutant could not be run, '' if it could. */
  readonly stale: string;
  /** Which limit cut the search before anything was found, '' if none did. */
  readonly cutBy: string;
  /** The test noticed, with the verdict that was expected. */
  readonly caught: boolean;
}

/**
 * Reads which edits and mutants a module of litmus tests states.
 * @throws CheckUsageError if it cannot be imported, or if what it exports under these names is something else
 */
export async function readSuite(file: string | URL, packages: readonly string[] = []): Promise<SuiteSource> {
  const path = typeof file === 'string' ? file : fileURLToPath(file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (e) {
    throw new CheckUsageError(`${path} cannot be read: ${(e as Error).message}`);
  }
  // Modules that state neither are not evaluated as plain code at all.
  if (!/\bedits\b|\bmutants\b|\bexport\s*\*/.test(text)) return { file, packages, edits: [], mutants: [] };
  const found = await loadPlain(file, packages);
  return {
    file,
    packages,
    edits: editList(found.edits, `${path}: edits`),
    mutants: mutantList(found.mutants, `${path}: mutants`),
  };
}

/** Loads the tests of a suite, with its edits and more. @throws RefusedError, CheckUsageError */
export async function loadSuite(
  s: SuiteSource,
  more: readonly Edit[] = [],
): Promise<{ program: Program; tests: readonly Litmus[] }> {
  const program = await loadProgram(s.file, { packages: s.packages, edits: [...s.edits, ...more] });
  return { program, tests: litmusTests(program.exports) };
}

/** Puts one mutant in and runs the test that must catch it. What keeps it from running is in the result. */
export async function runMutant(s: SuiteSource, mutant: Mutant, limits: Limits): Promise<MutantResult> {
  const begin = performance.now();
  const result = (kind: FindingKind | null, steps: number, stale: string, cutBy: string): MutantResult => ({
    mutant,
    kind,
    steps,
    timeMs: performance.now() - begin,
    stale,
    cutBy,
    caught: kind === mutant.verdict,
  });
  try {
    const { program, tests } = await loadSuite(s, mutant.edits);
    const test = tests.find((t) => t.name === mutant.test);
    if (test === undefined) return result(null, 0, `there is no litmus test ${mutant.test}`, '');
    const { counterexample: c, search } = check(test, program, limits, { first: true });
    return result(c?.kind ?? null, c?.steps ?? 0, '', c === null ? search.cutBy : '');
  } catch (e) {
    return result(null, 0, e instanceof Error ? e.message : String(e), '');
  }
}

function editList(value: unknown, where: string): readonly Edit[] {
  if (value === undefined) return [];
  if (!Array.isArray(value))
    throw new CheckUsageError(`${where} must be an array of { file, find, replace }`);
  value.forEach((e: unknown, i) => {
    const x = e as Partial<Edit> | null;
    const texts = [x?.file, x?.find, x?.replace];
    if (texts.some((t) => typeof t !== 'string') || x?.file === '' || x?.find === '') {
      throw new CheckUsageError(`${where}[${i}] must be { file, find, replace }, three strings`);
    }
  });
  return value as Edit[];
}

function mutantList(value: unknown, where: string): readonly Mutant[] {
  if (value === undefined) return [];
  const shape = '{ name, why, edits, test, verdict }';
  if (!Array.isArray(value)) throw new CheckUsageError(`${where} must be an array of ${shape}`);
  const names = new Set<string>();
  value.forEach((m: unknown, i) => {
    const x = m as Partial<Mutant> | null;
    if ([x?.name, x?.why, x?.test].some((t) => typeof t !== 'string' || t === '')) {
      throw new CheckUsageError(`${where}[${i}] must be ${shape}; name, why and test are strings`);
    }
    const { name, verdict, edits } = x as Mutant;
    if (names.has(name)) throw new CheckUsageError(`${where}: two have the name ${name}`);
    names.add(name);
    if (!FINDING_KINDS.includes(verdict)) {
      throw new CheckUsageError(
        `${where}: the verdict of ${name} must be one of ${FINDING_KINDS.join(', ')}`,
      );
    }
    if (editList(edits, `${where}: edits of ${name}`).length === 0)
      throw new CheckUsageError(`${where}: ${name} changes nothing; give it edits`);
  });
  return value as Mutant[];
}
