// SPDX-License-Identifier: GPL-2.0-only
/**
 * `softnet torture` over ten fixed seeds of 20 s, two at a time: the same load at every change, by every profile. A
 * failure prints what the command says, the line that repeats it last.
 */
import { describe, expect, it } from 'vitest';
import { runCli } from '../helpers/cli.js';

/** Far above what a run takes on a loaded host: one that does not end is a failure of this file, not of the suite. */
const HANG_MS = 600_000;

/** Pairs that run beside each other: each shares the host with another kind of load. */
const PAIRS = [
  [
    ['default', 1001],
    ['modes', 1002],
  ],
  [
    ['reconfig', 1003],
    ['backlog', 1004],
  ],
  [
    ['faults', 1005],
    ['default', 1006],
  ],
  [
    ['faults', 1007],
    ['reconfig', 1008],
  ],
  [
    ['faults', 1009],
    ['faults', 1010],
  ],
] as const;

async function run(profile: string, seed: number): Promise<void> {
  const args = ['torture', '--duration', '20s', '--seed', String(seed), '--profile', profile, '--guard'];
  const r = await runCli([...args, '--stat_interval', '0']);
  expect.soft(r.stderr).toBe('');
  expect.soft(`${r.code} ${r.stdout}`).toMatch(/^0 [^!]*: SUCCESS\n$/);
  const [, operations, rests] = /: (\d+) operations .* (\d+) rests/.exec(r.stdout) ?? [];
  expect.soft(Number(operations)).toBeGreaterThan(0);
  // A machine that was ended on purpose just before may have left no time for one.
  if (profile !== 'faults') expect.soft(Number(rests)).toBeGreaterThan(0);
}

describe('softnet torture, ten seeds', () => {
  it.each(PAIRS)('%j beside %j', { timeout: HANG_MS }, async (...pair) => {
    await Promise.all(pair.map(([profile, seed]) => run(profile, seed)));
  });
});
