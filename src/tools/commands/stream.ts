// SPDX-License-Identifier: GPL-2.0-only
/** `softnet stream` in the table of commands. */
import { InvalidArgumentError, Option } from 'commander';
import { type Row, SEED_ROWS, SETTINGS, type Setting } from '../stream/plan.js';
import type { StreamOptions } from '../stream/stream.js';
import { type AddCommand, integer } from './command.js';

const MAX_SIZE = 65_507;
const MAX_FLOWS = 200;

function row(text: string): Row {
  const parts = text.split('/');
  if (parts.length !== 2) throw new InvalidArgumentError('Give SIZE/FLOWS, such as 64/25.');
  return { size: integer(1, MAX_SIZE)(parts[0]), flows: integer(1, MAX_FLOWS)(parts[1]) };
}

function rows(text: string): readonly Row[] {
  if (text === 'seed') return SEED_ROWS;
  if (text === 'none') return [];
  return text.split(',').map((t) => row(t.trim()));
}

function settings(text: string): Setting[] {
  const list = text.split(',').map((s) => s.trim()) as Setting[];
  if (list.some((s) => !SETTINGS.includes(s)) || new Set(list).size !== list.length) {
    throw new InvalidArgumentError(`Give some of ${SETTINGS.join(', ')}, with a comma between them.`);
  }
  // In the order of the columns.
  return SETTINGS.filter((s) => list.includes(s));
}

function number(what: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (text.trim() === '' || !Number.isFinite(n) || n < min || n > max) {
      throw new InvalidArgumentError(`Give ${what} from ${min} to ${max}.`);
    }
    return n;
  };
}

/** What commander gives: what depends on --quick may be missing. */
type Arguments = Omit<StreamOptions, 'seconds' | 'trials'> & {
  readonly seconds?: number;
  readonly trials?: number;
};

export const addStream: AddCommand = (cli, done) => {
  cli
    .command('stream')
    .description(
      'overload one virtual CPU with datagrams: softirqs, a threaded guest, a threaded hypervisor; compare',
    )
    .addOption(
      new Option('--rows <list>', 'seed, none, or SIZE/FLOWS with commas: bytes of a datagram, sockets')
        .argParser(rows)
        .default(SEED_ROWS, 'seed'),
    )
    .option('--settings <list>', `some of ${SETTINGS.join(', ')}`, settings, [...SETTINGS])
    .addOption(
      new Option('--softirq-at-exit <rule>', 'softirqs at the end of an interrupt while ksoftirqd is at work')
        .choices(['inline', 'leave'])
        .default('inline'),
    )
    .addOption(
      new Option('--hypervisor <where>', 'a second machine in front: in the last setting, or in all')
        .choices(['last', 'all'])
        .default('last'),
    )
    .option('--overload <n>', 'what is offered, in parts of the capacity', number('a factor', 0.1, 100), 4)
    .option(
      '--seconds <s>',
      'how long each cell is measured (default: 1, quick 0.3)',
      number('seconds', 0.05, 600),
    )
    .option(
      '--trials <n>',
      'runs of each cell; the table shows medians (default: 3, quick 1)',
      integer(1, 1000),
    )
    .option('--curve', 'also sweep the offered load, and plot goodput', false)
    .addOption(
      new Option('--curve-row <row>', 'the row that the curve is of')
        .argParser(row)
        .default({ size: 64, flows: 25 }, '64/25'),
    )
    .option('--quick', 'short runs: all rows within two minutes', false)
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      '\nEach flow is a socket and a receiving task; all tasks share one CPU with the interrupts and softirqs that serve them.' +
        '\nRules for softirqs while ksoftirqd is at work: inline: run them at the end of an interrupt all the same (Linux until' +
        '\n2016 and since 2023); leave: leave them to it (in between).' +
        '\n\nExamples:\n  softnet stream --quick\n  softnet stream --rows 64/25,1438/100 --settings vanilla,guest_threaded' +
        '\n  softnet stream --rows none --curve --json',
    )
    .action(async (a: Arguments) => {
      const { stream } = await import('../stream/stream.js');
      const seconds = a.seconds ?? (a.quick ? 0.3 : 1);
      const trials = a.trials ?? (a.quick ? 1 : 3);
      done(await stream({ ...a, seconds, trials }));
    });
};
