// SPDX-License-Identifier: GPL-2.0-only
// Verdicts by made-up results: each seed agrees, differs, or cannot be told, for the reason that is given.

import { describe, expect, it } from 'vitest';
import type { Check, Host, PartResult } from '../../dist/report/document.js';
import type { ChildResult } from '../../dist/tools/reproduce/child.js';
import { median, ratioCheck, untold, verdictOf } from '../../dist/tools/reproduce/judge.js';
import { judgeBootThreads, judgeRunTimeThreads } from '../../dist/tools/reproduce/judge_backlog.js';
import { judgeLitmus, judgeMutants, judgeReplay } from '../../dist/tools/reproduce/judge_check.js';
import { judgeReconfig } from '../../dist/tools/reproduce/judge_reconfig.js';
import { judgeRr } from '../../dist/tools/reproduce/judge_rr.js';
import { judgeStream } from '../../dist/tools/reproduce/judge_stream.js';
import { othersShare, parseCpuTimes } from '../../dist/tools/reproduce/others.js';
import { PARTS } from '../../dist/tools/reproduce/parts.js';
import { partResult } from '../../dist/tools/reproduce/run_part.js';
import {
  backlogDocument,
  checkDocument,
  mutantsDocument,
  reconfigDocument,
  replayDocument,
  rrDocument,
  streamDocument,
} from '../helpers/made_up_runs.js';

const HOST: Host = { cpu: 'x', cores: 2, memory_bytes: 1, os: 'Linux', node: '20', load: 0 };

function verdict(checks: readonly Check[]): string {
  return verdictOf(checks).verdict;
}

describe('a ratio of trials', () => {
  it.each([
    [[1.0, 1.02, 0.98], true],
    [[0.5, 0.52, 0.49], false],
    [[0.85, 0.99, 0.7], null],
    [[0.8], false],
    [[], null],
    // One trial out of line is no contradiction where the median is far from the bound.
    [[0.2, 0.22, 0.95], false],
    [[1.9, 2.0, 0.85], true],
  ])('%j at least 0.9: %s', (trials, agrees) => {
    expect(ratioCheck('x', trials, { atLeast: 0.9 }).agrees).toBe(agrees);
  });

  it('says the trials', () => {
    expect(ratioCheck('x', [1, 2, 3], { atLeast: 0.9 }).measured).toBe(
      '2.00 times (1.00 to 3.00 in 3 trials)',
    );
    expect(median([4, 1])).toBe(2.5);
  });
});

describe('a verdict', () => {
  const check = (agrees: boolean | null): Check => ({ claim: String(agrees), agrees, measured: 'm' });

  it.each([
    [[true, true], 'agrees'],
    [[true, null], 'agrees'],
    [[null, true], 'this host cannot tell'],
    [[null, false], 'differs'],
    [[true, false], 'differs'],
    [[], 'this host cannot tell'],
  ])('of %j: %s', (checks, expected) => {
    expect(verdict(checks.map(check))).toBe(expected);
  });

  it('names the statement that decided, and how many are open', () => {
    expect(verdictOf([check(true), check(false)]).reason).toBe('false: m');
    expect(verdictOf([check(true), check(null)]).reason).toContain('1 of 2 statements cannot be told');
  });

  it('leaves exact statements as they are where times are not to be trusted', () => {
    const checks = untold([check(false), { ...check(true), exact: true }], 'why');
    expect(checks.map((c) => c.agrees)).toEqual([null, true]);
    expect(checks[0].measured).toBe('why: m');
  });
});

