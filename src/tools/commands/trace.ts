// SPDX-License-Identifier: GPL-2.0-only
/** `softnet trace` and `softnet stat` in the table of commands. */
import { InvalidArgumentError } from 'commander';
import type { StatOptions, TraceOptions } from '../trace/trace.js';
import type { AddCommand, Done } from './command.js';

/** Longest trace of a machine that runs, s: an answer has to come within a minute. */
const MAX_SECONDS = 50;
const MIN_SECONDS = 0.01;

function seconds(text: string): number {
  const n = Number(text);
  if (text.trim() === '' || !(n >= MIN_SECONDS && n <= MAX_SECONDS)) {
    throw new InvalidArgumentError(`Give seconds from ${MIN_SECONDS} to ${MAX_SECONDS}.`);
  }
  return n;
}

/** @param run runs another command, with its arguments */
export function addTrace(run: (args: readonly string[]) => Promise<number>): AddCommand {
  return (cli, done: Done) => {
    cli
      .command('trace')
      .description('record tracepoints of a running machine, or of a command, for Perfetto')
      .argument('[command...]', 'a command of softnet to run and trace; without one a running machine is')
      .requiredOption('-o, --output <file>', 'where the trace goes (Chrome JSON)')
      .option('--seconds <s>', 'how long, of a running machine', seconds, 1)
      .option('--socket <path>', 'socket of the machine (also SOFTNET_SOCKET)')
      .passThroughOptions()
      .addHelpText(
        'after',
        '\nExamples:\n  softnet trace -o up.json --seconds 2\n  softnet trace -o replay.json replay capture.pcap',
      )
      .action(async (command: readonly string[], o: TraceOptions) => {
        const { traceCommand, traceMachine } = await import('../trace/trace.js');
        done(await (command.length === 0 ? traceMachine(o) : traceCommand(o, run, command)));
      });
    cli
      .command('stat')
      .description('histograms of a running machine: packets a poll, time of a poll, wake-up to run')
      .argument('[napi]', 'only instances whose name holds this', '')
      .option('--seconds <s>', 'how long', seconds, 1)
      .option('--socket <path>', 'socket of the machine (also SOFTNET_SOCKET)')
      .option(
        '--json',
        'print one JSON document; place 0 counts zeros, place i values from 2^(i-1) on',
        false,
      )
      .action(async (napi: string, o: StatOptions) => {
        const { stat } = await import('../trace/trace.js');
        done(await stat(napi, o));
      });
  };
}
