// SPDX-License-Identifier: GPL-2.0-only
/** `softnet stream`: datagrams above the capacity of one virtual CPU, by the way in which the receive path is run. */
import { availableParallelism, cpus as hostCpus } from 'node:os';
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_UNTRUSTED } from '../exit_codes.js';
import { type CurvePoint, LOADS, LOADS_QUICK, runCurve } from './curve.js';
import { isDisturbed } from './host.js';
import { streamCores } from './pin.js';
import { type Front, type Row, rowName, SEED_ROWS, type Setting } from './plan.js';
import { type Capacities, capacities, type RowReport, runRow } from './rows.js';
import { type Balance, Stand } from './stand.js';
import { summariesOf } from './summary.js';
import { curvePlot, livelockTable, streamTable, summaryText } from './table.js';

export interface StreamOptions {
  readonly rows: readonly Row[];
  readonly settings: readonly Setting[];
  readonly softirqAtExit: 'leave' | 'inline';
  readonly hypervisor: Front;
  /** What is offered, in parts of the capacity. */
  readonly overload: number;
  readonly seconds: number;
  readonly trials: number;
  readonly curve: boolean;
  /** The row that the curve is of. */
  readonly curveRow: Row;
  readonly quick: boolean;
  readonly json: boolean;
}

const WARM_MS = 60;
const SETTLE_MS = 50;
const RETRIES = 3;
const MIB = 1 << 20;
/** What a row's load must be at least, in parts of its best goodput, for it to count as overload. */
const OVERLOAD = 2;

/** What came of a run. */
interface Result {
  known: Capacities;
  rows: RowReport[];
  curve: CurvePoint[];
  frames: { [setting in Setting]?: Balance };
  /** What must not be, and why figures are not to be trusted, a line each. */
  failures: string[];
  doubts: string[];
}

/** Runs the command. @returns its exit code */
export async function stream(o: StreamOptions): Promise<number> {
  const cores = streamCores();
  const result: Result = { known: new Map(), rows: [], curve: [], frames: {}, failures: [], doubts: [] };
  if (typeof cores === 'string') result.doubts.push(`threads are not pinned: ${cores}`);
  const options = optionsOf(o);
  const line = `softnet stream: ${Object.entries(options)
    .map(([name, v]) => `${name}=${Array.isArray(v) ? v.join(',') : v}`)
    .join('; ')}`;
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once('SIGINT', onSignal);
  if (!o.json) process.stdout.write(`${line}\n`);
  const pinned = typeof cores === 'string' ? null : cores;
  const stands: Stand[] = [];
  try {
    const how = { softirqAtExit: o.softirqAtExit, front: o.hypervisor, cores: pinned };
    for (const setting of o.settings) stands.push(await Stand.boot(setting, how));
    await measure(stands, o, result, interrupt.signal);
    if (stands.some((s) => !s.pinned))
      result.doubts.push('threads are not pinned: this host would not have it');
    await shutdown(stands, result);
  } catch (error) {
    // The first error is the one to tell.
    for (const s of stands) await s.shutdown().catch(() => {});
    throw error;
  } finally {
    progress('');
    process.removeListener('SIGINT', onSignal);
  }
  for (const f of [...result.failures, ...result.doubts]) process.stderr.write(`softnet stream: ${f}\n`);
  const host = {
    cpu: hostCpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    node: process.versions.node,
    pinned,
    peak_rss_mib: Math.round((process.resourceUsage().maxRSS * 1024) / MIB),
  };
  if (o.json) process.stdout.write(jsonOf(o, options, host, result, interrupt.signal.aborted));
  else {
    process.stdout.write(textOf(o, result));
    process.stdout.write(`${host.cores} cores (${host.cpu}), Node ${host.node}, ${host.peak_rss_mib} MiB\n`);
    const verdict = result.failures.length === 0 ? 'SUCCESS' : 'FAILURE';
    process.stdout.write(`${line}: ${interrupt.signal.aborted ? 'interrupted, ' : ''}${verdict}\n`);
  }
  if (result.failures.length > 0) return EXIT_CHECK_FAILED;
  if (interrupt.signal.aborted) return EXIT_INTERRUPTED;
  return result.doubts.length > 0 ? EXIT_UNTRUSTED : EXIT_OK;
}

