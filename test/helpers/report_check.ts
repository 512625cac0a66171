// SPDX-License-Identifier: GPL-2.0-only
/** Reads a report back: every figure and every mark says where in the document it is from. */

/** A figure as a page has it. */
export interface ShownFigure {
  readonly value: string;
  readonly text: string;
  readonly as: string;
  readonly at: string | null;
  readonly rule: string | null;
  readonly from: string | null;
}

/** A mark of a plot, with the scales of its panel. */
export interface ShownMark {
  readonly xs: string | null;
  readonly ys: string | null;
  readonly cx: string | null;
  readonly cy: string | null;
  readonly w: string | null;
  readonly x: string | null;
  readonly y: string | null;
}

/** @returns what is at a JSON Pointer; undefined if nothing is */
export function pointed(document: unknown, pointer: string): unknown {
  let value = document;
  for (const key of pointer.split('/').slice(1)) {
    const name = key.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as { [k: string]: unknown })[name];
  }
  return value;
}

/** What a number is shown as: times this, with this behind it. */
const UNITS: { readonly [as: string]: readonly [factor: number, suffix: string] } = {
  int: [1, ''],
  fixed1: [1, ''],
  fixed2: [1, ''],
  sig: [1, ''],
  us: [1e-3, ''],
  ms: [1e-6, ''],
  share: [100, ' %'],
  delta: [1, ' %'],
  bytes: [2 ** -30, ' GiB'],
};

/** @returns what is wrong with a figure, null if nothing is */
export function wrongFigure(document: unknown, f: ShownFigure): string | null {
  const expected = f.at !== null ? pointed(document, f.at) : ruled(document, f.rule ?? '', f.from ?? '');
  const where = f.at ?? `${f.rule} of ${f.from}`;
  if (typeof expected !== 'number') return `${where}: there is no number`;
  if (Number(f.value) !== expected) return `${where}: ${f.value} instead of ${expected}`;
  const unit = UNITS[f.as];
  if (unit === undefined) return `${where}: shown as ${f.as}`;
  const [factor, suffix] = unit;
  const text = f.text.replaceAll(',', '').replace(/^\+/, '');
  if (!text.endsWith(suffix)) return `${where}: ${f.text} has no unit`;
  const digits = text.slice(0, text.length - suffix.length);
  const shown = Number(digits);
  const step = 10 ** -(digits.split('.')[1]?.length ?? 0);
  return Math.abs(shown - expected * factor) <= step / 2 + 1e-9 * Math.abs(shown)
    ? null
    : `${where}: ${f.text} shown for ${expected}`;
}

function ruled(document: unknown, rule: string, from: string): number | null {
  const values = from.split(' ').map((p) => pointed(document, p));
  if (values.some((v) => typeof v !== 'number')) return null;
  const list = values as number[];
  const middle = (all: number[]): number => {
    const s = [...all].sort((a, b) => a - b);
    return s.length % 2 === 1 ? s[(s.length - 1) / 2] : (s[s.length / 2 - 1] + s[s.length / 2]) / 2;
  };
  if (rule === 'sum') return list.reduce((a, b) => a + b, 0);
  if (rule === 'median') return middle(list);
  const changes = list.flatMap((v, i) => (i % 2 === 0 ? [(v / list[i + 1] - 1) * 100] : []));
  return rule === 'median-ratio' ? middle(changes) : null;
}

/** @returns where a value lies on a scale `KIND FROM TO START END` */
export function placed(spec: string, v: number): number {
  const [kind, from, to, start, end] = spec.split(' ');
  const [s, e] = [Number(start), Number(end)];
  if (kind === 'band') {
    const values = from.split(',').map(Number);
    return s + ((values.indexOf(v) + 0.5) * (e - s)) / values.length;
  }
  const by = (x: number): number =>
    kind === 'log' ? Math.log10(x) : kind === 'nines' ? -Math.log10(1 - x / 100) : x;
  const part = (by(v) - by(Number(from))) / (by(Number(to)) - by(Number(from)));
  return s + Math.min(1, Math.max(0, part)) * (e - s);
}

/** @returns what is wrong with a mark, null if nothing is */
export function wrongMark(document: unknown, m: ShownMark): string | null {
  for (const [path, spec, at] of [
    [m.x, m.xs, m.cx],
    [m.y, m.ys, m.cy],
  ] as const) {
    if (path === null) continue;
    const v = pointed(document, path);
    if (typeof v !== 'number' || spec === null) return `${path}: no number, or no scale`;
    if (m.w !== null) {
      const width = placed(spec, v) - placed(spec, 0);
      if (Math.abs(width - Number(m.w)) > 0.05) return `${path}: ${m.w} wide instead of ${width}`;
      continue;
    }
    if (at === null || Math.abs(placed(spec, v) - Number(at)) > 0.02)
      return `${path}: at ${at} instead of ${placed(spec, v)}`;
  }
  return m.x === null && m.y === null ? 'a mark from nowhere' : null;
}

/** Every number below `value`, as JSON Pointers. */
export function numberPaths(value: unknown, path = ''): string[] {
  if (typeof value === 'number') return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, v]) =>
    numberPaths(v, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  );
}
