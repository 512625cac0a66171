// SPDX-License-Identifier: GPL-2.0-only
/** `softnet torture` in the table of commands. */
import { InvalidArgumentError, Option } from 'commander';
import { OptionError } from '../../errors.js';
import { durationText, parseDuration, type TortureOptions } from '../torture/options.js';
import { FAULTS, type FaultRates, PROFILES, parseFaults } from '../torture/profiles.js';
import { type AddCommand, integer, shard } from './command.js';

/** What the parser gives. */
interface Given {
  readonly duration: number;
  readonly seed?: number;
  readonly seeds: number;
  readonly shard: readonly [number, number];
  readonly profile: string;
  readonly faults?: FaultRates;
  readonly threads: number;
  readonly devices: number;
  readonly cpus: number;
  readonly onoff_interval: number;
  readonly shuffle_interval: number;
  readonly stutter: number;
  readonly stall: number;
  readonly stat_interval: number;
  readonly guard: boolean;
  readonly trace: number;
  readonly record?: string;
  readonly json: boolean;
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError('Give 45s, 5m or 3h; above 0 and up to a week.');
  return ms;
}

function profile(text: string): string {
  if (!Object.hasOwn(PROFILES, text)) {
    throw new InvalidArgumentError(`Give one of ${Object.keys(PROFILES).join(', ')}.`);
  }
  return text;
}

function faults(text: string): FaultRates {
  try {
    return parseFaults(text);
  } catch (error) {
    if (error instanceof OptionError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** A reader of seconds; 0 stands for "not". */
function seconds(max: number, min = 0): (text: string) => number {
  return (text) => {
    const n = Number(text.replace(/s$/, ''));
    if (text.trim() === '' || !Number.isFinite(n) || n < min || n > max) {
      throw new InvalidArgumentError(`Give seconds, from ${min} to ${max}.`);
    }
    return n;
  };
}

export const addTorture: AddCommand = (cli, done) => {
  cli
    .command('torture')
    .description('random control operations and traffic, by seed; checks all that must hold')
    .addOption(
      new Option('--duration <time>', 'how long each seed runs: 45s, 5m, 3h')
        .argParser(duration)
        .default(30_000, durationText(30_000)),
    )
    .option('--seed <n>', 'what is drawn (default: by the clock)', integer(0, 0x7fffffff))
    .option('--seeds <n>', 'run so many seeds, from --seed on', integer(1, 1_000_000), 1)
    .addOption(
      new Option('--shard <i/n>', 'run every n-th of the seeds, from the i-th on')
        .argParser(shard)
        .default([1, 1], '1/1'),
    )
    .option('--profile <name>', Object.keys(PROFILES).join(', '), profile, 'default')
    .option(
      '--faults <list>',
      'NAME=RATE with commas between; all; none (default: those of the profile)',
      faults,
    )
    .option('--threads <n>', 'process contexts that carry out operations', integer(1, 32), 4)
    .option('--devices <n>', 'simulated NICs', integer(1, 16), 4)
    .option('--cpus <n>', 'simulated CPUs; 0: 2 to 4, by seed', integer(0, 64), 0)
    .option('--onoff_interval <s>', 'seconds between two changes of a CPU; 0: none', seconds(3600), 0.5)
    .option('--shuffle_interval <s>', 'seconds between two shuffles of affinities; 0: none', seconds(3600), 3)
    .option('--stutter <s>', 'seconds of work between two rests; 0: one at the end', seconds(3600), 5)
    .option(
      '--stall <s>',
      'seconds without progress that are a hang; twice for an operation',
      seconds(3600, 1),
      10,
    )
    .option('--stat_interval <s>', 'seconds between two status lines; 0: none', seconds(3600), 5)
    .option('--guard', 'guard words around every object in shared memory', false)
    .option('--trace <n>', 'trace events that a failure shows; 0: no tracing', integer(0, 100_000), 200)
    .option('--record <dir>', 'keep the result of each seed in DIR, for softnet merge')
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `\nFaults:\n${Object.entries(FAULTS)
        .map(([name, what]) => `  ${name.padEnd(14)} ${what}`)
        .join('\n')}\n\nExample:\n  softnet torture --duration 1m --seed 7 --profile faults`,
    )
    .action(async (g: Given) => {
      const { torture } = await import('../torture.js');
      const o: TortureOptions = {
        durationMs: g.duration,
        seed: g.seed ?? Date.now() % 1_000_000,
        seeds: g.seeds,
        shard: g.shard,
        profile: g.profile,
        faults: g.faults ?? PROFILES[g.profile].faults,
        threads: g.threads,
        devices: g.devices,
        cpus: g.cpus,
        onoffInterval: g.onoff_interval,
        shuffleInterval: g.shuffle_interval,
        stutter: g.stutter,
        stall: g.stall,
        statInterval: g.stat_interval,
        guard: g.guard,
        trace: g.trace,
        record: g.record ?? null,
        json: g.json,
      };
      done(await torture(o));
    });
};
