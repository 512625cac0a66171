// SPDX-License-Identifier: GPL-2.0-only
/** Reads results of a run; the JSON document of one command becomes a run with one part. */
import { readFileSync } from 'node:fs';
import { At } from './at.js';
import { FORMAT, type PartState, type RunDocument } from './document.js';
import { type Kind, kindOf } from './sections.js';
import { damageOf } from './validate.js';

/** A file that holds no results; `message` says which, why and what to do. */
export class ResultsError extends Error {
  constructor(file: string, why: string) {
    super(`${file} ${why}`);
    this.name = 'ResultsError';
  }
}

const TITLES: { readonly [kind in Kind]: string } = {
  stream: 'softnet stream',
  backlog: 'softnet backlog',
  rr: 'softnet rr',
  reconfig: 'softnet reconfig',
  litmus: 'softnet check',
  mutants: 'softnet check --mutants',
  replay: 'softnet replay',
};

/** @throws ResultsError if there is no such file, or no results in it */
export function loadRun(file: string): RunDocument {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ResultsError(
      file,
      `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ResultsError(
      file,
      'is no JSON: give results.json of softnet reproduce, or what a command printed with --json',
    );
  }
  const document = new At(value);
  if (document.at('command').text === 'softnet reproduce') return ofReproduce(file, document);
  const kind = kindOf(document);
  if (kind === null) {
    throw new ResultsError(
      file,
      'holds no results that a report knows: give the JSON of softnet reproduce, or of one of its parts',
    );
  }
  return ofCommand(kind, value);
}

function ofReproduce(file: string, document: At): RunDocument {
  const format = document.at('format').number;
  if (format !== FORMAT) {
    throw new ResultsError(
      file,
      `has format ${format ?? 'unknown'}, this softnet reads ${FORMAT}: run it again`,
    );
  }
  const damage = damageOf(document.value);
  if (damage !== null) throw new ResultsError(file, `is damaged: ${damage}; run it again`);
  return document.value as RunDocument;
}

function ofCommand(kind: Kind, result: unknown): RunDocument {
  return {
    command: 'softnet reproduce',
    format: FORMAT,
    version: '',
    profile: TITLES[kind],
    host: null,
    started: null,
    seconds: 0,
    interrupted: false,
    not_run: [],
    parts: [
      {
        id: kind,
        seed: null,
        title: TITLES[kind],
        claim: '',
        scope: '',
        argv: [],
        command: '',
        state: stateOf(new At(result)),
        exit_code: null,
        seconds: 0,
        others_share: null,
        verdict: null,
        reason: '',
        checks: [],
        stderr: [],
        result,
      },
    ],
  };
}

/** A command that was interrupted says so itself, or each of its runs does. */
function stateOf(result: At): PartState {
  const whole = [result, ...result.at('runs').items()].every((at) => at.at('interrupted').value !== true);
  return whole && result.at('not_run').items().length === 0 ? 'done' : 'interrupted';
}
