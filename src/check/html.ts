// SPDX-License-Identifier: GPL-2.0-only
/** A counterexample as a sequence diagram: one file that opens from disk, one lane a thread, time downwards. */
import type { TraceStep } from './replay.js';
import { placeText } from './source_position.js';

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);
}

function cell(s: TraceStep): string {
  const value = s.before === '' ? '' : s.before === s.after ? s.before : `${s.before} → ${s.after}`;
  const chain = s.chain.map((p) => `${p.fn} ${placeText(p)}`);
  return (
    `<div class="step ${s.atomic ? 'atomic' : 'plain'} ${s.op}" title="${escapeHtml(chain.join('\n'))}">` +
    `<b>${escapeHtml(s.op)}</b> ${escapeHtml(s.word)} <i>${escapeHtml(value)}</i>` +
    `${s.note === '' ? '' : `<div class="note">${escapeHtml(s.note)}</div>`}` +
    `<div class="at">${escapeHtml(chain[0] ?? '')}</div></div>`
  );
}

/** @returns the HTML document */
export function traceHtml(
  title: string,
  message: string,
  threads: readonly string[],
  trace: readonly TraceStep[],
): string {
  let n = 0;
  const rows = trace.map((s) => {
    const cells = threads.map((t) => `<td>${t === s.thread ? cell(s) : ''}</td>`).join('');
    return `<tr><th>${s.atomic ? ++n : ''}</th>${cells}</tr>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<style>
body { font: 14px/1.35 system-ui, sans-serif; margin: 2em; color: #1b1f24; background: #fff; }
table { border-collapse: collapse; }
th { font-weight: 600; padding: 2px 10px; text-align: right; color: #667; }
thead th { text-align: center; position: sticky; top: 0; background: #fff; color: #1b1f24; border-bottom: 2px solid #99a; }
td { padding: 2px 14px; vertical-align: top; min-width: 16em; background: linear-gradient(#bbc, #bbc) center/1px 100% no-repeat; }
.step { background: #eef4ff; border: 1px solid #9bb8e8; border-radius: 4px; padding: 2px 8px; position: relative; }
.plain { background: #f7f7f7; border-color: #ccc; }
.wait { background: #fff3dc; border-color: #e3b557; }
.notify { background: #e4f7e4; border-color: #78bd78; }
.throw { background: #fde5e5; border-color: #d66; }
.at, .note { font-size: 12px; color: #556; }
</style></head><body>
<h1>${escapeHtml(title)}</h1><p>${escapeHtml(message)}</p>
<table><thead><tr><th></th>${threads.map((t) => `<th>${escapeHtml(t)}</th>`).join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table>
</body></html>
`;
}
