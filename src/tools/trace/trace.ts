// SPDX-License-Identifier: GPL-2.0-only
/** `softnet trace`: records tracepoints, of a machine that runs or of a command's machines, into a file for Perfetto. */
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { OptionError } from '../../errors.js';
import { traceBoots } from '../../machine.js';
import { MAX_TRACE_EVENTS, type Trace, unpackTrace } from '../../trace.js';
import { Client, NoMachineError, noMachine } from '../client.js';
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_SKIPPED, EXIT_USAGE } from '../exit_codes.js';
import type { TopAnswer } from '../top/sample.js';
import { perfettoEvents } from './perfetto.js';
import { traceStat, traceStatText } from './stat.js';

export interface TraceOptions {
  readonly output: string;
  readonly seconds: number;
  readonly socket?: string;
}

export interface StatOptions {
  readonly seconds: number;
  readonly socket?: string;
  readonly json: boolean;
}

/** Text is written in pieces of about this length. */
const PIECE = 1 << 20;

/** Where a trace goes. */
interface Output {
  readonly path: string;
  readonly fd: number;
  /** It was not there before. */
  readonly made: boolean;
}

/** Opens the file before anything is recorded; what is in it stays for now. @throws OptionError if that cannot be */
function create(path: string): Output {
  try {
    const made = !existsSync(path);
    return { path, fd: openSync(path, 'a'), made };
  } catch (error) {
    throw new OptionError('--output', path, `a file that can be written (${(error as Error).message})`);
  }
}

/** Writes traces into one file: those of several machines in processes of their own, on one time line. */
function writeTraces(output: Output, traces: readonly Trace[]): void {
  const { path, fd } = output;
  const isFile = fstatSync(fd).isFile();
  try {
    if (isFile) ftruncateSync(fd);
    writeEvents(fd, traces);
  } catch (error) {
    // Half a document is of no use to anybody.
    if (isFile) ftruncateSync(fd);
    discard(output, EXIT_USAGE);
    throw new OptionError('--output', path, `a file with room for the trace (${(error as Error).message})`);
  }
  closeSync(fd);
}

function writeEvents(fd: number, traces: readonly Trace[]): void {
  let text = '{"displayTimeUnit":"ns","traceEvents":[';
  let separator = '\n';
  for (const event of perfettoEvents(traces)) {
    text += separator + JSON.stringify(event);
    separator = ',\n';
    if (text.length < PIECE) continue;
    writeAll(fd, text);
    text = '';
  }
  writeAll(fd, `${text}\n]}\n`);
}

/** A write may take a part only: where a disk is full, for example. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** There is nothing to write: what was there before stays as it was. @returns `code` */
function discard({ path, fd, made }: Output, code: number): number {
  closeSync(fd);
  if (made) unlinkSync(path);
  return code;
}

/** @returns what the traces do not hold, as the end of a sentence */
function shortfall(traces: readonly Trace[]): string {
  const lost = traces.reduce((n, t) => n + t.lost, 0);
  return (
    (lost === 0 ? '' : `, ${lost} lost (they came faster than they were collected)`) +
    (traces.some((t) => t.full) ? `, ended early: a trace has room for ${MAX_TRACE_EVENTS} events` : '')
  );
}

function report(path: string, traces: readonly Trace[]): void {
  const sum = (of: (t: Trace) => number): number => traces.reduce((n, t) => n + of(t), 0);
  const threads = sum((t) => t.threads.length);
  const seconds = sum((t) => t.endedNs - t.beganNs) / 1e9;
  process.stderr.write(
    `${path}: ${sum((t) => t.count)} events of ${threads} threads in ${seconds.toFixed(1)} s` +
      `${shortfall(traces)}; open it at ui.perfetto.dev\n`,
  );
}

/** What has become of asking. */
interface Asked {
  /** By the user: the trace is shorter than he wanted first. */
  interrupted: boolean;
}

