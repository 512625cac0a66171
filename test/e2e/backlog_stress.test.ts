// SPDX-License-Identifier: GPL-2.0-only
/** CPUs go and come, threads for backlogs are switched, under traffic: bench/backlog_stress.mjs for some cycles. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const STRESS = fileURLToPath(new URL('../../bench/backlog_stress.mjs', import.meta.url));
const CYCLES = 60;

it('nothing is lost, reordered or left in any mode', async () => {
  const args = [STRESS, '--hotplug', String(CYCLES), '--toggles', String(CYCLES)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const reports = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { [key: string]: unknown });
  expect(reports.map((r) => r.mode)).toEqual(['ipi', 'threaded', 'smpboot']);
  // A machine with boot-time threads refuses the others; to switch off what is off is no error.
  expect(reports.map((r) => r.toggles_refused)).toEqual([0, 0, CYCLES / 2]);
  for (const r of reports) {
    expect(r).toMatchObject({ hotplug_cycles: CYCLES, lost: 0, reordered: 0, verdict: 'SUCCESS' });
    expect(r.frames_read).toBeGreaterThan(0);
    expect(r.threads_after).toBe(r.threads_before);
  }
});
