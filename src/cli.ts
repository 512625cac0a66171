#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-only
/** softnet: the command. */
import { exitCode, ignoreErrors, onOutputError } from './tools/closed_pipe.js';
import { runCommandLine } from './tools/command_line.js';

process.stdout.on('error', onOutputError);
process.stderr.on('error', ignoreErrors);
process.exitCode = exitCode(await runCommandLine(process.argv));
