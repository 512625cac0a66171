// SPDX-License-Identifier: GPL-2.0-only
/** Documents as the commands print them, with made-up figures: what is measured is no part of the tests that use them. */
import type { PartResult, RunDocument } from '../../dist/report/document.js';

const SIZES = [1, 64, 256, 1438, 4096, 64000];
const FLOWS = [1, 25, 50, 100, 200];

/** Figures that look like measured ones, and are the same in each run. */
export function wobble(seed: number): number {
  const x = Math.sin(seed * 12.9898 + 4.1414) * 43758.5453;
  return 0.9 + 0.2 * (x - Math.floor(x));
}

export interface StreamShape {
  /** Goodput of threads to vanilla with many small flows, and with one. */
  readonly gain?: number;
  readonly oneFlow?: number;
  readonly both?: number;
  /** Goodput of each setting under the highest load, as a part of its peak. */
  readonly vanillaEnd?: number;
  readonly threadedEnd?: number;
  readonly curve?: boolean;
  readonly sizes?: readonly number[];
  readonly cores?: number;
  /** Where a hypervisor stands in front. */
  readonly hypervisor?: 'last' | 'all';
}

function setting(kpps: number, base: number, softirq: number, threads: number, seed: number) {
  const lost = Math.round(1e6 / (1 + kpps));
  return {
    kpps,
    delta_pct: (kpps / base - 1) * 100,
    cpu_share: { softirq, threads, receivers: Math.max(0, 0.98 - softirq - threads) },
    drops: { rx_missed: lost, socket_full: Math.round(lost * wobble(seed) * 0.4) },
    jain: Math.min(1, 0.93 * wobble(seed + 7)),
    core_available: 0.99,
    threads: ['cpu/0', 'ksoftirqd/0', 'napi/eth0-8193'].map((name, i) => ({
      name,
      cpu_ms: 100 * wobble(seed + i),
      run_delay_ms: 12.5 * wobble(seed + i + 1),
      voluntary_switches: 120 + i,
      forced_switches: 40 * i,
    })),
  };
}

export function streamDocument(shape: StreamShape = {}) {
  const { gain = 3, oneFlow = 1.2, both = 1.2, vanillaEnd = 0.03, threadedEnd = 0.95, curve = true } = shape;
  const rows = (shape.sizes ?? SIZES).flatMap((size) =>
    FLOWS.map((flows) => {
      const seed = size * 7 + flows;
      const base = (size > 1500 ? 20 : 180 / Math.sqrt(flows)) * wobble(seed);
      const by = size > 5000 ? 1 : flows === 1 ? oneFlow : gain;
      const threaded = base * by * (size > 5000 ? 1 : wobble(seed + 1) ** 0.3);
      return {
        size,
        flows,
        offered_kpps: 1200 * wobble(seed + 5),
        overload: 4 * wobble(seed + 6),
        settings: {
          vanilla: setting(base, base, 0.86, 0, seed),
          guest_threaded: setting(threaded, base, 0.04, 0.5, seed + 2),
          both_threaded: setting(threaded * both, base, 0.03, 0.46, seed + 3),
        },
      };
    }),
  );
  const loads = [50, 100, 200, 300, 400, 600, 800, 1200, 1600, 2000];
  const goodput = (load: number, peak: number, end: number): number => {
    if (load <= peak) return load;
    const past = Math.min(1, (load - peak) / (1600 - peak));
    return peak * (1 - (1 - end) * past ** 0.6);
  };
  return {
    command: 'softnet stream',
    host: { cpu: 'made up', cores: shape.cores ?? 2, pinned: { vcpu: 0, others: 1 } as object | null },
    options: { quick: true, hypervisor: shape.hypervisor ?? 'last' },
    rows,
    ...(curve
      ? {
          curve: loads.map((offered_kpps) => ({
            offered_kpps,
            settings: {
              vanilla: { kpps: goodput(offered_kpps, 300, vanillaEnd) },
              guest_threaded: { kpps: goodput(offered_kpps, 260, threadedEnd) },
              both_threaded: { kpps: goodput(offered_kpps, 285, threadedEnd) },
            },
          })),
        }
      : {}),
  };
}

