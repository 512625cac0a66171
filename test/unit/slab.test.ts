// SPDX-License-Identifier: GPL-2.0-only
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { allocPercpu, perCpuPtr } from '../../dist/mm/percpu.js';
import { kfree, kmalloc, mmFreeWords, mmInit, ROOT_AT } from '../../dist/mm/slab.js';
import { CACHE_LINE_WORDS, line, struct, word } from '../../dist/mm/struct.js';
import { endWorkers, KernelLab, stopLabs } from '../helpers/kernel_lab.js';

const HANG_MS = 20_000;

interface Churned {
  readonly shared: number;
  readonly dirty: number;
  readonly overwritten: number;
  readonly refused: number;
}

afterEach(stopLabs);
afterAll(endWorkers);

function arena(words = 1 << 18): Int32Array {
  const m = new Int32Array(new SharedArrayBuffer(words * 4));
  mmInit(m);
  return m;
}

/** Takes blocks of `size` words until there are none. */
function exhaust(m: Int32Array, size: number): number[] {
  const blocks: number[] = [];
  for (let at = kmalloc(m, size); at !== 0; at = kmalloc(m, size)) blocks.push(at);
  return blocks;
}

/** The blocks that share words with another one. */
function overlaps(blocks: readonly { readonly at: number; readonly size: number }[]): unknown[] {
  const sorted = blocks.toSorted((a, b) => a.at - b.at);
  return sorted.filter((block, i) => i > 0 && sorted[i - 1].at + sorted[i - 1].size > block.at);
}

describe('guard words', () => {
  function guarded(): Int32Array {
    const m = new Int32Array(new SharedArrayBuffer((1 << 18) * 4));
    mmInit(m, CACHE_LINE_WORDS);
    return m;
  }

  it('tell of a write right behind a block, and further, when it is freed', () => {
    for (const size of [1, 16, 20, 500]) {
      const m = guarded();
      for (const beyond of [0, CACHE_LINE_WORDS - 1]) {
        const at = kmalloc(m, size);
        const was = m[at + size + beyond];
        m[at + size + beyond] = 7;
        const why = `word ${size + beyond} of a block of ${size} at ${at} is 0x7`;
        expect(() => kfree(m, at, size)).toThrow(why);
        m[at + size + beyond] = was;
        expect(() => kfree(m, at, size)).not.toThrow();
      }
    }
  });

  it('leave blocks as they are: zeroed, apart, used again', () => {
    const m = guarded();
    const blocks = [1, 16, 17, 100].map((size) => ({ at: kmalloc(m, size), size }));
    for (const { at, size } of blocks) {
      expect(m.subarray(at, at + size).every((w) => w === 0)).toBe(true);
      m.fill(-1, at, at + size);
    }
    expect(overlaps(blocks)).toEqual([]);
    for (const { at, size } of blocks) {
      kfree(m, at, size);
      expect(kmalloc(m, size)).toBe(at);
      expect(m.subarray(at, at + size).every((w) => w === 0)).toBe(true);
    }
  });
});

describe('kmalloc', () => {
  it('hands out zeroed blocks on cache lines of their own, behind the roots', () => {
    const m = arena();
    const blocks = [1, 15, 16, 17, 100, 1000, 1].map((size) => ({ at: kmalloc(m, size), size }));
    for (const { at, size } of blocks) {
      expect(at % CACHE_LINE_WORDS).toBe(0);
      expect(at).toBeGreaterThan(ROOT_AT);
      expect(m.subarray(at, at + size).every((w) => w === 0)).toBe(true);
      m.fill(-1, at, at + size);
    }
    expect(overlaps(blocks)).toEqual([]);
  });

  it('gives back freed memory, zeroed', () => {
    const m = arena();
    for (const size of [1, 16, 17, 33, 500]) {
      const at = kmalloc(m, size);
      m.fill(-1, at, at + size);
      kfree(m, at, size);
      const left = mmFreeWords(m);
      expect(kmalloc(m, size)).toBe(at);
      expect(mmFreeWords(m)).toBe(left);
      expect(m.subarray(at, at + size).every((w) => w === 0)).toBe(true);
    }
  });

  it('uses every freed block again before it takes new memory', () => {
    const m = arena();
    const blocks = Array.from({ length: 50 }, () => kmalloc(m, 40));
    for (const at of blocks) kfree(m, at, 40);
    const left = mmFreeWords(m);
    const again = Array.from({ length: 50 }, () => kmalloc(m, 40));
    expect(mmFreeWords(m)).toBe(left);
    expect(again.toSorted()).toEqual(blocks.toSorted());
  });

  it('answers 0 when memory is out, and goes on with what is given back', () => {
    const m = arena();
    const blocks = exhaust(m, 64);
    expect(blocks.length).toBeGreaterThan(1000);
    expect(new Set(blocks).size).toBe(blocks.length);
    expect(kmalloc(m, 64)).toBe(0);
    kfree(m, blocks[7], 64);
    expect(kmalloc(m, 64)).toBe(blocks[7]);
    expect(kmalloc(m, 64)).toBe(0);
  });

  it('still has small blocks after it refused a large one', () => {
    const m = arena();
    const left = mmFreeWords(m);
    for (let i = 0; i < 100; i++) expect(kmalloc(m, 1 << 20)).toBe(0);
    expect(mmFreeWords(m)).toBe(left);
    expect(kmalloc(m, 64)).toBeGreaterThan(0);
  });

  it('refuses what no arena can hold', () => {
    for (const size of [2 ** 28, 2 ** 30, 2 ** 30 + 1, 2 ** 31 - 16]) {
      const m = arena();
      expect.soft(kmalloc(m, size), `${size} words`).toBe(0);
      expect.soft(exhaust(m, 1024).length, `after ${size} words`).toBeGreaterThan(100);
    }
  });

  it('never hands out the end of the arena, past which headers may be read', () => {
    const m = arena();
    const blocks = exhaust(m, 16);
    expect(Math.max(...blocks) + 16).toBeLessThanOrEqual(m.length - (1 << 16));
  });

  it('takes a free of nothing', () => {
    const m = arena();
    const left = mmFreeWords(m);
    kfree(m, 0, 64);
    expect(kmalloc(m, 64)).toBeGreaterThan(0);
    expect(mmFreeWords(m)).toBe(left - 64);
  });
});

