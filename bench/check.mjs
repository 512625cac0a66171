// SPDX-License-Identifier: GPL-2.0-only
// What softnet check costs: states a second and bytes a state on a graph of a million states, the litmus suite, the
// mutants, the start. Prints one JSON document; run it on a quiet machine (node bench/check.mjs).
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { script } from './lib/script.js';

script(
  'check',
  'What softnet check costs: states a second, bytes a state, the suite, the mutants, the start.',
).parse();

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const graph = fileURLToPath(new URL('./check_graph.mjs', import.meta.url));

function run(...args) {
  const begin = process.hrtime.bigint();
  const out = execFileSync(process.execPath, [cli, 'check', ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { out, wallNs: Number(process.hrtime.bigint() - begin) };
}

const million = JSON.parse(run('--module', graph, '--json').out).tests[0];
const suite = run('--json');
const mutants = run('--mutants', '--json');
const start = run('--list');
// Until the first test begins: the checker alone, and with all that the tests of the network code import.
const small = JSON.parse(run('spinlock', '--json').out);
const { tests, start_ns } = JSON.parse(suite.out);

process.stdout.write(
  `${JSON.stringify(
    {
      node: process.version,
      cpu: cpus()[0].model,
      cores: cpus().length,
      million_states: million.states,
      million_states_per_s: million.states_per_s,
      million_bytes_per_state: million.bytes_per_state,
      suite_tests: tests.length,
      suite_states: tests.reduce((n, t) => n + t.states, 0),
      suite_wall_ns: suite.wallNs,
      mutants: JSON.parse(mutants.out).mutants.length,
      mutants_wall_ns: mutants.wallNs,
      list_wall_ns: start.wallNs,
      small_start_ns: small.start_ns,
      suite_start_ns: start_ns,
    },
    null,
    2,
  )}\n`,
);
