// SPDX-License-Identifier: GPL-2.0-only
/** What softnet check prints of one test: plain data, so that any thread may have explored it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { traceHtml } from '../../check/html.js';
import type { Limits } from '../../check/limits.js';
import { CheckUsageError, RefusedError } from '../../check/refuse.js';
import { verdictJson, verdictText } from '../../check/report.js';
import type { LoadedTest } from '../../check/suite.js';
import { checkSteps, type Outcome, type Verdict } from '../../check/verdict.js';

/** One test: what was found, or why it could not be explored. */
export interface TestRow {
  readonly test: string;
  readonly outcome: Outcome | 'refused' | 'unusable';
  /** Digest of the code that ran. */
  readonly digest: string;
  readonly states: number;
  /** For JSON, units in the keys. */
  readonly json: Readonly<Record<string, unknown>>;
  /** For people: the verdict as herd7 words it; the message of one that could not be explored. */
  readonly text: string;
  /** The counterexample as a page, '' where there is none or nobody asked. */
  readonly html: string;
}

/**
 * Explores one test, in slices, so that Ctrl-C is heard.
 * @param stop asked between slices: true ends the search, which is then incomplete
 * @param html make the page of a counterexample
 */
export async function exploreRow(
  { test, program }: LoadedTest,
  limits: Limits,
  stop: () => boolean,
  html: boolean,
): Promise<TestRow> {
  const { digest } = program;
  try {
    const steps = checkSteps(test, program, limits);
    for (;;) {
      const step = steps.next(stop());
      if (step.done === true) return verdictRow(step.value, digest, html);
      await nextTurn();
    }
  } catch (e) {
    if (!(e instanceof RefusedError) && !(e instanceof CheckUsageError)) throw e;
    const { message } = e;
    const outcome = e instanceof RefusedError ? 'refused' : 'unusable';
    const json = { test: test.name, outcome, message };
    return { test: test.name, outcome, digest, states: 0, json, text: message, html: '' };
  }
}

function verdictRow(v: Verdict, digest: string, html: boolean): TestRow {
  const { test, counterexample: c } = v;
  return {
    test: test.name,
    outcome: v.outcome,
    digest,
    states: v.search.states,
    json: verdictJson(v),
    text: verdictText(v),
    html:
      html && c !== null ? traceHtml(test.name, `${c.kind}: ${c.message}`, test.threadNames, c.trace) : '',
  };
}
