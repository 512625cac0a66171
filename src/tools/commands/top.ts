// SPDX-License-Identifier: GPL-2.0-only
/** `softnet top` in the table of commands. */
import { InvalidArgumentError } from 'commander';
import type { TopOptions } from '../top/top.js';
import type { AddCommand } from './command.js';

function interval(text: string): number {
  const n = Number(text);
  if (text.trim() === '' || !(n >= 0.1 && n <= 3600)) {
    throw new InvalidArgumentError('Give seconds from 0.1 to 3600.');
  }
  return n;
}

export const addTop: AddCommand = (cli, done) => {
  cli
    .command('top')
    .description('watch a running machine: CPUs with their softirqs, instances, threads')
    .option('--once', 'print one look and end', false)
    .option('--json', 'print a JSON line a look', false)
    .option('--seconds <s>', 'time between two looks', interval, 1)
    .option('--socket <path>', 'socket of the machine (also SOFTNET_SOCKET)')
    .action(async (o: TopOptions) => {
      const { top } = await import('../top/top.js');
      done(await top(o));
    });
};
