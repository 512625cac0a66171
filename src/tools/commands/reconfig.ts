// SPDX-License-Identifier: GPL-2.0-only
/** `softnet reconfig` in the table of commands. */
import { InvalidArgumentError } from 'commander';
import { OptionError } from '../../errors.js';
import type { ReconfigOptions } from '../reconfig/reconfig.js';
import type { Persist, Personality } from '../reconfig/run.js';
import { parseDevice } from '../up_options.js';
import { type AddCommand, integer } from './command.js';

const PERSISTS: readonly string[] = ['off', 'v1', 'fixed'];

function persists(text: string): Persist[] {
  const list = text.split(',').map((s) => s.trim());
  for (const p of list) {
    if (!PERSISTS.includes(p)) throw new InvalidArgumentError(`Give some of ${PERSISTS.join(', ')}.`);
  }
  return list as Persist[];
}

/** Reads `config=…,reconfig=…`; what is left out is as for a device. */
function personality(text: string, before: readonly Personality[]): readonly Personality[] {
  if (!/^(re)?config=[a-z-]+(,(re)?config=[a-z-]+)?$/.test(text)) {
    throw new InvalidArgumentError('Give config=persistent|none,reconfig=rebuild|delta|safe-switch.');
  }
  try {
    const { config = 'persistent', reconfig = 'delta' } = parseDevice(`eth0,${text}`);
    return [...before, { config, reconfig }];
  } catch (error) {
    if (error instanceof OptionError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

function rate(text: string): 'asap' | number {
  const n = Number(text);
  if (text === 'asap') return text;
  if (text.trim() === '' || !Number.isFinite(n) || n <= 0) {
    throw new InvalidArgumentError('Give asap, or packets per second above 0.');
  }
  return n;
}

export const addReconfig: AddCommand = (cli, done) => {
  cli
    .command('reconfig')
    .description('change channels and link under traffic; count what becomes of threads and packets')
    .option('--cycles <n>', 'cycles of each run', integer(1, 10_000_000), 100)
    .option(
      '--personality <options>',
      'config=persistent|none,reconfig=rebuild|delta|safe-switch; may be given again (default: four of them)',
      personality,
      [],
    )
    .option('--persist <modes>', 'values of napi_kthread_persist', persists, PERSISTS as Persist[])
    .option('--queues <n>', 'channels at most, a NAPI thread each', integer(1, 64), 4)
    .option('--cpus <n>', 'simulated CPUs', integer(1, 64), 2)
    .option('--traffic <pps>', 'made-up UDP, packets per second; asap: as fast as it is taken', rate, 'asap')
    .option('--seed <n>', 'which numbers of channels come', integer(0, 0x7fffffff), 1)
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      '\nA cycle is another number of channels and back, or link down and up.' +
        '\n\nExample:\n  softnet reconfig --cycles 1000 --personality config=persistent,reconfig=safe-switch',
    )
    .action(async (o: ReconfigOptions) => {
      const { reconfig } = await import('../reconfig/reconfig.js');
      done(await reconfig(o));
    });
};
