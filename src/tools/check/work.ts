// SPDX-License-Identifier: GPL-2.0-only
/**
 * The work of softnet check, in batches that any thread may take: tests to explore, or mutants to run. A thread has
 * programs of its own, since what an engine has loaded cannot be handed on.
 */
import { resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Limits } from '../../check/limits.js';
import { type MutantResult, runMutant, Suite, type SuiteSource } from '../../check/suite.js';
import { exploreRow, type TestRow } from './rows.js';

/** What is to be done, as it is handed to a thread: addresses are text. */
export interface CheckWork {
  readonly source: SuiteSource;
  readonly limits: Limits;
  /** Names are those of mutants. */
  readonly mutants: boolean;
  /** Make the pages of counterexamples. */
  readonly html: boolean;
  /** Names of tests or mutants. Each batch is one thread's. */
  readonly batches: readonly (readonly string[])[];
  /** Shared by all threads: [NEXT_BATCH, STOP]. */
  readonly state: Int32Array<SharedArrayBuffer>;
}

/** Word of the state: the next batch that nobody has. */
const NEXT_BATCH = 0;
/** Word of the state: not 0 when all are to end. */
const STOP = 1;

/** @returns the shared state of a pool, at its beginning */
export function workState(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** Has all threads end; a search under way is cut. */
export function stopWork(w: CheckWork): void {
  Atomics.store(w.state, STOP, 1);
}

/** @returns the same work with addresses in a form that can be posted */
export function postable(w: CheckWork): CheckWork {
  const text = (file: string | URL): string =>
    typeof file === 'string' ? pathToFileURL(resolve(file)).href : file.href;
  const { source } = w;
  const parts = source.parts?.map((p) => ({ ...p, file: text(p.file) }));
  return { ...w, source: { ...source, file: text(source.file), parts } };
}

/** @returns what `postable` made, as it was */
export function posted(w: CheckWork): CheckWork {
  const { source } = w;
  const parts = source.parts?.map((p) => ({ ...p, file: new URL(p.file) }));
  return { ...w, source: { ...source, file: new URL(source.file), parts } };
}

/** What comes out: of a test, or of a mutant. */
export type WorkRow = TestRow | MutantResult;

/**
 * Takes batches until there are no more.
 * @param begins called once, right before the first search
 * @throws RefusedError, CheckUsageError if a module of tests cannot be loaded as it is
 */
export async function doWork(w: CheckWork, begins: () => void, row: (r: WorkRow) => void): Promise<void> {
  const stopped = (): boolean => Atomics.load(w.state, STOP) !== 0;
  let suite: Suite | undefined;
  let begun = false;
  for (;;) {
    const i = Atomics.add(w.state, NEXT_BATCH, 1);
    if (i >= w.batches.length) return;
    for (const name of w.batches[i]) {
      if (stopped()) return;
      suite ??= await Suite.open(w.source);
      const mutant = w.mutants ? w.source.mutants.find((m) => m.name === name) : undefined;
      const test = mutant?.test ?? name;
      // A suite that cannot be loaded as it is says nothing about its mutants.
      const loaded = mutant === undefined || suite.names.includes(test) ? await suite.load(test) : null;
      if (!begun) begins();
      begun = true;
      await nextTurn();
      if (mutant !== undefined) row(await runMutant(w.source, mutant, w.limits));
      else if (loaded !== null) row(await exploreRow(loaded, w.limits, stopped, w.html));
    }
  }
}
