// SPDX-License-Identifier: GPL-2.0-only
/** `softnet reproduce` and `softnet report` in the table of commands. */
import { InvalidArgumentError, Option } from 'commander';
import { PART_IDS } from '../reproduce/part_ids.js';
import type { AddCommand } from './command.js';

function parts(text: string): string[] {
  const list = text.split(',').map((s) => s.trim());
  if (list.some((p) => !PART_IDS.includes(p)) || new Set(list).size !== list.length) {
    throw new InvalidArgumentError(`Give some of ${PART_IDS.join(', ')}, with a comma between them.`);
  }
  return list;
}

export const addReproduce: AddCommand = (cli, done) => {
  cli
    .command('reproduce')
    .description('run every seed’s experiment here, say whether it agrees, and write a report')
    .addOption(
      new Option('--quick', 'fewer rows and trials, within 3 minutes (the default)').conflicts('full'),
    )
    .option('--full', 'everything; about twenty minutes', false)
    .addOption(
      new Option('--parts <list>', `some of ${PART_IDS.join(', ')}`)
        .argParser(parts)
        .default([] as string[], 'all'),
    )
    .option('--resume', 'keep what an interrupted run of the same kind has done', false)
    .option(
      '--out <path>',
      'a directory, or an HTML file; the results lie beside it as JSON',
      'softnet-report',
    )
    .option('--json', 'print the results as one JSON document', false)
    .addHelpText(
      'after',
      '\nCtrl-C (or SIGTERM, SIGHUP) ends it and keeps what there is. Exit code 0: what can be told on this host agrees;' +
        '\n1: something differs or failed; 7: nothing can be told here; 128 and the signal: interrupted (130 by Ctrl-C).' +
        '\n\nExample:\n  softnet reproduce --quick --out report.html',
    )
    .action(async (o: { full: boolean; parts: string[]; resume: boolean; out: string; json: boolean }) => {
      const { reproduce } = await import('../reproduce/reproduce.js');
      done(await reproduce({ ...o, profile: o.full ? 'full' : 'quick' }));
    });
};

export const addReport: AddCommand = (cli, done) => {
  cli
    .command('report')
    .description('make an HTML report of the JSON of a run, or of two that it compares')
    .argument('<a>', 'results.json of softnet reproduce, or what a command printed with --json')
    .argument('[b]', 'another one of the same kind: differences of every figure, and which of them are noise')
    .option('--out <file>', 'where the report goes', 'report.html')
    .option('--json', 'two runs: print the differences as one JSON document', false)
    .addHelpText(
      'after',
      '\nExample:\n  softnet report before/results.json after/results.json --out change.html',
    )
    .action(async (a: string, b: string | undefined, o: { out: string; json: boolean }) => {
      const { report } = await import('../report.js');
      done(report(a, b, o));
    });
};
