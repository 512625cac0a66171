// SPDX-License-Identifier: GPL-2.0-only
/** The report of one run: one HTML file that needs nothing else, no network, no script. */
import { At } from './at.js';
import type { Check, PartResult, RunDocument } from './document.js';
import { esc, figure, show } from './html.js';
import { sectionOf } from './sections.js';
import { STYLE } from './style.js';

/** @param run what `softnet reproduce` found; @returns the HTML document */
export function reportHtml(run: RunDocument): string {
  const root = new At(run);
  const title =
    run.profile === 'quick' || run.profile === 'full' ? `softnet reproduce --${run.profile}` : run.profile;
  const cards = run.parts.map(card).join('');
  const parts = run.parts.map((p, i) => partSection(p, root.at('parts', i))).join('');
  return htmlPage(
    title,
    `<header><h1>${esc(title).replace(/--[a-z]+/, '<span class="whole">$&</span>')}</h1>${meta(run)}${run.parts.some((p) => p.verdict !== null) ? tally(run) : ''}</header>
<main>${run.parts.length > 1 ? `<ul class="cards">${cards}</ul>` : ''}
${parts}
${notRun(run)}${host(root)}</main>
<footer><p>Made by softnet${run.version === '' ? '' : ` ${esc(run.version)}`}. Times are those of JavaScript threads on this host: compare modes with each other, not with a kernel.</p></footer>`,
  );
}

