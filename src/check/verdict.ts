// SPDX-License-Identifier: GPL-2.0-only
/** Checks one test: search, verdict, counterexample with its trace, and the string it replays from. */
import { FINDING_TEXT, type FindingKind } from './finding.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import { type Litmus, noTest } from './litmus.js';
import type { Program } from './load.js';
import { CheckUsageError, RefusedError } from './refuse.js';
import { Replay, type TraceStep } from './replay.js';
import { type SearchOptions, type SearchResult, searchSteps } from './search.js';
import { Setting } from './setting.js';
import { placeText, positionOf } from './source_position.js';

export type Outcome = 'holds' | 'violated' | 'incomplete';

/** A counterexample as it is shown. */
export interface Counterexample {
  readonly kind: FindingKind;
  readonly message: string;
  /** Atomic steps. */
  readonly steps: number;
  readonly trace: readonly TraceStep[];
  /** Both places of a data race. */
  readonly places: readonly string[];
  /** What `--replay` takes. */
  readonly replay: string;
}

/** The verdict on one test. */
export interface Verdict {
  readonly test: Litmus;
  readonly outcome: Outcome;
  readonly counterexample: Counterexample | null;
  readonly search: SearchResult;
}

/** Version of the replay string. */
const REPLAY_VERSION = '1';

/**
 * Explores a test and words what was found.
 * @throws RefusedError for code that cannot be checked soundly, CheckUsageError for a test that cannot be run
 */
export function check(
  test: Litmus,
  program: Program,
  limits: Limits = DEFAULT_LIMITS,
  options: SearchOptions = {},
): Verdict {
  const steps = checkSteps(test, program, limits, options);
  for (;;) {
    const step = steps.next(false);
    if (step.done === true) return step.value;
  }
}

/** The same in slices: hand `true` to next() to stop, which makes the verdict "incomplete". */
export function* checkSteps(
  test: Litmus,
  program: Program,
  limits: Limits,
  options: SearchOptions = {},
): Generator<void, Verdict, boolean> {
  try {
    const setting = new Setting(test);
    const result = yield* searchSteps(setting, limits, options);
    return word(test, program, setting, result);
  } catch (e) {
    if (e instanceof RefusedError && !e.message.startsWith(`litmus ${test.name}: `))
      throw new RefusedError(`litmus ${test.name}: ${e.message}`);
    throw e;
  }
}

function word(test: Litmus, program: Program, setting: Setting, result: SearchResult): Verdict {
  const found = result.findings[0];
  let counterexample: Counterexample | null = null;
  if (found !== undefined) {
    const replay = new Replay(setting);
    for (const t of found.path) replay.step(t);
    const sites = found.race === null ? [] : [found.race.first, found.race.second];
    const places = sites.map((s) => {
      const p = positionOf(s.site);
      return p === null ? s.what : `${s.what} at ${placeText(p)} (${p.fn})`;
    });
    const moves = found.path.map((t) => t.toString(36)).join('');
    counterexample = {
      kind: found.kind,
      message: found.message,
      steps: found.path.length,
      trace: replay.steps,
      places,
      replay: `${REPLAY_VERSION}:${test.name}:${program.digest}:${found.kind}:${moves}`,
    };
    setting.memory.restore(setting.base);
  }
  const outcome: Outcome = found !== undefined ? 'violated' : result.complete ? 'holds' : 'incomplete';
  return { test, outcome, counterexample, search: result };
}

/** What a replay string says. */
export interface ReplayString {
  readonly name: string;
  readonly digest: string;
  readonly kind: string;
  readonly path: readonly number[];
}

/** Takes a replay string apart. @throws CheckUsageError if it is none */
export function parseReplay(text: string): ReplayString {
  const parts = text.trim().split(':');
  const path = [...(parts[4] ?? '')].map((c) => Number.parseInt(c, 36));
  if (parts.length !== 5 || parts[0] !== REPLAY_VERSION || path.some((t) => !(t >= 0))) {
    throw new CheckUsageError(
      `${JSON.stringify(text)} is no replay string; give the one that softnet check printed behind "Replay"`,
    );
  }
  return { name: parts[1], digest: parts[2], kind: parts[3], path };
}

/**
 * Replays a counterexample.
 * @returns its trace
 * @throws CheckUsageError if it belongs to other code or another test, or does not end in what it states
 */
export function replayTrace(text: string, tests: readonly Litmus[], program: Program): readonly TraceStep[] {
  const r = parseReplay(text);
  const test = tests.find((t) => t.name === r.name);
  if (test === undefined) throw noTest(r.name);
  if (r.digest !== program.digest) {
    throw new CheckUsageError(
      `the code has changed since this counterexample was found (it was ${r.digest}, now it is ${program.digest}); ` +
        `run softnet check ${r.name} again`,
    );
  }
  const setting = new Setting(test);
  const replay = new Replay(setting);
  r.path.forEach((t, i) => {
    if (t < test.threadNames.length && replay.canMove(t)) replay.step(t);
    else {
      throw new CheckUsageError(
        `the replay string is damaged: at step ${i + 1} thread ${test.threadNames[t] ?? t} cannot move; give it as it was printed`,
      );
    }
  });
  const { steps } = replay;
  const shown =
    r.kind === 'race' || r.kind === 'livelock'
      ? check(test, program, DEFAULT_LIMITS, { first: true }).counterexample?.replay === text.trim()
      : replay.shows(r.kind);
  if (!shown) {
    throw new CheckUsageError(
      `the replay string is damaged: its last step shows no ${r.kind}; give it as it was printed`,
    );
  }
  return steps;
}

/** @returns the kind of a counterexample in words */
export function kindText(kind: FindingKind): string {
  return FINDING_TEXT[kind];
}
