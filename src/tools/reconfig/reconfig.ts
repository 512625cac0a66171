// SPDX-License-Identifier: GPL-2.0-only
/** `softnet reconfig`: channel changes and link flaps under traffic, and what becomes of the NAPI threads. */
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK } from '../exit_codes.js';
import { table } from '../table.js';
import {
  type Persist,
  type Personality,
  personalityText,
  type RunOptions,
  type RunReport,
  reconfigRun,
} from './run.js';

export interface ReconfigOptions {
  readonly cycles: number;
  readonly personality: readonly Personality[];
  readonly persist: readonly Persist[];
  readonly queues: number;
  readonly cpus: number;
  readonly traffic: 'asap' | number;
  readonly seed: number;
  readonly json: boolean;
}

/** Every way of changing channels with persistent config, and one driver without. */
export const DEFAULT_PERSONALITIES: readonly Personality[] = [
  { config: 'persistent', reconfig: 'delta' },
  { config: 'persistent', reconfig: 'rebuild' },
  { config: 'persistent', reconfig: 'safe-switch' },
  { config: 'none', reconfig: 'delta' },
];

/** Runs the command. @returns its exit code */
export async function reconfig(o: ReconfigOptions): Promise<number> {
  const personalities = o.personality.length === 0 ? DEFAULT_PERSONALITIES : o.personality;
  const parameters = {
    cycles: o.cycles,
    personality: personalities.map(personalityText),
    persist: o.persist,
    queues: o.queues,
    cpus: o.cpus,
    traffic: o.traffic,
    seed: o.seed,
  };
  const line = `softnet reconfig: ${Object.entries(parameters)
    .map(([name, v]) => `${name}=${Array.isArray(v) ? v.join(name === 'persist' ? ',' : ' ') : v}`)
    .join('; ')}`;
  if (!o.json) process.stdout.write(`${line}\n`);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once('SIGINT', onSignal);
  const runs: RunReport[] = [];
  const failures: string[] = [];
  try {
    for (const personality of personalities) {
      for (const persist of o.persist) {
        if (interrupt.signal.aborted) break;
        const run: RunOptions = { ...o, personality, persist };
        const report = await reconfigRun(run, progressLine(run), interrupt.signal);
        clearLine();
        runs.push(report);
        const cut = !interrupt.signal.aborted && report.cycles < o.cycles;
        failures.push(...failuresOf(report, personality, cut));
        if (cut && persist === 'v1') {
          const where = `${report.persist}, ${report.personality}`;
          process.stderr.write(
            `softnet reconfig: ${where}: ended after ${report.cycles} cycles, when all threads had leaked\n`,
          );
        }
      }
    }
  } finally {
    process.removeListener('SIGINT', onSignal);
  }
  for (const f of failures) process.stderr.write(`softnet reconfig: ${f}\n`);
  const verdict = failures.length === 0 ? 'SUCCESS' : 'FAILURE';
  if (o.json) {
    process.stdout.write(`${JSON.stringify({ command: 'softnet reconfig', parameters, runs }, null, 2)}\n`);
  } else {
    if (runs.length > 0) process.stdout.write(reconfigTable(runs));
    process.stdout.write(`${line}: ${interrupt.signal.aborted ? 'interrupted, ' : ''}${verdict}\n`);
  }
  if (failures.length > 0) return EXIT_CHECK_FAILED;
  return interrupt.signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
}

/** What must not be, one line each. `v1` is known to leak and to change threads: that is told, and no failure. */
function failuresOf(r: RunReport, p: Personality, cut: boolean): string[] {
  const where = `${r.persist}, ${r.personality}`;
  const failures: string[] = [];
  if (r.lost !== 0) failures.push(`${where}: ${r.lost} frames are lost`);
  if (r.persist === 'v1') return failures;
  if (cut) failures.push(`${where}: no thread could be had any more after ${r.cycles} cycles`);
  if (r.threads_leaked > 0) failures.push(`${where}: ${r.threads_leaked} threads leaked`);
  if (r.persist === 'fixed' && p.config === 'persistent') {
    if (!r.pids_stable) failures.push(`${where}: threads of queues changed`);
    if (r.affinity_kept === false) failures.push(`${where}: a thread's affinity was lost`);
  }
  return failures;
}

function reconfigTable(runs: readonly RunReport[]): string {
  const head = [
    'personality',
    'persist',
    'cycles',
    'p50, µs',
    'p99, µs',
    'created',
    'leaked',
    'PIDs stable',
    'affinity kept',
    'lost',
  ];
  const rows = runs.map((r) => [
    r.personality,
    r.persist,
    String(r.cycles),
    r.cycle_us.p50.toFixed(1),
    r.cycle_us.p99.toFixed(1),
    String(r.threads_created),
    String(r.threads_leaked),
    yesNo(r.pids_stable),
    yesNo(r.affinity_kept),
    String(r.lost),
  ]);
  return table([head, ...rows]);
}

function yesNo(value: boolean | null): string {
  if (value === null) return '-';
  return value ? 'yes' : 'no';
}

/** Progress goes to stderr, and only to a terminal. */
function progressLine(o: RunOptions): (cycles: number) => void {
  let lastMs = 0;
  return (cycles) => {
    const nowMs = performance.now();
    if (!process.stderr.isTTY || nowMs - lastMs < 200) return;
    lastMs = nowMs;
    process.stderr.write(`\r\x1b[K${o.persist}, ${personalityText(o.personality)}: ${cycles} cycles`);
  };
}

function clearLine(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