/** @param speed packets a second of a mode in a case, times those of interrupts; by trial */
export function backlogDocument(
  speed: { readonly [caseAndMode: string]: number | readonly number[] } = {},
  { trials = 3, sizes = [64] }: { trials?: number; sizes?: readonly number[] } = {},
) {
  const modes: { readonly [kase: string]: readonly string[] } = {
    nic: ['ipi', 'threaded', 'smpboot'],
    loopback: ['ipi', 'threaded', 'smpboot', 'smpboot-no-bypass'],
    few: ['ipi', 'threaded', 'smpboot'],
  };
  const base: { readonly [kase: string]: number } = { nic: 2_000_000, loopback: 220_000, few: 1_100_000 };
  const runs = [];
  for (let trial = 1; trial <= trials; trial++) {
    for (const [kase, list] of Object.entries(modes)) {
      for (const size of sizes) {
        const ipi = base[kase] * wobble(trial * 31 + size);
        for (const mode of list) {
          const by = speed[`${kase} ${mode}`] ?? (mode === 'smpboot-no-bypass' ? 0.31 : 1.02);
          const times = mode === 'ipi' ? 1 : typeof by === 'number' ? by : by[(trial - 1) % by.length];
          const pps = ipi * times;
          const offered = Math.round(pps * 0.2);
          const thread = mode === 'ipi' ? 0 : 0.05;
          runs.push({
            case: kase,
            mode,
            flows: kase === 'nic' ? 64 : 8,
            size,
            pps,
            cpu_s: 0.3,
            drops: 0,
            time_squeeze: 3,
            received_rps: mode === 'ipi' ? 900 + trial : 0,
            offered,
            delivered: offered,
            drops_by_reason: {},
            reordered: 0,
            duration_s: 0.2,
            threads: [
              { name: 'cpu/0', cpu_s: 0.15 - thread },
              { name: 'napi/backlog-0', cpu_s: thread },
              { name: 'app/sink', cpu_s: 0.15 },
            ],
            interrupted: false,
            failures: [] as string[],
            trial,
          });
        }
      }
    }
  }
  return { command: 'softnet backlog', parameters: { trials }, host: { cores: 2 }, runs };
}

const RR_MODES = ['interrupts', 'busypoll', 'busypoll-separate', 'threaded'];

/** @param p50 medians by mode, ns; @param marked modes whose trials were all disturbed */
export function rrDocument(
  p50: { readonly [mode: string]: number } = {},
  {
    marked = [],
    rows = 2,
    short = '',
    by = 'its busy threads waited 4,443 µs for a core, app/poll most of it; 1,560 µs are let pass',
  }: { marked?: readonly string[]; rows?: number; short?: string; by?: string } = {},
) {
  const usual: { readonly [mode: string]: number } = {
    interrupts: 21_000,
    busypoll: 4_200,
    'busypoll-separate': 1_900,
    threaded: 1_300,
  };
  const all = [
    { title: '12 Kpkt/s + 0us delay', period_us: 83.333, delay_us: 0 },
    { title: '25 Kpkt/s + 38us delay', period_us: 40, delay_us: 38 },
    { title: '125 Kpkt/s + 6us delay', period_us: 8, delay_us: 6 },
  ];
  const cell = (mode: string, seed: number) => {
    const middle = (p50[mode] ?? usual[mode]) * wobble(seed) ** 0.2;
    const at = (percent: number): number =>
      Math.round(middle * (0.72 + 0.4 * (percent / 100) + 0.22 * (1 / (1 - percent / 100) - 1) ** 0.55));
    return {
      p5_ns: at(5),
      p50_ns: at(50),
      p95_ns: at(95),
      p99_ns: at(99),
      max_ns: at(99.99),
      ladder: [1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9].map((percent) => ({ percent, ns: at(percent) })),
      packets: 18_000,
      cpu_us_per_packet: 40.2 * wobble(seed),
      cores: mode === 'busypoll' ? 1.0 : 1.9,
      utilisation: 0.5,
      syscall_ns: 150,
      socket_calls: mode.startsWith('busypoll') ? 120_000 : 0,
      empty_polls: null,
      wakeups: mode === 'interrupts' ? 17_900 : 2,
      missed: 0,
      run_delay_us: 120.5,
      forced_switches: 3,
      steal_us: 0,
      disturbed_trials: marked.includes(mode) ? 3 : 0,
      trials: 3,
      disturbed_by: marked.includes(mode) ? [by, by, by] : [],
      marked: marked.includes(mode),
      as_xsk_rr_prints: { p5_ns: 1, p50_ns: 1, p95_ns: 1, p99_ns: 1 },
      poll_ns_log2:
        mode === 'threaded' ? [0, 0, 0, 0, 0, 0, 12, 5210, 48_000, 21_500, 900, 44, 3, 0, 0] : null,
      threads: [],
    };
  };
  return {
    command: 'softnet rr',
    parameters: {},
    host: { cores: 2 },
    ...(short === '' ? {} : { too_few_cores: short }),
    interrupted: false,
    rows: all.slice(0, rows).map((row, i) => ({
      ...row,
      modes: Object.fromEntries(RR_MODES.map((mode, k) => [mode, cell(mode, i * 10 + k)])),
      uncharged: {},
      ratios: {},
    })),
  };
}

