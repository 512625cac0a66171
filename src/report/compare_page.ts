// SPDX-License-Identifier: GPL-2.0-only
/** The report of two runs: what changed and what is noise. */
import { At } from './at.js';
import { type Comparison, type Difference, type Read, SINGLE_PERCENT } from './compare.js';
import { type As, details, esc, figure, table } from './html.js';
import { badge, htmlPage } from './page.js';

const READS: readonly Read[] = ['better', 'worse', 'changed', 'noise', 'same'];
const SIGNS: { readonly [read in Read]: readonly [cls: string, sign: string] } = {
  better: ['agrees', '▲'],
  worse: ['differs', '▼'],
  changed: ['open', '≠'],
  noise: ['', '~'],
  same: ['', '='],
};

/** @param a, b names of the runs; @returns the HTML document */
export function compareHtml(comparison: Comparison, a: string, b: string): string {
  const { figures, verdicts } = comparison;
  const root = new At(comparison);
  const count = (read: Read): string =>
    `<li><b>${figures.filter((f) => f.read === read).length}</b>${read === 'same' ? 'the same' : read}</li>`;
  const parts = [...new Set(figures.map((f) => f.part))];
  return htmlPage(
    'softnet report: two runs',
    `<header><h1>Two runs compared</h1><dl><dt>A</dt><dd>${esc(a)}</dd><dt>B</dt><dd>${esc(b)}</dd></dl>
<ul class="tally">${READS.map(count).join('')}</ul></header><main>
<section id="rules"><h2>How to read it</h2><p>Counts that do not depend on time are the same, or they changed; where one was cut short, or counts more, nothing can be told. Figures with several trials differ when no trial of one run reaches those of the other; otherwise the difference is noise. What was measured once, or is known by its median only, has to differ by ${SINGLE_PERCENT} % or more. What the host disturbed is noise.</p>
${warningList(comparison.warnings)}${verdictTable(verdicts)}</section>
${parts.map((p) => partSection(p, comparison, root)).join('')}
${missing(comparison)}</main>`,
  );
}

function warningList(warnings: readonly string[]): string {
  if (warnings.length === 0) return '';
  return `<p>The runs differ in more than what is compared:</p><ul>${warnings.map((w) => `<li>${esc(w)}</li>`).join('')}</ul>`;
}

function verdictTable(verdicts: Comparison['verdicts']): string {
  if (verdicts.length === 0) return '';
  return table(
    'Verdicts',
    ['part', 'A', 'B'],
    verdicts.map((v) => [esc(v.title), badge(v.a), badge(v.b)]),
    { words: 3, wrap: true },
  );
}

function partSection(part: string, { figures: all, titles }: Comparison, root: At): string {
  const rows = all.flatMap((f, i) => (f.part === part ? [{ f, at: root.at('figures', i) }] : []));
  // What is not noise comes first.
  const row = ({ f, at }: { f: Difference; at: At }): string[] => [
    esc(f.name),
    `<span class="badge ${SIGNS[f.read][0]}"><i aria-hidden="true">${SIGNS[f.read][1]}</i>${f.read}</span>`,
    figure(at.at('a'), as(f)),
    figure(at.at('b'), as(f)),
    figure(at.at('change_pct'), 'delta'),
    esc(f.unit),
    `<span class="why">${esc(f.why)}</span>`,
  ];
  const head = ['figure', 'read as', 'A', 'B', 'change', 'unit', 'why'];
  const real = rows.filter(({ f }) => f.read !== 'noise' && f.read !== 'same');
  const rest = rows.filter(({ f }) => f.read === 'noise' || f.read === 'same');
  return (
    `<section id="${esc(part)}"><h2>${esc(titles[part] ?? part)}</h2>` +
    (real.length === 0
      ? '<p>Nothing but noise.</p>'
      : table('Differences', head, real.map(row), { words: 2 })) +
    (rest.length === 0
      ? ''
      : details(
          `${rest.length} figures that are the same, or differ by noise`,
          table('The rest', head, rest.map(row), { words: 2 }),
        )) +
    '</section>'
  );
}

/** Counts have no digits behind the point. */
function as({ unit, a, b }: Difference): As {
  return unit === '' && Number.isInteger(a) && Number.isInteger(b) ? 'int' : 'sig';
}

function missing({ only_a, only_b }: Comparison): string {
  if (only_a.length + only_b.length === 0) return '';
  const list = (name: string, keys: readonly string[]): string =>
    keys.length === 0
      ? ''
      : details(
          `${keys.length} only in ${name}`,
          `<ul>${keys.map((k) => `<li>${esc(k)}</li>`).join('')}</ul>`,
        );
  return `<section id="missing"><h2>Only in one of them</h2>${list('A', only_a)}${list('B', only_b)}</section>`;
}
