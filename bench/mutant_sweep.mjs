// SPDX-License-Identifier: GPL-2.0-only
// Breaks every atomic operation, condition, mask and order of the protocol code, one at a time, and says which of these
// mutants no litmus test notices (node bench/mutant_sweep.mjs [PART OF A KEY...]; --log FILE: a line a mutant, as it goes;
// --keys FILE: those of the keys in FILE, a line each, in that order; --unlisted: without those that the list of survivors
// has, which take most of the time, as all tests run against them). Takes an hour and more. Fails on a survivor that
// src/litmus/sweep/survivors.ts does not list and on an entry there that is caught or matches nothing. What it finds does
// not depend on how fast the machine is.
import { fork } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { mutantsOf, SWEPT } from '../dist/litmus/sweep/modules.js';
import { SURVIVORS } from '../dist/litmus/sweep/survivors.js';
import { script, whole } from './lib/script.js';

const child = new URL('./workers/sweep_child.js', import.meta.url);
/** A child is replaced after so many mutants: modules that were loaded stay in memory. */
const MUTANTS_PER_CHILD = 60;
/** A mutant that says nothing for so long goes round a loop where the checker does not look (in setup). */
const HANG_MS = 600_000;
/** The first thing a child does, with every statement of the suite marked: nothing is said while modules load. */
const REACH_MS = 900_000;

const JOBS = Math.min(4, availableParallelism());
const command = script(
  'mutant_sweep',
  'Mutants of the protocol code, by rule: which does no litmus test notice?',
)
  .argument('[parts...]', 'only mutants whose keys hold one of these')
  .option('--jobs <n>', 'processes', whole(1, 256), JOBS)
  .option('--json', 'print one JSON document')
  .option('--log <file>', 'a line a mutant, as it goes')
  .option('--keys <file>', 'those of the keys in FILE, a line each, in that order')
  .option('--unlisted', 'without those that the list of survivors has')
  .parse();
const values = command.opts();
const positionals = command.args;

class Worker {
  constructor() {
    this.done = 0;
    this.process = null;
  }

  /** @returns the child's answer, or null if it hangs or dies */
  ask(job, hangMs = HANG_MS) {
    if (this.done++ % MUTANTS_PER_CHILD === 0) this.end();
    this.process ??= fork(child);
    const { process: p } = this;
    return new Promise((resolve) => {
      let timer;
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => finish(null), hangMs);
      };
      const finish = (answer) => {
        clearTimeout(timer);
        p.removeAllListeners();
        if (answer === null) this.end();
        resolve(answer);
      };
      wait();
      p.on('message', (answer) => (answer.alive === true ? wait() : finish(answer)));
      p.once('exit', () => finish(null));
      p.send(job);
    });
  }

  end() {
    this.process?.kill('SIGKILL');
    this.process = null;
  }
}

const begin = performance.now();
const allowed = new Set(SURVIVORS.flatMap((s) => s.keys));
const all = SWEPT.flatMap((file) => mutantsOf(file));
const byKey = new Map(all.map((m) => [m.key, m]));
const chosen =
  values.keys === undefined
    ? all
    : readFileSync(values.keys, 'utf8')
        .split('\n')
        .flatMap((key) => byKey.get(key) ?? []);
const wanted = chosen.filter(
  ({ key }) =>
    (positionals.length === 0 || positionals.some((p) => key.includes(p))) &&
    !(values.unlisted && allowed.has(key)),
);

const first = new Worker();
const reach = await first.ask({}, REACH_MS);
if (reach === null) throw new Error('the litmus suite does not hold');

const results = [];
const queue = wanted.values();
async function work(worker) {
  for (const mutant of queue) {
    const tests = mutant.statement < 0 ? everyTest() : reach[`${mutant.file}:${mutant.statement}`];
    let r = { key: mutant.key, outcome: 'unreached', test: '', steps: 0, timeMs: 0 };
    if (tests !== undefined) {
      r = (await worker.ask({ key: mutant.key, tests })) ?? { ...r, outcome: 'hang', test: '' };
    }
    const row = { ...r, place: `src/${mutant.file.replace(/\.js$/, '.ts')}:${mutant.sourceLine}` };
    results.push(row);
    if (values.log !== undefined) appendFileSync(values.log, `${JSON.stringify(row)}\n`);
    if (process.stderr.isTTY) process.stderr.write(`\r${results.length}/${wanted.length} `);
  }
  worker.end();
}

/** @returns all tests that take part, the smallest first */
function everyTest() {
  const tests = new Map(Object.values(reach).flatMap((some) => some.map((t) => [t.name, t])));
  return [...tests.values()].sort((a, b) => a.states - b.states);
}

const workers = [first];
while (workers.length < values.jobs) workers.push(new Worker());
await Promise.all(workers.map(work));

const survived = (r) => r.outcome === 'survived' || r.outcome === 'unreached' || r.outcome === 'slow';
// A test that only grows has found no fault: an entry may say why it does.
const silent = (r) => survived(r) || r.outcome === 'states' || r.outcome === 'endless';
const unlisted = results.filter((r) => survived(r) && !allowed.has(r.key));
const caughtButListed = results.filter((r) => !silent(r) && allowed.has(r.key));
const stale = [...allowed].filter((key) => !byKey.has(key));
const outcomes = {};
for (const r of results) outcomes[r.outcome] = (outcomes[r.outcome] ?? 0) + 1;
const timeNs = Math.round((performance.now() - begin) * 1e6);
if (values.json) {
  const doc = {
    mutants: results.length,
    outcomes,
    allowed: allowed.size,
    time_ns: timeNs,
    unlisted,
    caught_but_listed: caughtButListed,
    stale,
    results,
  };
  process.stdout.write(`${JSON.stringify(doc, null, 2)}\n`);
} else {
  for (const r of unlisted) process.stdout.write(`${r.place}: ${r.outcome}: ${r.key}\n`);
  for (const r of caughtButListed)
    process.stdout.write(`${r.place}: listed, but caught by ${r.test} (${r.outcome}): ${r.key}\n`);
  for (const key of stale) process.stdout.write(`listed, but there is no such mutant: ${key}\n`);
  const counts = Object.entries(outcomes).map(([what, n]) => `${n} ${what}`);
  process.stdout.write(
    `${results.length} mutants: ${counts.join(', ')}; ${unlisted.length} survivors not listed, ` +
      `${caughtButListed.length + stale.length} entries out of date; ${(timeNs / 1e9).toFixed(0)} s\n`,
  );
}
process.exitCode = unlisted.length + caughtButListed.length + stale.length === 0 ? 0 : 1;
