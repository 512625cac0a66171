// SPDX-License-Identifier: GPL-2.0-only
// softnet check as a user runs it.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { SUITE_MAX_STATES } from '../../dist/litmus/sweep/run.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const known = fileURLToPath(new URL('../litmus/known.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'softnet-check-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  code: number;
  out: string;
  err: string;
}

function softnet(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, 'check', ...args], { maxBuffer: 1 << 26 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

describe('softnet check', () => {
  it('holds for every litmus test of this package, within its limits', async () => {
    const { code, out, err } = await softnet('--json', '--max-states', String(SUITE_MAX_STATES));
    expect(err).toBe('');
    const doc = JSON.parse(out);
    for (const t of doc.tests) expect([t.test, t.outcome, t.complete]).toEqual([t.test, 'holds', true]);
    expect(doc.tests.length).toBeGreaterThan(25);
    expect(code).toBe(0);
    // Only a large graph says what a state costs: small ones are all table.
    const large = doc.tests.filter((t: { states: number }) => t.states > 50_000);
    expect(large.length).toBeGreaterThan(0);
    for (const t of large) expect(t.bytes_per_state).toBeLessThanOrEqual(200);
  }, 600_000);

  it('catches every mutant with the verdict that is expected of it', async () => {
    const { code, out } = await softnet('--mutants', '--json');
    const doc = JSON.parse(out);
    const missed = doc.mutants.filter((m: { caught: boolean }) => !m.caught);
    expect(missed).toEqual([]);
    expect(doc.mutants.length).toBeGreaterThan(50);
    expect(code).toBe(0);
  }, 600_000);

  it('lists tests with what they forbid', async () => {
    const { code, out } = await softnet('--list');
    expect(out).toMatch(/^napi-threaded +an event nobody polls/m);
    expect(code).toBe(0);
  });

  it('prints a counterexample in the form of herd7, and replays it from its string', async () => {
    const page = join(folder, 'found.html');
    const { code, out } = await softnet('--module', known, 'two-locks', '--trace', page);
    expect(code).toBe(1);
    expect(out).toMatch(
      /^Test two-locks Required\nStates \d+\nNo\nWitnesses\nPositive: 1 Negative: 1\nCondition /,
    );
    expect(out).toMatch(/^Observation two-locks Sometimes 1 1$/m);
    expect(out).toMatch(/^ +2 {2}p1 {2}exchange b 0 → 1 .*known\.mjs:\d+ lockWord < p1$/m);
    const string = /^Replay (\S+)$/m.exec(out)?.[1] ?? '';
    const again = await softnet('--module', known, '--replay', string);
    expect(again.code).toBe(0);
    expect(again.out).toContain('p1  wait a 1, sleeps');
    const html = readFileSync(page, 'utf8');
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).toContain('<th>p0</th><th>p1</th>');
    expect(html).not.toMatch(/(src|href)=/);
  });

  it('refuses a replay string of other code, and one that is none', async () => {
    const stale = await softnet('--module', known, '--replay', '1:two-locks:000000000000:deadlock:0101');
    expect(stale.code).toBe(2);
    expect(stale.err).toMatch(/the code has changed/);
    const string = /^Replay (\S+)$/m.exec((await softnet('--module', known, 'two-locks')).out)?.[1] ?? '';
    for (const damaged of [string.replace(/\d+$/, '0000000000'), string.replace(/\d+$/, '9')]) {
      const r = await softnet('--module', known, '--replay', damaged);
      expect([r.code, r.err]).toEqual([2, expect.stringMatching(/damaged: at step \d+ .* cannot move/)]);
    }
    const page = await softnet('--module', known, 'two-locks', '--trace', join(folder, 'no', 'such.html'));
    expect([page.code, page.err]).toEqual([2, expect.stringMatching(/trace cannot be written: ENOENT/)]);
    const none = await softnet('--replay', 'nonsense');
    expect(none.code).toBe(2);
    expect(none.err).toMatch(/is no replay string/);
  });

  it('says incomplete and ends with 7 when a limit cuts the search', async () => {
    const { code, out } = await softnet('--max-states', '50', 'napi-threaded');
    expect(code).toBe(7);
    expect(out).toMatch(/^Incomplete: cut by --max-states 50; raise it$/m);
    expect(out).not.toMatch(/^Ok$/m);
  });

  it('ends with 2 for wrong use', async () => {
    expect((await softnet('no-such-test')).err).toMatch(/no litmus test no-such-test; softnet check --list/);
    expect((await softnet('--max-states', 'many')).code).toBe(2);
    const empty = join(folder, 'empty.mjs');
    writeFileSync(empty, 'export const x = 1;\n');
    const none = await softnet('--module', empty);
    expect([none.code, none.err]).toEqual([2, expect.stringMatching(/exports no litmus test/)]);
  });

  it('refuses code it cannot check, with file and line', async () => {
    const file = join(folder, 'async.mjs');
    writeFileSync(file, '\nexport async function f() {}\n');
    const { code, err } = await softnet('--module', file);
    expect(code).toBe(2);
    expect(err).toMatch(/^softnet check: refused: .*async\.mjs:2: an async function/);
  });
});
