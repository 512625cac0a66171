// SPDX-License-Identifier: GPL-2.0-only
/**
 * The report in headless Chromium: no console error, every plot drawn, figures and marks equal to the JSON, readable on a
 * phone. Skipped, and said so, where there is no Chromium (SOFTNET_CHROMIUM names one) or no playwright-core; that figures
 * are equal is also tested without a browser (test/unit/report_html.test.ts).
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareRuns } from '../../dist/report/compare.js';
import { compareHtml } from '../../dist/report/compare_page.js';
import { reportHtml } from '../../dist/report/page.js';
import { madeUpRun } from '../helpers/made_up_runs.js';
import { type ShownFigure, type ShownMark, wrongFigure, wrongMark } from '../helpers/report_check.js';

/** As much of playwright-core as is used here. */
interface Page {
  on(event: string, listener: (what: { text?: () => string; url?: () => string }) => void): void;
  goto(url: string): Promise<unknown>;
  evaluate<T>(code: string): Promise<T>;
  emulateMedia(o: { media?: 'print' | 'screen'; colorScheme?: 'light' | 'dark' }): Promise<void>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  close(): Promise<void>;
}
interface Browser {
  newPage(o: object): Promise<Page>;
  close(): Promise<void>;
}
interface Playwright {
  readonly chromium: { launch(o: object): Promise<Browser> };
}

