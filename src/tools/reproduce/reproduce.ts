// SPDX-License-Identifier: GPL-2.0-only
/** `softnet reproduce`: every seed's experiment on this machine, with a verdict each, and a report. */
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import type { Host, PartResult, RunDocument } from '../../report/document.js';
import { reportHtml } from '../../report/page.js';
import { EXIT_CHECK_FAILED, EXIT_OK, EXIT_UNTRUSTED } from '../exit_codes.js';
import { packageVersion } from '../package_version.js';
import { runChild } from './child.js';
import { cpuTimes, othersShare } from './others.js';
import { PARTS, type Profile } from './parts.js';
import { progressOf, type Step } from './progress.js';
import { makeOutput, NOTHING_EARLIER, outputAt, resumable, save } from './results.js';
import { documentOf } from './run_document.js';
import { partResult } from './run_part.js';
import { endOnSignals, endWithoutTerminal } from './signals.js';
import { summaryText } from './summary.js';

export interface ReproduceOptions {
  readonly profile: Profile;
  /** Ids of parts; empty: all. */
  readonly parts: readonly string[];
  readonly resume: boolean;
  readonly out: string;
  readonly json: boolean;
}

/** Runs the command. @returns its exit code */
export async function reproduce(o: ReproduceOptions): Promise<number> {
  const selected = PARTS.filter((p) => o.parts.length === 0 || o.parts.includes(p.id));
  const output = outputAt(o.out);
  makeOutput([output.report, output.results], o.out);
  const identity = { version: packageVersion(), profile: o.profile, host: hostNow() };
  // Of parts that were not asked for this time, too: a report loses nothing by being added to.
  const argvs = new Map(PARTS.map((p) => [p.id, p.plans[o.profile].argv]));
  const earlier = o.resume ? resumable(output.results, identity, argvs) : NOTHING_EARLIER;
  const steps = selected
    .filter((p) => !earlier.done.has(p.id))
    .map((part) => ({ part, plan: part.plans[o.profile] }));
  const { signal, caught, release } = endOnSignals();
  const begin = performance.now();
  const started = new Date().toISOString();
  const results = new Map([...earlier.open, ...earlier.done]);
  const keep = (): RunDocument => {
    const run = documentOf({
      identity,
      earlier,
      selected: selected.map((p) => p.id),
      results,
      started,
      seconds: (performance.now() - begin) / 1e3,
      interrupted: signal.aborted,
      out: o.out,
    });
    save(output.results, `${JSON.stringify(run, null, 1)}\n`);
    save(output.report, reportHtml(run));
    return run;
  };
  const { load, cores } = identity.host;
  if (load > cores / 2) {
    process.stderr.write(
      `softnet reproduce: warning: the host is busy (load ${load.toFixed(1)}, ${cores} cores): what depends on time may not be told\n`,
    );
  }
  if (earlier.done.size > 0) {
    process.stderr.write(
      `softnet reproduce: ${earlier.done.size} parts are there already, ${steps.length} are to run\n`,
    );
  }
  try {
    const allS = sum(PARTS.map((p) => p.plans[o.profile].limitS ?? Infinity));
    await runSteps(steps, allS, identity.host, signal, begin, (result) => {
      results.set(result.id, result);
      keep();
    });
  } finally {
    release();
  }
  const run = keep();
  process.stdout.write(o.json ? `${JSON.stringify(run, null, 2)}\n` : summaryText(run, output.report));
  if (run.resume !== undefined) process.stderr.write(`softnet reproduce: to go on: ${run.resume}\n`);
  endWithoutTerminal(caught());
  return exitCode(run, caught());
}

/**
 * Runs the parts one after the other. Each may take what all parts together may, less what those behind it are sure of: time
 * that one leaves, or that is not asked for, is the next one's.
 */
async function runSteps(
  steps: readonly Step[],
  allS: number,
  host: Host,
  signal: AbortSignal,
  begin: number,
  done: (result: PartResult) => void,
): Promise<void> {
  const progress = progressOf(steps);
  for (const [i, { part, plan }] of steps.entries()) {
    if (signal.aborted) return;
    const behindS = sum(steps.slice(i + 1).map((s) => s.plan.limitS ?? Infinity));
    const leftMs = begin + (allS - behindS) * 1e3 - performance.now();
    progress.begin(i);
    try {
      const before = cpuTimes();
      const child = await runChild(plan.argv, plan.limitS === null ? null : leftMs, signal);
      const others = othersShare(before, cpuTimes());
      done(partResult(part, plan, child, host, signal.aborted, others));
    } finally {
      progress.end();
    }
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function hostNow(): Host {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory_bytes: totalmem(),
    os: `${type()} ${release()}`,
    node: process.versions.node,
    load: Math.round(loadavg()[0] * 100) / 100,
  };
}

/** 0 what can be told here agrees; 1 something differs or failed; 7 nothing can be told; 128 and the signal that ended it. */
function exitCode(run: RunDocument, signalCode: number | null): number {
  const has = (verdict: PartResult['verdict']): boolean => run.parts.some((p) => p.verdict === verdict);
  if (has('differs') || has(null)) return EXIT_CHECK_FAILED;
  if (signalCode !== null) return signalCode;
  return has('agrees') ? EXIT_OK : EXIT_UNTRUSTED;
}
