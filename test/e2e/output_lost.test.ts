// SPDX-License-Identifier: GPL-2.0-only
/** Commands whose output cannot be written: a full disk, and a reader that went away. */
import { spawnSync } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CLI } from '../helpers/cli.js';

const FULL = '/dev/full';

function run(args: readonly string[], stdout: number | 'pipe', stderr: number | 'pipe') {
  return spawnSync(process.execPath, [CLI, ...args], { stdio: ['ignore', stdout, stderr], encoding: 'utf8' });
}

describe.skipIf(!existsSync(FULL))('output on a full disk', () => {
  const full = existsSync(FULL) ? openSync(FULL, 'w') : -1;
  const torture = ['torture', '--duration', '0.2s', '--devices', '1', '--threads', '1'];

  it.each([
    [['pahole']],
    [['check', '--list']],
    // Goes on without a reader, because its exit code is an answer.
    [['check', 'ring-length']],
    [torture],
    [[...torture, '--json']],
  ])('of %j is one line and exit code 2', (args) => {
    const r = run(args, full, 'pipe');
    expect(r.stderr).toMatch(/^softnet: standard output: ENOSPC.*\n$/);
    expect(r.status).toBe(2);
  });

  it('leaves exit codes as they are where only errors cannot be told', () => {
    expect(run(['top', '--once', '--socket', '/nonexistent/s'], 'pipe', full).status).toBe(2);
    expect(run(['check', 'ring-length'], 'pipe', full).status).toBe(0);
  });

  it('is nobody’s fault where the reader went away', () => {
    const r = spawnSync('sh', ['-c', `"${process.execPath}" "${CLI}" pahole | true`], { encoding: 'utf8' });
    expect([r.status, r.stderr]).toEqual([0, '']);
  });
});
