// SPDX-License-Identifier: GPL-2.0-only
/** Every campaign of bench/fuzz.mjs, for a short while: nothing crashed, hung or leaked. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const FUZZ = fileURLToPath(new URL('../../bench/fuzz.mjs', import.meta.url));

function fuzz(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [FUZZ, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

it.each([
  ['frames', 9000, /read \d{4,}/],
  ['captures', 300, /, read \d+, refused \d+, replayed by a machine \d/],
  ['control', 250, /answered \d+, closed \d+, cut \d+, good ones \d+, refused \d+/],
  ['cli', 200, /as a process \d, done \d+, .*refused \d+, would run \d+/],
  ['kill', 1, /started again/],
])('%s: %i cases', (name, count, outcomes) => {
  const { status, stdout, stderr } = fuzz(name, '--count', String(count), '--seed', '5');
  expect(stdout).not.toContain('!!!');
  expect([status, stderr]).toEqual([0, '']);
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  expect(last).toMatch(new RegExp(`^${name}: SUCCESS: ${count} of ${count} `));
  expect(last.slice(last.lastIndexOf(' s: ') + 4)).toMatch(outcomes);
});

it.each([
  [['nonsense'], 'fuzz: there is no nonsense; there are frames, captures, control, cli, kill\n'],
  [['--count', '0'], 'fuzz: --count: 0 is not possible; give a whole number from 1 to 2147483647\n'],
  [['--seed', 'x'], 'fuzz: --seed: x is not possible; give a whole number from 0 to 2147483647\n'],
])('refuses %j', (args, message) => {
  const { status, stderr } = fuzz(...args);
  expect([status, stderr]).toEqual([2, message]);
});
