// SPDX-License-Identifier: GPL-2.0-only
// Puts known bugs into a copy of the build, one at a time, and says which of them softnet torture finds and how fast
// (node bench/torture_mutants.mjs [--seconds 90] [--seed 1] [--profile default] [NAME...]). Three seeds share the time: each
// boots its machines with other options. Without names: bugs that Linux has had, and some of each protocol that the litmus
// tests catch. Exit code: 0 every one is found, 1 otherwise, 2 usage.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { applyEdits } from '../dist/check/edits.js';
import { MUTANTS } from '../dist/litmus/mutants/index.js';
import { number, script, whole } from './lib/script.js';

/** Seeds that share the time. */
const SEEDS = 3;
const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Looked for without names, with the profile that works most on what they break. */
const USUAL = [
  ['sched-as-ownership', 'modes'],
  ['woken-short-cut', 'modes'],
  ['list-add-unlocked', 'modes'],
  ['disable-leaves-early', 'reconfig'],
  ['stop-tests-wrong-bit', 'modes'],
  ['stop-leaves-threaded', 'modes'],
  ['wait-ends-on-disable', 'reconfig'],
  ['stop-keeps-busy-poll', 'modes'],
  ['busy-ignores-disable', 'default'],
  ['busy-poll-silent', 'modes'],
  ['parked-threads-survive-off', 'reconfig'],
  ['parked-threads-survive-exit', 'reconfig'],
  ['config-not-overridden', 'reconfig'],
  ['unpark-before-assigned', 'reconfig'],
  ['backlog-state-zeroed', 'backlog'],
  ['backlog-keeps-sched-threaded', 'backlog'],
  ['sched-threaded-left-at-dead', 'backlog'],
  ['frames-behind-complete', 'backlog'],
  ['net-rx-flag-kept', 'modes'],
  ['node-cleared-before-park', 'reconfig'],
];

const command = script(
  'torture_mutants',
  'Known bugs in a copy of the build: which does softnet torture find, and how fast?',
)
  .argument('[names...]', 'mutants (default: a list of its own)')
  .option('--seconds <s>', `time for each, shared by ${SEEDS} seeds`, number(1, 86_400), 90)
  .option('--seed <n>', 'the first of the seeds', whole(0, 0x7fffffff - SEEDS), 1)
  .option('--profile <name>', 'of torture (default: the one that works most on what is broken)')
  .option('--json', 'print one JSON document')
  .option('--list', 'list all mutants')
  .parse();
const values = command.opts();
const positionals = command.args;
if (values.list) {
  for (const { name, commit, why } of MUTANTS) console.log(`${name} (${commit}): ${why}`);
  process.exit(0);
}
const unknown = positionals.filter((name) => !MUTANTS.some((m) => m.name === name));
if (unknown.length > 0) {
  console.error(`torture_mutants: no mutant ${unknown.join(', ')}; --list shows them`);
  process.exit(2);
}

/** A copy of the build with edits. @returns its folder */
function build(edits) {
  const folder = mkdtempSync(join(tmpdir(), 'softnet-mutant-'));
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  symlinkSync(join(ROOT, 'test'), join(folder, 'test'));
  for (const file of new Set(edits.map((e) => e.file))) {
    const path = join(folder, 'dist', file);
    writeFileSync(path, applyEdits(path, readFileSync(path, 'utf8'), edits));
  }
  return folder;
}

/** Runs torture on a build. @returns how it ended */
function torture(folder, profile) {
  const args = [
    join(folder, 'dist/cli.js'),
    'torture',
    ...['--seed', String(values.seed), '--seeds', String(SEEDS), '--profile', profile],
    ...['--duration', `${values.seconds / SEEDS}s`],
    ...['--stutter', '2', '--stall', '4', '--stat_interval', '0', '--faults', 'none'],
  ];
  const beganMs = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let found = false;
  let seconds = 0;
  child.stdout.on('data', (d) => {
    text += d;
    if (found || !/^!!! seed .*\n/m.test(text)) return;
    found = true;
    seconds = (performance.now() - beganMs) / 1000;
    child.kill('SIGKILL');
  });
  child.stderr.on('data', (d) => {
    text += d;
  });
  // One that neither ends nor says anything was found by whoever looked at the clock, and that is not torture.
  const limit = setTimeout(() => child.kill('SIGKILL'), (values.seconds + 90) * 1000);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      const said = text.split('\n').find((l) => l.startsWith('!!!'));
      resolve({ found, code, signal, seconds, said: said ?? text.trim().split('\n').at(-1) });
    });
  });
}

const wanted =
  positionals.length === 0
    ? USUAL
    : positionals.map((n) => [n, USUAL.find(([u]) => u === n)?.[1] ?? 'default']);
const rows = [];
for (const [name, usual] of wanted) {
  const mutant = MUTANTS.find((m) => m.name === name);
  const folder = build(mutant.edits);
  try {
    const row = { mutant: name, commit: mutant.commit, ...(await torture(folder, values.profile ?? usual)) };
    rows.push(row);
    if (!values.json) {
      const how = row.found ? `found after ${row.seconds.toFixed(1)} s` : `NOT found in ${values.seconds} s`;
      console.log(`${name} (${mutant.commit}): ${how}: ${row.said}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
const found = rows.filter((r) => r.found).length;
if (values.json) console.log(JSON.stringify({ parameters: values, rows }, null, 2));
else console.log(`${found} of ${rows.length} found`);
process.exit(found === rows.length ? 0 : 1);
