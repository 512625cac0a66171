// SPDX-License-Identifier: GPL-2.0-only
/** Seeds 001 and 002 against what `softnet backlog` measured. Ratios are of runs of the same trial. */
import type { Check } from '../../report/document.js';
import { type Json, number, object, objects, present, text } from './json.js';
import { median, ratioCheck } from './judge.js';

/** Threads of the case `few` that want a core each: the NIC, the interrupted CPU, the backlog's thread, the reader. */
const CORES_FOR_FEW = 4;

/** Seed 001: threads made at boot. @param result the document of `softnet backlog --json` */
export function judgeBootThreads(result: unknown): Check[] {
  const runs = objects(object(result).runs);
  return [
    ratioCheck(
      'loopback: with the bypass threads cost no throughput',
      ratios(runs, 'loopback', 'smpboot', 'ipi', pps),
      { atLeast: 0.9 },
    ),
    ratioCheck(
      'loopback: handing each packet to the thread hurts',
      ratios(runs, 'loopback', 'smpboot-no-bypass', 'ipi', pps),
      { atMost: 0.8 },
    ),
    ratioCheck(
      'RPS: the thread is about as fast as the interrupt',
      ratios(runs, 'nic', 'smpboot', 'ipi', pps),
      { atLeast: 0.75 },
    ),
    failures(runs),
  ];
}

/** Seed 002: threads switched at run time. @param cores of the host */
export function judgeRunTimeThreads(result: unknown, cores: number): Check[] {
  const runs = objects(object(result).runs);
  const faster = ratioCheck(
    'few flows: threads spread the load over idle CPUs and are faster',
    ratios(runs, 'few', 'threaded', 'ipi', pps),
    { atLeast: 1.05 },
  );
  const cannot: Check = {
    ...faster,
    agrees: null,
    measured: `no core is idle, ${CORES_FOR_FEW} threads on ${cores} cores: ${faster.measured}`,
  };
  return [cores < CORES_FOR_FEW ? cannot : faster, relieved(runs), failures(runs)];
}

/** The part of all CPU time that the interrupted CPU's own threads have is what the scheduler cannot move. */
function relieved(runs: readonly Json[]): Check {
  const claim = 'few flows: a part of the work leaves softirq for a thread that can be placed';
  const shares = (mode: string): number[] =>
    present(runs.filter((r) => text(r.case) === 'few' && text(r.mode) === mode).map(softirqShare));
  const [ipi, threaded] = [shares('ipi'), shares('threaded')];
  if (ipi.length === 0 || threaded.length === 0)
    return { claim, agrees: null, measured: 'CPU times are not available' };
  const [a, b] = [median(ipi), median(threaded)];
  return {
    claim,
    agrees: b < a,
    measured: `softirq has ${Math.round(b * 100)} % of all CPU time, ${Math.round(a * 100)} % without threads`,
  };
}

function softirqShare(run: Json): number | null {
  let [all, softirq] = [0, 0];
  for (const t of objects(run.threads)) {
    const cpu = number(t.cpu_s);
    if (cpu === null) return null;
    all += cpu;
    if (/^(cpu|ksoftirqd)\//.test(text(t.name))) softirq += cpu;
  }
  return all > 0 ? softirq / all : null;
}

function failures(runs: readonly Json[]): Check {
  const claim = 'every frame is accounted for, in order';
  if (runs.length === 0) return { claim, agrees: null, measured: 'not measured' };
  const found = runs.flatMap((r) => (Array.isArray(r.failures) ? r.failures.map(String) : []));
  return { claim, agrees: found.length === 0, measured: found[0] ?? `${runs.length} runs`, exact: true };
}

function pps(run: Json): number | null {
  return number(run.pps);
}

/** @returns `mode` to `to`, a ratio for each trial of each load */
function ratios(
  runs: readonly Json[],
  kase: string,
  mode: string,
  to: string,
  value: (run: Json) => number | null,
): number[] {
  const of = (m: string): Json[] => runs.filter((r) => text(r.case) === kase && text(r.mode) === m);
  return present(
    of(mode).map((run) => {
      const peer = of(to).find((r) => r.trial === run.trial && r.size === run.size && r.flows === run.flows);
      const [a, b] = [value(run), peer === undefined ? null : value(peer)];
      return a === null || b === null || b <= 0 ? null : a / b;
    }),
  );
}