describe('004 stream', () => {
  it('agrees when threads win in overload and their goodput stays', () => {
    const checks = judgeStream(streamDocument());
    expect(checks.map((c) => c.agrees)).toEqual([true, true, true, true, true]);
    expect(checks[0].measured).toMatch(/^16 of 16 rows, \+\d+ % in the median$/);
  });

  it.each([
    ['threads win too little', { gain: 1.1 }, 0],
    ['one flow loses', { oneFlow: 0.8 }, 1],
    ['threads in the hypervisor make it worse', { both: 0.7, hypervisor: 'all', cores: 4 }, 2],
    ['vanilla does not fall', { vanillaEnd: 0.97 }, 3],
    ['threads fall, too', { threadedEnd: 0.3 }, 4],
  ] as const)('differs when %s', (_why, shape, nr) => {
    const checks = judgeStream(streamDocument(shape));
    expect(checks[nr].agrees).toBe(false);
    expect(verdict(checks)).toBe('differs');
  });

  it.each([
    ['where only threads of a hypervisor are measured', { both: 0.7, cores: 4 }],
    ['where a hypervisor has no cores', { both: 0.7, hypervisor: 'all' }],
  ] as const)('does not blame threads in the hypervisor %s', (_where, shape) => {
    const checks = judgeStream(streamDocument(shape));
    expect(checks[2].agrees).toBeNull();
    expect(verdict(checks)).toBe('agrees');
  });

  it('tells nothing of a run that was cut before half of its rows, or before its curve', () => {
    const document = streamDocument();
    const rows = document.rows.slice(0, 7);
    const checks = judgeStream({ ...document, rows, curve: [], options: { rows: 'seed', curve: '64/25' } });
    expect(checks.map((c) => c.agrees)).toEqual([null, null, null, null, null]);
    expect(checks[0].measured).toBe('5 of 16 rows were measured');
    expect(checks[3].measured).toBe('the load was not swept to its end');
    expect(verdict(checks)).toBe('this host cannot tell');
  });

  it('judges a curve as the command sums it up: a narrow peak that falls, a plateau wherever it begins', () => {
    const curve = (points: readonly (readonly [number, number, number])[]) =>
      points.map(([offered_kpps, vanilla, threaded]) => ({
        offered_kpps,
        settings: { vanilla: { kpps: vanilla }, guest_threaded: { kpps: threaded } },
      }));
    const judged = (points: readonly (readonly [number, number, number])[]) =>
      judgeStream({ ...streamDocument({ curve: false }), curve: curve(points) }).slice(3);
    // The most of the threads' lies at the end: it is a plateau all the same.
    const measured: readonly (readonly [number, number, number])[] = [
      [73, 73, 73],
      [109, 109, 109],
      [164, 69, 163],
      [292, 19, 292],
      [547, 6, 402],
      [730, 1, 440],
      [1459, 1, 465],
      [2736, 1, 478],
      [4104, 1, 533],
      [6156, 1, 500],
      [9234, 1, 490],
    ];
    const checks = judged(measured);
    expect(checks.map((c) => c.agrees)).toEqual([true, true]);
    expect(checks[0].measured).toContain('109 kpps at best');
    // One low point that the host made.
    expect(judged(measured.map((p) => (p[0] === 1459 ? [1459, 1, 150] : p)))[1].agrees).toBe(true);
    expect(judged(measured.map((p) => (p[0] > 1000 ? [p[0], 1, 150] : p)))[1].agrees).toBe(false);
  });

  it('counts 13 of 16 rows as enough, and 12 as too few', () => {
    const gaining = (n: number) => {
      const document = streamDocument({ curve: false });
      const many = document.rows.filter((r) => r.flows > 1 && r.size <= 1438);
      for (const row of many.slice(n)) row.settings.guest_threaded.kpps = row.settings.vanilla.kpps * 0.9;
      return judgeStream(document)[0].agrees;
    };
    expect(gaining(13)).toBe(true);
    expect(gaining(12)).toBe(false);
  });

  it('cannot tell without rows, and leaves out what was not run', () => {
    expect(verdict(judgeStream({ rows: [] }))).toBe('this host cannot tell');
    const large = judgeStream(streamDocument({ sizes: [4096, 64000], curve: false }));
    expect(large.map((c) => c.agrees)).toEqual([null, true, null]);
    const short = streamDocument();
    const curve = short.curve!.slice(0, 5);
    expect(judgeStream({ ...short, curve })[3].agrees).toBeNull();
  });

  it('leaves out what others disturbed, and rows that were not overloaded', () => {
    const document = streamDocument({ curve: false });
    const many = document.rows.filter((r) => r.flows > 1 && r.size <= 1438);
    for (const row of many.slice(0, 7)) row.settings.vanilla.core_available = 0.4;
    many[10].overload = 1.2;
    expect(judgeStream(document)[0].measured).toMatch(/^8 of 8 rows/);
  });

  it('cannot tell when fewer than half of the rows are left', () => {
    const document = streamDocument({ curve: false });
    const many = document.rows.filter((r) => r.flows > 1 && r.size <= 1438);
    for (const row of many.slice(0, 9)) row.settings.vanilla.core_available = 0.4;
    expect(judgeStream(document)[0]).toMatchObject({
      agrees: null,
      measured: 'the host disturbed 9 of 16 rows',
    });
  });

  it('tells nothing of a curve that was disturbed too often, or at its peak', () => {
    const falls = (vanillaEnd: number, disturbed: readonly number[]) => {
      const document = streamDocument({ vanillaEnd });
      const curve = document.curve!.map((p, i) => {
        const vanilla = { ...p.settings.vanilla, core_available: disturbed.includes(i) ? 0.3 : 0.99 };
        return { ...p, settings: { ...p.settings, vanilla } };
      });
      return judgeStream({ ...document, curve })[3];
    };
    expect(falls(0.95, []).agrees).toBe(false);
    expect(falls(0.95, [0]).agrees).toBe(false);
    expect(falls(0.95, [0, 1, 2]).agrees).toBeNull();
    // The made-up curve has its peak there.
    expect(streamDocument().curve![3].offered_kpps).toBe(300);
    expect(falls(0.03, [3])).toMatchObject({ agrees: null, measured: 'the host disturbed the curve' });
  });

  it('cannot tell where the host does not pin threads', () => {
    const document = streamDocument();
    document.host.pinned = null;
    expect(verdict(judgeStream(document))).toBe('this host cannot tell');
  });

  it('takes something for more than nothing', () => {
    const document = streamDocument({ curve: false });
    for (const row of document.rows) row.settings.vanilla.kpps = 0;
    expect(judgeStream(document)[0]).toMatchObject({
      agrees: true,
      measured: '16 of 16 rows, from nothing to something in the median',
    });
  });

  it('does not take a difference of a few percent between both and one for anything', () => {
    expect(judgeStream(streamDocument({ both: 1.02 }))[2].agrees).toBeNull();
  });
});

