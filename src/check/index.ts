// SPDX-License-Identifier: GPL-2.0-only
/**
 * softnet/check: a model checker for plain JavaScript over SharedArrayBuffer. It explores every interleaving of a
 * test's threads; it knows nothing of networking.
 */
export type { Edit } from './edits.js';
export { FINDING_KINDS, FINDING_TEXT, type Finding, type FindingKind } from './finding.js';
export { traceHtml } from './html.js';
export { DEFAULT_LIMITS, type Limits } from './limits.js';
export {
  type Label,
  type LabelStruct,
  type Litmus,
  type LitmusSpec,
  litmus,
  litmusTests,
  MAX_THREADS,
  must,
  type ThreadStates,
} from './litmus.js';
export { type LoadOptions, loadProgram, OpenProgram, type Program } from './load.js';
export { CheckUsageError, RefusedError } from './refuse.js';
export { Replay, type TraceStep } from './replay.js';
export { stepText, traceText, verdictJson, verdictText } from './report.js';
export { type SearchOptions, type SearchResult, search } from './search.js';
export { Setting } from './setting.js';
export {
  type LoadedTest,
  type Mutant,
  type MutantResult,
  readSuite,
  runMutant,
  Suite,
  type SuitePart,
  type SuiteSource,
} from './suite.js';
export {
  type Counterexample,
  check,
  checkSteps,
  type Outcome,
  parseReplay,
  type ReplayString,
  replayTrace,
  type Verdict,
} from './verdict.js';
