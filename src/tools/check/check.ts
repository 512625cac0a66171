// SPDX-License-Identifier: GPL-2.0-only
/** softnet check: explores every interleaving of litmus tests. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { traceHtml } from '../../check/html.js';
import type { Limits } from '../../check/limits.js';
import { type Litmus, litmusTests, noTest } from '../../check/litmus.js';
import { CheckUsageError, RefusedError } from '../../check/refuse.js';
import { traceText } from '../../check/report.js';
import { readSuite, Suite, type SuiteSource } from '../../check/suite.js';
import { parseReplay, replayTrace } from '../../check/verdict.js';
import { CONTENTS } from '../../litmus/contents.js';
import { EDITS } from '../../litmus/edits.js';
import { LONG_TESTS } from '../../litmus/long.js';
import { finishWithoutReader } from '../closed_pipe.js';
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_UNTRUSTED, EXIT_USAGE } from '../exit_codes.js';
import { type CampaignRecord, prepareRecords, writeRecord } from '../records.js';
import { checkMutants } from './mutants.js';
import { named } from './names.js';
import { batchesOf, jobsFor, runPool } from './pool.js';
import type { TestRow } from './rows.js';
import { type CheckWork, stopWork, workState } from './work.js';

/** The litmus tests of this package. */
const OWN_TESTS = new URL('../../litmus/index.js', import.meta.url);

async function ownSuite(mutants: boolean): Promise<SuiteSource> {
  return {
    file: OWN_TESTS,
    edits: EDITS,
    mutants: mutants ? (await import('../../litmus/mutants/index.js')).MUTANTS : [],
    parts: Object.entries(CONTENTS).map(([file, tests]) => ({
      file: new URL(`${file}.js`, OWN_TESTS),
      tests,
    })),
    long: LONG_TESTS,
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
  /** Threads; as many as there are CPUs and the work is worth without it. */
  readonly jobs?: number;
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
  const campaign = named(suite.names, names, noTest);
  const [part, parts] = o.shard ?? [1, 1];
  const selected = campaign.filter((_, k) => k % parts === part - 1);
  if (o.list) return list(await listed(suite, selected, o.module === undefined), o.json);
  if (o.record !== undefined) prepareRecords(o.record);
  return explore(source, selected, campaign, (test) => suite.fileOf(test), limits, o);
}

/** Tests of this package are listed as they are: to instrument them all would take most of a second. */
async function listed(suite: Suite, names: readonly string[], own: boolean): Promise<readonly Litmus[]> {
  const plain = own ? litmusTests(await import('../../litmus/index.js')) : [];
  const tests: Litmus[] = [];
  for (const name of names) tests.push(plain.find((t) => t.name === name) ?? (await suite.load(name)).test);
  return tests;
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

async function explore(
  source: SuiteSource,
  names: readonly string[],
  campaign: readonly string[],
  fileOf: (test: string) => number,
  limits: Limits,
  o: CheckOptions,
): Promise<number> {
  const jobs = o.jobs ?? jobsFor(names.length);
  const batches = batchesOf(names, (name) => name, fileOf, source.long ?? [], jobs);
  const html = o.trace !== undefined;
  const work: CheckWork = { source, limits, mutants: false, html, batches, state: workState() };
  let interrupted = false;
  const onSignal = (): void => {
    interrupted = true;
    stopWork(work);
  };
  process.once('SIGINT', onSignal);
  let begin = 0;
  const found = new Map<string, TestRow>();
  let shown = 0;
  let recorded = true;
  await runPool(
    work,
    jobs,
    () => {
      begin = performance.now();
    },
    (r) => {
      found.set((r as TestRow).test, r as TestRow);
      // In the order of the suite, whoever is done first.
      for (let next = found.get(names[shown]); next !== undefined; next = found.get(names[++shown]))
        show(next, o);
      const record = recordOf(r as TestRow, campaign, limits);
      if (o.record !== undefined && !writeRecord(o.record, record)) recorded = false;
    },
  );
  process.removeListener('SIGINT', onSignal);
  for (const name of names.slice(shown)) {
    const row = found.get(name);
    if (row !== undefined) show(row, o);
  }
  const rows = names.map((name) => found.get(name)).filter((r) => r !== undefined);
  const count = (outcome: string): number => rows.filter((r) => r.outcome === outcome).length;
  const unusable = count('refused') + count('unusable');
  const timeMs = performance.now() - begin;
  if (o.trace !== undefined) writeTrace(o.trace, rows.find((r) => r.html !== '')?.html);
  if (o.json) {
    const states = rows.reduce((n, r) => n + r.states, 0);
    const doc = {
      digest: digestOf([...new Set(rows.map((r) => r.digest))]),
      max_states: limits.maxStates,
      max_seconds: limits.maxSeconds,
      // From the start of the process to the first test: Node, the checker, the program loaded.
      start_ns: Math.round(begin * 1e6),
      time_ns: Math.round(timeMs * 1e6),
      states,
      states_per_s: Math.round((states / Math.max(timeMs, 1e-3)) * 1e3),
      max_rss_bytes: process.resourceUsage().maxRSS * 1024,
      interrupted,
      not_run: names.filter((name) => !found.has(name)),
      tests: rows.map((r) => r.json),
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
  if (unusable > 0 || !recorded) return EXIT_USAGE;
  return count('incomplete') > 0 ? EXIT_UNTRUSTED : EXIT_OK;
}

/** What is kept of a test. */
function recordOf(row: TestRow, campaign: readonly string[], limits: Limits): CampaignRecord {
  const verdicts = { holds: 'SUCCESS', violated: 'FAILURE' } as const;
  return {
    command: 'softnet check',
    campaign: { max_states: limits.maxStates, max_seconds: limits.maxSeconds },
    pieces: campaign,
    piece: row.test,
    verdict: row.outcome === 'holds' || row.outcome === 'violated' ? verdicts[row.outcome] : 'INCOMPLETE',
    summary:
      row.outcome === 'refused' || row.outcome === 'unusable'
        ? row.text
        : `${row.states} states, ${row.outcome}`,
    repeat: `softnet check ${row.test}`,
    report: row.json,
  };
}

/** Prints one test as it comes. */
function show(r: TestRow, o: CheckOptions): void {
  if (r.outcome === 'refused' || r.outcome === 'unusable')
    process.stderr.write(`softnet check: ${r.outcome === 'refused' ? 'refused: ' : ''}${r.text}\n`);
  else if (!o.json) process.stdout.write(`${r.text}\n`);
}

/** @returns the digest of the code that ran: that of the one program, or one over those of all */
function digestOf(programs: readonly string[]): string {
  if (programs.length === 1) return programs[0];
  return createHash('sha256').update(programs.join()).digest('hex').slice(0, 12);
}

function writeTrace(file: string, html: string | undefined): void {
  if (html === undefined) {
    process.stderr.write(`softnet check: no counterexample, so ${file} is not written\n`);
    return;
  }
  save(file, html);
}

function save(file: string, html: string): void {
  try {
    writeFileSync(file, html);
  } catch (e) {
    throw new CheckUsageError(`the trace cannot be written: ${(e as Error).message}`);
  }
}