/** Asks a machine for a trace. @returns null if there is none: what is wrong has been said */
async function ask(
  command: string,
  o: { readonly seconds: number; readonly socket?: string },
  asked: Asked,
): Promise<Trace | null> {
  const client = new Client(o.socket);
  // What there is comes as the answer to the first request.
  const onSignal = (): void => {
    asked.interrupted = true;
    client.ask('DELETE', '/trace').catch(() => {});
  };
  process.once('SIGINT', onSignal);
  const answer = await client
    .ask('POST', '/trace', JSON.stringify({ seconds: o.seconds }))
    .finally(() => process.removeListener('SIGINT', onSignal));
  if (answer.error !== null) {
    process.stderr.write(`softnet ${command}: ${answer.error.message}\n`);
    return null;
  }
  return unpackTrace(JSON.parse(answer.body));
}

/** Traces a machine that runs. @returns the exit code */
export async function traceMachine(o: TraceOptions): Promise<number> {
  const output = create(o.output);
  const asked = { interrupted: false };
  try {
    const t = await ask('trace', o, asked);
    if (t === null) return discard(output, asked.interrupted ? EXIT_INTERRUPTED : EXIT_CHECK_FAILED);
    writeTraces(output, [t]);
    report(o.output, [t]);
    return asked.interrupted ? EXIT_INTERRUPTED : EXIT_OK;
  } catch (error) {
    return discard(output, noMachine('trace', error));
  }
}

/** Runs another command and traces the machines that it boots. @returns its exit code */
export async function traceCommand(
  o: TraceOptions,
  run: (args: readonly string[]) => Promise<number>,
  args: readonly string[],
): Promise<number> {
  const output = create(o.output);
  const traces: Trace[] = [];
  traceBoots((t) => traces.push(t));
  try {
    const code = await run(args);
    if (traces.length === 0) {
      if (code === EXIT_OK)
        process.stderr.write(`softnet trace: softnet ${args[0]} boots no machine in this process\n`);
      return discard(output, code === EXIT_OK ? EXIT_SKIPPED : code);
    }
    writeTraces(output, traces);
    report(o.output, traces);
    return code;
  } finally {
    traceBoots(null);
  }
}

/** @returns false if no instance of the machine has a name that holds this: that has been said */
async function isThere(napi: string, { socket }: StatOptions): Promise<boolean> {
  if ('backlog'.includes(napi)) return true;
  const answer = await new Client(socket).ask('GET', '/top');
  if (answer.error !== null) throw new NoMachineError(answer.error.message);
  const { napis } = JSON.parse(answer.body) as TopAnswer;
  const names = napis.map(({ dev, id }) => `${dev} napi ${id}`);
  if (names.some((name) => name.includes(napi))) return true;
  process.stderr.write(
    `softnet stat: no instance has ${JSON.stringify(napi)} in its name; there are: ${[...names, 'backlog'].join(', ')}\n`,
  );
  return false;
}

/** Prints histograms of a machine that runs. @returns the exit code */
export async function stat(napi: string, o: StatOptions): Promise<number> {
  const asked = { interrupted: false };
  try {
    if (!(await isThere(napi, o))) return EXIT_USAGE;
    const t = await ask('stat', o, asked);
    if (t === null) return EXIT_CHECK_FAILED;
    const s = traceStat(t, napi);
    if (o.json) {
      const doc = {
        seconds: (t.endedNs - t.beganNs) / 1e9,
        lost: t.lost,
        full: t.full,
        napi: Object.fromEntries(s.napi),
        wake_to_run_ns: Object.fromEntries(s.wakeNs),
        softirq_ns: s.softirqNs,
      };
      process.stdout.write(`${JSON.stringify(doc)}\n`);
    } else {
      process.stdout.write(traceStatText(s));
      const less = shortfall([t]);
      if (less !== '') process.stdout.write(`\n${t.count} events${less}\n`);
    }
    return asked.interrupted ? EXIT_INTERRUPTED : EXIT_OK;
  } catch (error) {
    return noMachine('stat', error);
  }
}
