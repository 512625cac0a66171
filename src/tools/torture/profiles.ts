// SPDX-License-Identifier: GPL-2.0-only
/** What a run consists of by name, and the faults that can be injected. */
import { OptionError } from '../../errors.js';

/** Faults, with what their rates mean: most are so many a second. */
export const FAULTS = Object.freeze({
  'kthread-fail': 'requests for kernel threads refused, rounds of them a second',
  'thread-death': 'threads ended in mid-work, a second; each ends a machine, and another one is booted',
  'app-death': 'applications that throw or exit, a second; likewise',
  sigstop: 'SIGSTOP of the whole process for 10 to 300 ms, a second',
  gc: 'long garbage collections of readers and of the main thread, a second',
  'irq-repeat': 'interrupts that no frame is behind, bursts a second',
  'irq-late': 'interrupts held back for 1 to 20 ms, a second',
  'irq-lost': 'interrupts that are never delivered, a second',
  'ring-corrupt': 'rounds of lengths, buffers and indices that a device reports wrongly, a second',
  'clock-jump': 'clocks of one thread or of all that jump forwards by up to 5 s, a second',
  'worker-oom': 'applications that want more memory than they may have, a second; each ends a machine',
  'client-vanish': 'control clients that go away in the middle of a request, a second',
});

export type FaultName = keyof typeof FAULTS;
export type FaultRates = { readonly [name in FaultName]?: number };
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

const ALL: FaultRates = Object.freeze({
  'kthread-fail': 0.5,
  'thread-death': 0.03,
  'app-death': 0.02,
  sigstop: 0.2,
  gc: 1,
  'irq-repeat': 3,
  'irq-late': 2,
  'irq-lost': 2,
  'ring-corrupt': 2,
  'clock-jump': 0.3,
  'worker-oom': 0.01,
  'client-vanish': 3,
});

/** How the time of a run is spent. */
export interface Profile {
  readonly faults: FaultRates;
  /** What the contexts do, by weight; what is left out does not happen. */
  readonly weights: { readonly [kind: string]: number };
}

const EVERYTHING: Profile['weights'] = Object.freeze({
  threaded: 4,
  napi: 6,
  busy: 2,
  channels: 4,
  ring: 2,
  link: 4,
  coalesce: 2,
  irq: 3,
  rps: 3,
  rfs: 2,
  dump: 4,
  sysctl: 3,
  backlog: 3,
  device: 1,
  xsk: 1,
  socket: 1,
});

function only(...kinds: readonly string[]): Profile['weights'] {
  return Object.fromEntries(kinds.map((k) => [k, EVERYTHING[k] ?? 1]));
}

export const PROFILES: { readonly [name: string]: Profile } = Object.freeze({
  default: { faults: {}, weights: EVERYTHING },
  faults: { faults: ALL, weights: EVERYTHING },
  modes: { faults: {}, weights: only('threaded', 'napi', 'busy', 'irq', 'dump', 'socket') },
  reconfig: {
    faults: {},
    weights: only('threaded', 'napi', 'channels', 'ring', 'link', 'device', 'dump', 'xsk'),
  },
  backlog: { faults: {}, weights: only('backlog', 'rps', 'rfs', 'sysctl', 'irq', 'link', 'socket') },
});

/**
 * Reads `NAME=RATE,…`; a name without a rate has that of the profile `faults`, `all` stands for all, `none` for none.
 * `all,gc=2` is all of them with another rate for one; a name that comes twice is refused.
 * @throws OptionError
 */
export function parseFaults(text: string): FaultRates {
  if (text === 'none') return {};
  const rates: { [name in FaultName]?: number } = {};
  const named = new Set<string>();
  for (const part of text.split(',')) {
    const [name, rate, ...rest] = part.split('=');
    if (named.has(name)) throw new OptionError('faults', text, `${name} once`);
    named.add(name);
    if (part === 'all') {
      Object.assign(rates, { ...ALL, ...rates });
      continue;
    }
    const value = rate === undefined ? ALL[name as FaultName] : Number(rate);
    if (!FAULT_NAMES.includes(name as FaultName) || rest.length > 0) {
      throw new OptionError('faults', part, `all, none, or NAME=RATE with ${FAULT_NAMES.join(', ')}`);
    }
    if (value === undefined || rate === '' || !Number.isFinite(value) || value < 0 || value > 1000) {
      throw new OptionError('faults', part, 'a rate from 0 to 1000 a second');
    }
    rates[name as FaultName] = value;
  }
  return rates;
}

/** @returns the rates as `--faults` takes them */
export function faultsText(rates: FaultRates): string {
  const some = FAULT_NAMES.filter((n) => (rates[n] ?? 0) > 0);
  return some.length === 0 ? 'none' : some.map((n) => `${n}=${rates[n]}`).join(',');
}