describe('001 boot-time threads', () => {
  it('agrees when the bypass restores loopback and doing without it hurts', () => {
    expect(judgeBootThreads(backlogDocument()).map((c) => c.agrees)).toEqual([true, true, true, true]);
  });

  it('differs when threads slow loopback down, or when the bypass is for nothing', () => {
    expect(verdict(judgeBootThreads(backlogDocument({ 'loopback smpboot': 0.5 })))).toBe('differs');
    expect(verdict(judgeBootThreads(backlogDocument({ 'loopback smpboot-no-bypass': 1 })))).toBe('differs');
  });

  it('cannot tell when trials contradict each other', () => {
    const torn = judgeBootThreads(backlogDocument({ 'loopback smpboot': [0.6, 0.85, 1.3] }));
    expect(torn[0].agrees).toBeNull();
    expect(verdict(torn)).toBe('this host cannot tell');
  });

  it('differs when a frame is lost, whatever the speed', () => {
    const document = backlogDocument();
    document.runs[3].failures.push('12 frames are not accounted for');
    const { verdict: v, reason } = verdictOf(judgeBootThreads(document));
    expect(v).toBe('differs');
    expect(reason).toContain('12 frames');
  });
});

describe('002 run-time threads', () => {
  const faster = backlogDocument({ 'few threaded': 1.4 });

  it('agrees on a host with idle cores', () => {
    expect(verdict(judgeRunTimeThreads(faster, 8))).toBe('agrees');
  });

  it('differs there when threads are no faster', () => {
    expect(verdict(judgeRunTimeThreads(backlogDocument({ 'few threaded': 0.8 }), 8))).toBe('differs');
  });

  it('cannot be told on two cores, for the reason that none is idle', () => {
    const { verdict: v, reason } = verdictOf(judgeRunTimeThreads(faster, 2));
    expect(v).toBe('this host cannot tell');
    expect(reason).toContain('no core is idle, 4 threads on 2 cores');
  });

  it('sees that softirq is relieved, on any host', () => {
    expect(judgeRunTimeThreads(faster, 2)[1].agrees).toBe(true);
  });
});

