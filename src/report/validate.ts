// SPDX-License-Identifier: GPL-2.0-only
/** Whether a JSON document has the shape of document.ts: files may be cut off, edited, or of another program. */
import { At } from './at.js';
import type { PartState, Verdict } from './document.js';

/** @returns what the value has to be instead, null if it is right */
type Rule = (value: unknown) => string | null;

const STATES: readonly PartState[] = ['done', 'cut', 'interrupted', 'failed'];
const VERDICTS: readonly Verdict[] = ['agrees', 'differs', 'this host cannot tell'];

const text: Rule = (v) => (typeof v === 'string' ? null : 'text');
const finite: Rule = (v) => (typeof v === 'number' && Number.isFinite(v) ? null : 'a number');
const truth: Rule = (v) => (typeof v === 'boolean' ? null : 'true or false');
const list: Rule = (v) => (Array.isArray(v) ? null : 'a list');
const texts: Rule = (v) =>
  Array.isArray(v) && v.every((x) => typeof x === 'string') ? null : 'a list of texts';
const date: Rule = (v) => (typeof v === 'string' && !Number.isNaN(Date.parse(v)) ? null : 'a date');
const any: Rule = (v) => (v === undefined ? 'the JSON of a command' : null);

function oneOf(words: readonly unknown[]): Rule {
  return (v) => (words.includes(v) ? null : words.map((w) => JSON.stringify(w)).join(' or '));
}

function orNull(rule: Rule): Rule {
  return (v) => {
    const wanted = v === null ? null : rule(v);
    return wanted === null ? null : `${wanted}, or null`;
  };
}

/** The field may be missing. */
function orNone(rule: Rule): Rule {
  return (v) => (v === undefined ? null : rule(v));
}

type Shape = { readonly [field: string]: Rule };

const RUN: Shape = {
  version: text,
  profile: text,
  host: (v) => (v === null || isObject(v) ? null : 'an object, or null'),
  started: orNull(date),
  seconds: finite,
  interrupted: truth,
  not_run: texts,
  resume: orNone(text),
  parts: list,
};

const HOST: Shape = { cpu: text, cores: finite, memory_bytes: finite, os: text, node: text, load: finite };

const PART: Shape = {
  id: text,
  seed: orNull(text),
  title: text,
  claim: text,
  scope: text,
  argv: texts,
  command: text,
  state: oneOf(STATES),
  exit_code: orNull(finite),
  seconds: finite,
  others_share: orNull(finite),
  verdict: oneOf([...VERDICTS, null]),
  reason: text,
  checks: list,
  stderr: texts,
  result: any,
};

const CHECK: Shape = {
  claim: text,
  agrees: orNull(truth),
  measured: text,
  exact: orNone(oneOf([true])),
};

/**
 * @param value a document of this FORMAT
 * @returns the first thing that is wrong with it, with its place as a JSON Pointer; null if it is a RunDocument
 */
export function damageOf(value: unknown): string | null {
  const run = new At(value);
  const host = run.at('host');
  return (
    wrongIn(run, RUN) ??
    (host.value === null ? null : wrongIn(host, HOST)) ??
    first(run.at('parts').items(), wrongInPart) ??
    twice(run.at('parts').items())
  );
}

function wrongInPart(part: At): string | null {
  return wrongIn(part, PART) ?? first(part.at('checks').items(), (check) => wrongIn(check, CHECK));
}

function wrongIn(at: At, shape: Shape): string | null {
  if (!isObject(at.value)) return said(at, 'an object');
  return first(
    Object.keys(shape).map((field) => at.at(field)),
    (field) => {
      const wanted = shape[field.path.slice(at.path.length + 1)](field.value);
      return wanted === null ? null : said(field, wanted);
    },
  );
}

function twice(parts: readonly At[]): string | null {
  const ids = parts.map((p) => p.at('id').text);
  const again = parts.find((_, i) => ids.indexOf(ids[i]) < i);
  return again === undefined ? null : `${again.path}/id: there are two parts ${again.at('id').text}`;
}

function said({ path, value }: At, wanted: string): string {
  const is = value === undefined ? 'is missing' : `is ${JSON.stringify(value)?.slice(0, 40)}`;
  return `${path === '' ? 'it' : path} ${is}, not ${wanted}`;
}

function first(places: readonly At[], wrong: (at: At) => string | null): string | null {
  for (const at of places) {
    const found = wrong(at);
    if (found !== null) return found;
  }
  return null;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