/** @returns a page with this body; no resource may come from elsewhere, and nothing runs in it */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${esc(title)}</title><style>${STYLE}</style></head>
<body>${body}</body></html>
`;
}

function meta(run: RunDocument): string {
  const facts = [
    ...(run.started === null
      ? []
      : [new Date(run.started).toISOString().slice(0, 16).replace('T', ' ').concat(' UTC')]),
    ...(run.seconds > 0 ? [`${Math.round(run.seconds)} s`] : []),
    ...(run.host === null ? [] : [`${run.host.cores} cores`, run.host.cpu, `Node ${run.host.node}`]),
    ...(run.interrupted ? ['interrupted: what there was'] : []),
  ];
  return `<p class="meta">${facts.map(esc).join(' · ')}</p>`;
}

/** A verdict’s look: never by colour alone. */
export function badge(verdict: PartResult['verdict']): string {
  if (verdict === 'agrees') return '<span class="badge agrees"><i aria-hidden="true">✓</i>agrees</span>';
  if (verdict === 'differs') return '<span class="badge differs"><i aria-hidden="true">✗</i>differs</span>';
  if (verdict === null) return '<span class="badge failed"><i aria-hidden="true">!</i>failed</span>';
  return `<span class="badge open"><i aria-hidden="true">?</i>${esc(verdict)}</span>`;
}

function look(verdict: PartResult['verdict']): string {
  if (verdict === 'agrees' || verdict === 'differs') return verdict;
  return verdict === null ? 'failed' : 'open';
}

function tally(run: RunDocument): string {
  const count = (v: PartResult['verdict'], words: string): string => {
    const n = run.parts.filter((p) => p.verdict === v).length;
    return n === 0 ? '' : `<li><b>${n}</b>${esc(words)}</li>`;
  };
  const items = [
    count('agrees', 'agree'),
    count('differs', 'differ'),
    count('this host cannot tell', 'cannot be told on this host'),
    count(null, 'failed'),
    run.not_run.length === 0 ? '' : `<li><b>${run.not_run.length}</b>not run</li>`,
  ];
  return `<ul class="tally">${items.join('')}</ul>`;
}

function seedOf(p: PartResult): string {
  return p.seed === null ? '' : `<span class="seed">seed ${esc(p.seed)}</span>`;
}

function card(p: PartResult): string {
  return (
    `<li><a class="${look(p.verdict)}" href="#${esc(p.id)}">${seedOf(p)}${badge(p.verdict)}` +
    `<strong>${esc(p.title)}</strong><small>${esc(p.reason)}</small></a></li>`
  );
}

function partSection(p: PartResult, at: At): string {
  const judged = p.claim === '' ? '' : `<span>${seedOf(p)}${badge(p.verdict)}</span>`;
  const claim = p.claim === '' ? '' : `<blockquote><p>${esc(p.claim)}</p></blockquote>`;
  const scope = [
    p.scope === '' ? '' : `Quick run: ${p.scope}.`,
    p.state === 'cut' ? 'Its time was up before it was done: what there was is shown.' : '',
    p.state === 'interrupted' ? 'Interrupted: what there was is shown.' : '',
  ].filter((s) => s !== '');
  const failed = p.verdict === null && p.claim !== '' ? `<p>${esc(p.reason)}</p>` : '';
  return (
    `<section id="${esc(p.id)}" aria-labelledby="${esc(p.id)}-h"><div class="head"><h2 id="${esc(p.id)}-h">${esc(p.title)}</h2>${judged}</div>` +
    `${claim}${failed}${checkList(p.checks)}` +
    `${scope.length === 0 ? '' : `<p class="note">${esc(scope.join(' '))}</p>`}` +
    `${sectionOf(p.id, at.at('result'))}${repeat(p, at)}</section>`
  );
}

function checkList(checks: readonly Check[]): string {
  if (checks.length === 0) return '';
  const items = checks.map((c) => {
    const [cls, sign, word] =
      c.agrees === null
        ? ['open', '?', 'cannot be told']
        : c.agrees
          ? ['agrees', '✓', 'agrees']
          : ['differs', '✗', 'differs'];
    return (
      `<li><span class="badge ${cls}"><i aria-hidden="true">${sign}</i><span class="hide">${word}:</span></span>` +
      `<span>${esc(c.claim)}<small>${esc(c.measured)}</small></span></li>`
    );
  });
  return `<ul class="checks">${items.join('')}</ul>`;
}

function repeat(p: PartResult, at: At): string {
  if (p.command === '') return '';
  const took =
    p.seconds > 0
      ? `<p class="note">Took ${figure(at.at('seconds'), 'fixed1')} s, exit code ${p.exit_code ?? 'none'}.</p>`
      : '';
  return `<h3>To repeat it</h3><pre tabindex="0">${esc(p.command)}</pre>${took}`;
}

/** What is left to do of an interrupted run. */
function notRun(run: RunDocument): string {
  if (run.not_run.length === 0 && run.resume === undefined) return '';
  const names = run.not_run.length === 0 ? '' : `<p>Not run: ${esc(run.not_run.join(', '))}</p>`;
  const how = run.resume === undefined ? '' : `<pre tabindex="0">${esc(run.resume)}</pre>`;
  return `<section><h2>To go on</h2>${names}${how}</section>`;
}

function host(root: At): string {
  const at = root.at('host');
  if (at.value === null) return '';
  const facts = [
    ['processor', esc(at.at('cpu').text)],
    ['cores', figure(at.at('cores'), 'int')],
    ['memory', figure(at.at('memory_bytes'), 'bytes')],
    ['system', esc(at.at('os').text)],
    ['Node', esc(at.at('node').text)],
    ['load before the run', figure(at.at('load'), 'fixed2')],
  ];
  const run = root.value as RunDocument;
  const busy =
    run.host !== null && run.host.load > run.host.cores / 2
      ? `<p class="note">Others were at work on this host (load ${show('fixed2', run.host.load)}): figures are too low, and latencies too high.</p>`
      : '';
  const whole =
    run.profile === 'quick' || run.profile === 'full'
      ? `<h3>To repeat everything</h3><pre tabindex="0">npx softnet reproduce --${esc(run.profile)}</pre>`
      : '';
  return `<section id="host"><h2>This host</h2><dl>${facts.map(([k, v]) => `<dt>${k}</dt><dd>${v}</dd>`).join('')}</dl>${busy}${whole}</section>`;
}