describe('003 rr', () => {
  it('agrees when the thread is lowest', () => {
    expect(judgeRr(rrDocument()).map((c) => c.agrees)).toEqual([true, true, true, true, true]);
  });

  it('differs when interrupts are as fast', () => {
    expect(verdict(judgeRr(rrDocument({ interrupts: 1000 })))).toBe('differs');
  });

  it('cannot tell from disturbed trials, or with too few cores', () => {
    const disturbed = verdictOf(judgeRr(rrDocument({}, { marked: ['threaded'] })));
    expect(disturbed.verdict).toBe('this host cannot tell');
    expect(disturbed.reason).toMatch(/: busy threads waited for a core in 2 of 2 rows$/);
    const short = verdictOf(
      judgeRr(rrDocument({}, { short: 'too few cores: threaded need 2, this host has 1' })),
    );
    expect(short.verdict).toBe('this host cannot tell');
    expect(short.reason).toContain('this host has 1');
  });

  it('says who disturbed it, and what was not run at all', () => {
    const steal = judgeRr(rrDocument({}, { marked: ['threaded'], by: 'the hypervisor took 9,000 µs' }));
    expect(steal[0].measured).toBe('the hypervisor took time in 2 of 2 rows');
    const document = rrDocument({}, { marked: ['busypoll'], rows: 3 });
    const { threaded: _, ...before } = document.rows[2].modes;
    const cut = judgeRr({
      ...document,
      rows: [...document.rows.slice(0, 2), { ...document.rows[2], modes: before }],
    });
    expect(cut.map((c) => c.measured)).toEqual([
      'busy threads waited for a core in 3 of 3 rows, a mode was not run in 1 of 3 rows',
      'in 2 of 2 rows; a mode was not run in 1 of 3 rows',
      'busy threads waited for a core in 2 of 2 rows, a mode was not run in 1 of 2 rows',
      'in 2 of 2 rows; a mode was not run in 1 of 3 rows',
      'in 2 of 2 rows; a mode was not run in 1 of 3 rows',
    ]);
    expect(cut[0].agrees).toBeNull();
  });

  it('judges by what was not disturbed', () => {
    const checks = judgeRr(rrDocument({}, { marked: ['busypoll-separate'] }));
    expect(checks.map((c) => c.agrees)).toEqual([null, true, true, null, true]);
  });
});

describe('000 reconfig', () => {
  it('agrees when threads are kept, and tells what leaks as posted', () => {
    const checks = judgeReconfig(reconfigDocument());
    expect(checks.map((c) => c.agrees)).toEqual([true, true, true, true]);
    expect(checks[1].measured).toContain('as posted 34 leak there');
  });

  it.each([
    ['as posted threads leak', { v1Leaks: 3 }],
    ['mended threads leak', { fixedLeaks: 1 }],
    ['a frame is lost', { lost: 1 }],
  ])('differs when %s', (_why, shape) => {
    expect(verdict(judgeReconfig(reconfigDocument(shape)))).toBe('differs');
  });

  it('cannot tell from runs that ended at once', () => {
    expect(verdict(judgeReconfig(reconfigDocument({ cycles: 1 })))).toBe('this host cannot tell');
    expect(verdict(judgeReconfig({ runs: [] }))).toBe('this host cannot tell');
  });
});

