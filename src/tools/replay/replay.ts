// SPDX-License-Identifier: GPL-2.0-only
/** `softnet replay`: plays a capture through the receive path, mode by mode, and compares what each costs. */
import { availableParallelism, cpus as hostCpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { CaptureOpenError } from '../../drivers/net/capture/capture_error.js';
import { checkCapture } from '../../drivers/net/capture/open_capture.js';
import type { Pace } from '../../threads/feeds.js';
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK } from '../exit_codes.js';
import { type Mode, type RunReport, replayRun } from './run.js';
import { replayTable } from './table.js';

/** The capture that comes with the package. */
export const BUNDLED_CAPTURE = fileURLToPath(
  new URL('../../../test/fixtures/mixed.pcap.gz', import.meta.url),
);

export interface ReplayOptions {
  readonly mode: readonly Mode[];
  readonly queues: number;
  readonly cpus: number;
  readonly pace: Pace;
  readonly loop: number;
  readonly whenFull: 'wait' | 'drop';
  readonly json: boolean;
}

/** Runs the command. @returns its exit code */
export async function replay(file: string | undefined, o: ReplayOptions): Promise<number> {
  const path = file ?? BUNDLED_CAPTURE;
  const info = await checkCapture(path);
  if (info === null && (o.mode.length > 1 || o.loop > 1)) {
    throw new CaptureOpenError(
      path === '-' ? 'standard input' : path,
      'can be read only once',
      'take one mode and no --loop, or a file',
      '',
    );
  }
  const load = loadavg()[0];
  const busy = load > availableParallelism() / 2;
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once('SIGINT', onSignal);
  const runs: RunReport[] = [];
  try {
    for (const mode of o.mode) {
      if (interrupt.signal.aborted) break;
      const show = progressLine(mode);
      const run = { ...o, file: path, mode, loops: o.loop };
      runs.push(await replayRun(run, show, interrupt.signal));
      clearLine();
    }
  } finally {
    process.removeListener('SIGINT', onSignal);
  }
  const warnings = [...new Set(runs.flatMap((r) => r.warnings))];
  if (busy) warnings.push(`the host was busy before the run (load ${load.toFixed(1)}): figures are too low`);
  for (const w of warnings) process.stderr.write(`softnet replay: warning: ${w}\n`);
  if (o.json) process.stdout.write(`${JSON.stringify(document(path, o, runs, warnings), null, 2)}\n`);
  else process.stdout.write(replayTable(path, runs, hostLine()));
  let failed = false;
  for (const run of runs) {
    for (const failure of run.failures) {
      failed = true;
      process.stderr.write(`softnet replay: ${run.mode}: ${failure}\n`);
    }
  }
  if (failed) return EXIT_CHECK_FAILED;
  return interrupt.signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
}

function document(
  path: string,
  o: ReplayOptions,
  runs: readonly RunReport[],
  warnings: readonly string[],
): object {
  return {
    command: 'softnet replay',
    parameters: {
      file: path,
      mode: o.mode,
      queues: o.queues,
      cpus: o.cpus,
      pace: o.pace,
      loop: o.loop,
      when_full: o.whenFull,
    },
    host: {
      cpu: hostCpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      node: process.version,
      platform: process.platform,
      proc_available: process.platform === 'linux',
    },
    warnings,
    runs,
  };
}

function hostLine(): string {
  return `${availableParallelism()} cores (${hostCpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}`;
}

/** Progress goes to stderr, and only to a terminal. */
function progressLine(mode: Mode): (frames: number) => void {
  const startMs = performance.now();
  return (frames) => {
    if (!process.stderr.isTTY) return;
    const s = (performance.now() - startMs) / 1e3;
    const kpps = (frames / s / 1e3).toFixed(0);
    process.stderr.write(
      `\r\x1b[K${mode}: ${frames.toLocaleString('en')} frames, ${s.toFixed(1)} s, ${kpps} kpps`,
    );
  };
}

function clearLine(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
