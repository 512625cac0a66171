// SPDX-License-Identifier: GPL-2.0-only
/** `softnet backlog`: the ways of running a CPU's backlog against each other. */
import { availableParallelism, cpus as hostCpus } from 'node:os';
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE } from '../exit_codes.js';
import { backlogRun, type Case, type Mode, type RunOptions, type RunReport } from './run.js';
import { backlogTable } from './table.js';
import { mostFlows } from './traffic.js';

export interface BacklogOptions {
  readonly cases: readonly Case[];
  readonly modes: readonly Mode[];
  /** Empty: what is usual for each case. */
  readonly flows: readonly number[];
  readonly sizes: readonly number[];
  readonly cpus: number;
  readonly buffers: number;
  readonly window: number;
  readonly seconds: number;
  /** Instead of `seconds`. */
  readonly count?: number;
  readonly trials: number;
  readonly json: boolean;
}

/** A run of a trial. */
export interface TrialReport extends RunReport {
  /** From 1. */
  readonly trial: number;
}

const FLOWS: { readonly [kase in Case]: readonly number[] } = {
  nic: [64],
  loopback: [8],
  few: [4],
};

/** Runs the command. @returns its exit code */
export async function backlog(o: BacklogOptions): Promise<number> {
  const plan = planOf(o);
  const wrong = plan.find((r) => r.flows > mostFlows(r.case, r.size));
  if (wrong !== undefined) {
    const most = mostFlows(wrong.case, wrong.size);
    process.stderr.write(
      `softnet backlog: --flows ${wrong.flows}: with frames of ${wrong.size} bytes there can be ${most} flows; give at most that\n`,
    );
    return EXIT_USAGE;
  }
  const parameters = {
    cases: o.cases,
    modes: o.modes,
    flows: o.flows.length > 0 ? o.flows : Object.fromEntries(o.cases.map((c) => [c, FLOWS[c]])),
    sizes: o.sizes,
    cpus: o.cpus,
    buffers: o.buffers,
    window: o.window,
    ...(o.count === undefined ? { seconds: o.seconds } : { count: o.count }),
    trials: o.trials,
  };
  const line = `softnet backlog: ${Object.entries(parameters)
    .map(([name, v]) => `${name}=${typeof v === 'object' ? JSON.stringify(v).replaceAll('"', '') : v}`)
    .join('; ')}`;
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once('SIGINT', onSignal);
  if (!o.json) process.stdout.write(`${line}\n`);
  const runs: TrialReport[] = [];
  const failures: string[] = [];
  try {
    for (let trial = 1; trial <= o.trials; trial++) {
      // A B C, C B A: what the host does meanwhile meets all of them alike.
      for (const run of trial % 2 === 1 ? plan : [...plan].reverse()) {
        if (interrupt.signal.aborted) break;
        progress(`${runs.length + 1} of ${plan.length * o.trials}: ${nameOf(run)}`);
        const report = { ...(await backlogRun(run, interrupt.signal)), trial };
        runs.push(report);
        for (const f of report.failures) failures.push(`${nameOf(run)}, trial ${trial}: ${f}`);
      }
    }
  } finally {
    progress('');
    process.removeListener('SIGINT', onSignal);
  }
  for (const f of failures) process.stderr.write(`softnet backlog: ${f}\n`);
  const host = {
    cpu: hostCpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    node: process.versions.node,
  };
  if (o.json) {
    process.stdout.write(
      `${JSON.stringify({ command: 'softnet backlog', parameters, host, runs }, null, 2)}\n`,
    );
  } else {
    if (runs.length > 0) process.stdout.write(backlogTable(runs));
    process.stdout.write(`${host.cores} cores (${host.cpu}), Node ${host.node}\n`);
    const verdict = failures.length === 0 ? 'SUCCESS' : 'FAILURE';
    process.stdout.write(`${line}: ${interrupt.signal.aborted ? 'interrupted, ' : ''}${verdict}\n`);
  }
  if (failures.length > 0) return EXIT_CHECK_FAILED;
  return interrupt.signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
}

/** Every run of a trial. */
function planOf(o: BacklogOptions): RunOptions[] {
  const { cpus, buffers, window } = o;
  const load = o.count === undefined ? { seconds: o.seconds } : { count: o.count };
  return o.cases.flatMap((kase) =>
    (o.flows.length > 0 ? o.flows : FLOWS[kase]).flatMap((flows) =>
      o.sizes.flatMap((size) =>
        o.modes
          // The switch of an experiment, and of interest where the bypass is.
          .filter((mode) => mode !== 'smpboot-no-bypass' || kase === 'loopback')
          .map((mode) => ({ case: kase, mode, flows, size, cpus, buffers, window, load })),
      ),
    ),
  );
}

function nameOf(r: RunOptions): string {
  return `${r.case}, ${r.flows} flows of ${r.size} bytes, ${r.mode}`;
}

/** Progress goes to stderr, and only to a terminal. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
