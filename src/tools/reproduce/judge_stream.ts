// SPDX-License-Identifier: GPL-2.0-only
/** Seed 004 against what `softnet stream` measured. */

import { type LoadPoint, plateau, summit } from '../../report/curve_figures.js';
import type { Check } from '../../report/document.js';
import { SEED_ROWS } from '../stream/plan.js';
import { type Json, number, object, objects, present } from './json.js';
import { median, untold } from './judge.js';

/** Of the seed's 16 rows of small packets and many flows so many are to gain, 13: the rest is left to chance. */
const GAINING = 13 / 16;
const SMALL_BYTES = 1438;
const MANY_FLOWS = 25;
/** What counts as no change, in percent. */
const SAME_PERCENT = 5;
/** Goodput that is still at the peak, as a part of it. */
const AT_PEAK = 0.85;

/** A cell of whose core others had more than this left is not counted: the rule of `softnet stream` itself. */
const LEAST_AVAILABLE = 0.9;
/** Less than this, in parts of the row's best goodput, is no overload. */
const OVERLOAD = 2;

interface Row {
  readonly size: number;
  readonly flows: number;
  /** Goodput of a setting, kpps; null if it was not run, or if the host disturbed it. */
  kpps(setting: string): number | null;
}

/** @param result the document of `softnet stream --json` */
export function judgeStream(result: unknown): Check[] {
  const document = object(result);
  const rows = objects(document.rows)
    .filter((row) => (number(row.overload) ?? OVERLOAD) >= OVERLOAD)
    .map(readRow);
  const asked = askedOf(document, rows);
  const many: Group = { rows: rows.filter(isMany), asked: asked.filter(isMany).length };
  const one: Group = { rows: rows.filter(isOne), asked: asked.filter(isOne).length };
  const checks = [gain(many), oneFlow(one), both(many, document)];
  const curve = objects(document.curve);
  const swept = curve.length > 0 || object(document.options).curve !== undefined;
  const all = swept ? [...checks, ...curveChecks(curve)] : checks;
  return object(document.host).pinned === null ? untold(all, 'this host would not pin threads') : all;
}

interface Size {
  readonly size: number;
  readonly flows: number;
}

/** Rows of one kind, and how many there should be. */
interface Group {
  readonly rows: readonly Row[];
  readonly asked: number;
}

const isMany = (r: Size): boolean => r.size <= SMALL_BYTES && r.flows >= MANY_FLOWS;
const isOne = (r: Size): boolean => r.flows === 1;

/** @returns the rows that were asked for: a run may have been cut */
function askedOf(document: Json, rows: readonly Row[]): readonly Size[] {
  const { rows: asked } = object(document.options);
  if (asked === 'seed') return SEED_ROWS;
  if (!Array.isArray(asked)) return rows;
  return asked.map((name) => {
    const [size, flows] = String(name).split('/').map(Number);
    return { size, flows };
  });
}

function readRow(row: Json): Row {
  const settings = object(row.settings);
  return {
    size: number(row.size) ?? 0,
    flows: number(row.flows) ?? 0,
    kpps: (setting) => goodput(object(settings[setting])),
  };
}

function goodput(cell: Json): number | null {
  return (number(cell.core_available) ?? 1) < LEAST_AVAILABLE ? null : number(cell.kpps);
}

/** @returns changes from one setting to another, percent, of the rows that have both */
function changes(rows: readonly Row[], from: string, to: string): number[] {
  return present(
    rows.map((row) => {
      const [a, b] = [row.kpps(from), row.kpps(to)];
      if (a === null || b === null) return null;
      // Where there was nothing anything is infinitely more.
      return a > 0 ? (b / a - 1) * 100 : b > 0 ? Infinity : 0;
    }),
  );
}

/** @returns what to say where too few rows are left: fewer than half of those that were asked for; null if they suffice */
function tooFew(claim: string, { rows, asked }: Group, left: number): Check | null {
  if (asked > 0 && left >= asked / 2) return null;
  const disturbed = rows.length - left;
  const measured =
    asked === 0
      ? 'no such row was asked for'
      : disturbed >= asked / 2
        ? `the host disturbed ${disturbed} of ${asked} rows`
        : `${left} of ${asked} rows were measured`;
  return { claim, agrees: null, measured };
}

function gain(group: Group): Check {
  const claim = 'with many small flows the poll thread beats softirq';
  const delta = changes(group.rows, 'vanilla', 'guest_threaded');
  const few = tooFew(claim, group, delta.length);
  if (few !== null) return few;
  const gaining = delta.filter((d) => d > 0).length;
  return {
    claim,
    agrees: gaining >= Math.ceil(GAINING * delta.length - 1e-9) && median(delta) >= 20,
    measured: `${gaining} of ${delta.length} rows, ${percent(median(delta))} in the median`,
  };
}

