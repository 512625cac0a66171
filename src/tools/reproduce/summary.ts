// SPDX-License-Identifier: GPL-2.0-only
/** The end of a run on a screen of 80 columns and 24 lines. */
import type { PartResult, RunDocument } from '../../report/document.js';

const COLUMNS = 80;
const VERDICT_WIDTH = 21;

/** @returns the summary, at most 23 lines of 80 columns for all parts */
export function summaryText(run: RunDocument, report: string): string {
  const host = run.host === null ? '' : `, ${run.host.cores} cores, Node ${run.host.node}`;
  const lines = [
    cut(
      `softnet reproduce --${run.profile}: ${Math.round(run.seconds)} s${host}${run.interrupted ? ', interrupted' : ''}`,
    ),
    '',
    ...run.parts.flatMap(partLines),
    tally(run),
    // Paths are never cut: they are there to be copied.
    `Report: ${report}`,
  ];
  return `${lines.join('\n')}\n`;
}

function partLines(p: PartResult): string[] {
  const verdict = (p.verdict ?? 'FAILED').padEnd(VERDICT_WIDTH);
  return [cut(`${(p.seed ?? '').padEnd(4)} ${verdict}  ${p.title}`), cut(`     ${shortReason(p)}`)];
}

/** What was measured, or why it cannot be told; of which statement is said where that differs. */
function shortReason(p: PartResult): string {
  if (p.verdict === 'differs' || p.verdict === null || p.checks.length === 0) return p.reason;
  const open = p.checks.filter((c) => c.agrees === null).length;
  const rest = p.verdict === 'agrees' && open > 0 ? `; ${open} of ${p.checks.length} statements open` : '';
  return `${p.checks[0].measured}${rest}${p.state === 'cut' ? '; cut short' : ''}`;
}

function tally(run: RunDocument): string {
  const count = (verdict: PartResult['verdict']): number =>
    run.parts.filter((p) => p.verdict === verdict).length;
  const parts = [
    `${count('agrees')} agree`,
    `${count('differs')} differ`,
    `${count('this host cannot tell')} cannot be told here`,
    ...(count(null) > 0 ? [`${count(null)} failed`] : []),
    ...(run.not_run.length > 0 ? [`${run.not_run.length} not run`] : []),
  ];
  return cut(parts.join(', '));
}

function cut(line: string): string {
  return line.length <= COLUMNS ? line : `${line.slice(0, COLUMNS - 1)}…`;
}
