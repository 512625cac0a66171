// SPDX-License-Identifier: GPL-2.0-only
/** softnet check: explores every interleaving of litmus tests. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { traceHtml } from '../check/html.js';
import type { Limits } from '../check/limits.js';
import { type Litmus, noTest } from '../check/litmus.js';
import { CheckUsageError, RefusedError } from '../check/refuse.js';
import { traceText, verdictJson, verdictText } from '../check/report.js';
import { type LoadedTest, readSuite, Suite, type SuiteSource } from '../check/suite.js';
import { checkSteps, parseReplay, replayTrace, type Verdict } from '../check/verdict.js';
import { CONTENTS } from '../litmus/contents.js';
import { EDITS } from '../litmus/edits.js';
import { checkMutants } from './check_mutants.js';
import { finishWithoutReader } from './closed_pipe.js';
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_UNTRUSTED, EXIT_USAGE } from './exit_codes.js';
import { type CampaignRecord, prepareRecords, writeRecord } from './records.js';

/** The litmus tests of this package. */
const OWN_TESTS = new URL('../litmus/index.js', import.meta.url);

async function ownSuite(mutants: boolean): Promise<SuiteSource> {
  return {
    file: OWN_TESTS,
    edits: EDITS,
    mutants: mutants ? (await import('../litmus/mutants/index.js')).MUTANTS : [],
    parts: Object.entries(CONTENTS).map(([file, tests]) => ({
      file: new URL(`${file}.js`, OWN_TESTS),
      tests,
    })),
  };
}

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
  /** Only every n-th of the tests, from the i-th on. */
  readonly shard?: readonly [number, number];
  /** Folder that the verdict on each test is kept in. */
  readonly record?: string;
}

/**
 * Runs the command.
 * @returns the exit code: 0 all hold, 1 one is violated, 2 wrong use or code that cannot be checked, 7 a search was cut
 */
export async function checkCommand(names: readonly string[], o: CheckOptions): Promise<number> {
  finishWithoutReader();
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
  const source =
    o.module === undefined ? await ownSuite(o.mutants) : await readSuite(resolve(o.module), o.instrument);
  if (o.mutants) {
    if (o.replay !== undefined || o.trace !== undefined)
      throw new CheckUsageError('--mutants goes with no --replay and no --trace');
    return checkMutants(source, names, limits, o);
  }
  const suite = await Suite.open(source);
  if (suite.names.length === 0)
    throw new CheckUsageError(`${o.module} exports no litmus test; export what litmus() returns`);
  if (o.replay !== undefined) return replay(o, suite);
  const campaign = select(suite.names, names);
  const [part, parts] = o.shard ?? [1, 1];
  const selected = campaign.filter((_, k) => k % parts === part - 1);
  if (o.list) return list(suite, selected, o.json);
  if (o.record !== undefined) prepareRecords(o.record);
  return explore(suite, selected, campaign, limits, o);
}

function select(all: readonly string[], names: readonly string[]): readonly string[] {
  for (const name of names) if (!all.includes(name)) throw noTest(name);
  return names.length === 0 ? all : all.filter((name) => names.includes(name));
}

async function list(suite: Suite, names: readonly string[], json: boolean): Promise<number> {
  const tests: Litmus[] = [];
  for (const name of names) tests.push((await suite.load(name)).test);
  if (json) {
    const rows = tests.map((t) => ({ test: t.name, threads: t.threadNames, forbids: t.forbids, why: t.why }));
    process.stdout.write(`${JSON.stringify({ tests: rows }, null, 2)}\n`);
  } else {
    const width = Math.max(...tests.map((t) => t.name.length));
    for (const t of tests) process.stdout.write(`${t.name.padEnd(width)}  ${t.forbids}\n`);
  }
  return EXIT_OK;
}

async function replay(o: CheckOptions, suite: Suite): Promise<number> {
  const text = o.replay as string;
  const r = parseReplay(text);
  const { program, test } = await suite.load(r.name);
  const trace = replayTrace(text, [test], program);
  if (o.trace !== undefined) save(o.trace, traceHtml(r.name, r.kind, test.threadNames, trace));
  if (o.json) process.stdout.write(`${JSON.stringify({ test: r.name, kind: r.kind, trace }, null, 2)}\n`);
  else process.stdout.write(`Test ${r.name}, ${r.kind}\n${traceText(trace)}\n`);
  return EXIT_OK;
}

/** A test that could not be explored, and why. */
interface Unusable {
  readonly test: Litmus;
  readonly outcome: 'refused' | 'unusable';
  readonly message: string;
}

