// SPDX-License-Identifier: GPL-2.0-only
/** `softnet rr`: latency of AF_XDP sockets under a packet every so often, by the way in which the queue is polled. */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus as hostCpus } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { OptionError } from '../../errors.js';
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_SKIPPED, EXIT_UNTRUSTED } from '../exit_codes.js';
import { makeFolder } from '../make_folder.js';
import { hgrmText } from './hgrm.js';
import { intervalsOf, intervalText } from './intervals.js';
import type { RrOptions } from './options.js';
import { type Charge, reportText } from './output.js';
import { pinCores } from './pin.js';
import { type Cell, cellKey, cellsOf, coresNeeded, type Row, rowTitle } from './plan.js';
import { type RowReport, rowReport } from './report.js';
import { rowTrials } from './rows.js';
import { samplesOf, type Trial } from './summary.js';
import { syscallCost } from './syscall_cost.js';
import { rrTrial } from './trial.js';

/** Runs the command. @returns its exit code */
export async function rr(o: RrOptions): Promise<number> {
  if (o.hgrm !== null) makeDirectory(o.hgrm);
  const pin = o.pin === null ? null : pinCores(o.pin);
  if (typeof pin === 'string') {
    process.stderr.write(`softnet rr: ${pin}\n`);
    return EXIT_SKIPPED;
  }
  const charge = chargeOf(o.syscallNs);
  const parameters = parametersOf(o, charge, pin);
  const line = `softnet rr: ${Object.entries(parameters)
    .map(([name, v]) => `${name}=${typeof v === 'object' ? JSON.stringify(v).replaceAll('"', '') : v}`)
    .join('; ')}`;
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once('SIGINT', onSignal);
  if (!o.json) process.stdout.write(`${line}\n`);
  const cells = cellsOf(o.modes, {
    syscallNs: charge.ns,
    equalCores: o.equalCores,
    // A round trip is no hand-over.
    handover: o.openLoop,
  });
  const short = tooFewCores(cells);
  if (short !== null) process.stderr.write(`softnet rr: warning: ${short}\n`);
  keepV8Still();
  const reports: RowReport[] = [];
  const failures: string[] = [];
  const pieces: object[] = [];
  try {
    for (const [i, row] of o.rows.entries()) {
      const run = async (_row: Row, cell: Cell, nr: number): Promise<Trial | null> => {
        const name = `${rowTitle(row)}, ${cellKey(cell)}, trial ${nr}`;
        progress(`row ${i + 1} of ${o.rows.length}: ${name}`);
        const trial = await rrTrial({ ...o, row, cell, pin }, interrupt.signal);
        progress('');
        for (const f of trial?.failures ?? []) failures.push(`${name}: ${f}`);
        if (trial !== null && o.reportS !== null && cell.mode !== 'handover') {
          const intervals = intervalsOf(trial, o.reportS);
          pieces.push({ row: rowTitle(row), cell: cellKey(cell), trial: nr, intervals });
          if (!o.json) process.stdout.write(intervals.map((x) => `${name}, ${intervalText(x)}\n`).join(''));
        }
        return trial;
      };
      const trials = await rowTrials(row, cells, o, run, () => interrupt.signal.aborted);
      const samples = new Map(
        [...trials].filter(([, t]) => t.length > 0).map(([key, t]) => [key, samplesOf(t)] as const),
      );
      const report = rowReport({ row, cells, trials }, charge.ns, (key) => samples.get(key)!);
      if (samples.size > 0) reports.push(report);
      if (o.hgrm !== null) writeHgrm(o.hgrm, row, samples);
    }
  } finally {
    progress('');
    process.removeListener('SIGINT', onSignal);
  }
  for (const f of failures) process.stderr.write(`softnet rr: ${f}\n`);
  const host = {
    cpu: hostCpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    node: process.versions.node,
  };
  const marked = reports.some(isMarked);
  const { aborted } = interrupt.signal;
  if (o.json) {
    const document = {
      command: 'softnet rr',
      parameters,
      host,
      syscall: { charged_ns: charge.ns, measured_ns: charge.measured?.ns ?? null },
      ...(short === null ? {} : { too_few_cores: short }),
      interrupted: aborted,
      rows: reports,
      ...(o.reportS === null ? {} : { reports: pieces }),
    };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    if (reports.length > 0) process.stdout.write(`\n${reportText(reports, o, charge)}`);
    process.stdout.write(`\n${host.cores} cores (${host.cpu}), Node ${host.node}\n`);
    const verdict = failures.length === 0 ? 'SUCCESS' : 'FAILURE';
    const trust = marked || short !== null ? ', not to be trusted' : '';
    process.stdout.write(`${line}: ${aborted ? 'interrupted, ' : ''}${verdict}${trust}\n`);
  }
  if (failures.length > 0) return EXIT_CHECK_FAILED;
  if (aborted) return EXIT_INTERRUPTED;
  return marked || short !== null ? EXIT_UNTRUSTED : EXIT_OK;
}

/** What was asked for, with what was filled in. */
function parametersOf(o: RrOptions, charge: Charge, pin: readonly number[] | null): object {
  return {
    rows: o.rows.map((r) => `${Number(r.periodUs.toFixed(3))}:${r.delayUs}`),
    modes: o.modes,
    loop: o.openLoop ? 'open' : 'closed',
    ...(o.openLoop ? {} : { turnaround_us: o.turnaroundUs }),
    gro_flush_timeout_us: o.groFlushTimeoutUs,
    duration_s: o.seconds,
    trials: o.trials,
    retries: o.retries,
    wait: o.wait,
    syscall_ns: charge.ns,
    equal_cores: o.equalCores,
    ...(pin === null ? {} : { pin }),
  };
}

/**
 * V8's own compiler threads compete for the cores with threads that never sleep. The workers of the trials compile by
 * themselves instead: nearly all of it before anything is measured. (Its collectors cannot be told so in a running process.)
 */
function keepV8Still(): void {
  setFlagsFromString('--no-concurrent-recompilation');
}

function chargeOf(given: number | null): Charge {
  if (given !== null) return { ns: given, measured: null };
  const measured = syscallCost();
  return { ns: measured?.ns ?? 0, measured };
}

/** @returns what to tell if threads that never sleep have no core each, or null */
function tooFewCores(cells: readonly Cell[]): string | null {
  const cores = availableParallelism();
  const short = cells.filter((c) => coresNeeded(c) > cores);
  if (short.length === 0) return null;
  const needed = Math.max(...short.map(coresNeeded));
  return `too few cores: ${short.map(cellKey).join(', ')} need ${needed}, this host has ${cores}; figures are of threads that wait for each other`;
}

function isMarked(row: RowReport): boolean {
  const all = [...Object.values(row.modes), ...Object.values(row.uncharged), row.equal_cores?.modes.busypoll];
  return all.some((s) => s?.marked === true);
}

function makeDirectory(dir: string): void {
  try {
    makeFolder(dir);
  } catch (error) {
    throw new OptionError('hgrm', dir, `a directory that can be made (${(error as Error).message})`);
  }
}

function writeHgrm(dir: string, row: Row, samples: ReadonlyMap<string, Float64Array>): void {
  for (const [key, sorted] of samples) {
    const rate = `${Number(row.periodUs.toFixed(3))}us-period-${row.delayUs}us-delay`;
    writeFileSync(
      join(dir, `${rate}-${key.replaceAll(', ', '-').replaceAll(' ', '-')}.hgrm`),
      hgrmText(sorted),
    );
  }
}

/** Progress goes to stderr, and only to a terminal. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
