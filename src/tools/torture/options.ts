// SPDX-License-Identifier: GPL-2.0-only
/** The parameters of a torture run: the first and the last line carry them all, and a command that repeats it. */
import { type FaultRates, faultsText } from './profiles.js';

export interface TortureOptions {
  readonly durationMs: number;
  readonly seed: number;
  /** Seeds of a campaign: `seed` and those behind it. */
  readonly seeds: number;
  /** This part of the campaign, from 1, of so many. */
  readonly shard: readonly [number, number];
  readonly profile: string;
  readonly faults: FaultRates;
  /** Process contexts that operate on the machine. */
  readonly threads: number;
  readonly devices: number;
  /** Simulated CPUs; 0: by seed. */
  readonly cpus: number;
  /** Seconds between two changes of a CPU from online to offline or back; 0: none. */
  readonly onoffInterval: number;
  /** Seconds between two shuffles of the threads' real affinity; 0: none. */
  readonly shuffleInterval: number;
  /** Seconds of work between two pauses in which everything must come to rest; 0: only at the end. */
  readonly stutter: number;
  /** Seconds without progress that are taken for a hang; an operation has twice that. */
  readonly stall: number;
  /** Seconds between two status lines; 0: none. */
  readonly statInterval: number;
  readonly guard: boolean;
  /** Latest events of all threads that a failure shows; 0: nothing is traced. */
  readonly trace: number;
  readonly record: string | null;
  readonly json: boolean;
}

/** Reads 45s, 5m, 3h, or seconds. @returns milliseconds, or null */
export function parseDuration(text: string): number | null {
  const found = /^(\d+(?:\.\d+)?)(s|m|h|)$/.exec(text);
  if (found === null) return null;
  const unit = { s: 1000, m: 60_000, h: 3_600_000, '': 1000 }[found[2]] ?? 1000;
  const ms = Number(found[1]) * unit;
  return ms > 0 && ms <= 7 * 24 * 3_600_000 ? ms : null;
}

/** @returns a duration as `--duration` takes it */
export function durationText(ms: number): string {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1000}s`;
}

/** @returns the seeds of this part: every n-th, so that each part gets as many, give or take one */
export function seedsOf(o: Pick<TortureOptions, 'seed' | 'seeds' | 'shard'>): number[] {
  const [i, n] = o.shard;
  return Array.from({ length: o.seeds }, (_, k) => o.seed + k).filter((_, k) => k % n === i - 1);
}

/** The parameters by their names on the command line. */
export function parameters(o: TortureOptions): { [name: string]: string | number } {
  return {
    duration: durationText(o.durationMs),
    seed: o.seed,
    ...(o.seeds === 1 ? {} : { seeds: o.seeds, shard: o.shard.join('/') }),
    profile: o.profile,
    faults: faultsText(o.faults),
    threads: o.threads,
    devices: o.devices,
    cpus: o.cpus,
    onoff_interval: o.onoffInterval,
    shuffle_interval: o.shuffleInterval,
    stutter: o.stutter,
    stall: o.stall,
    stat_interval: o.statInterval,
    trace: o.trace,
    ...(o.guard ? { guard: 1 } : {}),
  };
}

/** @returns one line: `softnet torture: seed=1 …` */
export function parameterLine(o: TortureOptions): string {
  const list = Object.entries(parameters(o)).map(([name, v]) => `${name}=${v}`);
  return `softnet torture: ${list.join(' ')}`;
}

/** @returns the command that runs one seed again with everything else as it was */
export function repeatCommand(o: TortureOptions, seed: number): string {
  const all = { ...parameters(o), seed };
  const skip = new Set(['seeds', 'shard', 'guard']);
  const list = Object.entries(all).filter(([name]) => !skip.has(name));
  const guard = o.guard ? ' --guard' : '';
  return `softnet torture ${list.map(([name, v]) => `--${name} ${v}`).join(' ')}${guard}`;
}