describe('kmalloc from three threads', () => {
  it('gives no block to two owners, and every block zeroed', { timeout: HANG_MS }, async () => {
    const lab = new KernelLab('slab_scenarios.mjs', { words: 1 << 20, shake: 50 });
    const owners = lab.words(lab.m.length / CACHE_LINE_WORDS);
    const args = { owners, rounds: 8000, most: 20, sizes: [1, 16, 20, 33, 100] };
    for (const seen of await lab.runAll<Churned>(3, 'churn', args)) {
      expect(seen).toEqual({ shared: 0, dirty: 0, overwritten: 0, refused: 0 });
    }
  });

  it('does not take more and more memory for the same few blocks', { timeout: HANG_MS }, async () => {
    const lab = new KernelLab('slab_scenarios.mjs', { words: 1 << 20, shake: 50 });
    const owners = lab.words(lab.m.length / CACHE_LINE_WORDS);
    const args = { owners, most: 4, sizes: [16], rounds: 3000 };
    await lab.runAll(3, 'churn', args);
    const before = mmFreeWords(lab.m);
    for (let i = 0; i < 3; i++) await lab.runAll(3, 'churn', args);
    // Never more than 12 blocks are held at once; the rest is the room for gates and tasks of the test itself.
    expect((before - mmFreeWords(lab.m)) / CACHE_LINE_WORDS).toBeLessThan(200);
  });

  it('refuses nothing while there are free blocks for everybody', { timeout: HANG_MS }, async () => {
    const lab = new KernelLab('slab_scenarios.mjs', { shake: 50 });
    const size = 256;
    const owners = lab.words(lab.m.length / CACHE_LINE_WORDS);
    const gate = lab.words(1);
    const blocks = exhaust(lab.m, size);
    // Small blocks stay for what starting a thread takes.
    for (const at of blocks.slice(0, 12)) kfree(lab.m, at, size);
    const args = { owners, gate, count: 3, most: 2, sizes: [size], rounds: 4000 };
    const all = await Promise.all([1, 2, 3].map((id) => lab.run<Churned>('churn', { ...args, id })));
    expect(all.map((seen) => seen.refused)).toEqual([0, 0, 0]);
  });

  it('hands out no block twice while larger requests are refused', { timeout: HANG_MS }, async () => {
    const lab = new KernelLab('slab_scenarios.mjs', { words: 1 << 20, shake: 20 });
    const args = { large: 1 << 20, size: 16, rounds: 5000 };
    const kept = await lab.runAll<number[]>(3, 'askLargeAndSmall', args);
    const blocks = kept.flat().map((at) => ({ at, size: 16 }));
    expect.soft(overlaps(blocks).length, 'blocks that overlap').toBe(0);
    expect.soft(blocks.length, 'blocks handed out').toBe(15_000);
  });
});

describe('per-CPU areas', () => {
  it('gives each CPU a copy on cache lines of its own', () => {
    const m = arena();
    const layout = struct('sample', line('its CPU', { a: word('first'), b: word('second') }));
    const base = allocPercpu(m, layout, 4);
    const copies = [0, 1, 2, 3].map((cpu) => perCpuPtr(base, layout, cpu));
    for (const at of copies) {
      expect(at % CACHE_LINE_WORDS).toBe(0);
      m.fill(-1, at, at + layout.SIZE);
    }
    expect(overlaps(copies.map((at) => ({ at, size: layout.SIZE })))).toEqual([]);
    // The next block lies behind all of them.
    expect(overlaps([...copies, kmalloc(m, 16)].map((at) => ({ at, size: 16 })))).toEqual([]);
  });

  it('answers 0 when there is no room', () => {
    const layout = struct('sample', line('its CPU', { a: word('only') }));
    expect(allocPercpu(arena(), layout, 1 << 20)).toBe(0);
  });
});