/** Explores one test, in slices, so that Ctrl-C is heard. */
async function exploreOne(
  { test, program }: LoadedTest,
  limits: Limits,
  stop: () => boolean,
): Promise<Verdict | Unusable> {
  try {
    const steps = checkSteps(test, program, limits);
    for (;;) {
      const step = steps.next(stop());
      if (step.done === true) return step.value;
      await nextTurn();
    }
  } catch (e) {
    if (e instanceof RefusedError) return { test, outcome: 'refused', message: e.message };
    if (e instanceof CheckUsageError) return { test, outcome: 'unusable', message: e.message };
    throw e;
  }
}

async function explore(
  suite: Suite,
  names: readonly string[],
  campaign: readonly string[],
  limits: Limits,
  o: CheckOptions,
): Promise<number> {
  // The others are loaded when their turn comes.
  if (names.length > 0) await suite.load(names[0]);
  const begin = performance.now();
  const digests = new Set<string>();
  const rows: (Verdict | Unusable)[] = [];
  let interrupted = false;
  const onSignal = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', onSignal);
  for (const name of names) {
    await nextTurn();
    if (interrupted) break;
    const loaded = await suite.load(name);
    digests.add(loaded.program.digest);
    const row = await exploreOne(loaded, limits, () => interrupted);
    rows.push(row);
    if (o.record !== undefined) writeRecord(o.record, recordOf(row, campaign, limits));
    if ('message' in row) {
      const refused = row.outcome === 'refused' ? 'refused: ' : '';
      process.stderr.write(`softnet check: ${refused}${row.message}\n`);
    } else if (!o.json) process.stdout.write(`${verdictText(row)}\n`);
  }
  process.removeListener('SIGINT', onSignal);
  const count = (outcome: string): number => rows.filter((r) => r.outcome === outcome).length;
  const unusable = count('refused') + count('unusable');
  const timeMs = performance.now() - begin;
  const verdicts = rows.filter((r): r is Verdict => !('message' in r));
  if (o.trace !== undefined)
    writeTrace(
      o.trace,
      verdicts.find((v) => v.outcome === 'violated'),
    );
  if (o.json) {
    const states = verdicts.reduce((n, v) => n + v.search.states, 0);
    const doc = {
      digest: digestOf([...digests]),
      max_states: limits.maxStates,
      max_seconds: limits.maxSeconds,
      // From the start of the process to the first test: Node, the checker, the program loaded.
      start_ns: Math.round(begin * 1e6),
      time_ns: Math.round(timeMs * 1e6),
      states,
      states_per_s: Math.round((states / Math.max(timeMs, 1e-3)) * 1e3),
      max_rss_bytes: process.resourceUsage().maxRSS * 1024,
      interrupted,
      not_run: names.slice(rows.length),
      tests: rows.map((r) =>
        'message' in r ? { test: r.test.name, outcome: r.outcome, message: r.message } : verdictJson(r),
      ),
    };
    process.stdout.write(`${JSON.stringify(doc, null, 2)}\n`);
  } else {
    process.stdout.write(
      `${names.length} tests: ${count('holds')} hold, ${count('violated')} violated, ${count('incomplete')} incomplete` +
        `${unusable > 0 ? `, ${unusable} cannot be checked` : ''}` +
        `${rows.length < names.length ? `, ${names.length - rows.length} not run` : ''}; ${(timeMs / 1e3).toFixed(1)} s\n`,
    );
  }
  if (interrupted) return EXIT_INTERRUPTED;
  if (count('violated') > 0) return EXIT_CHECK_FAILED;
  if (unusable > 0) return EXIT_USAGE;
  return count('incomplete') > 0 ? EXIT_UNTRUSTED : EXIT_OK;
}

/** What is kept of a test. */
function recordOf(row: Verdict | Unusable, campaign: readonly string[], limits: Limits): CampaignRecord {
  const { name } = row.test;
  const verdicts = { holds: 'SUCCESS', violated: 'FAILURE' } as const;
  return {
    command: 'softnet check',
    campaign: { max_states: limits.maxStates, max_seconds: limits.maxSeconds },
    pieces: campaign,
    piece: name,
    verdict: row.outcome === 'holds' || row.outcome === 'violated' ? verdicts[row.outcome] : 'INCOMPLETE',
    summary: 'message' in row ? row.message : `${row.search.states} states, ${row.outcome}`,
    repeat: `softnet check ${name}`,
    report: 'message' in row ? { outcome: row.outcome, message: row.message } : verdictJson(row),
  };
}

/** @returns the digest of the code that ran: that of the one program, or one over those of all */
function digestOf(programs: readonly string[]): string {
  if (programs.length === 1) return programs[0];
  return createHash('sha256').update(programs.join()).digest('hex').slice(0, 12);
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
