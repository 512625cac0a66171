// SPDX-License-Identifier: GPL-2.0-only
/** Runs one part and judges it. */
import type { Check, Host, PartResult, PartState } from '../../report/document.js';
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_SKIPPED, EXIT_UNTRUSTED } from '../exit_codes.js';
import type { ChildResult } from './child.js';
import { untold, verdictOf } from './judge.js';
import { OTHERS_LIMIT } from './others.js';
import type { Part, Plan } from './parts.js';
import { typed } from './typed.js';

/** Codes of commands that did what they are for. */
const MEASURED: readonly (number | null)[] = [
  EXIT_OK,
  EXIT_CHECK_FAILED,
  EXIT_SKIPPED,
  EXIT_UNTRUSTED,
  EXIT_INTERRUPTED,
];

/** @returns the part's result, from what its command came to */
export function partResult(
  part: Part,
  plan: Plan,
  child: ChildResult,
  host: Host,
  stopped: boolean,
  othersShare: number | null,
): PartResult {
  const judged = judge(part, child, host, stopped, othersShare);
  return {
    id: part.id,
    seed: part.seed,
    title: part.title,
    claim: part.claim,
    scope: plan.scope,
    argv: plan.argv,
    command: typed(plan.argv.filter((a) => a !== '--json')),
    exit_code: child.code,
    seconds: Math.round(child.seconds * 1e3) / 1e3,
    others_share: othersShare,
    stderr: child.stderr,
    result: child.document,
    ...judged,
  };
}

function judge(
  part: Part,
  child: ChildResult,
  host: Host,
  stopped: boolean,
  othersShare: number | null,
): Pick<PartResult, 'state' | 'verdict' | 'reason' | 'checks'> {
  const { code, document } = child;
  const ended = child.cut ? 'cut' : stopped ? 'interrupted' : null;
  const last = (child.stderr.at(-1) ?? 'it said nothing').replace(/^softnet( \w+)?: /, '');
  if (ended === null && !MEASURED.includes(code)) {
    return failed(
      `the command ended with ${code === null ? 'a signal' : `exit code ${code}`}: ${firstError(child, last)}`,
    );
  }
  const state: PartState = ended ?? 'done';
  if (code === EXIT_SKIPPED) {
    return { state, verdict: 'this host cannot tell', reason: last, checks: [] };
  }
  if (document === null) {
    if (ended === null) return failed(`the command gave no figures: ${firstError(child, last)}`);
    const reason = child.cut
      ? 'it had no figures when its time was up'
      : 'interrupted before there were figures';
    return { state, verdict: 'this host cannot tell', reason, checks: [] };
  }
  let checks: readonly Check[] = part.judge(document, host);
  if (code === EXIT_CHECK_FAILED && checks.every((c) => c.agrees !== false)) {
    checks = [{ claim: 'the command’s own checks hold', agrees: false, measured: last }, ...checks];
  }
  if (part.heedsOthers !== true && othersShare !== null && othersShare >= OTHERS_LIMIT) {
    checks = untold(checks, `others had ${Math.round(othersShare * 100)} % of the CPU time`);
  }
  const { verdict, reason } = verdictOf(checks);
  const cut = child.cut ? `; cut after ${Math.round(child.seconds)} s` : '';
  return { state, verdict, reason: `${reason}${cut}`, checks };
}

/** The line that names the error: help comes behind it. */
function firstError({ stderr }: ChildResult, last: string): string {
  return (stderr.find((line) => /^error:|^softnet[ :]/.test(line)) ?? last).replace(/^error: /, '');
}

function failed(reason: string): Pick<PartResult, 'state' | 'verdict' | 'reason' | 'checks'> {
  return { state: 'failed', verdict: null, reason, checks: [] };
}
