// SPDX-License-Identifier: GPL-2.0-only
/** Control operations of eight clients at once, under traffic: bench/control_stress.mjs for some rounds. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const STRESS = fileURLToPath(new URL('../../bench/control_stress.mjs', import.meta.url));
const ROUNDS = 60;

it('what eight clients are answered, and what is left, is explained by an order of their operations', async () => {
  const args = [STRESS, '--rounds', String(ROUNDS), '--seconds', '1e6', '--seed', '7'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(JSON.parse(stdout)).toMatchObject({
    rounds: ROUNDS,
    operations: ROUNDS * 8 * 3,
    unexplained: 0,
    lost: 0,
    threads_left: 0,
    verdict: 'SUCCESS',
  });
});
