#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-only
/** softnet: the command table. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { CaptureError } from './drivers/net/capture/capture_error.js';
import { OptionError } from './errors.js';
import type { Pace } from './threads/feeds.js';
import type { CheckOptions } from './tools/check.js';
import { EXIT_CHECK_FAILED, EXIT_OK, EXIT_USAGE } from './tools/exit_codes.js';
import { pahole } from './tools/pahole.js';
import { type ReplayOptions, replay } from './tools/replay.js';
import type { Mode } from './tools/replay_run.js';

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (text.trim() === '' || !Number.isInteger(n) || n < min || n > max) {
      throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
    }
    return n;
  };
}

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

function program(done: (code: number) => void): Command {
  const cli = new Command('softnet')
    .description('Linux’s threaded packet receive as real concurrency on worker threads')
    .version(version())
    .exitOverride()
    .showHelpAfterError('(softnet --help lists the commands)');

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
      done(await replay(file, o));
    });

  cli
    .command('pahole')
    .description('show the structs in shared memory: words, offsets, cache lines, writers')
    .argument('[struct]', 'one struct, for example napi_struct')
    .option('--json', 'print one JSON document', false)
    .addHelpText('after', '\nExample:\n  softnet pahole napi_struct')
    .action((name: string | undefined, o: { json: boolean }) => {
      done(pahole(name, o.json));
    });

  cli
    .command('check')
    .description('explore every interleaving of litmus tests, on the source that runs')
    .argument('[name...]', 'tests (or mutants) to run; all of them without one')
    .option('--list', 'list the tests', false)
    .option('--json', 'print one JSON document', false)
    .option('--module <file>', 'check the litmus tests that FILE exports, and what it imports')
    .option('--instrument <packages...>', 'instrument these packages, too', [] as string[])
    .option('--max-states <n>', 'give up behind so many states', integer(1, 1_000_000_000), 20_000_000)
    .option('--max-seconds <n>', 'give up on a test after so long', integer(1, 1_000_000), 60)
    .option('--replay <string>', 'replay a counterexample from the string that was printed with it')
    .option('--trace <file>', 'write the counterexample as a sequence diagram (HTML)')
    .option('--mutants', 'put known bugs in, and see that the tests catch them', false)
    .addHelpText(
      'after',
      '\nExample:\n  softnet check napi-threaded\n  softnet check --module my_queue.litmus.js --trace found.html',
    )
    .action(async (names: string[], o: CheckOptions) => {
      // The parser and what goes with it are loaded for this command alone.
      const { checkCommand } = await import('./tools/check.js');
      done(await checkCommand(names, o));
    });
  return cli;
}

async function main(): Promise<number> {
  let code = EXIT_OK;
  try {
    await program((c) => {
      code = c;
    }).parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`softnet: ${message}\n`);
    return error instanceof CaptureError || error instanceof OptionError ? EXIT_USAGE : EXIT_CHECK_FAILED;
  }
  return code;
}

// A reader that went away (softnet … | head) is no error worth a stack trace.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT_OK);
  throw error;
});
process.exitCode = await main();
