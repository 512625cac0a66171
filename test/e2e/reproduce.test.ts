// SPDX-License-Identifier: GPL-2.0-only
// softnet reproduce and softnet report as a user runs them: a part or two for real, interrupted, resumed, compared.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { RunDocument } from '../../dist/report/document.js';
import { runChild } from '../../dist/tools/reproduce/child.js';
import { runCli, startCli } from '../helpers/cli.js';
import { madeUpRun } from '../helpers/made_up_runs.js';

const dir = mkdtempSync(join(tmpdir(), 'softnet-reproduce-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function results(out: string): RunDocument {
  return JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as RunDocument;
}

function childrenOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .split(' ')
      .filter((s) => s !== '');
  } catch {
    return [];
  }
}

/** Parts are given up to three minutes on hosts with other work, too. */
const LIMIT_MS = 300_000;

describe('softnet reproduce', () => {
  it(
    'runs parts, judges them, and ends with the report’s path and a summary of one screen',
    async () => {
      const out = join(dir, 'run');
      const { code, stdout, stderr } = await runCli(['reproduce', '--parts', 'mutants,replay', '--out', out]);
      expect(stdout).toContain('2 agree, 0 differ');
      expect(code).toBe(0);
      const lines = stdout.trimEnd().split('\n');
      expect(lines.at(-1)).toBe(`Report: ${join(out, 'report.html')}`);
      expect(lines.length).toBeLessThan(24);
      expect(stderr).toMatch(/1 of 2: .*, about \d+ s left/);
      const run = results(out);
      expect(run).toMatchObject({ profile: 'quick', interrupted: false, not_run: [] });
      expect(run.parts.map((p) => [p.id, p.verdict])).toEqual([
        ['mutants', 'agrees'],
        ['replay', 'agrees'],
      ]);
      const [mutants, replay] = run.parts;
      expect(mutants.scope).toContain('named mutants');
      // What the part ran is what is told to repeat it, and what the report shows.
      const html = readFileSync(join(out, 'report.html'), 'utf8');
      for (const p of run.parts) expect(html).toContain(p.command);
      const [softirq] = (
        replay.result as { runs: { timeline: { threads: unknown[] }; packets_per_poll_log2: number[] }[] }
      ).runs;
      expect(softirq.packets_per_poll_log2.reduce((a, b) => a + b, 0)).toBeGreaterThan(1000);
      if (process.platform === 'linux') expect(softirq.timeline.threads.length).toBeGreaterThan(3);
    },
    LIMIT_MS,
  );

  it(
    'keeps what there is when it is interrupted, and goes on from there',
    async () => {
      const out = join(dir, 'interrupted');
      const args = ['reproduce', '--parts', 'mutants,replay', '--out', out];
      const run = startCli([...args, '--json']);
      // The second part has begun: the first one is kept.
      let stderr = '';
      run.child.stderr?.on('data', (d: Buffer) => {
        stderr += d.toString();
      });
      while (!stderr.includes('2 of 2') && run.child.exitCode === null) await nextTurn();
      run.child.kill('SIGINT');
      const { code, stdout } = await run.done;
      expect(code).toBe(130);
      const first = JSON.parse(stdout) as RunDocument;
      expect(first.interrupted).toBe(true);
      expect(first.parts[0]).toMatchObject({ id: 'mutants', state: 'done', verdict: 'agrees' });
      expect(first.parts[1]?.state ?? 'interrupted').toBe('interrupted');
      expect(results(out)).toEqual(first);
      expect(existsSync(join(out, 'report.html'))).toBe(true);
      expect(stderr).toContain(
        `to go on: npx softnet reproduce --quick --parts mutants,replay --resume --out ${out}\n`,
      );
      expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain(`--resume --out ${out}</pre>`);

      const resumed = await runCli([...args, '--resume']);
      expect(resumed.stderr).toContain('1 parts are there already, 1 are to run');
      expect(resumed.code).toBe(0);
      const second = results(out);
      expect(second.parts[0]).toEqual(first.parts[0]);
      expect(second.parts[1]).toMatchObject({ id: 'replay', state: 'done', verdict: 'agrees' });
      expect(second.interrupted).toBe(false);
      // Nothing is left to do, and nothing is lost by asking for less.
      const less = await runCli(['reproduce', '--parts', 'replay', '--out', out, '--resume']);
      expect(less.code).toBe(0);
      expect(results(out).parts).toEqual(second.parts);
    },
    LIMIT_MS,
  );

  it.runIf(existsSync(`/proc/self/task/${process.pid}/children`)).each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    'ends its command, and keeps what there is, upon %s',
    async (signal, expected) => {
      const out = join(dir, signal);
      const run = startCli(['reproduce', '--full', '--parts', 'litmus', '--out', out]);
      const children = () => childrenOf(run.child.pid!);
      while (children().length === 0 && run.child.exitCode === null) await nextTurn();
      const [child] = children();
      run.child.kill(signal);
      const { code, stdout } = await run.done;
      expect(stdout).toContain('interrupted');
      expect(code).toBe(expected);
      expect(existsSync(`/proc/${child}`)).toBe(false);
      expect(results(out)).toMatchObject({ interrupted: true, parts: [{ id: 'litmus' }] });
    },
    LIMIT_MS,
  );

  it('does not mix in results of another host or version', async () => {
    const out = join(dir, 'foreign');
    const { code } = await runCli([
      'report',
      writeRun('foreign-seed.json'),
      '--out',
      join(out, 'report.html'),
    ]);
    expect(code).toBe(0);
    writeFileSync(join(out, 'results.json'), JSON.stringify(madeUpRun()));
    const refused = await runCli(['reproduce', '--parts', 'mutants', '--resume', '--out', out]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/another host|version/);
    expect(refused.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it.each([
    ['where nothing can be written', ['reproduce', '--parts', 'replay', '--out', '/proc']],
    ['nowhere', ['reproduce', '--parts', 'replay', '--out', '']],
    ['a report onto a directory', ['report', 'RUN', '--out', dir]],
    ['a report nowhere', ['report', 'RUN', '--out', '']],
    ['a report onto its results', ['report', 'RUN', '--out', 'RUN']],
  ])('refuses to write %s, at once and in one line', async (_where, args) => {
    const path = writeRun('refused.json');
    const { code, stdout, stderr } = await runCli(args.map((a) => (a === 'RUN' ? path : a)));
    expect(stderr).toMatch(/^softnet: out: .*\n$/);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('refuses parts that there are not', async () => {
    const { code, stderr } = await runCli(['reproduce', '--parts', 'all']);
    expect(code).toBe(2);
    expect(stderr).toContain('stream, boot-threads');
  });
});

describe('the command of a part', () => {
  it('is asked to end when its time is up, and what it has by then is taken', async () => {
    // Replays for an hour unless it is told.
    const argv = ['replay', '--loop', '1000000', '--mode', 'softirq', '--pace', '20000', '--json'];
    const child = await runChild(argv, 2500, new AbortController().signal);
    expect(child.cut).toBe(true);
    const document = child.document as { runs: { interrupted: boolean }[] } | null;
    // On a host that is so loaded that it had not even begun there is nothing to take.
    if (document !== null) expect(document.runs[0].interrupted).toBe(true);
    expect(child.seconds).toBeLessThan(60);
  });
});

function writeRun(name: string, more: Partial<RunDocument> = {}): string {
  const path = join(dir, name);
  writeFileSync(path, JSON.stringify(madeUpRun(more)));
  return path;
}

describe('softnet report', () => {
  it('makes a report of one run, and of one command’s own JSON', async () => {
    const out = join(dir, 'one.html');
    const one = await runCli(['report', writeRun('a.json'), '--out', out]);
    expect(one.code).toBe(0);
    expect(one.stdout).toBe(`Report: ${out}\n`);
    expect(readFileSync(out, 'utf8')).toContain('Receive livelock');

    const replayed = await runCli(['replay', '--mode', 'threaded', '--json']);
    const path = join(dir, 'replay.json');
    writeFileSync(path, replayed.stdout);
    const own = await runCli(['report', path, '--out', out]);
    expect(own.code).toBe(0);
    expect(readFileSync(out, 'utf8')).toContain('Packets a poll');
  });

  it('compares two, and says how many differences are noise', async () => {
    const out = join(dir, 'two.html');
    const a = writeRun('b.json');
    const b = writeRun('c.json', { parts: madeUpRun().parts.slice(1) });
    const { code, stdout } = await runCli(['report', a, b, '--out', out]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+ figures: 0 better, 0 worse, 0 changed, 0 noise, \d+ the same\nReport: /);
    expect(readFileSync(out, 'utf8')).toContain('only in A');
    const json = await runCli(['report', a, b, '--out', out, '--json']);
    const document = JSON.parse(json.stdout) as { figures: unknown[]; only_a: string[] };
    expect(document.figures.length).toBeGreaterThan(50);
    expect(document.only_a.some((name) => name.startsWith('stream: '))).toBe(true);
  });

  it('refuses two that have nothing in common', async () => {
    const [a, b] = ['replay', 'litmus'].map((id) =>
      writeRun(`only-${id}.json`, { parts: madeUpRun().parts.filter((p) => p.id === id) }),
    );
    const out = join(dir, 'nothing.html');
    const { code, stdout, stderr } = await runCli(['report', a, b, '--out', out]);
    expect([code, stdout, existsSync(out)]).toEqual([2, '', false]);
    expect(stderr).toMatch(/^softnet report: .* have nothing in common to compare: .*\n$/);
  });

  it('refuses what is no result, in one line', async () => {
    const { code, stderr } = await runCli(['report', join(dir, 'none.json')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^softnet report: .*none\.json cannot be read \(ENOENT\)\n$/);
  });
});
