// SPDX-License-Identifier: GPL-2.0-only
/**
 * Damaged input, by seed, for all that softnet reads: `node bench/fuzz.mjs [frames|captures|control|cli|kill]`, all of
 * them in turn without a name. `--count N` cases of each (the campaign's own number without it), from number `--from I`
 * on, of seed `--seed S`. A case depends on the seed and its number alone: what is printed at a failure repeats it.
 *
 * Exit codes: 0 nothing was wrong; 1 something was; 2 usage; 130 ended by Ctrl-C with nothing wrong so far.
 */
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE } from '../dist/tools/exit_codes.js';
import { runCampaign } from './fuzz/campaign.mjs';
import { captures } from './fuzz/captures.mjs';
import { cli } from './fuzz/cli.mjs';
import { control } from './fuzz/control.mjs';
import { frames } from './fuzz/frames.mjs';
import { kill } from './fuzz/kill.mjs';
import { script } from './lib/script.js';

const CAMPAIGNS = [frames, captures, control, cli, kill];
const MAX = 0x7fffffff;

function options() {
  const command = script('fuzz', 'Damaged input, by seed, for all that softnet reads.')
    .argument('[campaigns...]', `some of ${CAMPAIGNS.map((c) => c.name).join(', ')} (default: all)`)
    .option('--count <n>', 'cases of each (default: its own number)')
    .option('--seed <n>', 'what is drawn', '1')
    .option('--from <n>', 'number of the first case', '0')
    .parse();
  const { args: positionals } = command;
  const values = command.opts();
  const names = CAMPAIGNS.map((c) => c.name);
  const unknown = positionals.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new TypeError(`there is no ${unknown}; there are ${names.join(', ')}`);
  return {
    chosen: positionals.length === 0 ? CAMPAIGNS : CAMPAIGNS.filter((c) => positionals.includes(c.name)),
    count: whole('--count', values.count, 1, undefined),
    seed: whole('--seed', values.seed, 0, 1),
    from: whole('--from', values.from, 0, 0),
  };
}

function whole(name, text, min, fallback) {
  if (text === undefined) return fallback;
  const n = Number(text);
  if (text.trim() === '' || !Number.isInteger(n) || n < min || n > MAX) {
    throw new TypeError(`${name}: ${text} is not possible; give a whole number from ${min} to ${MAX}`);
  }
  return n;
}

let o;
try {
  o = options();
} catch (error) {
  console.error(`fuzz: ${error.message}`);
  process.exit(EXIT_USAGE);
}
const interrupt = new AbortController();
process.on('SIGINT', () => {
  // The second one ends it at once.
  if (interrupt.signal.aborted) process.exit(EXIT_INTERRUPTED);
  interrupt.abort();
});
let ok = true;
for (const campaign of o.chosen) {
  if (interrupt.signal.aborted) break;
  const job = { seed: o.seed, from: o.from, count: o.count ?? campaign.count, signal: interrupt.signal };
  ok = (await runCampaign(campaign, job, console.log)) && ok;
}
if (!ok) process.exit(EXIT_CHECK_FAILED);
process.exit(interrupt.signal.aborted ? EXIT_INTERRUPTED : EXIT_OK);
