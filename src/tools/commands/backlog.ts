// SPDX-License-Identifier: GPL-2.0-only
/** `softnet backlog` in the table of commands. */
import { InvalidArgumentError, Option } from 'commander';
import type { BacklogOptions } from '../backlog/backlog.js';
import type { Case, Mode } from '../backlog/run.js';
import { type AddCommand, integer } from './command.js';

const CASES: readonly Case[] = ['nic', 'loopback', 'few'];
const MODES: readonly Mode[] = ['ipi', 'threaded', 'smpboot', 'smpboot-no-bypass'];

/** A reader of lists with commas between some of `choices`. */
function some<T extends string>(choices: readonly T[]): (text: string) => T[] {
  return (text) => {
    const list = text.split(',').map((s) => s.trim()) as T[];
    if (list.some((c) => !choices.includes(c)) || new Set(list).size !== list.length) {
      throw new InvalidArgumentError(`Give some of ${choices.join(', ')}, with a comma between them.`);
    }
    return list;
  };
}

/** A reader of lists of whole numbers. */
function integers(min: number, max: number): (text: string) => number[] {
  const one = integer(min, max);
  return (text) => text.split(',').map(one);
}

function seconds(text: string): number {
  const n = Number(text);
  if (text.trim() === '' || !Number.isFinite(n) || n <= 0 || n > 3600) {
    throw new InvalidArgumentError('Give seconds, above 0 and up to 3600.');
  }
  return n;
}

function powerOfTwo(min: number, max: number): (text: string) => number {
  const whole = integer(min, max);
  return (text) => {
    const n = whole(text);
    if ((n & (n - 1)) !== 0) throw new InvalidArgumentError(`Give a power of two from ${min} to ${max}.`);
    return n;
  };
}

export const addBacklog: AddCommand = (cli, done) => {
  cli
    .command('backlog')
    .description('run the backlogs of CPUs by interrupts, run-time threads, boot-time threads; compare')
    .option('--cases <list>', `some of ${CASES.join(', ')}`, some(CASES), CASES as Case[])
    .option('--modes <list>', `some of ${MODES.join(', ')}`, some(MODES), MODES as Mode[])
    .option('--flows <list>', 'numbers of flows (default: nic 64, loopback 8, few 4)', integers(1, 4096), [])
    .option('--sizes <list>', 'bytes of a frame', integers(60, 2048), [64, 1024])
    .option('--cpus <n>', 'simulated CPUs', integer(1, 64), 2)
    .option(
      '--buffers <n>',
      'buffers of the NIC; above 1000 backlogs overflow, and that is counted',
      powerOfTwo(64, 65536),
      512,
    )
    .option(
      '--window <n>',
      'loopback: datagrams on their way at most, as by the size of a send buffer',
      powerOfTwo(2, 65536),
      2,
    )
    .option('--seconds <s>', 'how long each run sends', seconds, 0.2)
    .addOption(
      new Option('--count <n>', 'how much each run sends, instead')
        .argParser(integer(1, 1_000_000_000))
        .conflicts('seconds'),
    )
    .option('--trials <n>', 'runs of each; the table shows medians', integer(1, 1000), 3)
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      '\nCases: nic: one receive queue, steered to all CPUs (RPS); loopback: CPU 0 sends to itself, a datagram a system' +
        '\ncall; few: flows whose hashes all name the CPU of the interrupt.' +
        '\nModes: ipi: an interrupt a batch; threaded: net.core.backlog_threaded; smpboot: thread_backlog_napi, and without' +
        '\nits bypass for the own CPU, on loopback.' +
        '\n\nExample:\n  softnet backlog --cases loopback --sizes 64,512,1472 --trials 5',
    )
    .action(async (o: BacklogOptions) => {
      const { backlog } = await import('../backlog/backlog.js');
      done(await backlog(o));
    });
};
