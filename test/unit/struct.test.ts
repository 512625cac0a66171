// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readName, writeName } from '../../dist/mm/arena.js';
import {
  CACHE_LINE_WORDS,
  cacheAlign,
  f64,
  line,
  type StructInfo,
  struct,
  word,
  words,
} from '../../dist/mm/struct.js';

const DIST = new URL('../../dist/', import.meta.url);

/** Every struct that the built package declares. */
async function declaredStructs(): Promise<StructInfo[]> {
  const found: StructInfo[] = [];
  const files = readdirSync(DIST, { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((f) => /^(mm|kernel|net|drivers)\/.*\.js$/.test(f))) {
    const module = (await import(new URL(file, DIST).href)) as { readonly [name: string]: unknown };
    for (const value of Object.values(module)) {
      if (typeof value === 'object' && value !== null && 'FIELDS' in value) found.push(value as StructInfo);
    }
  }
  return found;
}

describe('struct', () => {
  it('lays fields out one after the other, and each line on a cache line of its own', () => {
    const s = struct(
      'sample',
      line('first writer', { a: word('one'), b: words(3, 'three'), c: word('one') }),
      line('second writer', { d: word('one') }),
      line('third writer', { e: words(17, 'more than a line'), f: word('one') }),
      line('fourth writer', { g: word('one') }),
    );
    expect([s.a, s.b, s.c]).toEqual([0, 1, 4]);
    expect(s.d).toBe(16);
    expect([s.e, s.f]).toEqual([32, 49]);
    expect(s.g).toBe(64);
    expect(s.SIZE).toBe(80);
    expect(s.NAME).toBe('sample');
  });

  it('puts doubles on even words, so that they can be read as such', () => {
    const s = struct(
      'sample',
      line('writer', { a: word('one'), b: f64('time'), c: word('one'), d: f64('time') }),
    );
    expect([s.a, s.b, s.c, s.d]).toEqual([0, 2, 4, 6]);
    const buffer = new ArrayBuffer(s.SIZE * 4);
    new Float64Array(buffer)[s.b >> 1] = 0.1;
    expect(new DataView(buffer).getFloat64(s.b * 4, true)).toBe(0.1);
  });

  it('says of every field where it is, who writes it and what it means', () => {
    const s = struct(
      'sample',
      line('the task', { state: word('sleeping or not') }),
      line('anybody', { flags: words(2, 'bits') }),
    );
    expect(s.FIELDS).toEqual([
      { name: 'state', offset: 0, words: 1, line: 0, writer: 'the task', doc: 'sleeping or not' },
      { name: 'flags', offset: 16, words: 2, line: 1, writer: 'anybody', doc: 'bits' },
    ]);
  });

  it('refuses a field that is declared twice, by name', () => {
    expect(() => struct('sample', line('x', { state: word('') }), line('y', { state: word('') }))).toThrow(
      'struct sample: field state is declared twice',
    );
  });

  it('cannot be changed afterwards', () => {
    const s = struct('sample', line('writer', { a: word('one') })) as { a: number };
    expect(() => {
      s.a = 5;
    }).toThrow(TypeError);
  });

  it('rounds counts of words up to whole cache lines', () => {
    fc.assert(
      fc.property(fc.nat(1 << 28), (count) => {
        const aligned = cacheAlign(count);
        return aligned >= count && aligned < count + CACHE_LINE_WORDS && aligned % CACHE_LINE_WORDS === 0;
      }),
    );
  });
});

describe('the structs of the package', () => {
  it('let no two fields share a word and no two writers a cache line', async () => {
    const structs = await declaredStructs();
    expect(structs.map((s) => s.NAME)).toEqual(
      expect.arrayContaining(['task_struct', 'cpu', 'ring', 'napi_struct', 'irq_desc']),
    );
    for (const s of structs) {
      let end = 0;
      const writers = new Map<number, string>();
      for (const field of s.FIELDS) {
        const where = `${s.NAME}.${field.name}`;
        expect(field.offset, where).toBeGreaterThanOrEqual(end);
        end = field.offset + field.words;
        const last = Math.floor((end - 1) / CACHE_LINE_WORDS);
        for (let l = Math.floor(field.offset / CACHE_LINE_WORDS); l <= last; l++) {
          expect(writers.get(l) ?? field.writer, where).toBe(field.writer);
          writers.set(l, field.writer);
        }
        expect((s as unknown as { readonly [name: string]: number })[field.name], where).toBe(field.offset);
        expect(field.doc.length, `${where} has no explanation`).toBeGreaterThan(0);
      }
      expect(s.SIZE, s.NAME).toBe(cacheAlign(end));
    }
  });
});

describe('names', () => {
  it('come back as they were written, cut so that a NUL ends them', () => {
    const m = new Int32Array(8).fill(-1);
    for (const [name, kept] of [
      ['eth0', 'eth0'],
      ['', ''],
      ['fifteen-letters', 'fifteen-letters'],
      ['sixteen--letters', 'sixteen--letter'],
      ['napi/eth0-8193-and-more', 'napi/eth0-8193-'],
    ]) {
      writeName(m, 2, 4, name);
      expect(readName(m, 2, 4)).toBe(kept);
      expect([m[0], m[1], m[6], m[7]]).toEqual([-1, -1, -1, -1]);
    }
  });
});
