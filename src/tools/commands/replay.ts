// SPDX-License-Identifier: GPL-2.0-only
/** `softnet replay` in the table of commands. */
import { InvalidArgumentError, Option } from 'commander';
import type { Pace } from '../../threads/feeds.js';
import type { ReplayOptions } from '../replay/replay.js';
import type { Mode } from '../replay/run.js';
import { type AddCommand, integer } from './command.js';

function modes(text: string): Mode[] {
  const list = text.split(',').map((s) => s.trim());
  for (const m of list) {
    if (m !== 'softirq' && m !== 'threaded') {
      throw new InvalidArgumentError(
        `There is no mode "${m}": give softirq, threaded, or both with a comma.`,
      );
    }
  }
  return list as Mode[];
}

function pace(text: string): Pace {
  if (text === 'asap' || text === 'capture') return text;
  const n = Number(text);
  if (text.trim() === '' || !Number.isFinite(n) || n <= 0) {
    throw new InvalidArgumentError('Give asap, capture, or packets per second above 0.');
  }
  return n;
}

export const addReplay: AddCommand = (cli, done) => {
  cli
    .command('replay')
    .description(
      'play a capture (pcap or pcapng, plain or gzip) through softirq and threaded NAPI, and compare',
    )
    .argument('[file]', 'capture, or - for standard input; without one, the capture that comes with softnet')
    .option('--mode <modes>', 'softirq, threaded, or both', modes, ['softirq', 'threaded'] as Mode[])
    .option('--queues <n>', 'receive queues, a NAPI instance each', integer(1, 64), 2)
    .option('--cpus <n>', 'simulated CPUs', integer(1, 64), 2)
    .option('--pace <pace>', 'asap, capture (its own clock), or packets per second', pace, 'asap')
    .option('--loop <n>', 'play it so many times', integer(1, 1_000_000), 1)
    .addOption(
      new Option('--when-full <what>', 'no free buffer: make the wire wait, or drop the frame')
        .choices(['wait', 'drop'])
        .default('wait'),
    )
    .option('--json', 'print one JSON document', false)
    .addHelpText('after', '\nExample:\n  softnet replay trace.pcapng --queues 4 --pace 50000 --json')
    .action(async (file: string | undefined, o: ReplayOptions) => {
      const { replay } = await import('../replay/replay.js');
      done(await replay(file, o));
    });
};
