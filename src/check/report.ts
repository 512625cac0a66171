// SPDX-License-Identifier: GPL-2.0-only
/** Verdicts for people (the form of herd7) and for programs (JSON). */
import { INTERRUPTED } from './limits.js';
import type { TraceStep } from './replay.js';
import { placeText } from './source_position.js';
import { kindText, type Verdict } from './verdict.js';

/** @returns one line of a trace, without its number */
export function stepText(s: TraceStep, threadWidth: number): string {
  const value = s.before === '' ? '' : s.before === s.after ? ` ${s.before}` : ` ${s.before} → ${s.after}`;
  const what = `${s.atomic || s.word === '' ? '' : 'plain '}${s.op}${s.word === '' ? '' : ` ${s.word}`}${value}`;
  const where = s.chain.map((p, i) => (i === 0 ? `${placeText(p)} ${p.fn}` : p.fn)).join(' < ');
  return `${s.thread.padEnd(threadWidth)}  ${`${what}${s.note === '' ? '' : `, ${s.note}`}`.padEnd(54)}  ${where}`;
}

/** @returns a trace, one line a step, numbered as the steps of the schedule; plain accesses have no number */
export function traceText(trace: readonly TraceStep[]): string {
  const width = Math.max(0, ...trace.map((s) => s.thread.length));
  let n = 0;
  return trace.map((s) => `${(s.atomic ? String(++n) : '').padStart(5)}  ${stepText(s, width)}`).join('\n');
}

function outcomeText(v: Verdict): string {
  if (v.outcome === 'holds') return 'Ok';
  return v.outcome === 'violated'
    ? 'No'
    : `Incomplete: cut by ${v.search.cutBy}${v.search.cutBy === INTERRUPTED ? '' : '; raise it'}`;
}

/** @returns the verdict as herd7 words it, with the counterexample behind it */
export function verdictText(v: Verdict): string {
  const { test, search: s, counterexample: c } = v;
  const often = s.positive === 0 ? 'Never' : s.negative === 0 ? 'Always' : 'Sometimes';
  const lines = [
    `Test ${test.name} Required`,
    `States ${s.states}`,
    outcomeText(v),
    'Witnesses',
    `Positive: ${s.positive} Negative: ${s.negative}`,
    `Condition ~exists (${test.forbids})`,
    v.outcome === 'incomplete'
      ? `Observation ${test.name} incomplete`
      : `Observation ${test.name} ${often} ${s.positive} ${s.negative}`,
    `Time ${test.name} ${(s.timeMs / 1e3).toFixed(2)}`,
  ];
  if (c !== null) {
    lines.push('', `${kindText(c.kind)}: ${c.message}`);
    for (const p of c.places) lines.push(`  ${p}`);
    lines.push(
      `Why it must not be: ${test.why}`,
      `Steps ${c.steps}`,
      traceText(c.trace),
      `Replay ${c.replay}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** @returns the verdict as a value for JSON, units in the keys */
export function verdictJson(v: Verdict): Record<string, unknown> {
  const { test, search: s, counterexample: c } = v;
  return {
    test: test.name,
    outcome: v.outcome,
    forbids: test.forbids,
    why: test.why,
    threads: test.threadNames,
    states: s.states,
    transitions: s.transitions,
    positive: s.positive,
    negative: s.negative,
    complete: s.complete,
    cut_by: s.cutBy === '' ? null : s.cutBy,
    time_ns: Math.round(s.timeMs * 1e6),
    states_per_s: Math.round((s.states / Math.max(s.timeMs, 1e-3)) * 1e3),
    table_bytes: s.bytes,
    bytes_per_state: Math.round(s.bytes / Math.max(1, s.states)),
    words_written: s.slots,
    continuations: s.front.continuations,
    runs: s.front.runs,
    counterexample:
      c === null
        ? null
        : {
            kind: c.kind,
            message: c.message,
            steps: c.steps,
            places: c.places,
            replay: c.replay,
            trace: c.trace.map((x) => ({
              thread: x.thread,
              op: x.op,
              atomic: x.atomic,
              word: x.word,
              before: x.before,
              after: x.after,
              note: x.note,
              chain: x.chain.map((p) => `${p.fn} ${placeText(p)}`),
            })),
          },
  };
}
