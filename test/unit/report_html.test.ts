// SPDX-License-Identifier: GPL-2.0-only
// The report against the document it is made from, without a browser: every figure, every mark of every plot.

import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../dist/report/compare.js';
import { compareHtml } from '../../dist/report/compare_page.js';
import { reportHtml } from '../../dist/report/page.js';
import {
  madeUpPart,
  madeUpRun,
  reconfigDocument,
  replayDocument,
  streamDocument,
} from '../helpers/made_up_runs.js';
import {
  numberPaths,
  placed,
  pointed,
  type ShownFigure,
  type ShownMark,
  wrongFigure,
  wrongMark,
} from '../helpers/report_check.js';

function attribute(tag: string, name: string): string | null {
  return new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? null;
}

function figuresIn(html: string): ShownFigure[] {
  return [...html.matchAll(/<data ([^>]*)>([^<]*)<\/data>/g)].map(([, attributes, text]) => {
    const tag = ` ${attributes}`;
    return {
      value: attribute(tag, 'value') ?? '',
      text,
      as: attribute(tag, 'data-as') ?? '',
      at: attribute(tag, 'data-at'),
      rule: attribute(tag, 'data-rule'),
      from: attribute(tag, 'data-from'),
    };
  });
}

function marksIn(html: string): ShownMark[] {
  const marks: ShownMark[] = [];
  let panel = '';
  for (const [tag] of html.matchAll(/<g class="panel"[^>]*>|<(?:path|rect) [^>]*data-[xy]="[^>]*>/g)) {
    if (tag.startsWith('<g')) {
      panel = tag;
      continue;
    }
    marks.push({
      xs: attribute(panel, 'data-xs'),
      ys: attribute(panel, 'data-ys'),
      cx: attribute(tag, 'data-cx'),
      cy: attribute(tag, 'data-cy'),
      w: attribute(tag, 'data-w'),
      x: attribute(tag, 'data-x'),
      y: attribute(tag, 'data-y'),
    });
  }
  return marks;
}

/** Lanes of a time line: the heights that are drawn for the first figure of each. */
function lanesIn(html: string) {
  return [...html.matchAll(/<path [^>]*data-lane="[^>]*>/g)].map(([tag]) => ({
    path: attribute(tag, 'data-lane') ?? '',
    floor: Number(attribute(tag, 'data-floor')),
    tall: Number(attribute(tag, 'data-tall')),
    boxes: [...(attribute(tag, 'd') ?? '').matchAll(/M(\S+) (\S+?)V(\S+?)H(\S+?)V/g)].map((m) =>
      m.slice(1).map(Number),
    ),
    xs: attribute(tag, 'data-xs') ?? '',
  }));
}

const run = madeUpRun();
const html = reportHtml(run);

