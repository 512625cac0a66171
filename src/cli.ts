#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-only
/** softnet: the command table. */
import { readFileSync } from 'node:fs';
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
import { addRr } from './tools/commands/rr.js';
import { addTorture } from './tools/commands/torture.js';
import { addUp } from './tools/commands/up.js';
import { EXIT_CHECK_FAILED, EXIT_OK, EXIT_USAGE } from './tools/exit_codes.js';

/** In the order in which the help shows them. */
const COMMANDS: readonly AddCommand[] = [
  addReplay,
  addPahole,
  addCheck,
  addUp,
  addReconfig,
  addBacklog,
  addRr,
  addTorture,
  addMerge,
  addClients,
];

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function program(done: Done): Command {
  const cli = new Command('softnet')
    .description('Linux’s threaded packet receive as real concurrency on worker threads')
    .version(version())
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(softnet --help lists the commands)');
  for (const add of COMMANDS) add(cli, done);
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

process.stdout.on('error', onOutputError);
process.exitCode = await main();
