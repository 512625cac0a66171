// SPDX-License-Identifier: GPL-2.0-only
/** Seed 000 against what `softnet reconfig` counted: nothing here depends on how fast the host is. */
import type { Check } from '../../report/document.js';
import { type Json, number, object, objects, text } from './json.js';

const PERSISTENT = /config=persistent/;
/** New instances are made before the old ones are deleted: the seed speaks of those that come after. */
const BEFORE_DELETE = /reconfig=safe-switch/;

const FEW_CYCLES = 4;

/** @param result the document of `softnet reconfig --json` */
export function judgeReconfig(result: unknown): Check[] {
  // Of a run that was cut short after some cycles threads that change may not have changed yet.
  const runs = objects(object(result).runs).filter((r) => (number(r.cycles) ?? 0) >= FEW_CYCLES);
  const kept = runs.filter((r) => PERSISTENT.test(text(r.personality)));
  const usual = kept.filter((r) => !BEFORE_DELETE.test(text(r.personality)));
  const switched = kept.filter((r) => BEFORE_DELETE.test(text(r.personality)));
  return [
    stable(
      'as posted (v1), a queue’s thread survives napi_del and napi_add',
      usual.filter((r) => r.persist === 'v1'),
    ),
    stable(
      'mended (fixed), also where a driver makes the new instances first',
      // Without a run of such a driver the statement was not put to the test.
      switched.some((r) => r.persist === 'fixed') ? kept.filter((r) => r.persist === 'fixed') : [],
      leaks(switched.filter((r) => r.persist === 'v1')),
    ),
    changes(kept.filter((r) => r.persist === 'off')),
    lost(runs),
  ];
}

function stable(claim: string, runs: readonly Json[], more = ''): Check {
  if (runs.length === 0) return { claim, agrees: null, measured: 'not run' };
  const bad = runs.filter(
    (r) => r.pids_stable !== true || r.affinity_kept === false || (number(r.threads_leaked) ?? 0) > 0,
  );
  const cycles = sum(runs, 'cycles');
  const measured =
    bad.length === 0
      ? `${cycles} cycles under traffic, the same threads, none leaked`
      : `${text(bad[0].personality)}: ${bad[0].pids_stable === true ? '' : 'other threads, '}${sum(bad, 'threads_leaked')} leaked`;
  return { claim, agrees: bad.length === 0, measured: `${measured}${more}`, exact: true };
}

function leaks(v1: readonly Json[]): string {
  const n = sum(v1, 'threads_leaked');
  return n === 0 ? '' : ` (as posted ${n} leak there)`;
}

function changes(off: readonly Json[]): Check {
  const claim = 'without the patch threads come and go with their instances';
  if (off.length === 0) return { claim, agrees: null, measured: 'not run' };
  const made = sum(off, 'threads_created');
  return {
    claim,
    agrees: made > 0 && off.every((r) => r.pids_stable !== true),
    measured: `${made} threads made in ${sum(off, 'cycles')} cycles`,
    exact: true,
  };
}

function lost(runs: readonly Json[]): Check {
  const claim = 'no frame is lost';
  if (runs.length === 0) return { claim, agrees: null, measured: 'not run' };
  const n = sum(runs, 'lost');
  return { claim, agrees: n === 0, measured: `${n} in ${runs.length} runs`, exact: true };
}

function sum(runs: readonly Json[], key: string): number {
  return runs.reduce((n, r) => n + (number(r[key]) ?? 0), 0);
}