describe('a report', () => {
  it('shows every figure as the document has it', () => {
    const shown = figuresIn(html);
    expect(shown.length).toBeGreaterThan(500);
    expect(shown.map((f) => wrongFigure(run, f)).filter((w) => w !== null)).toEqual([]);
  });

  it('puts every mark where its scales put its value', () => {
    const marks = marksIn(html);
    expect(marks.length).toBeGreaterThan(300);
    expect(marks.map((m) => wrongMark(run, m)).filter((w) => w !== null)).toEqual([]);
  });

  it('leaves out none of the figures that a table or a plot is for', () => {
    const shown = new Set([
      ...figuresIn(html).flatMap((f) => [f.at ?? '', ...(f.from ?? '').split(' ')]),
      ...marksIn(html).flatMap((m) => [m.x ?? '', m.y ?? '']),
    ]);
    const wanted = numberPaths(run).filter((p) =>
      /kpps$|cpu_share|drops\/rx|jain$|\/pps$|\/p(5|50|95|99)_ns$|ladder\/\d+\/ns$|threads_leaked|\/states$|packets_per_poll_log2|\/host\//.test(
        p,
      ),
    );
    expect(wanted.length).toBeGreaterThan(500);
    const missing = wanted.filter(
      (p) => !shown.has(p) && !p.includes('as_xsk_rr') && !p.includes('/result/host/'),
    );
    expect(missing).toEqual([]);
  });

  it('draws the lanes of time lines as high as threads ran', () => {
    const lanes = lanesIn(html).filter((l) => l.path.endsWith('/cpu_ms'));
    expect(lanes).toHaveLength(9);
    for (const { path, floor, tall, boxes, xs } of lanes) {
      const ms = pointed(run, path) as number[];
      const ends = pointed(run, path.replace(/\/threads\/.*/, '/at_ms')) as number[];
      const drawn = ms.flatMap((v, i) => {
        const from = i === 0 ? 0 : ends[i - 1];
        const high = Math.min(1, v / (ends[i] - from)) * tall;
        return high < 0.005 ? [] : [[placed(xs, from), floor, floor - high, placed(xs, ends[i])]];
      });
      expect(boxes).toHaveLength(drawn.length);
      boxes.forEach((box, i) => {
        box.forEach((v, k) => {
          expect(v).toBeCloseTo(drawn[i][k], 1);
        });
      });
    }
  });

  it('needs nothing from elsewhere and runs nothing', () => {
    expect(html).not.toMatch(
      /<script|<link(?! rel="icon" href="data:,")|@import|url\(|https?:|<img|<iframe|\son\w+=/,
    );
    expect(html).toContain("default-src 'none'");
  });

  it('has one id a thing, titles for every plot, and every reference leads somewhere', () => {
    const ids = [...html.matchAll(/ id="([^"]*)"/g)].map((m) => m[1]);
    expect(new Set(ids).size).toBe(ids.length);
    const refs = [...html.matchAll(/ (?:href="#|aria-labelledby=")([^"]*)"/g)].flatMap((m) =>
      m[1].split(' '),
    );
    expect(refs.filter((r) => !ids.includes(r))).toEqual([]);
    const plots = html.match(/<svg [^>]*role="img"/g) ?? [];
    expect(plots.length).toBeGreaterThan(12);
    expect(html.match(/<figcaption>/g)).toHaveLength(plots.length);
    expect(html).not.toContain('NaN');
    expect(html).not.toContain('undefined');
  });

  it('says what was claimed, found and is to be typed, as text', () => {
    expect(html).toContain('second &lt;b&gt;');
    expect(html).toContain('a poll by two &lt;threads&gt; &amp; &quot;both&quot; count');
    expect(html).not.toContain('<threads>');
    for (const part of run.parts) expect(html).toContain(`>${part.command}</pre>`);
  });

  it('shows what there is of interrupted and foreign results', () => {
    const half = madeUpRun({
      interrupted: true,
      not_run: ['boot-threads'],
      resume: "npx softnet reproduce --quick --resume --out 'a dir'",
      parts: [
        madeUpPart('stream', { rows: [{ size: 64, flows: 25, settings: { vanilla: { kpps: 3 } } }] }),
        madeUpPart('rr', { command: 'softnet rr', rows: [] }),
        madeUpPart('replay', { command: 'softnet replay', runs: [{ mode: 'softirq', pps: 5 }] }),
        madeUpPart('litmus', { what: 'of another version' }),
        madeUpPart('mutants', [1, 'x', null]),
      ],
    });
    const page = reportHtml(half);
    expect(page).toContain('interrupted');
    expect(page).toContain('Not run: boot-threads');
    expect(page).toContain('>npx softnet reproduce --quick --resume --out &#39;a dir&#39;</pre>');
    expect(
      figuresIn(page)
        .map((f) => wrongFigure(half, f))
        .filter((w) => w !== null),
    ).toEqual([]);
    expect(page).not.toContain('NaN');
  });

  it('draws nothing of a reconfig run that ended before its first cycle, and says so', () => {
    const document = reconfigDocument();
    const cutOff = { cycles: 0, cycle_us: { p50: 0, p99: 0 }, pids_stable: true, threads_created: 0 };
    const cutRun = (from: number) =>
      madeUpRun({
        parts: [
          madeUpPart('reconfig', {
            ...document,
            runs: document.runs.map((r, i) => (i < from ? r : { ...r, ...cutOff })),
          }),
        ],
      });
    const page = reportHtml(cutRun(11));
    expect(page.match(/none ran/g)).toHaveLength(1);
    const drawn = marksIn(page).map((m) => m.x ?? '');
    expect(drawn.some((x) => x.includes('/runs/10/'))).toBe(true);
    expect(drawn.some((x) => x.includes('/runs/11/'))).toBe(false);
    // Neither of its threads.
    expect(page).not.toContain('data-at="/parts/0/result/runs/11/pids_stable"');
    expect(reportHtml(cutRun(0))).not.toContain('<svg viewBox="0 0 420');
  });
});

describe('a report of two runs', () => {
  const slower = madeUpRun({
    parts: [
      madeUpPart('stream', streamDocument({ gain: 1.1 }), { verdict: 'differs' }),
      madeUpPart('replay', replayDocument({ scale: 1.05 })),
    ],
  });
  const comparison = compareRuns(run, slower);
  const page = compareHtml(comparison, 'a.json', 'b.json');

  it('shows every difference as it was computed', () => {
    const shown = figuresIn(page);
    expect(shown.length).toBeGreaterThan(200);
    expect(shown.map((f) => wrongFigure(comparison, f)).filter((w) => w !== null)).toEqual([]);
  });

  it('shows counts without digits behind the point', () => {
    const leaky = madeUpRun({ parts: [madeUpPart('reconfig', reconfigDocument({ fixedLeaks: 15 }))] });
    const counts = figuresIn(compareHtml(compareRuns(run, leaky), 'a', 'b'));
    expect(counts.filter((f) => f.value === '15').map((f) => f.text)).toEqual(['15']);
    expect(counts.filter((f) => f.value === '34').map((f) => f.text)).toEqual(['34', '34']);
  });

  it('says which are noise, and in plain words why', () => {
    expect(page).toContain('below 20 %, measured once');
    expect(page).toContain('20 % or more, measured once');
    expect(page).toMatch(/worse/);
  });
});

describe('the check of figures itself', () => {
  it('sees a wrong number, a wrong text and a misplaced mark', () => {
    const at = '/parts/0/result/rows/0/settings/vanilla/kpps';
    const good = figuresIn(html).find((f) => f.at === at)!;
    expect(wrongFigure(run, good)).toBeNull();
    expect(wrongFigure(run, { ...good, value: '1' })).toContain('instead of');
    expect(wrongFigure(run, { ...good, text: '1.00' })).toContain('shown for');
    const mark = marksIn(html)[0];
    expect(wrongMark(run, { ...mark, cy: '1' })).toContain('at 1 instead of');
  });
});