/** @param v1Leaks threads that leak as posted; @param fixedLeaks where it is mended */
export function reconfigDocument({ v1Leaks = 0, fixedLeaks = 0, lost = 0, cycles = 40 } = {}) {
  const ways = ['delta', 'rebuild', 'safe-switch'].map((way) => `config=persistent,reconfig=${way}`);
  const runs = [...ways, 'config=none,reconfig=delta'].flatMap((personality, i) =>
    ['off', 'v1', 'fixed'].map((persist, k) => {
      const keeps = persist !== 'off' && !personality.includes('none');
      const safe = personality.includes('safe-switch');
      const leaked = persist === 'v1' ? (safe ? 34 : v1Leaks) : persist === 'fixed' && safe ? fixedLeaks : 0;
      return {
        persist,
        personality,
        cycles,
        cycle_us: { p50: 900 * wobble(i * 5 + k), p99: 4_800 * wobble(i * 5 + k + 1) },
        threads_created: keeps ? leaked : 86,
        threads_leaked: leaked,
        pids_stable: keeps && leaked === 0,
        affinity_kept: keeps && leaked === 0,
        lost: i === 0 && k === 0 ? lost : 0,
      };
    }),
  );
  return { command: 'softnet reconfig', parameters: {}, runs };
}

export function checkDocument(outcomes: readonly string[] = ['holds', 'holds', 'holds']) {
  const tests = outcomes.map((outcome, i) => ({
    test: `made-up-${i}`,
    outcome,
    forbids: 'a poll by two <threads> & "both" count',
    why: 'because',
    states: 23_000 + 117 * i,
    time_ns: 150_000_000 + i,
  }));
  return { digest: 'abc', interrupted: false, not_run: [] as string[], tests };
}

export function mutantsDocument(missed: readonly string[] = []) {
  const names = ['woken-short-cut', 'flush-does-not-wait', 'busy-never-left'];
  const mutants = names.map((mutant, i) => ({
    mutant,
    commit: null,
    why: 'leaves something out',
    test: `made-up-${i}`,
    expected: 'deadlock',
    found: missed.includes(mutant) ? null : 'deadlock',
    caught: !missed.includes(mutant),
    stale: null,
    cut_by: null,
    steps: 40 + i,
    time_ns: 90_000_000,
  }));
  return { time_ns: 1, interrupted: false, not_run: [] as string[], mutants };
}

