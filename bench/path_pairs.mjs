// SPDX-License-Identifier: GPL-2.0-only
// Compares the whole path of two built checkouts in pairs, one after the other (node bench/path_pairs.mjs OTHER [PAIRS]):
// what this one has against OTHER. Prints medians of both, and of the ratios. `--trace` in place of OTHER: this checkout
// while all its threads are traced, against itself while they are not.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { script } from './lib/script.js';

const command = script('path_pairs', 'Compares the whole path of two built checkouts in pairs.')
  .argument('[other]', 'folder of the other checkout, built; not with --trace')
  .argument('[pairs]', 'how many pairs (default: 10)')
  .option('--trace', 'this checkout while all its threads are traced, against itself while they are not')
  .parse();
const { trace: traced = false } = command.opts();
const [other, pairs = '10', ...more] = traced ? [null, ...command.args] : command.args;
if (other === undefined || more.length > 0 || !(Number(pairs) >= 1)) {
  command.error('give the folder of another checkout, built, or --trace, and how many pairs (10)');
}
const here = fileURLToPath(new URL('..', import.meta.url));
const once = fileURLToPath(new URL('workers/path_once.mjs', import.meta.url));
const run = (...args) => JSON.parse(execFileSync(process.execPath, [once, ...args], { encoding: 'utf8' }));
const before = () => run(traced ? here : other);
const now = () => (traced ? run(here, 'trace') : run(here));
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

const rows = Array.from({ length: Number(pairs) }, (_, i) => {
  // Who is first changes: the second may find a warmer, or a busier, host.
  const first = i % 2 === 0 ? before() : now();
  const second = i % 2 === 0 ? now() : before();
  return i % 2 === 0 ? { old: first, now: second } : { old: second, now: first };
});
for (const key of Object.keys(rows[0].now)) {
  const medians = [median(rows.map((r) => r.old[key])), median(rows.map((r) => r.now[key]))];
  const ratios = rows.map((r) => r.now[key] / r.old[key]);
  const text = medians.map((x) => x.toLocaleString('en', { maximumFractionDigits: 1 }));
  const range = [Math.min(...ratios), Math.max(...ratios)].map((x) => x.toFixed(2));
  console.log(
    `${key}: ${traced ? 'off' : 'other'} ${text[0]}, ${traced ? 'on' : 'here'} ${text[1]}, ratio ${median(ratios).toFixed(2)} (${range.join(' to ')})`,
  );
}