function oneFlow(group: Group): Check {
  const claim = 'with one flow the thread loses at most 5 % (the seed: it gains 7 to 63 %)';
  const delta = changes(group.rows, 'vanilla', 'guest_threaded');
  const few = tooFew(claim, group, delta.length);
  if (few !== null) return few;
  return {
    claim,
    agrees: median(delta) >= -SAME_PERCENT,
    measured: `${percent(median(delta))} in the median of ${delta.length} rows`,
  };
}

/** A hypervisor of two CPUs beside the guest's. */
const HYPERVISOR_CORES = 3;

function both(group: Group, document: Json): Check {
  const claim = 'threads in the hypervisor, too, give more still';
  const delta = changes(group.rows, 'guest_threaded', 'both_threaded');
  const few = tooFew(claim, group, delta.length);
  if (few !== null) return few;
  const mid = median(delta);
  const more = delta.filter((d) => d > 0).length;
  const measured = `${more} of ${delta.length} rows, ${percent(mid)} in the median against the guest alone`;
  const open = (why: string): Check => ({ claim, agrees: null, measured: `${measured}: ${why}` });
  if (Math.abs(mid) < SAME_PERCENT) return open('no change to speak of');
  if (mid > 0) return { claim, agrees: true, measured };
  // A hypervisor costs something, however it polls: only against one that polls otherwise can it be worse.
  if (object(document.options).hypervisor !== 'all')
    return open('the guest alone had none in front (stream --hypervisor all)');
  const cores = number(object(document.host).cores) ?? HYPERVISOR_CORES;
  return cores < HYPERVISOR_CORES
    ? open(`${cores} cores for two machines`)
    : { claim, agrees: false, measured };
}

const SETTINGS = ['vanilla', 'guest_threaded'] as const;
const DISTURBED = 'the host disturbed the curve';
const NO_CURVE = 'the load was not swept to its end';
const SHORT = 'the load did not go to twice the peak';
/** Part of the points of a curve that must not have been disturbed. */
const QUIET = 0.8;
/** So far beyond the peak, in parts of its load, a curve must go to say anything. */
const FAR = 2;

function curveChecks(curve: readonly Json[]): Check[] {
  const [vanilla, threaded] = SETTINGS.map((setting) => pointsOf(curve, setting));
  return [falls(vanilla), holds(threaded)];
}

/** @returns the points that count, in the order of the load; none if the curve is not to be trusted */
function pointsOf(curve: readonly Json[], setting: string): readonly LoadPoint[] | null {
  const all = present(
    curve.map((p) => {
      const cell = object(object(p.settings)[setting]);
      const offered = number(p.offered_kpps);
      const kpps = number(cell.kpps);
      return offered === null || kpps === null ? null : { offered, kpps, counts: goodput(cell) !== null };
    }),
  ).sort((a, b) => a.offered - b.offered);
  const quiet = all.filter((p) => p.counts);
  // A peak that was higher where the host disturbed it is not among those that count.
  const known = (summit(all)?.peakKpps ?? 0) <= 1.05 * (summit(quiet)?.peakKpps ?? 0);
  return known && quiet.length >= QUIET * all.length ? quiet : null;
}

function falls(points: readonly LoadPoint[] | null): Check {
  const claim = 'softirq: goodput falls behind its peak (receive livelock)';
  if (points === null) return { claim, agrees: null, measured: DISTURBED };
  if (points.length === 0) return { claim, agrees: null, measured: NO_CURVE };
  const [peak, last] = [summit(points), points.at(-1)];
  if (peak === null || last === undefined || last.offered < FAR * peak.peakOfferedKpps) {
    return { claim, agrees: null, measured: SHORT };
  }
  return {
    claim,
    agrees: last.kpps < AT_PEAK * peak.peakKpps,
    measured: `${kpps(peak.peakKpps)} kpps at best, ${kpps(last.kpps)} at ${Math.round(last.offered).toLocaleString('en')} kpps offered`,
  };
}

function holds(points: readonly LoadPoint[] | null): Check {
  const claim = 'thread: goodput stays at its peak under four times that load';
  if (points === null) return { claim, agrees: null, measured: DISTURBED };
  if (points.length === 0) return { claim, agrees: null, measured: NO_CURVE };
  const top = plateau(points);
  if (top === null || top.uptoKpps < FAR * top.peakOfferedKpps)
    return { claim, agrees: null, measured: SHORT };
  return {
    claim,
    agrees: top.kept >= AT_PEAK,
    measured: `${kpps(top.peakKpps)} kpps at best, ${kpps(top.kept * top.peakKpps)} at least behind it`,
  };
}

function kpps(v: number): string {
  return v.toFixed(v < 10 ? 1 : 0);
}

function percent(v: number): string {
  return Number.isFinite(v)
    ? `${v > 0 ? '+' : ''}${Math.round(v).toLocaleString('en')} %`
    : 'from nothing to something';
}