export function replayDocument({ failure = '', scale = 1 }: { failure?: string; scale?: number } = {}) {
  const runs = ['softirq', 'threaded'].map((mode, k) => {
    const middle = (k === 0 ? 660_000 : 340_000) * scale;
    const names =
      k === 0
        ? ['cpu/0', 'ksoftirqd/0', 'cpu/1', 'app/sink', 'nic/eth0']
        : ['app/sink', 'nic/eth0', 'napi/eth0-8193', 'napi/eth0-8194'];
    const at = Array.from({ length: 36 }, (_, i) => 20.1 * (i + 1));
    return {
      mode,
      queues: 2,
      packets: { read: 527_280, delivered: 527_280, dropped: {} },
      bytes: 169_195_960,
      duration_s: 0.72,
      pps: 730_000 / scale,
      polls: 11_716,
      packets_per_poll: 45.01,
      packets_per_poll_log2: [31, 640, 410, 388, 501, 903, 2210, 6633 + k],
      wakeups: 4_189,
      latency_ns: { p5: 60_700, p50: middle, p95: 4_145_200, p99: 8_454_100, max: 17_581_100 },
      latency_ladder: [1, 10, 50, 90, 99, 99.9, 99.99].map((percent, i) => ({
        percent,
        ns: Math.round(middle * 0.1 * 1.9 ** i),
      })),
      timeline: {
        at_ms: at,
        threads: names.map((name, t) => ({
          name,
          cpu_ms: at.map((_, i) => 20 * Math.max(0, 0.4 * wobble(i * 5 + t) + 0.2 * Math.sin(i / 3 + t))),
          run_delay_ms: at.map((_, i) => 6 * (wobble(i * 3 + t) - 0.9)),
          wakeups: at.map(() => 30),
        })),
      },
      threads: names.map((name, i) => ({ name, tid: 100 + i, cpu_s: 0.1 * wobble(i), run_delay_s: 0.01 })),
      interrupts: 20_551,
      gro_merged: 7_682,
      time_squeeze: 12,
      ksoftirqd_handovers: k === 0 ? 71 : 0,
      flows: 741,
      reordered: 0,
      interrupted: false,
      warnings: [],
      failures: failure === '' || k === 0 ? [] : [failure],
    };
  });
  return { command: 'softnet replay', parameters: {}, host: {}, warnings: [], runs };
}

export function madeUpPart(id: string, result: unknown, more: Partial<PartResult> = {}): PartResult {
  return {
    id,
    seed: '004',
    title: `Part ${id}`,
    claim: 'What a seed says.',
    scope: 'fewer rows',
    argv: [id, '--json'],
    command: `softnet ${id}`,
    state: 'done',
    exit_code: 0,
    seconds: 12.345,
    others_share: 0.01,
    verdict: 'agrees',
    reason: 'as it was measured',
    checks: [
      { claim: 'first', agrees: true, measured: '16 of 16 rows' },
      { claim: 'second <b>', agrees: null, measured: 'too few cores' },
      { claim: 'third', agrees: false, measured: '0.5 times' },
    ],
    stderr: [],
    result,
    ...more,
  };
}

/** A run with every part, of every verdict. */
export function madeUpRun(more: Partial<RunDocument> = {}): RunDocument {
  return {
    command: 'softnet reproduce',
    format: 1,
    version: '0.1.0',
    profile: 'quick',
    host: {
      cpu: 'Made-up Processor',
      cores: 2,
      memory_bytes: 8 * 2 ** 30,
      os: 'Linux 6.18',
      node: '20.20.2',
      load: 0.21,
    },
    started: '2026-01-02T03:04:05.678Z',
    seconds: 141.2,
    interrupted: false,
    not_run: [],
    parts: [
      madeUpPart('stream', streamDocument()),
      madeUpPart('boot-threads', backlogDocument({}, { sizes: [64, 1024] }), {
        seed: '001',
        verdict: 'differs',
      }),
      madeUpPart('rr', rrDocument({}, { marked: ['busypoll'], rows: 3 }), {
        seed: '003',
        verdict: 'this host cannot tell',
        state: 'cut',
      }),
      madeUpPart('reconfig', reconfigDocument(), { seed: '000' }),
      madeUpPart('litmus', checkDocument(), { seed: null }),
      madeUpPart('mutants', mutantsDocument(), { seed: null }),
      madeUpPart('replay', replayDocument(), { seed: null }),
      madeUpPart('run-time-threads', null, { seed: '002', state: 'failed', verdict: null, checks: [] }),
    ],
    ...more,
  };
}