const PLACES = [
  process.env.SOFTNET_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

function playwright(): Playwright | null {
  try {
    return createRequire(import.meta.url)('playwright-core') as Playwright;
  } catch {
    return null;
  }
}

const chromium = PLACES.find((path) => path !== undefined && path !== '' && existsSync(path));
const driver = playwright();
const why = driver === null ? 'playwright-core is not installed' : 'there is no Chromium (SOFTNET_CHROMIUM)';
const able = chromium !== undefined && driver !== null;
if (!able) console.warn(`report_browser.test.ts: skipped: ${why}`);

/** Run in the page: figures, marks with their scales, plots with their sizes. */
const READ = `(() => {
  const of = (el, name) => el.getAttribute(name);
  const figures = [...document.querySelectorAll('data')].map((el) => ({
    value: of(el, 'value'), text: el.textContent, as: of(el, 'data-as'),
    at: of(el, 'data-at'), rule: of(el, 'data-rule'), from: of(el, 'data-from'),
  }));
  const marks = [...document.querySelectorAll('.panel [data-x], .panel [data-y]')].map((el) => {
    const panel = el.closest('.panel');
    return {
      xs: of(panel, 'data-xs'), ys: of(panel, 'data-ys'), cx: of(el, 'data-cx'), cy: of(el, 'data-cy'),
      w: of(el, 'data-w'), x: of(el, 'data-x'), y: of(el, 'data-y'),
    };
  });
  const plots = [...document.querySelectorAll('svg[role=img]')].map((svg) => {
    const box = svg.getBoundingClientRect();
    const drawn = [...svg.querySelectorAll('.mark, .line, .fill')].filter((el) => {
      const b = el.getBoundingClientRect();
      return b.width + b.height > 0 && b.right > box.left - 2 && b.left < box.right + 2;
    });
    const colours = drawn.map((el) => { const s = getComputedStyle(el); return s.fill + s.stroke; });
    return { name: svg.querySelector('title').textContent, width: box.width, height: box.height, drawn: drawn.length,
      coloured: colours.every((c) => c !== 'nonenone') };
  });
  return { figures, marks, plots, wide: document.documentElement.scrollWidth, view: innerWidth };
})()`;

interface Read {
  readonly figures: readonly ShownFigure[];
  readonly marks: readonly ShownMark[];
  readonly plots: readonly {
    readonly name: string;
    readonly width: number;
    readonly height: number;
    readonly drawn: number;
    readonly coloured: boolean;
  }[];
  readonly wide: number;
  readonly view: number;
}

describe.skipIf(!able)('a report in Chromium', () => {
  const dir = mkdtempSync(join(tmpdir(), 'softnet-browser-'));
  const run = madeUpRun();
  const comparison = compareRuns(run, madeUpRun({ parts: madeUpRun().parts.slice(0, 3) }));
  const page = { run: join(dir, 'run.html'), two: join(dir, 'two.html') };
  let browser: Browser;

  beforeAll(async () => {
    writeFileSync(page.run, reportHtml(run));
    writeFileSync(page.two, compareHtml(comparison, 'a.json', 'b.json'));
    // Root in a container has no sandbox to be had; the pages are this test's own.
    browser = await driver!.chromium.launch({ executablePath: chromium, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Opens a page; `said` collects errors, and whatever is asked for beyond the file itself. */
  async function open(file: string, width: number): Promise<{ page: Page; said: string[] }> {
    const said: string[] = [];
    const p = await browser.newPage({ viewport: { width, height: 900 } });
    const url = pathToFileURL(file).href;
    p.on('console', (m) => said.push(`console: ${m.text?.()}`));
    p.on('pageerror', (e) => said.push(`error: ${String(e)}`));
    p.on('request', (r) => {
      const asked = r.url?.() ?? '';
      if (asked !== url && !asked.startsWith('data:')) said.push(`request: ${asked}`);
    });
    await p.goto(url);
    return { page: p, said };
  }

  it.each([
    ['wide, light', 1180, 'light'],
    ['wide, dark', 1180, 'dark'],
    ['phone, light', 360, 'light'],
    ['phone, dark', 360, 'dark'],
  ] as const)('is drawn whole and true: %s', async (_name, width, colorScheme) => {
    const { page: p, said } = await open(page.run, width);
    await p.emulateMedia({ colorScheme });
    const read = await p.evaluate<Read>(READ);
    await p.close();
    expect(said).toEqual([]);
    expect(read.figures.length).toBeGreaterThan(500);
    expect(read.figures.map((f) => wrongFigure(run, f)).filter((w) => w !== null)).toEqual([]);
    expect(read.marks.map((m) => wrongMark(run, m)).filter((w) => w !== null)).toEqual([]);
    expect(read.plots.length).toBeGreaterThan(12);
    const poor = read.plots.filter((x) => x.drawn < 2 || x.width < 200 || x.height < 60 || !x.coloured);
    expect(poor).toEqual([]);
    // The page itself never scrolls sideways.
    expect(read.wide).toBeLessThanOrEqual(read.view);
  });

  it('has other colours by night, with enough contrast in both', async () => {
    const { page: p } = await open(page.run, 1180);
    const contrasts = `(() => {
      const rgb = (c) => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
      const light = (c) => { const [r, g, b] = rgb(c).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
      const ground = getComputedStyle(document.querySelector('section')).backgroundColor;
      const of = (s, prop) => [...document.querySelectorAll(s)].slice(0, 50).map((el) => ratio(getComputedStyle(el)[prop], ground));
      return { ground, text: Math.min(...of('section p, section td, section .badge, section small, section summary', 'color'), ...of('svg text', 'fill')),
        lines: Math.min(...of('.line.s0, .line.s1, .line.s2, .line.s3', 'stroke')) };
    })()`;
    interface Contrast {
      readonly ground: string;
      readonly text: number;
      readonly lines: number;
    }
    const grounds = new Set<string>();
    for (const colorScheme of ['light', 'dark'] as const) {
      await p.emulateMedia({ colorScheme });
      const c = await p.evaluate<Contrast>(contrasts);
      grounds.add(c.ground);
      // WCAG AA: 4.5 for text, 3 for what carries meaning in graphics.
      expect(c.text, colorScheme).toBeGreaterThanOrEqual(4.5);
      expect(c.lines, colorScheme).toBeGreaterThanOrEqual(3);
    }
    expect(grounds.size).toBe(2);
    await p.close();
  });

  it('can be printed, with what is folded away on screen', async () => {
    const { page: p } = await open(page.run, 700);
    await p.emulateMedia({ media: 'print', colorScheme: 'dark' });
    const seen = await p.evaluate<{ hidden: number; dark: string }>(`(() => ({
      hidden: [...document.querySelectorAll('details td')].filter((el) => el.getBoundingClientRect().height === 0).length,
      dark: getComputedStyle(document.body).backgroundColor,
    }))()`);
    await p.close();
    expect(seen).toEqual({ hidden: 0, dark: 'rgb(255, 255, 255)' });
  });

  it('of two runs is shown as true', async () => {
    const { page: p, said } = await open(page.two, 360);
    const read = await p.evaluate<Read>(READ);
    await p.close();
    expect(said).toEqual([]);
    expect(read.figures.length).toBeGreaterThan(100);
    expect(read.figures.map((f) => wrongFigure(comparison, f)).filter((w) => w !== null)).toEqual([]);
    expect(read.wide).toBeLessThanOrEqual(read.view);
  });

  it('shows the verdicts of two runs beside each other on a phone', async () => {
    const long = 'A title of a part that takes more than one line on a phone';
    const parts = madeUpRun().parts.map((part) => ({ ...part, title: long }));
    const file = join(dir, 'verdicts.html');
    writeFileSync(file, compareHtml(compareRuns(madeUpRun({ parts }), madeUpRun({ parts })), 'a', 'b'));
    const { page: p } = await open(file, 390);
    const ends = await p.evaluate<number[]>(
      `[...document.querySelectorAll('#rules td .badge')].map((el) => el.getBoundingClientRect().right)`,
    );
    await p.close();
    expect(ends).toHaveLength(2 * parts.length);
    expect(Math.max(...ends)).toBeLessThan(390);
  });
});
