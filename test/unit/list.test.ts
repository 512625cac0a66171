// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  initListHead,
  listAddTail,
  listDelInit,
  listEmpty,
  listHead,
  listSpliceTailInit,
} from '../../dist/mm/list.js';
import { line, struct } from '../../dist/mm/struct.js';

const HEADS = [2, 4, 6];
const ENTRIES = Array.from({ length: 8 }, (_, i) => 20 + 2 * i);

/** Words with three empty lists and eight entries that are in none. */
function lists(): Int32Array {
  const m = new Int32Array(64);
  for (const at of [...HEADS, ...ENTRIES]) initListHead(m, at);
  return m;
}

/** The entries of a list, read forwards; the way back must show the same ones. */
function entries(m: Int32Array, head: number): number[] {
  const forwards: number[] = [];
  for (let at = m[head]; at !== head; at = m[at]) forwards.push(at);
  const backwards: number[] = [];
  for (let at = m[head + 1]; at !== head; at = m[at + 1]) backwards.push(at);
  expect(backwards.reverse()).toEqual(forwards);
  return forwards;
}

describe('list', () => {
  it('is empty at first, and entries are in no list', () => {
    const m = lists();
    for (const at of [...HEADS, ...ENTRIES]) expect(listEmpty(m, at)).toBe(true);
  });

  it('takes two words of a struct', () => {
    const layout = struct('sample', line('owner', { head: listHead('list'), entry: listHead('link') }));
    expect(layout.entry - layout.head).toBe(2);
  });

  it('keeps entries in the order they were appended, and unlinks any of them', () => {
    const m = lists();
    const [head] = HEADS;
    const [a, b, c] = ENTRIES;
    for (const at of [a, b, c]) listAddTail(m, at, head);
    expect(entries(m, head)).toEqual([a, b, c]);
    expect(listEmpty(m, head)).toBe(false);
    expect(listEmpty(m, b)).toBe(false);
    listDelInit(m, b);
    expect(entries(m, head)).toEqual([a, c]);
    expect(listEmpty(m, b)).toBe(true);
    listDelInit(m, b);
    expect(entries(m, head)).toEqual([a, c]);
  });

  it('does what arrays do, whatever the order of calls', () => {
    const place = fc.nat(HEADS.length - 1);
    const step = fc.oneof(
      fc.record({ op: fc.constant('add' as const), entry: fc.nat(ENTRIES.length - 1), to: place }),
      fc.record({ op: fc.constant('del' as const), entry: fc.nat(ENTRIES.length - 1), to: place }),
      fc.record({ op: fc.constant('splice' as const), entry: place, to: place }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const m = lists();
        const model: number[][] = HEADS.map(() => []);
        for (const { op, entry, to } of steps) {
          if (op === 'splice') {
            if (entry === to) continue;
            listSpliceTailInit(m, HEADS[entry], HEADS[to]);
            model[to].push(...model[entry].splice(0));
            continue;
          }
          // An entry can be in one list only: it leaves the one it is in.
          listDelInit(m, ENTRIES[entry]);
          model.forEach((list, i) => {
            model[i] = list.filter((at) => at !== ENTRIES[entry]);
          });
          if (op === 'add') {
            listAddTail(m, ENTRIES[entry], HEADS[to]);
            model[to].push(ENTRIES[entry]);
          }
        }
        expect(HEADS.map((head) => entries(m, head))).toEqual(model);
        const linked = model.flat();
        for (const at of ENTRIES) expect(listEmpty(m, at)).toBe(!linked.includes(at));
        expect(HEADS.map((head) => listEmpty(m, head))).toEqual(model.map((list) => list.length === 0));
      }),
    );
  });
});
