// SPDX-License-Identifier: GPL-2.0-only
/** `softnet merge` in the table of commands. */
import type { AddCommand } from './command.js';

export const addMerge: AddCommand = (cli, done) => {
  cli
    .command('merge')
    .description('make one verdict of what the parts of a campaign have recorded')
    .argument('<dir...>', 'folders that --record has written to')
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      '\nExample:\n  softnet torture --seed 1 --seeds 10 --shard 1/2 --record out\n' +
        '  softnet torture --seed 1 --seeds 10 --shard 2/2 --record out\n  softnet merge out',
    )
    .action(async (dirs: string[], o: { json: boolean }) => {
      const { merge } = await import('../merge.js');
      done(merge(dirs, o.json));
    });
};
