// SPDX-License-Identifier: GPL-2.0-only
/**
 * `npm run bench [-- NAME...]`: measures, prints what was wanted and what was got.
 *
 * Exit codes: 0 measured, whatever came out; 1 a row's result was wrong, or it died; 2 usage; 7 measured, but not to be
 * trusted (too few cores, or the host was busy). A threshold that is missed is said, and changes no exit code.
 */
import { Command, CommanderError } from 'commander';
import { hostFacts } from './lib/host.js';
import { document, headText, rowText } from './lib/report.js';
import { rows } from './lib/rows.js';
import { runRow } from './lib/run_row.js';
import { loadWarning } from './lib/trust.js';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_UNTRUSTED = 7;
const EXIT_INTERRUPTED = 130;

function parse() {
  const list = rows.map(
    (r) => `  ${r.name.padEnd(9)}${r.title}${r.onlyWhenNamed ? ' (only when named)' : ''}`,
  );
  const command = new Command('npm run bench --')
    .description(
      'Measures softnet against its peers, side by side in one run, and against what is wanted of it.',
    )
    .argument('[names...]', 'rows to run; all but those that run only when named')
    .option('--json', 'one JSON document, units in the key names')
    .option('--quick', 'a smoke test: tiny counts, results are checked, nothing is judged')
    .addHelpText('after', `\nRows:\n${list.join('\n')}\n\nExample:\n  npm run bench -- ring path --json\n`)
    .exitOverride();
  command.parse();
  const names = command.args;
  for (const name of names) {
    if (!rows.some((r) => r.name === name)) {
      command.error(`error: there is no row '${name}'; there are ${rows.map((r) => r.name).join(', ')}`);
    }
  }
  const chosen = rows.filter((r) => (names.length === 0 ? !r.onlyWhenNamed : names.includes(r.name)));
  return { chosen, json: command.opts().json === true, quick: command.opts().quick === true };
}

async function main({ chosen, json, quick }) {
  const host = hostFacts();
  const report = {
    command: ['node', 'bench/main.js', ...process.argv.slice(2)].join(' '),
    host,
    warning: loadWarning(host),
    quick,
    rows: [],
    failures: [],
    exitCode: 0,
  };
  const finish = (exitCode) => {
    report.exitCode = exitCode;
    process.exitCode = exitCode;
    if (json) console.log(JSON.stringify(document(report), null, 2));
  };
  process.once('SIGINT', () => {
    finish(EXIT_INTERRUPTED);
    process.exit();
  });
  if (!json) console.log(headText(report));
  if (report.warning !== null) console.error(`warning: ${report.warning}`);
  for (const row of chosen) {
    try {
      const result = await runRow(row, quick);
      report.rows.push(result);
      if (!json) console.log(rowText(result, quick));
    } catch (error) {
      report.failures.push(error.message);
      console.error(`\nFAILED ${error.message}`);
    }
  }
  if (report.failures.length > 0) finish(EXIT_FAILED);
  else if (report.rows.some((r) => r.reasons.length > 0)) finish(EXIT_UNTRUSTED);
  else finish(0);
}

try {
  await main(parse());
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
}
