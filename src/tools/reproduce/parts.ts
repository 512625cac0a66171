// SPDX-License-Identifier: GPL-2.0-only
/** The parts of `softnet reproduce`: what each seed says, which command shows it, and how that is judged. */
import type { Check, Host } from '../../report/document.js';
import { judgeBootThreads, judgeRunTimeThreads } from './judge_backlog.js';
import { judgeLitmus, judgeMutants, judgeReplay } from './judge_check.js';
import { judgeReconfig } from './judge_reconfig.js';
import { judgeRr } from './judge_rr.js';
import { judgeStream } from './judge_stream.js';
import { QUICK_MUTANTS, QUICK_TESTS } from './quick_subset.js';

export type Profile = 'quick' | 'full';

/** How a part is run in one profile. */
export interface Plan {
  readonly argv: readonly string[];
  /** What it takes on two cores that have nothing else to do. */
  readonly seconds: number;
  /** When it is ended; null: never. */
  readonly limitS: number | null;
  /** What is left out, '' if nothing is. */
  readonly scope: string;
}

export interface Part {
  readonly id: string;
  readonly seed: string | null;
  readonly title: string;
  readonly claim: string;
  readonly plans: { readonly [profile in Profile]: Plan };
  /** Its command tells by itself which figures others at work on the host have spoilt, and its judge heeds that. */
  readonly heedsOthers?: true;
  readonly judge: (result: unknown, host: Host) => readonly Check[];
}

const STREAM_ROWS = '64/1,64/25,64/200,256/100,1438/1,1438/25,1438/100,64000/25';

function full(argv: readonly string[], seconds: number): Plan {
  return { argv: [...argv, '--json'], seconds, limitS: null, scope: '' };
}

function quick(argv: readonly string[], seconds: number, limitS: number, scope: string): Plan {
  return { argv: [...argv, '--json'], seconds, limitS, scope };
}

/** Drivers of `softnet reconfig`, in the order in which they are run: what is only a repetition comes last, because time may be up. */
function personalities(...ways: readonly string[]): string[] {
  return ways.flatMap((way) => ['--personality', `config=persistent,reconfig=${way}`]);
}

/** In the order in which they are run and shown. The limits of the quick ones add up to less than 180 s. */
export const PARTS: readonly Part[] = [
  {
    id: 'stream',
    seed: '004',
    title: 'Threaded NAPI under overload',
    claim:
      'Under a UDP flood softirq takes nearly all of a CPU and the receiving tasks starve; with the poll loop in a ' +
      'kernel thread the scheduler shares the CPU fairly, and throughput stays near its peak.',
    plans: {
      quick: quick(
        ['stream', '--quick', '--curve', '--rows', STREAM_ROWS],
        48,
        60,
        '8 of the 30 rows, one short trial each, a coarse curve',
      ),
      full: full(['stream', '--curve'], 550),
    },
    heedsOthers: true,
    judge: judgeStream,
  },
  {
    id: 'boot-threads',
    seed: '001',
    title: 'Backlog threads made at boot',
    claim:
      'A CPU’s backlog can be run by a thread of its own. Where a CPU sends to itself, handing over to the thread would ' +
      'hurt, so the own CPU bypasses it and loopback is as fast as before; with RPS thread and interrupt are about equal.',
    plans: {
      quick: quick(
        ['backlog', '--cases', 'nic,loopback', '--modes', 'ipi,smpboot,smpboot-no-bypass', '--sizes', '64'],
        23,
        26,
        'frames of 64 bytes only',
      ),
      full: full(
        ['backlog', '--cases', 'nic,loopback', '--modes', 'ipi,smpboot,smpboot-no-bypass', '--trials', '9'],
        60,
      ),
    },
    judge: judgeBootThreads,
  },
  {
    id: 'run-time-threads',
    seed: '002',
    title: 'Backlog threads switched at run time',
    claim:
      'With few flows a static choice of CPUs for RPS leaves some idle and others busy; backlogs run by threads can be ' +
      'spread over idle CPUs by the scheduler.',
    plans: {
      quick: quick(
        ['backlog', '--cases', 'few', '--modes', 'ipi,threaded', '--sizes', '64'],
        8,
        11,
        'few flows only, frames of 64 bytes',
      ),
      full: full(['backlog', '--cases', 'nic,few', '--modes', 'ipi,threaded', '--trials', '9'], 40),
    },
    judge: (result, host) => judgeRunTimeThreads(result, host.cores),
  },
  {
    id: 'rr',
    seed: '003',
    title: 'Threaded busy polling',
    claim:
      'A kernel thread that polls without rest on a core of its own gives the lowest latency and the steadiest p99, also ' +
      'while the application works; it costs that core.',
    plans: {
      quick: quick(
        // A trial is warmed up for longer than it lasts: a longer one costs little, and one wait spoils less of it.
        [
          'rr',
          '--rows',
          '83.333:0',
          '--duration',
          '0.5',
          '--trials',
          '1',
          '--retries',
          '2',
          '--no-equal-cores',
        ],
        25,
        34,
        '1 of the 5 rows, the one in which the application does nothing; one trial of 0.5 s',
      ),
      full: full(['rr'], 150),
    },
    heedsOthers: true,
    judge: judgeRr,
  },
  {
    id: 'reconfig',
    seed: '000',
    title: 'NAPI threads kept across napi_del and napi_add',
    claim:
      'A NAPI thread that is parked and saved when its instance is deleted can serve the instance that comes after it: ' +
      'its PID, and what was set on it, survive.',
    plans: {
      quick: quick(
        ['reconfig', '--cycles', '16', ...personalities('safe-switch', 'delta'), '--persist', 'v1,fixed,off'],
        12,
        15,
        '16 cycles instead of 1,000, of 2 drivers instead of 4',
      ),
      full: full(['reconfig', '--cycles', '1000'], 180),
    },
    judge: judgeReconfig,
  },
  {
    id: 'litmus',
    seed: null,
    title: 'Every interleaving: the litmus suite',
    claim:
      'The ownership bits and orderings that the seeds rely on hold in every interleaving of small scenarios, explored on ' +
      'the code that runs.',
    plans: {
      quick: quick(
        ['check', ...QUICK_TESTS],
        9,
        11,
        `${QUICK_TESTS.length} named tests, the smaller ones of each seed`,
      ),
      full: full(['check'], 90),
    },
    judge: judgeLitmus,
  },
  {
    id: 'mutants',
    seed: null,
    title: 'Bugs put in, and caught',
    claim: 'Each known bug of such code, put in on purpose, is caught by a litmus test.',
    plans: {
      quick: quick(['check', '--mutants', ...QUICK_MUTANTS], 9, 11, `${QUICK_MUTANTS.length} named mutants`),
      full: full(['check', '--mutants'], 180),
    },
    judge: judgeMutants,
  },
  {
    id: 'replay',
    seed: null,
    title: 'A capture through both modes',
    claim:
      'Softirq stays the default, and a device can be switched: the same frames come out of both, in order.',
    plans: {
      quick: quick(['replay', '--loop', '20'], 4, 6, ''),
      full: full(['replay', '--loop', '60'], 8),
    },
    judge: judgeReplay,
  },
];
