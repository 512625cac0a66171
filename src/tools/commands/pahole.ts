// SPDX-License-Identifier: GPL-2.0-only
/** `softnet pahole` in the table of commands. */
import type { AddCommand } from './command.js';

export const addPahole: AddCommand = (cli, done) => {
  cli
    .command('pahole')
    .description('show the structs in shared memory: words, offsets, cache lines, writers')
    .argument('[struct]', 'one struct, for example napi_struct')
    .option('--json', 'print one JSON document', false)
    .addHelpText('after', '\nExample:\n  softnet pahole napi_struct')
    .action(async (name: string | undefined, o: { json: boolean }) => {
      const { pahole } = await import('../pahole.js');
      done(pahole(name, o.json));
    });
};
