// SPDX-License-Identifier: GPL-2.0-only
/** `softnet report`: the HTML report of one run, or of the differences of two. */
import { resolve } from 'node:path';
import { OptionError } from '../errors.js';
import { compareRuns } from '../report/compare.js';
import { compareHtml } from '../report/compare_page.js';
import { loadRun, ResultsError } from '../report/load.js';
import { reportHtml } from '../report/page.js';
import { EXIT_OK, EXIT_USAGE } from './exit_codes.js';
import { makeOutput, save } from './reproduce/results.js';

export interface ReportOptions {
  readonly out: string;
  readonly json: boolean;
}

/** Runs the command. @returns its exit code */
export function report(a: string, b: string | undefined, o: ReportOptions): number {
  const out = resolve(o.out);
  try {
    if ([a, b].some((file) => file !== undefined && resolve(file) === out)) {
      throw new OptionError('out', o.out, 'another file than the results, which it would replace');
    }
    const first = loadRun(a);
    if (b === undefined) {
      if (o.json) throw new OptionError('json', true, 'two runs to compare, or look into the file itself');
      makeOutput([out], o.out);
      save(out, reportHtml(first));
      process.stdout.write(`Report: ${out}\n`);
      return EXIT_OK;
    }
    const comparison = compareRuns(first, loadRun(b));
    if (comparison.figures.length + comparison.verdicts.length === 0) {
      throw new ResultsError(
        `${a} and ${b}`,
        'have nothing in common to compare: give two runs of the same command',
      );
    }
    makeOutput([out], o.out);
    save(out, compareHtml(comparison, a, b));
    if (o.json) {
      process.stdout.write(
        `${JSON.stringify({ command: 'softnet report', a, b, ...comparison }, null, 2)}\n`,
      );
      return EXIT_OK;
    }
    const count = (read: string): number => comparison.figures.filter((f) => f.read === read).length;
    process.stdout.write(
      `${comparison.figures.length} figures: ${count('better')} better, ${count('worse')} worse, ` +
        `${count('changed')} changed, ${count('noise')} noise, ${count('same')} the same\nReport: ${out}\n`,
    );
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof ResultsError)) throw error;
    process.stderr.write(`softnet report: ${error.message}\n`);
    return EXIT_USAGE;
  }
}