async function measure(
  stands: readonly Stand[],
  o: StreamOptions,
  result: Result,
  signal: AbortSignal,
): Promise<void> {
  const how = {
    trials: o.trials,
    retries: o.quick ? 0 : RETRIES,
    timing: { warmMs: WARM_MS, settleMs: SETTLE_MS, measureMs: o.seconds * 1e3 },
  };
  const probed = o.curve ? [...o.rows, o.curveRow] : o.rows;
  result.known = await capacities(stands, probed, progress, signal);
  if (!o.json && result.known.size > 0) {
    progress('');
    const text = [...result.known].map(([size, kpps]) => `${size} bytes: ${kpps.toFixed(0)} kpps`).join(', ');
    process.stdout.write(`capacity: ${text}; offered ${o.overload} times that\n`);
  }
  for (const [i, row] of o.rows.entries()) {
    if (signal.aborted) break;
    progress(`row ${i + 1} of ${o.rows.length}: ${rowName(row)}`);
    const report = await runRow(stands, row, result.known, { ...how, overload: o.overload }, signal);
    if (signal.aborted || report === null) break;
    result.rows.push(report);
    // Whoever asks for less than too much gets it.
    if (o.overload >= OVERLOAD && report.overload !== null && report.overload < OVERLOAD) {
      result.doubts.push(
        `${rowName(row)}: what was offered is ${report.overload.toFixed(1)} times what was received; give --overload more`,
      );
    }
  }
  const disturbed = result.rows.flatMap((r) => o.settings.filter((s) => disturbedIn(r, s))).length;
  if (disturbed > 0) {
    result.doubts.push(
      `others had more than a tenth of the core in ${disturbed} of ${result.rows.length * o.settings.length} cells`,
    );
  }
  if (!o.curve || signal.aborted) return;
  const capacity = result.known.get(o.curveRow.size) ?? 0;
  const loads = o.quick ? LOADS_QUICK : LOADS;
  result.curve = await runCurve(stands, o.curveRow, { ...how, capacity, loads }, progress, signal);
}

function disturbedIn(row: RowReport, setting: Setting): boolean {
  const cell = row.settings[setting];
  return cell !== undefined && isDisturbed(cell);
}

/** Shuts everything down, and accounts for every frame. */
async function shutdown(stands: readonly Stand[], result: Result): Promise<void> {
  for (const s of stands) {
    const balance = await s.shutdown();
    result.frames[s.setting] = balance;
    if (balance.unaccounted !== 0)
      result.failures.push(
        `${s.setting}: ${balance.offered} frames were offered, ${balance.unaccounted} are not accounted for`,
      );
  }
}

/** What was asked for, as the JSON document has it. */
function optionsOf(o: StreamOptions): object {
  return {
    rows: o.rows === SEED_ROWS ? 'seed' : o.rows.map(rowName),
    settings: o.settings,
    softirq_at_exit: o.softirqAtExit,
    hypervisor: o.hypervisor,
    overload: o.overload,
    seconds: o.seconds,
    trials: o.trials,
    ...(o.curve ? { curve: rowName(o.curveRow) } : {}),
    ...(o.quick ? { quick: true } : {}),
  };
}

function jsonOf(o: StreamOptions, options: object, host: object, r: Result, interrupted: boolean): string {
  const document = {
    command: 'softnet stream',
    options,
    host,
    capacity_kpps: Object.fromEntries(r.known),
    rows: r.rows,
    ...(o.curve ? { curve: r.curve } : {}),
    summary: summariesOf(r.rows),
    frames: r.frames,
    interrupted,
    doubts: r.doubts,
    failures: r.failures,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function textOf(o: StreamOptions, r: Result): string {
  const rows =
    r.rows.length === 0
      ? ''
      : `\n${streamTable(r.rows, o.settings)}\n${livelockTable(r.rows, o.settings)}\n${summaryText(summariesOf(r.rows))}`;
  return `${rows}${r.curve.length === 0 ? '' : `\n${curvePlot(r.curve)}`}`;
}

/** Progress goes to stderr, and only to a terminal. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
