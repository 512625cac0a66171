#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-only
/** softnet: the command table. */
import { Command, CommanderError } from 'commander';
import { CaptureError } from './drivers/net/capture/capture_error.js';
import { OptionError } from './errors.js';
import { onOutputError } from './tools/closed_pipe.js';
import { addBacklog } from './tools/commands/backlog.js';
import { addCheck } from './tools/commands/check.js';
import { addClients } from './tools/commands/clients.js';
import type { AddCommand, Done } from './tools/commands/command.js';
import { addMerge } from './tools/commands/merge.js';
import { addPahole } from './tools/commands/pahole.js';
import { addReconfig } from './tools/commands/reconfig.js';
import { addReplay } from './tools/commands/replay.js';
import { addReport, addReproduce } from './tools/commands/reproduce.js';
import { addRr } from './tools/commands/rr.js';
import { addStream } from './tools/commands/stream.js';
import { addTop } from './tools/commands/top.js';
import { addTorture } from './tools/commands/torture.js';
import { addTrace } from './tools/commands/trace.js';
import { addUp } from './tools/commands/up.js';
import { EXIT_CHECK_FAILED, EXIT_OK, EXIT_USAGE } from './tools/exit_codes.js';
import { packageVersion } from './tools/package_version.js';

/** In the order in which the help shows them. */
const COMMANDS: readonly AddCommand[] = [
  addReproduce,
  addReport,
  addReplay,
  addPahole,
  addCheck,
  addUp,
  addReconfig,
  addBacklog,
  addRr,
  addStream,
  addTorture,
  addMerge,
  addClients,
  addTop,
  addTrace((args) => run(['node', 'softnet', ...args])),
];

function program(done: Done): Command {
  const cli = new Command('softnet')
    .description('Linux’s threaded packet receive as real concurrency on worker threads')
    .version(packageVersion())
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(softnet --help lists the commands)');
  for (const add of COMMANDS) add(cli, done);
  return cli;
}

/** Runs the command line. @param argv as process.argv @returns the exit code */
async function run(argv: readonly string[]): Promise<number> {
  let code = EXIT_OK;
  try {
    await program((c) => {
      code = c;
    }).parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`softnet: ${message}\n`);
    return error instanceof CaptureError || error instanceof OptionError ? EXIT_USAGE : EXIT_CHECK_FAILED;
  }
  return code;
}

process.stdout.on('error', onOutputError);
process.exitCode = await run(process.argv);
