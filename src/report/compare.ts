// SPDX-License-Identifier: GPL-2.0-only
/**
 * Two runs against each other, figure by figure, and which differences are noise. The rules:
 *
 * - Counts that do not depend on time (states, leaks, frames lost) are the same, or they changed; but where one was cut short,
 *   or is of more than the other, a difference says nothing.
 * - With two trials or more of each run a difference is noise if the ranges of the trials overlap.
 * - With a single figure of one of them, measured once or the median of trials, it is noise below SINGLE_PERCENT: so much two
 *   runs of one program differ on a host with other work.
 * - What a run calls disturbed is noise, however large.
 */
import type { RunDocument, Verdict } from './document.js';
import { type Figure, figuresOf } from './figures.js';

/** Below this a difference of single measurements says nothing. */
export const SINGLE_PERCENT = 20;

export type Read = 'better' | 'worse' | 'changed' | 'noise' | 'same';

export interface Difference {
  readonly part: string;
  readonly name: string;
  readonly unit: string;
  /** Medians of the trials. */
  readonly a: number;
  readonly b: number;
  /** null where `a` is 0. */
  readonly change_pct: number | null;
  readonly read: Read;
  readonly why: string;
}

export interface VerdictChange {
  readonly part: string;
  readonly title: string;
  readonly a: Verdict | null;
  readonly b: Verdict | null;
}

export interface Comparison {
  /** Titles of the parts by their ids. */
  readonly titles: { readonly [part: string]: string };
  readonly figures: readonly Difference[];
  readonly verdicts: readonly VerdictChange[];
  /** Figures that only one of them has, by part and name. */
  readonly only_a: readonly string[];
  readonly only_b: readonly string[];
  /** What the runs have that makes them hard to compare, one line each. */
  readonly warnings: readonly string[];
}

export function compareRuns(a: RunDocument, b: RunDocument): Comparison {
  const [inA, inB] = [collect(a), collect(b)];
  const figures: Difference[] = [];
  for (const [key, { part, figure }] of inA) {
    const other = inB.get(key);
    if (other !== undefined) figures.push(difference(part, figure, other.figure));
  }
  return {
    titles: Object.fromEntries([...b.parts, ...a.parts].map((p) => [p.id, p.title])),
    figures,
    verdicts: a.parts.flatMap((p) => {
      const other = b.parts.find((q) => q.id === p.id);
      return other === undefined || p.claim === ''
        ? []
        : [{ part: p.id, title: p.title, a: p.verdict, b: other.verdict }];
    }),
    only_a: [...inA.keys()].filter((key) => !inB.has(key)),
    only_b: [...inB.keys()].filter((key) => !inA.has(key)),
    warnings: warnings(a, b),
  };
}

function collect(run: RunDocument): Map<string, { readonly part: string; readonly figure: Figure }> {
  const all = run.parts.flatMap((p) =>
    figuresOf(p.result, p).map((figure) => [`${p.id}: ${figure.name}`, { part: p.id, figure }] as const),
  );
  return new Map(all);
}

function difference(part: string, a: Figure, b: Figure): Difference {
  const [va, vb] = [median(a.trials), median(b.trials)];
  const change = va === 0 ? null : (vb / va - 1) * 100;
  const { read, why } = readOf(a, b, va, vb, change);
  return { part, name: a.name, unit: a.unit, a: va, b: vb, change_pct: change, read, why };
}

function readOf(
  a: Figure,
  b: Figure,
  va: number,
  vb: number,
  change: number | null,
): { read: Read; why: string } {
  if (va === vb) return { read: 'same', why: 'equal' };
  if (a.better === 'exact') return countRead(a, b);
  const direction: Read = vb > va === (a.better === 'higher') ? 'better' : 'worse';
  if (a.disturbed || b.disturbed) return { read: 'noise', why: 'the host disturbed it' };
  if (a.trials.length > 1 && b.trials.length > 1) {
    const overlap =
      Math.max(...a.trials) >= Math.min(...b.trials) && Math.max(...b.trials) >= Math.min(...a.trials);
    return overlap
      ? { read: 'noise', why: 'the trials overlap' }
      : { read: direction, why: 'no trial of one reaches those of the other' };
  }
  const how = measuredHow(a, b);
  if (Math.abs(vb - va) < Math.max(a.least, b.least)) {
    return { read: 'noise', why: `less than ${a.least} ${a.unit} apart, ${how}` };
  }
  return change === null || Math.abs(change) < SINGLE_PERCENT
    ? { read: 'noise', why: `below ${SINGLE_PERCENT} %, ${how}` }
    : { read: direction, why: `${SINGLE_PERCENT} % or more, ${how}` };
}

function countRead(a: Figure, b: Figure): { read: Read; why: string } {
  if (a.short || b.short) return { read: 'noise', why: 'cut short: not all was counted' };
  if (a.of !== b.of) return { read: 'noise', why: `of ${a.of} and of ${b.of}` };
  return { read: 'changed', why: 'a count that does not depend on time' };
}

function measuredHow(a: Figure, b: Figure): string {
  const of = (f: Figure): number => Math.max(f.behind, f.trials.length);
  if (of(a) === 1 && of(b) === 1) return 'measured once';
  return of(a) === of(b) ? `one figure of ${of(a)} trials` : `of ${of(a)} and of ${of(b)} trials`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  const mid = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[mid] : (sorted[mid - 1] + sorted[mid]) / 2;
}

function warnings(a: RunDocument, b: RunDocument): string[] {
  const found: string[] = [];
  const differs = (what: string, x: unknown, y: unknown): void => {
    if (x !== y) found.push(`${what}: ${String(x)} and ${String(y)}`);
  };
  differs('kinds of run', a.profile, b.profile);
  if (a.version !== '' && b.version !== '') differs('versions', a.version, b.version);
  if (a.host !== null && b.host !== null) {
    differs('processors', a.host.cpu, b.host.cpu);
    differs('cores', a.host.cores, b.host.cores);
    differs('Node', a.host.node, b.host.node);
    for (const [name, host] of [['the first', a.host] as const, ['the second', b.host] as const]) {
      if (host.load > host.cores / 2) found.push(`the host of ${name} run was busy (load ${host.load})`);
    }
  }
  return found;
}
