// SPDX-License-Identifier: GPL-2.0-only
/** Scales of plots: from values to places, with ticks. A plot carries its scales' `spec`, so that its marks can be checked. */

export interface Tick {
  readonly v: number;
  readonly label: string;
}

export interface Scale {
  /** `KIND FROM TO START END`: values FROM…TO lie at START…END. */
  readonly spec: string;
  readonly ticks: readonly Tick[];
  place(v: number): number;
}

type Range = readonly [start: number, end: number];

function scale(
  kind: string,
  [from, to]: Range,
  [start, end]: Range,
  by: (v: number) => number,
  ticks: readonly Tick[],
): Scale {
  const [a, b] = [by(from), by(to)];
  const place = (v: number): number => {
    const part = b === a ? 0.5 : (by(v) - a) / (b - a);
    return round(start + Math.min(1, Math.max(0, part)) * (end - start));
  };
  return { spec: `${kind} ${from} ${to} ${start} ${end}`, ticks, place };
}

/** @returns a place with as many digits as a plot needs */
export function round(v: number): number {
  return Math.round(v * 100) / 100;
}

/** From 0 to a round number at or above `most`. */
export function linear(most: number, range: Range, label: (v: number) => string = plain): Scale {
  const step = niceStep((most > 0 ? most : 1) / 4);
  const to = step * Math.ceil((most > 0 ? most : 1) / step - 1e-9);
  const ticks: Tick[] = [];
  for (let i = 0; i * step <= to * (1 + 1e-9); i++) {
    const v = Number((i * step).toPrecision(12));
    ticks.push({ v, label: label(v) });
  }
  return scale('linear', [0, to], range, (v) => v, ticks);
}

/** 1, 2 or 5 times a power of ten, at or above `v`. */
function niceStep(v: number): number {
  const power = 10 ** Math.floor(Math.log10(v));
  return power * ([1, 2, 5].find((n) => n * power >= v * (1 - 1e-9)) ?? 10);
}

/** Powers of ten around the values, which are above 0; half of one where they lie close together. */
export function log(values: readonly number[], range: Range, label: (v: number) => string = plain): Scale {
  const positive = values.filter((v) => v > 0);
  const low = Math.min(...(positive.length > 0 ? positive : [1]));
  const high = Math.max(...(positive.length > 0 ? positive : [10]));
  const steps = Math.log10(high / low) < 1.5 ? [1, 2, 5] : [1];
  const all: number[] = [];
  for (let e = Math.floor(Math.log10(low)) - 1; e <= Math.ceil(Math.log10(high)) + 1; e++) {
    for (const n of steps) all.push(Number(`${n}e${e}`));
  }
  const from = all.findLast((v) => v <= low * (1 + 1e-9)) ?? low;
  const to = all.find((v) => v >= high * (1 - 1e-9) && v > from) ?? high;
  const inside = all.filter((v) => v >= from && v <= to);
  const every = Math.ceil(inside.length / 6);
  const ticks = inside.filter((_, i) => i % every === 0).map((v) => ({ v, label: label(v) }));
  return scale('log', [from, to], range, Math.log10, ticks);
}

/** Labels of 1, 2 and 5 times powers of ten that have room beside each other. */
const MOST_LABELS = 10;

/** As `log`, but from and to 1, 2 or 5 times a power of ten: nothing of the plot is empty, and a peak as wide as it can be. */
export function logClose(
  values: readonly number[],
  range: Range,
  label: (v: number) => string = plain,
): Scale {
  const positive = values.filter((v) => v > 0);
  const low = Math.min(...(positive.length > 0 ? positive : [1]));
  const high = Math.max(...(positive.length > 0 ? positive : [10]));
  const all: number[] = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)) + 1; e++) {
    for (const n of [1, 2, 5]) all.push(Number(`${n}e${e}`));
  }
  const from = all.findLast((v) => v <= low * (1 + 1e-9)) ?? low;
  const to = all.find((v) => v >= high * (1 - 1e-9) && v > from) ?? high;
  const inside = all.filter((v) => v >= from && v <= to);
  const shown =
    inside.length <= MOST_LABELS ? inside : inside.filter((v) => Number.isInteger(round(Math.log10(v))));
  return scale(
    'log',
    [from, to],
    range,
    Math.log10,
    shown.map((v) => ({ v, label: label(v) })),
  );
}

const NINES: readonly number[] = [0, 50, 90, 99, 99.9, 99.99, 99.999];

/** Percentiles by their nines: 90, 99 and 99.9 lie equally far apart. */
export function nines(most: number, range: Range): Scale {
  const to = NINES.find((p) => p >= most) ?? NINES[NINES.length - 1];
  const ticks = NINES.filter((p) => p <= to).map((v) => ({ v, label: String(v) }));
  return scale('nines', [0, to], range, (p) => -Math.log10(1 - p / 100), ticks);
}

/** Equal steps for values that only have an order. */
export function band(values: readonly number[], [start, end]: Range): Scale {
  const step = (end - start) / Math.max(1, values.length);
  const place = (v: number): number => round(start + (values.indexOf(v) + 0.5) * step);
  const ticks = values.map((v) => ({ v, label: v.toLocaleString('en') }));
  return { spec: `band ${values.join(',')} - ${start} ${end}`, ticks, place };
}

function plain(v: number): string {
  if (v >= 1e6) return `${Number((v / 1e6).toPrecision(3))} M`;
  if (v >= 1e4) return `${Number((v / 1e3).toPrecision(3))} k`;
  return v.toLocaleString('en', { maximumSignificantDigits: 3 });
}

/** Nanoseconds in the unit that suits them. */
export function timeLabel(ns: number): string {
  if (ns >= 1e9) return `${ns / 1e9} s`;
  if (ns >= 1e6) return `${ns / 1e6} ms`;
  return ns >= 1e3 ? `${ns / 1e3} µs` : `${ns} ns`;
}
