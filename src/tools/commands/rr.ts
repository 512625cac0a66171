// SPDX-License-Identifier: GPL-2.0-only
/** `softnet rr` in the table of commands. */
import { InvalidArgumentError, Option } from 'commander';
import { type RrArguments, rrOptions } from '../rr/options.js';
import { MODES, type Mode, type Row, SEED_ROWS } from '../rr/plan.js';
import { type AddCommand, integer } from './command.js';

/** A reader of numbers within bounds; `what` they are, for the message. */
function number(what: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (text.trim() === '' || !Number.isFinite(n) || n < min || n > max) {
      throw new InvalidArgumentError(`Give ${what} from ${min} to ${max}.`);
    }
    return n;
  };
}

const period = number('microseconds', 1, 1_000_000);
const delay = number('microseconds', 0, 1_000_000);

function modes(text: string): Mode[] {
  const list = text.split(',').map((s) => s.trim()) as Mode[];
  if (list.some((m) => !MODES.includes(m)) || new Set(list).size !== list.length) {
    throw new InvalidArgumentError(`Give some of ${MODES.join(', ')}, with a comma between them.`);
  }
  // In the order of the columns.
  return MODES.filter((m) => list.includes(m));
}

function rows(text: string): readonly Row[] {
  if (text === 'seed') return SEED_ROWS;
  return text.split(',').map((pair) => {
    const parts = pair.split(':');
    if (parts.length !== 2) {
      throw new InvalidArgumentError(
        'Give seed, or periods and delays in microseconds, such as 83:0,31.25:30.',
      );
    }
    return { periodUs: period(parts[0]), delayUs: delay(parts[1]) };
  });
}

function cores(text: string): number[] {
  const list = text.split(',').map(integer(0, 4095));
  if (list.length !== 2 || list[0] === list[1]) {
    throw new InvalidArgumentError('Give two cores of this host: who polls, the application; such as 0,1.');
  }
  return list;
}

export const addRr: AddCommand = (cli, done) => {
  cli
    .command('rr')
    .description('latency of AF_XDP sockets by interrupts, by busy polling in sockets, in threads; compare')
    .option('-P, --period <us>', 'one packet every so many microseconds (default: the rows)', period)
    .option('-d, --delay <us>', 'what the client does with each packet, microseconds', delay)
    .option('-T, --open-loop', 'packets come by the clock, whatever the client does (always so with --rows)')
    .option('-t, --separate-thread', 'as --modes busypoll-separate: recvfrom in a thread of its own')
    .option('-n, --no-kick', 'as --modes threaded: no recvfrom at all')
    .option(
      '-l, --report <s>',
      'also tell what every so many seconds of each trial were',
      number('seconds', 0.001, 600),
    )
    .addOption(
      new Option('--modes <list>', `some of ${MODES.join(', ')} (default: all)`)
        .argParser(modes)
        .conflicts(['separateThread', 'kick']),
    )
    .addOption(
      new Option('--rows <list>', 'seed (the default), or PERIOD:DELAY in microseconds with commas')
        .argParser(rows)
        .conflicts(['period', 'delay']),
    )
    .option('--duration <s>', 'how long packets come in each trial', number('seconds', 0.001, 600), 0.5)
    .option('--trials <n>', 'undisturbed trials of each cell', integer(1, 1000), 3)
    .option('--retries <n>', 'disturbed trials that are repeated, of each cell at most', integer(0, 1000), 6)
    .addOption(
      new Option('--wait <how>', 'how the client waits where it does not poll itself')
        .choices(['spin', 'sleep'])
        .default('spin'),
    )
    .option('--pin [cores]', 'pin who polls and the client to two cores of this host, such as 0,1', cores)
    .option(
      '--syscall-ns <ns>',
      'charge so much for a socket call (default: what a system call costs here)',
      number('nanoseconds', 0, 1_000_000),
    )
    .option(
      '--turnaround <us>',
      'closed loop: from a packet to its answer',
      number('microseconds', 0, 1_000_000),
      10,
    )
    .option(
      '--gro-flush-timeout <us>',
      'watchdog of the modes that busy poll (the seed has 15: see docs/busy-polling.md)',
      number('microseconds', 1, 2_000_000),
      10_000,
    )
    .option('--equal-cores', 'also compare with two cores each: inline polling by two threads', true)
    .option('--no-equal-cores', 'leave that out')
    .option('--hist', 'also print how long single polls took, by powers of two', false)
    .option('--json', 'print one JSON document', false)
    .option('--hgrm <dir>', 'write an HdrHistogram file for each cell there')
    .addHelpText(
      'after',
      '\nLatency counts from the intended arrival to the client’s look at the packet. Percentiles are of all samples.' +
        '\nA system call is charged for every socket call, because threads here have no such boundary; both are shown.' +
        '\nA trial that the host disturbed is repeated; where there is no other its figures are marked with *, exit 7.' +
        '\n\nExamples:\n  softnet rr\n  softnet rr -P 31.25 -d 30 -T --modes busypoll,threaded --hist' +
        '\n  softnet rr --rows seed --trials 5 --json',
    )
    .action(async (a: Omit<RrArguments, 'noKick'> & { kick: boolean }) => {
      const o = rrOptions({ ...a, noKick: a.kick === false });
      const { rr } = await import('../rr/rr.js');
      done(await rr(o));
    });
};
