// SPDX-License-Identifier: GPL-2.0-only
/** The litmus suite and its mutants, and the replay: what must hold on every host. */
import type { Check } from '../../report/document.js';
import { type Json, number, object, objects, text } from './json.js';

/** @param result the document of `softnet check --json` */
export function judgeLitmus(result: unknown): Check[] {
  const tests = objects(object(result).tests);
  const claim = 'no interleaving breaks the protocol';
  if (tests.length === 0) return [{ claim, agrees: null, measured: 'no test was run' }];
  const states = tests.reduce((n, t) => n + (number(t.states) ?? 0), 0);
  const holds = tests.filter((t) => t.outcome === 'holds').length;
  const broken = tests.filter((t) => t.outcome !== 'holds' && t.outcome !== 'incomplete');
  const measured =
    broken.length > 0
      ? `${text(broken[0].test)} is ${text(broken[0].outcome)}`
      : `${holds} of ${tests.length} tests hold, ${states.toLocaleString('en')} states${notRun(result)}`;
  // It speaks of every test: what was cut, or did not run, may be the one that breaks it.
  const whole = holds === tests.length && notRun(result) === '';
  const agrees = broken.length > 0 ? false : whole ? true : null;
  return [{ claim, agrees, measured, exact: true }];
}

/** @param result the document of `softnet check --mutants --json` */
export function judgeMutants(result: unknown): Check[] {
  const mutants = objects(object(result).mutants);
  const claim = 'the tests catch every bug put in';
  if (mutants.length === 0) return [{ claim, agrees: null, measured: 'no mutant was run' }];
  const caught = mutants.filter((m) => m.caught === true).length;
  const missed = mutants.filter((m) => m.caught !== true && text(m.cut_by) === '');
  const measured = `${caught} of ${mutants.length} caught`;
  if (missed.length > 0)
    return [{ claim, agrees: false, measured: `${measured}; not ${text(missed[0].mutant)}`, exact: true }];
  return [
    {
      claim,
      agrees: caught === mutants.length && notRun(result) === '' ? true : null,
      measured: `${measured}${notRun(result)}`,
      exact: true,
    },
  ];
}

/** @param result the document of `softnet replay --json` */
export function judgeReplay(result: unknown): Check[] {
  const runs = objects(object(result).runs);
  const claim = 'both modes deliver every frame of a capture, in order';
  const modes = new Set(runs.map((r) => text(r.mode)));
  if (modes.size < 2) return [{ claim, agrees: null, measured: 'not both modes were run' }];
  const found = runs.flatMap((r) => (Array.isArray(r.failures) ? r.failures.map(String) : []));
  if (found.length === 0 && runs.some((r) => r.interrupted === true)) {
    return [{ claim, agrees: null, measured: 'it was ended before the whole capture had been played' }];
  }
  const frames = runs.map((r) => deliveredOf(r).toLocaleString('en')).join(' and ');
  return [{ claim, agrees: found.length === 0, measured: found[0] ?? `${frames} packets`, exact: true }];
}

function notRun(result: unknown): string {
  const rest = object(result).not_run;
  return Array.isArray(rest) && rest.length > 0 ? `; ${rest.length} not run` : '';
}

function deliveredOf(run: Json): number {
  return number(object(run.packets).delivered) ?? 0;
}
