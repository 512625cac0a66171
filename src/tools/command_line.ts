// SPDX-License-Identifier: GPL-2.0-only
/** The table of commands, and what becomes of a command line. */
import { Command, CommanderError } from 'commander';
import { CaptureError } from '../drivers/net/capture/capture_error.js';
import { OptionError } from '../errors.js';
import { SocketPathError } from '../uapi/server/socket_path.js';
import { addBacklog } from './commands/backlog.js';
import { addCheck } from './commands/check.js';
import { addClients } from './commands/clients.js';
import type { AddCommand, Done } from './commands/command.js';
import { addMerge } from './commands/merge.js';
import { addPahole } from './commands/pahole.js';
import { addReconfig } from './commands/reconfig.js';
import { addReplay } from './commands/replay.js';
import { addReport, addReproduce } from './commands/reproduce.js';
import { addRr } from './commands/rr.js';
import { addStream } from './commands/stream.js';
import { addTop } from './commands/top.js';
import { addTorture } from './commands/torture.js';
import { addTrace } from './commands/trace.js';
import { addUp } from './commands/up.js';
import { DEFAULT_HELP } from './default_help.js';
import { EXIT_CHECK_FAILED, EXIT_OK, EXIT_USAGE } from './exit_codes.js';
import { packageVersion } from './package_version.js';

/** Errors that speak of what was given. */
const BAD_INPUT = [CaptureError, OptionError, SocketPathError] as const;

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
  addTrace((args) => runCommandLine(['node', 'softnet', ...args])),
];

/** @returns the table, as the parser has it; the exit code of what it runs goes to `done` */
export function commandTable(done: Done): Command {
  const cli = new Command('softnet')
    .description('Linux’s threaded packet receive as real concurrency on worker threads')
    .version(packageVersion())
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp(DEFAULT_HELP)
    .showHelpAfterError('(softnet --help lists the commands)');
  for (const add of COMMANDS) add(cli, done);
  return cli;
}

/** Runs a command line: whatever is wrong with it is said in one line. @param argv as process.argv @returns the exit code */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  let code = EXIT_OK;
  try {
    await commandTable((c) => {
      code = c;
    }).parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`softnet: ${message}\n`);
    return BAD_INPUT.some((kind) => error instanceof kind) ? EXIT_USAGE : EXIT_CHECK_FAILED;
  }
  return code;
}