describe('the suite, its mutants, the replay', () => {
  it('agree, differ, cannot be told', () => {
    expect(verdict(judgeLitmus(checkDocument()))).toBe('agrees');
    expect(verdict(judgeLitmus(checkDocument(['holds', 'violated'])))).toBe('differs');
    expect(verdict(judgeLitmus(checkDocument(['incomplete'])))).toBe('this host cannot tell');
    expect(verdict(judgeLitmus(checkDocument([])))).toBe('this host cannot tell');
    expect(verdict(judgeMutants(mutantsDocument()))).toBe('agrees');
    expect(verdictOf(judgeMutants(mutantsDocument(['busy-never-left']))).reason).toContain(
      'not busy-never-left',
    );
    expect(verdict(judgeReplay(replayDocument()))).toBe('agrees');
    expect(verdict(judgeReplay(replayDocument({ failure: '3 frames came before' })))).toBe('differs');
    expect(verdict(judgeReplay({ runs: replayDocument().runs.slice(1) }))).toBe('this host cannot tell');
  });

  it('do not agree from a part of what they speak of', () => {
    const [litmus] = judgeLitmus({ ...checkDocument(), not_run: ['a', 'b'] });
    expect(litmus.agrees).toBeNull();
    expect(litmus.measured).toContain('3 of 3 tests hold');
    expect(litmus.measured).toContain('2 not run');
    expect(judgeLitmus(checkDocument(['holds', 'incomplete']))[0].agrees).toBeNull();
    expect(judgeMutants({ ...mutantsDocument(), not_run: ['a'] })[0].agrees).toBeNull();
    const replayed = replayDocument();
    const runs = replayed.runs.map((r, i) => ({ ...r, interrupted: i === 1 }));
    expect(judgeReplay({ ...replayed, runs })[0].agrees).toBeNull();
    // What is broken is broken, however little was seen.
    expect(judgeLitmus({ ...checkDocument(['violated']), not_run: ['a'] })[0].agrees).toBe(false);
    const reconfig = reconfigDocument();
    const usual = reconfig.runs.filter((r) => !r.personality.includes('safe-switch'));
    expect(judgeReconfig({ ...reconfig, runs: usual })[1].agrees).toBeNull();
  });
});

