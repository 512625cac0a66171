// SPDX-License-Identifier: GPL-2.0-only
/** `softnet check` in the table of commands. */
import type { CheckOptions } from '../check/check.js';
import { type AddCommand, integer, shard } from './command.js';

export const addCheck: AddCommand = (cli, done) => {
  cli
    .command('check')
    .description('explore every interleaving of litmus tests, on the source that runs')
    .argument('[name...]', 'tests (or mutants) to run, * stands for any text; all of them without one')
    .option('--list', 'list the tests', false)
    .option('--json', 'print one JSON document', false)
    .option('--module <file>', 'check the litmus tests that FILE exports, and what it imports')
    .option('--instrument <packages...>', 'instrument these packages, too', [] as string[])
    .option('--max-states <n>', 'give up behind so many states', integer(1, 1_000_000_000), 20_000_000)
    .option('--max-seconds <n>', 'give up on a test after so long', integer(1, 1_000_000), 60)
    .option('--jobs <n>', 'threads (default: one for each CPU, if there is enough to do)', integer(1, 64))
    .option('--replay <string>', 'replay a counterexample from the string that was printed with it')
    .option('--trace <file>', 'write the counterexample as a sequence diagram (HTML)')
    .option('--shard <i/n>', 'only every n-th test, from the i-th on', shard)
    .option('--record <dir>', 'keep the verdict on each test in DIR, for softnet merge')
    .option('--mutants', 'put known bugs in, and see that the tests catch them', false)
    .addHelpText(
      'after',
      '\nExample:\n  softnet check napi-threaded\n  softnet check "kthread-*" --list\n  softnet check --module my_queue.litmus.js --trace found.html',
    )
    .action(async (names: string[], o: CheckOptions) => {
      // The parser and what goes with it are loaded for this command alone.
      const { checkCommand } = await import('../check/check.js');
      done(await checkCommand(names, o));
    });
};
