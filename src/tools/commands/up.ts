// SPDX-License-Identifier: GPL-2.0-only
/** `softnet up` in the table of commands. */
import { InvalidArgumentError, Option } from 'commander';
import type { UpOptions } from '../up.js';
import { BOOT_HELP, DEVICE_HELP, THREAD_BACKLOG_NAPI } from '../up_options.js';
import { type AddCommand, collect, integer } from './command.js';

function rate(text: string): number {
  const n = Number(text);
  if (text.trim() === '' || !Number.isFinite(n) || n <= 0) {
    throw new InvalidArgumentError('Give packets per second above 0.');
  }
  return n;
}

export const addUp: AddCommand = (cli, done) => {
  cli
    .command('up')
    .description('run a machine until Ctrl-C and offer its control surface on a Unix socket')
    .option('--cpus <n>', 'simulated CPUs', integer(1, 64), 2)
    .option(
      '--dev <device>',
      'NAME[,option=value…], may be given again (default: eth0,queues=2)',
      collect,
      [],
    )
    .option('--append <parameters>', 'boot parameters, in one text', '')
    .addOption(
      new Option('--thread-backlog-napi <mode>', 'threads for backlogs from boot on (default: off)').choices(
        Object.keys(THREAD_BACKLOG_NAPI),
      ),
    )
    .option('--traffic <pps>', 'made-up UDP into each device, packets per second', rate)
    .option('--capture <file>', 'play a capture into each device, again and again; --traffic sets its rate')
    .option('--socket <path>', 'where the socket lies (also SOFTNET_SOCKET)')
    .option('--json', 'print one JSON line when it is up, and one at the end', false)
    .addHelpText(
      'after',
      `\nOptions of a device:\n  ${DEVICE_HELP}\nBoot parameters:\n  ${BOOT_HELP}\n` +
        '\nExample:\n  softnet up --dev eth0,queues=4,threaded=on --traffic 20000',
    )
    .action(async (o: UpOptions) => {
      const { up } = await import('../up.js');
      done(await up(o));
    });
};