describe('a part by how its command ended', () => {
  const part = PARTS.find((p) => p.id === 'stream')!;
  const of = (
    child: Partial<ChildResult>,
    { stopped = false, others = 0 as number | null } = {},
  ): PartResult => {
    const ended = { code: 0, document: streamDocument(), stderr: [], seconds: 3, cut: false, ...child };
    return partResult(part, part.plans.quick, ended, HOST, stopped, others);
  };

  it('is judged by its figures, and has the command that repeats it', () => {
    const result = of({});
    expect(result).toMatchObject({ state: 'done', verdict: 'agrees' });
    expect(result.command).toMatch(/^npx softnet stream --quick .*--rows 64\/1,/);
    expect(result.command).not.toContain('--json');
  });

  it('failed when the command is not there, broke, or gave no figures: that is no verdict', () => {
    const stderr = ["error: unknown command 'stream'", '(softnet --help lists the commands)'];
    expect(of({ code: 2, document: null, stderr })).toMatchObject({
      state: 'failed',
      verdict: null,
      reason: "the command ended with exit code 2: unknown command 'stream'",
    });
    expect(of({ code: null, document: null })).toMatchObject({ state: 'failed', verdict: null });
    expect(of({ code: 0, document: null })).toMatchObject({ state: 'failed', verdict: null });
  });

  it('cannot be told when the host cannot do it, or its figures are not to be trusted', () => {
    expect(of({ code: 4, document: null, stderr: ['softnet stream: no core to pin to'] })).toMatchObject({
      verdict: 'this host cannot tell',
      reason: 'no core to pin to',
    });
    const boot = PARTS.find((p) => p.id === 'boot-threads')!;
    const child = { code: 0, document: backlogDocument(), stderr: [], seconds: 3, cut: false };
    const busy = partResult(boot, boot.plans.quick, child, HOST, false, 0.4);
    expect(busy.verdict).toBe('this host cannot tell');
    expect(busy.reason).toContain('others had 40 %');
    expect(partResult(boot, boot.plans.quick, child, HOST, false, 0.05).verdict).toBe('agrees');
    // Those that tell by themselves what was disturbed are believed.
    expect(of({ code: 7 }, { others: 0.4 }).verdict).toBe('agrees');
  });

  it('differs when the command’s own checks failed', () => {
    const result = of({ code: 1, stderr: ['softnet stream: 3 frames are lost'] });
    expect(result).toMatchObject({ verdict: 'differs' });
    expect(result.reason).toContain('3 frames are lost');
  });

  it('is judged by what there was when it was cut or interrupted, and says so', () => {
    const cut = of({ code: 130, cut: true });
    expect(cut).toMatchObject({ state: 'cut', verdict: 'agrees' });
    expect(cut.reason).toContain('cut after 3 s');
    expect(of({ code: 130 }, { stopped: true }).state).toBe('interrupted');
    expect(of({ code: null, document: null, cut: true })).toMatchObject({
      state: 'cut',
      verdict: 'this host cannot tell',
    });
  });
});

describe('what others had of the host', () => {
  const stat = (user: number, idle: number) =>
    `cpu ${user} 0 0 ${idle} 0 0 0 0 0 0\ncpu0 1\ncpu1 1\nintr 1\n`;
  const self = (own: number) => `12 (a) b) S ${'0 '.repeat(10)}${own} 0 0 0 20 0\n`;

  it('is what was busy, less what this process and its children used', () => {
    const before = parseCpuTimes(stat(1000, 1000), self(10), 2);
    const after = parseCpuTimes(stat(1150, 1050), self(110), 2);
    expect(othersShare(before, after)).toBe(0.25);
  });

  it('is not known where the host has cores that this process may not use', () => {
    expect(parseCpuTimes(stat(1, 1), self(1), 4)).toBeNull();
    expect(othersShare(null, null)).toBeNull();
  });
});

describe('a quick run', () => {
  it('ends within three minutes whatever its commands do', () => {
    const limits = PARTS.map((p) => p.plans.quick.limitS ?? Number.POSITIVE_INFINITY);
    expect(limits.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(174);
  });

  it('has time for each part, and some to spare on a slower host', () => {
    for (const { id, plans } of PARTS) {
      const { seconds, limitS } = plans.quick;
      expect([id, limitS! / seconds > 1.1]).toEqual([id, true]);
    }
    const planned = PARTS.reduce((s, p) => s + p.plans.quick.seconds, 0);
    expect(planned).toBeLessThanOrEqual(140);
  });

  it('runs what each statement of a part speaks of, whatever is left out', () => {
    const argv = (id: string) => PARTS.find((p) => p.id === id)!.plans.quick.argv.join(' ');
    // What stands in the way first, so that it is there when time is up.
    expect(argv('reconfig')).toMatch(/safe-switch .*delta .*--persist v1,fixed,off/);
    expect(argv('run-time-threads')).toContain('few');
    expect(argv('rr')).not.toContain('--modes');
  });

  it('says of each part what is left out, or runs it whole', () => {
    for (const { plans } of PARTS) {
      const whole = JSON.stringify(plans.quick.argv) === JSON.stringify(plans.full.argv);
      if (!whole && plans.quick.argv[0] !== 'replay') expect(plans.quick.scope).not.toBe('');
      expect(plans.full.scope).toBe('');
    }
  });
});
