// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { check, type Litmus, type Program, replayTrace } from '../../dist/check/index.js';
import { loadTests } from '../helpers/check_module.js';

/** Name, kind of the counterexample (null: it holds), atomic steps of the shortest one where it is known by hand. */
const KNOWN: readonly [name: string, kind: string | null, steps?: number][] = [
  ['dekker-handshake', null],
  ['dekker-handshake-reversed', 'assertion', 6],
  ['dekker', null],
  ['peterson', null],
  ['peterson-wrong', 'assertion'],
  ['bakery', null],
  ['bakery-without-choosing', 'assertion'],
  ['ticket-lock', null],
  ['ticket-lock-torn', 'race', 6],
  ['double-checked', null],
  ['double-checked-early', 'race'],
  ['double-checked-plain', 'race', 1],
  ['condition', null],
  ['condition-unlocks-first', 'asleep'],
  ['two-locks', 'deadlock', 6],
  ['worker', null],
  ['worker-looks-first', 'lost-wakeup'],
  ['timed-wait', null],
  ['left-asleep', 'asleep', 2],
];

let program: Program;
let tests: Map<string, Litmus>;

beforeAll(async () => {
  ({ program, tests } = await loadTests(fileURLToPath(new URL('../litmus/known.mjs', import.meta.url))));
});

describe('known results', () => {
  it('lists every test of the module', () => {
    expect([...tests.keys()].sort()).toEqual(KNOWN.map(([name]) => name).sort());
  });

  it.each(KNOWN)('%s: %s', (name, kind, steps) => {
    const v = check(tests.get(name)!, program, undefined, { audit: true });
    expect(v.counterexample?.kind ?? null).toBe(kind);
    expect(v.outcome).toBe(kind === null ? 'holds' : 'violated');
    expect(v.search.complete).toBe(true);
    if (steps !== undefined) expect(v.counterexample?.steps).toBe(steps);
    if (v.counterexample !== null) {
      const again = replayTrace(v.counterexample.replay, [...tests.values()], program);
      expect(again).toEqual(v.counterexample.trace);
      expect(again.filter((s) => s.atomic)).toHaveLength(v.counterexample.steps);
    }
  });

  it('says incomplete, and never holds, when a limit cuts the search', () => {
    const v = check(tests.get('bakery')!, program, { maxStates: 100, maxSeconds: 60 });
    expect(v.outcome).toBe('incomplete');
    expect(v.search.cutBy).toBe('--max-states 100');
  });

  it('shows field names, values and places', () => {
    const v = check(tests.get('worker-looks-first')!, program);
    const trace = v.counterexample!.trace;
    const add = trace.find((s) => s.op === 'add' && s.word === 'work')!;
    expect([add.before, add.after]).toEqual(['0', '1']);
    expect(add.chain[0].fn).toBe('sender');
    expect(add.chain[0].file).toMatch(/test\/litmus\/known\.mjs$/);
    expect(trace.at(-1)).toMatchObject({ thread: 'worker', op: 'wait', word: 'state', note: 'sleeps' });
  });
});
