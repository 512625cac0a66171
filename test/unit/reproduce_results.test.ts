// SPDX-License-Identifier: GPL-2.0-only
// What is kept of an interrupted run, the progress line, the summary's size, and how two runs are compared.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { OptionError } from '../../dist/errors.js';
import { compareRuns } from '../../dist/report/compare.js';
import { loadRun } from '../../dist/report/load.js';
import { damageOf } from '../../dist/report/validate.js';
import { PART_IDS } from '../../dist/tools/reproduce/part_ids.js';
import { PARTS } from '../../dist/tools/reproduce/parts.js';
import { clipped, progressLine, progressOf } from '../../dist/tools/reproduce/progress.js';
import {
  makeOutput,
  NOTHING_EARLIER,
  outputAt,
  resumable,
  save,
} from '../../dist/tools/reproduce/results.js';
import { documentOf } from '../../dist/tools/reproduce/run_document.js';
import { summaryText } from '../../dist/tools/reproduce/summary.js';
import {
  backlogDocument,
  checkDocument,
  madeUpPart,
  madeUpRun,
  mutantsDocument,
  reconfigDocument,
  replayDocument,
  rrDocument,
  streamDocument,
} from '../helpers/made_up_runs.js';

const dir = mkdtempSync(join(tmpdir(), 'softnet-results-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(name: string, content: unknown): string {
  const path = join(dir, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('results that are there already', () => {
  const run = madeUpRun({
    parts: [
      madeUpPart('stream', {}),
      madeUpPart('rr', {}, { state: 'cut' }),
      madeUpPart('reconfig', {}, { state: 'interrupted' }),
      madeUpPart('litmus', {}, { state: 'failed' }),
      madeUpPart('replay', {}),
    ],
  });
  const identity = { version: run.version, profile: run.profile, host: run.host! };
  const argvs = new Map(PART_IDS.map((id) => [id, [id, '--json']]));
  const path = file('run.json', run);

  it('are taken when a part was done, and only then', () => {
    const { done, open } = resumable(path, identity, argvs);
    expect([...done.keys()]).toEqual(['stream', 'replay']);
    expect([...open.keys()]).toEqual(['rr', 'reconfig', 'litmus']);
  });

  it('are not taken for a part that is run in another way, or not wanted', () => {
    const other = new Map([
      ['stream', ['stream', '--rows', '1/1']],
      ['rr', ['rr', '--json']],
    ]);
    const { done, open } = resumable(path, identity, other);
    expect([done.size, [...open.keys()]]).toEqual([0, ['rr']]);
  });

  it.each([
    ['version', { ...identity, version: '9.9.9' }, /version 0\.1\.0, not 9\.9\.9/],
    ['kind of run', { ...identity, profile: 'full' }, /--quick, not --full/],
    [
      'number of cores',
      { ...identity, host: { ...identity.host, cores: 64 } },
      /another host \(cores 2, not 64\)/,
    ],
    ['Node', { ...identity, host: { ...identity.host, node: '24.0.0' } }, /another host \(node/],
  ])('of another %s are refused, in words', (_what, other, message) => {
    expect(() => resumable(path, other, argvs)).toThrow(message);
  });

  it('may differ in what changes from run to run on one host', () => {
    const later = { ...identity, host: { ...identity.host, load: 7 } };
    expect(resumable(path, later, argvs).done.size).toBe(2);
  });

  it('are none where there is no file, and an error where it is another', () => {
    expect(resumable(join(dir, 'nothing.json'), identity, argvs)).toEqual(NOTHING_EARLIER);
    expect(() => resumable(file('x.json', '{"a":1}'), identity, argvs)).toThrow(/none of softnet reproduce/);
    expect(() => resumable(file('y.json', 'no json'), identity, argvs)).toThrow(/none of softnet reproduce/);
  });

  it('are an error that names file and field where they are damaged', () => {
    const broken = file('damaged.json', { ...run, parts: [{ ...run.parts[0], argv: 'stream' }] });
    expect(() => resumable(broken, identity, argvs)).toThrow(
      /^resume: .*damaged\.json is not possible; .*\/parts\/0\/argv is "stream", not a list of texts$/,
    );
  });
});

describe('the document of a run that goes on with an earlier one', () => {
  const before = madeUpRun({
    parts: [
      madeUpPart('stream', {}, { argv: ['stream'] }),
      madeUpPart('reconfig', { half: 1 }, { argv: ['reconfig'], state: 'interrupted' }),
    ],
    not_run: ['litmus', 'replay'],
    interrupted: true,
    seconds: 50,
    host: { ...madeUpRun().host!, load: 7 },
  });
  const identity = { version: before.version, profile: 'quick', host: { ...before.host!, load: 0.5 } };
  const argvs = new Map(PART_IDS.map((id) => [id, [id]]));
  const earlier = resumable(file('before.json', before), identity, argvs);
  const resumed = (selected: string[], ran: string[], out = 'softnet-report') =>
    documentOf({
      identity,
      earlier,
      selected,
      results: new Map([
        ...earlier.open,
        ...earlier.done,
        ...ran.map((id) => [id, madeUpPart(id, {})] as const),
      ]),
      started: '2027-01-01T00:00:00.000Z',
      seconds: 4.0004,
      interrupted: false,
      out,
    });

  it('keeps what was not asked for again, what is left, and what it cost', () => {
    const run = resumed(['replay'], ['replay']);
    expect(run.parts.map((p) => [p.id, p.state])).toEqual([
      ['stream', 'done'],
      ['reconfig', 'interrupted'],
      ['replay', 'done'],
    ]);
    expect(run).toMatchObject({ interrupted: true, not_run: ['litmus'], seconds: 54 });
    expect(run.started).toBe(before.started);
    expect(run.host?.load).toBe(7);
    expect(run.resume).toBe(
      'npx softnet reproduce --quick --parts stream,reconfig,litmus,replay --resume --out softnet-report',
    );
    expect(damageOf(JSON.parse(JSON.stringify(run)))).toBeNull();
  });

  it('is whole when everything that was left has been run', () => {
    const run = resumed([...PART_IDS], [...PART_IDS]);
    expect(run).toMatchObject({ interrupted: false, not_run: [] });
    expect(run.resume).toBeUndefined();
  });

  it('says the command that goes on as a shell takes it', () => {
    expect(resumed([...PART_IDS], [], "it's a dir/x.html").resume).toBe(
      "npx softnet reproduce --quick --resume --out 'it'\\''s a dir/x.html'",
    );
  });
});

describe('where results go', () => {
  it('is a directory, or an HTML file with the JSON beside it', () => {
    expect(outputAt('/a/b')).toEqual({ report: '/a/b/report.html', results: '/a/b/results.json' });
    expect(outputAt('/a/b.html')).toEqual({ report: '/a/b.html', results: '/a/b.json' });
  });
});

describe('a place for results', () => {
  const at = (...names: string[]) => join(dir, ...names);

  it('is made, with what lies above it, and nothing is left of the trial', () => {
    const { report, results } = outputAt(at('deep', 'er', 'run'));
    makeOutput([report, results], 'deep');
    expect(readdirSync(at('deep', 'er', 'run'))).toEqual([]);
  });

  it('keeps what is there', () => {
    const there = file('kept.json', 'dear');
    makeOutput([at('kept.html'), there], 'kept.html');
    expect(readFileSync(there, 'utf8')).toBe('dear');
    expect(readdirSync(dir).filter((n) => n.startsWith('kept'))).toEqual(['kept.json']);
  });

  it('stays where a link leads', () => {
    const there = file('linked.html', 'dear');
    symlinkSync(there, at('link.html'));
    makeOutput([at('link.html')], 'link.html');
    expect(readFileSync(there, 'utf8')).toBe('dear');
    save(at('link.html'), 'new');
    expect(readFileSync(there, 'utf8')).toBe('new');
    expect(lstatSync(at('link.html')).isSymbolicLink()).toBe(true);
  });

  it.each([
    ['a directory of this name', 'taken.html', /taken\.html is a directory/],
    ['a file on the way', 'plain/run', /ENOTDIR|EEXIST/],
    ['nothing', '', /^out: '' is not possible/],
  ])('is refused before the work: %s', (_what, name, message) => {
    mkdirSync(at('taken.html'), { recursive: true });
    file('plain', '');
    const { report, results } = outputAt(at(name));
    const make = () => makeOutput([report, results], name);
    expect(make).toThrow(message);
    expect(make).toThrow(OptionError);
    expect(existsSync(at('taken.json'))).toBe(false);
  });

  it.runIf(process.platform === 'linux')('is refused where no file can be made', () => {
    for (const place of ['/proc', '/proc/softnet/deep/er']) {
      expect(() => makeOutput([`${place}/report.html`], place)).toThrow(
        /^out: \/proc.*(ENOENT|EACCES|EPERM)/,
      );
    }
  });
});

describe('progress', () => {
  const steps = PARTS.map((part) => ({ part, plan: part.plans.quick }));
  const all = steps.reduce((s, x) => s + x.plan.seconds, 0);

  it('says the part and the time that is left, which never runs out before the end', () => {
    expect(progressLine(steps, 0, 0)).toBe(
      `1 of ${steps.length}: 004 Threaded NAPI under overload, about ${all} s left`,
    );
    expect(progressLine(steps, 0, 12)).toContain(`12 s, about ${all - 12} s left`);
    expect(progressLine(steps, steps.length - 1, 500)).toContain('about 1 s left');
  });

  it('is one line for each part where there is no terminal, and a line that is wiped on one', () => {
    const written = (live: boolean): string => {
      let text = '';
      const progress = progressOf(
        steps,
        (t) => {
          text += t;
        },
        live,
      );
      progress.begin(0);
      progress.end();
      progress.begin(1);
      progress.end();
      return text;
    };
    expect(written(false).split('\n')).toHaveLength(3);
    expect(written(true)).not.toContain('\n');
    expect(written(true).endsWith('\r\x1b[K')).toBe(true);
  });
});

describe('the progress line', () => {
  const steps = PARTS.map((part) => ({ part, plan: part.plans.full }));
  const shown = (columns: number | undefined, nr: number): string => {
    let text = '';
    const progress = progressOf(
      steps,
      (t) => {
        text += t;
      },
      true,
      () => columns,
    );
    progress.begin(nr);
    progress.end();
    return text.split('\r\x1b[K')[1];
  };

  it.each([
    [80, 79],
    [40, 39],
    [20, 19],
    [0, 79],
    [undefined, 79],
  ])('is clipped on a terminal of %s columns', (columns, most) => {
    for (let nr = 0; nr < steps.length; nr++) expect(shown(columns, nr).length).toBeLessThanOrEqual(most);
  });

  it('keeps the time that is left where there is room for it', () => {
    const reconfig = steps.findIndex((s) => s.part.id === 'reconfig');
    const line = progressLine(steps, reconfig, 100);
    expect(line.length).toBeGreaterThan(79);
    expect(clipped(line, 80)).toMatch(/^5 of 8: 000 NAPI threads kept .*…, 100 s, about \d+ s left$/);
    expect(clipped(line, 80)).toHaveLength(79);
    expect(clipped('short', 80)).toBe('short');
  });
});

describe('the summary', () => {
  it('fits a screen of 80 columns and 24 lines, with every part and the longest reasons', () => {
    const parts = PARTS.map((p) =>
      madeUpPart(p.id, null, {
        title: p.title,
        seed: p.seed,
        reason: 'x y '.repeat(100),
        verdict: 'this host cannot tell',
      }),
    );
    const text = summaryText(madeUpRun({ parts, interrupted: true }), '/somewhere/report.html');
    const lines = text.split('\n');
    // The last line of the screen is for the prompt.
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(lines.filter((l) => l.length > 80)).toEqual([]);
    for (const p of parts) expect(text).toContain(p.title);
    expect(text.trimEnd().endsWith('Report: /somewhere/report.html')).toBe(true);
  });

  it('says what was measured, and of what where that differs', () => {
    const line = (more: object) => {
      const parts = [madeUpPart('x', null, more)];
      return summaryText(madeUpRun({ parts }), 'r').split('\n')[3];
    };
    expect(line({ verdict: 'agrees' })).toBe('     16 of 16 rows; 1 of 3 statements open');
    expect(line({ verdict: 'agrees', state: 'cut' })).toContain('cut short');
    expect(line({ verdict: 'differs', reason: 'third: 0.5 times' })).toBe('     third: 0.5 times');
    expect(line({ verdict: null, reason: 'no such command' })).toBe('     no such command');
  });

  it('counts verdicts', () => {
    expect(summaryText(madeUpRun(), 'r')).toContain('5 agree, 1 differ, 1 cannot be told here, 1 failed');
  });
});

describe('two runs', () => {
  const one = (id: string, result: unknown) => madeUpRun({ parts: [madeUpPart(id, result)] });
  const reads = (a: unknown, b: unknown, id = 'x') =>
    new Map(compareRuns(one(id, a), one(id, b)).figures.map((f) => [f.name, f.read]));

  it('that are equal differ in nothing', () => {
    const { figures, only_a, only_b, warnings } = compareRuns(madeUpRun(), madeUpRun());
    expect(figures.length).toBeGreaterThan(100);
    expect(figures.every((f) => f.read === 'same' && (f.change_pct === null || f.change_pct === 0))).toBe(
      true,
    );
    expect([only_a, only_b, warnings]).toEqual([[], [], []]);
  });

  it('with trials: a difference is noise when the trials overlap', () => {
    const name = 'few, threaded, 64 bytes, 8 flows';
    const base = backlogDocument();
    expect(reads(base, backlogDocument({ 'few threaded': 1.1 })).get(name)).toBe('noise');
    expect(reads(base, backlogDocument({ 'few threaded': 2 })).get(name)).toBe('better');
    expect(reads(base, backlogDocument({ 'few threaded': 0.4 })).get(name)).toBe('worse');
  });

  it('measured once: noise below 20 %, lower latency is better', () => {
    const base = replayDocument();
    const near = reads(base, replayDocument({ scale: 1.1 }));
    const far = reads(base, replayDocument({ scale: 0.5 }));
    expect(near.get('softirq, latency p50')).toBe('noise');
    expect(far.get('softirq, latency p50')).toBe('better');
    expect(far.get('softirq, throughput')).toBe('better');
    expect(far.get('softirq, packets delivered')).toBe('same');
  });

  it('what the host disturbed is noise, and a count is never noise', () => {
    const disturbed = reads(rrDocument(), rrDocument({ interrupts: 90_000 }, { marked: ['interrupts'] }));
    expect(disturbed.get('12 Kpkt/s + 0us delay, interrupts, p50')).toBe('noise');
    const far = (others_share: number) =>
      compareRuns(
        one('replay', replayDocument()),
        madeUpRun({ parts: [madeUpPart('replay', replayDocument({ scale: 3 }), { others_share })] }),
      ).figures.find((f) => f.name === 'softirq, latency p50')?.read;
    expect([far(0.01), far(0.5)]).toEqual(['worse', 'noise']);
    const leak = reads(reconfigDocument(), reconfigDocument({ fixedLeaks: 1 }));
    expect(leak.get('fixed, config=persistent,reconfig=safe-switch, threads leaked')).toBe('changed');
  });

  it('are compared by the peak of a curve and by what is kept of it: their loads are others', () => {
    const other = (shape: object) => {
      const document = streamDocument(shape);
      return {
        ...document,
        curve: document.curve!.map((p) => ({ ...p, offered_kpps: p.offered_kpps * 1.07 })),
      };
    };
    const base = streamDocument();
    const near = compareRuns(one('x', base), one('x', other({})));
    expect([near.only_a, near.only_b]).toEqual([[], []]);
    const of = (b: unknown, name: string) =>
      compareRuns(one('x', base), one('x', b)).figures.find((f) => f.name === `curve, ${name}`);
    expect(of(other({}), 'vanilla, peak')).toMatchObject({ a: 300, b: 300, unit: 'kpps', read: 'same' });
    const kept = of(other({ threadedEnd: 0.3 }), 'guest threaded, kept beyond its peak');
    expect(kept).toMatchObject({ read: 'worse', unit: '%' });
    expect(kept!.a).toBeGreaterThan(90);
    expect(kept!.b).toBeLessThan(60);
    // From 3 % to 4.5 % is half as much again, and nothing.
    const flat = of(other({ vanillaEnd: 0.045 }), 'vanilla, kept beyond its peak');
    expect(flat).toMatchObject({ read: 'noise' });
    // A curve that ended before keeps nothing that is known.
    const short = { ...base, curve: base.curve!.slice(0, 5) };
    expect(of(short, 'vanilla, peak')?.read).toBe('same');
    expect(of(short, 'vanilla, kept beyond its peak')).toBeUndefined();
  });

  it('by medians say of how many trials', () => {
    const of = (trials: number, gain = 3) => ({
      ...streamDocument({ gain }),
      options: { quick: true, hypervisor: 'last', trials },
    });
    const why = (a: unknown, b: unknown) =>
      compareRuns(one('x', a), one('x', b)).figures.find((f) => f.name === '64/25, guest threaded')?.why;
    expect(why(of(3), of(3, 6))).toBe('20 % or more, one figure of 3 trials');
    expect(why(of(3), of(1, 3.1))).toBe('below 20 %, of 3 and of 1 trials');
    expect(why(of(1), of(1, 3.1))).toBe('below 20 %, measured once');
  });

  it('say nothing of a count that was cut short, or of more than the other', () => {
    const part = (id: string, result: unknown, state: 'done' | 'cut') =>
      madeUpRun({ parts: [madeUpPart(id, result, { state })] });
    const read = (id: string, a: unknown, b: unknown, state: 'done' | 'cut', name: string) =>
      compareRuns(part(id, a, 'done'), part(id, b, state)).figures.find((f) => f.name.includes(name));
    const leaked = 'fixed, config=persistent,reconfig=safe-switch, threads leaked';
    const [base, few, leaky] = [
      reconfigDocument(),
      reconfigDocument({ cycles: 12, fixedLeaks: 1 }),
      reconfigDocument({ fixedLeaks: 1 }),
    ];
    expect(read('x', base, few, 'cut', leaked)).toMatchObject({
      read: 'noise',
      why: 'cut short: not all was counted',
    });
    expect(read('x', base, few, 'done', leaked)).toMatchObject({
      read: 'noise',
      why: 'of 40 cycles and of 12 cycles',
    });
    expect(read('x', base, leaky, 'done', leaked)).toMatchObject({ read: 'changed' });
    const states = (outcome: string, n: number) => {
      const document = checkDocument([outcome]);
      return { ...document, tests: document.tests.map((t) => ({ ...t, states: n })) };
    };
    const holds = states('holds', 900);
    expect(read('x', holds, states('incomplete', 7), 'done', 'states')?.read).toBe('noise');
    // What came to its end before the others were cut is counted as ever.
    expect(read('x', holds, states('holds', 7), 'cut', 'states')?.read).toBe('changed');
    // Mutants that were not run are missing, and none is less caught by that.
    const all = mutantsDocument();
    const some = { ...all, mutants: all.mutants.slice(0, 1), not_run: ['x'] };
    const fewer = compareRuns(part('m', all, 'done'), part('m', some, 'cut'));
    expect(fewer.figures.map((f) => f.read)).toEqual(['same']);
    expect(fewer.only_a).toHaveLength(2);
    const missed = mutantsDocument(['busy-never-left']);
    expect(read('m', all, missed, 'done', 'busy-never-left')).toMatchObject({ a: 1, b: 0, read: 'changed' });
    const frames = replayDocument();
    const looped = {
      ...frames,
      runs: frames.runs.map((r) => ({ ...r, packets: { read: 9, delivered: 9, dropped: {} } })),
    };
    expect(read('r', frames, looped, 'done', 'softirq, packets delivered')?.read).toBe('noise');
  });

  it('of different hosts, or with other parts, say so', () => {
    const host = { ...madeUpRun().host!, cores: 64, load: 50 };
    const c = compareRuns(one('replay', replayDocument()), madeUpRun({ host, parts: [] }));
    expect(c.warnings).toEqual(['cores: 2 and 64', 'the host of the second run was busy (load 50)']);
    expect(c.only_a.length).toBeGreaterThan(5);
  });
});

describe('files that a report is made from', () => {
  it.each([
    ['stream', { rows: [{ size: 1, flows: 1, settings: {} }] }, 'softnet stream'],
    ['rr', rrDocument(), 'softnet rr'],
    ['check', { tests: [] }, 'softnet check'],
    ['mutants', { mutants: [] }, 'softnet check --mutants'],
  ])('may be what one command printed: %s', (name, document, profile) => {
    const run = loadRun(file(`${name}.json`, document));
    expect(run.profile).toBe(profile);
    expect(run.parts).toHaveLength(1);
  });

  it('of one command that was interrupted are no whole ones', () => {
    const state = (name: string, document: unknown) => loadRun(file(name, document)).parts[0].state;
    const replay = replayDocument();
    const stopped = { ...replay, runs: replay.runs.map((r) => ({ ...r, interrupted: true })) };
    expect(state('s1.json', replay)).toBe('done');
    expect(state('s2.json', stopped)).toBe('interrupted');
    expect(state('s3.json', { ...mutantsDocument(), not_run: ['x'] })).toBe('interrupted');
  });

  it.each([
    ['nothing', null, /cannot be read \(ENOENT\)/],
    ['text', 'hello', /is no JSON/],
    ['other', { a: 1 }, /holds no results/],
    ['list', [1], /holds no results/],
    ['old', { ...madeUpRun(), format: 99 }, /has format 99, this softnet reads 1/],
  ])('are refused in one line: %s', (name, content, message) => {
    const path = content === null ? join(dir, 'missing.json') : file(`bad-${name}.json`, content);
    expect(() => loadRun(path)).toThrow(message);
  });

  const good = madeUpRun();
  const part = good.parts[0];

  it('are taken as they are where they are whole', () => {
    expect(loadRun(file('good.json', good))).toEqual(JSON.parse(JSON.stringify(good)));
  });

  it.each([
    ['no parts', { ...good, parts: undefined }, '/parts is missing, not a list'],
    ['nothing else', { command: good.command, format: 1 }, '/version is missing, not text'],
    ['a part that is null', { ...good, parts: [null] }, '/parts/0 is null, not an object'],
    ['an empty part', { ...good, parts: [part, {}] }, '/parts/1/id is missing, not text'],
    ['a bad date', { ...good, started: 'junk' }, '/started is "junk", not a date, or null'],
    ['half a host', { ...good, host: { cpu: 'x' } }, '/host/cores is missing, not a number'],
    ['no checks', { ...good, parts: [{ ...part, checks: [3] }] }, '/parts/0/checks/0 is 3, not an object'],
    [
      'a verdict of its own',
      { ...good, parts: [{ ...part, verdict: 'maybe' }] },
      '/parts/0/verdict is "maybe", not "agrees" or "differs" or "this host cannot tell" or null',
    ],
    ['a part twice', { ...good, parts: [part, part] }, '/parts/1/id: there are two parts stream'],
  ])('are refused with the field that is wrong: %s', (name, content, damage) => {
    const path = file(`damaged ${name}.json`, content);
    expect(() => loadRun(path)).toThrow(`${path} is damaged: ${damage}; run it again`);
  });
});
