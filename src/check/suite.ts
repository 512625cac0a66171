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
import { type Litmus, litmusTests, noTest } from './litmus.js';
import { loadPlain, OpenProgram, type Program } from './load.js';
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
  /** The files that `file` gathers, where it does nothing else: each is loaded when the first of its tests is due. */
  readonly parts?: readonly SuitePart[];
  /** Names of tests that take long, the longest first: these are begun before others. */
  readonly long?: readonly string[];
}

/** A file of a suite. */
export interface SuitePart {
  /** Path, or file: address. */
  readonly file: string | URL;
  /** Names of its tests, in the order of export. */
  readonly tests: readonly string[];
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

/** A test, and the program that it is part of. */
export interface LoadedTest {
  readonly program: Program;
  readonly test: Litmus;
}

/** The tests of a suite, each loaded when it is asked for. */
export class Suite {
  /** Names of all tests, in the order in which they run. */
  readonly names: readonly string[];
  private readonly open: OpenProgram;
  private readonly edits: readonly Edit[];
  private readonly parts: readonly SuitePart[];
  private readonly loaded = new Map<SuitePart, readonly LoadedTest[]>();

  private constructor(open: OpenProgram, parts: readonly SuitePart[], edits: readonly Edit[]) {
    this.open = open;
    this.parts = parts;
    this.edits = edits;
    this.names = parts.flatMap((p) => p.tests);
  }

  /** @param more edits beside those of the suite @throws RefusedError, CheckUsageError */
  static async open(s: SuiteSource, more: readonly Edit[] = []): Promise<Suite> {
    const edits = [...s.edits, ...more];
    const open = new OpenProgram({ packages: s.packages, edits });
    if (s.parts !== undefined) return new Suite(open, s.parts, edits);
    const program = await open.load(s.file);
    open.checkEdits(edits);
    const tests = litmusTests(program.exports);
    const part = { file: s.file, tests: tests.map((t) => t.name) };
    const suite = new Suite(open, [part], edits);
    suite.loaded.set(
      part,
      tests.map((test) => ({ program, test })),
    );
    return suite;
  }

  /** @returns a number for the file that a test is in: the same for tests of one file, -1 if there is no such test */
  fileOf(name: string): number {
    return this.parts.findIndex((p) => p.tests.includes(name));
  }

  /**
   * Loads one test.
   * @param edits those that must concern a module which the test runs
   * @throws RefusedError, CheckUsageError
   */
  async load(name: string, edits: readonly Edit[] = []): Promise<LoadedTest> {
    const part = this.parts.find((p) => p.tests.includes(name));
    const found = part === undefined ? undefined : (await this.part(part)).find((t) => t.test.name === name);
    if (found === undefined) throw noTest(name);
    this.open.checkEdits(edits);
    return found;
  }

  private async part(part: SuitePart): Promise<readonly LoadedTest[]> {
    let tests = this.loaded.get(part);
    if (tests === undefined) {
      const program = await this.open.load(part.file);
      tests = litmusTests(program.exports).map((test) => ({ program, test }));
      this.loaded.set(part, tests);
      // Only the whole suite says that an edit concerns nothing.
      if (this.loaded.size === this.parts.length) this.open.checkEdits(this.edits);
    }
    return tests;
  }
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
    const suite = await Suite.open(s, mutant.edits);
    if (!suite.names.includes(mutant.test))
      return result(null, 0, `there is no litmus test ${mutant.test}`, '');
    const { program, test } = await suite.load(mutant.test, mutant.edits);
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
