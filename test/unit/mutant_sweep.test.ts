// SPDX-License-Identifier: GPL-2.0-only
//
// The sweep of mechanical mutants (bench/mutant_sweep.mjs) takes minutes; here: that its operators make what they say,
// that every mutant is a program, and that the list of allowed survivors still matches the source.

import { parse } from 'acorn';
import { describe, expect, it } from 'vitest';
import { editOf, mutantsOf, SWEPT } from '../../dist/litmus/sweep/modules.js';
import { mutationsOf } from '../../dist/litmus/sweep/operators.js';
import { SURVIVORS } from '../../dist/litmus/sweep/survivors.js';

/** All mutants of a source text, as texts, by operator. */
function mutants(source: string, op: string): string[] {
  return mutationsOf(source)
    .filter((m) => m.op === op)
    .map((m) => source.slice(0, m.start) + m.replace + source.slice(m.end));
}

const allKeys = SWEPT.flatMap((file) => mutantsOf(file).map((m) => m.key));

describe('operators', () => {
  it('take calls out, and leave alone what orders nothing', () => {
    const source = 'function f(m) { Atomics.notify(m, 0); names.push(1); }';
    expect(mutants(source, 'drop')).toEqual(['function f(m) { ; names.push(1); }']);
  });

  it('tear read-modify-writes apart, and make those that are used only read', () => {
    const source = 'function f(m) { return Atomics.exchange(m, 0, 1); }';
    expect(mutants(source, 'torn')).toEqual(['function f(m) { return sweepTornExchange(m, 0, 1); }']);
    expect(mutants(source, 'load-only')).toEqual(['function f(m) { return Atomics.load(m, 0); }']);
  });

  it('make every operand of a condition on shared state constant', () => {
    const source =
      'function f(m, n) { const v = Atomics.load(m, 0); if (v === 1 && !(m[1] > 2) && n > 3) g(); }';
    expect(mutants(source, 'true')).toEqual([
      source.replace('v === 1', 'true'),
      source.replace('m[1] > 2', 'true'),
    ]);
    expect(mutants(source, 'false')).toHaveLength(2);
  });

  it('leave each bit out of a mask', () => {
    const source = 'function f(m, v) { return v & ~(BIT_A | BIT_B); }';
    expect(mutants(source, 'mask')).toEqual([
      'function f(m, v) { return v; }',
      'function f(m, v) { return v & ~(BIT_A); }',
      'function f(m, v) { return v & ~(BIT_B); }',
    ]);
  });

  it('let neighbours change places unless the second needs the first', () => {
    const source = 'function f(m) { const a = Atomics.load(m, 0); g(a); h(m); }';
    expect(mutants(source, 'swap')).toEqual(['function f(m) { const a = Atomics.load(m, 0); h(m); g(a); }']);
  });

  it('put a step behind the test that follows it', () => {
    const source = 'function f(m) { sleepy(m); if (work(m)) return; wait(m); }';
    expect(mutants(source, 'swap')).toEqual([
      'function f(m) { { const sweepTest = work(m); sleepy(m); if (sweepTest) return; } wait(m); }',
    ]);
  });

  it('make atomic accesses plain, and sleepers late', () => {
    const source = 'function f(m) { Atomics.store(m, 0, 1); Atomics.wait(m, 1, 0, 5); }';
    expect(mutants(source, 'plain')).toEqual(['function f(m) { m[0] = 1; Atomics.wait(m, 1, 0, 5); }']);
    expect(mutants(source, 'late-wait')).toEqual([
      'function f(m) { Atomics.store(m, 0, 1); Atomics.wait(m, 1, Atomics.load(m, 1), 5); }',
    ]);
  });
});

describe('the protocol code', () => {
  it('gives mutants of every file, each a program of its own', () => {
    for (const file of SWEPT) {
      const found = mutantsOf(file);
      expect(found.length, file).toBeGreaterThan(0);
      // One for each operator: parsing all of them would take its time.
      for (const mutant of found.filter((m, i) => found.findIndex((n) => n.op === m.op) === i)) {
        const { find, replace } = editOf(mutant);
        expect(replace, mutant.key).not.toBe(find);
        expect(
          () => parse(replace, { ecmaVersion: 'latest', sourceType: 'module' }),
          mutant.key,
        ).not.toThrow();
      }
    }
    expect(new Set(allKeys).size).toBe(allKeys.length);
  });

  it('has every mutant that is listed as an allowed survivor', () => {
    const keys = new Set(allKeys);
    const listed = SURVIVORS.flatMap((s) => s.keys);
    expect(listed.filter((key) => !keys.has(key))).toEqual([]);
    expect(listed.length).toBe(new Set(listed).size);
    for (const { why } of SURVIVORS) expect(why.length).toBeGreaterThan(10);
  });
});
