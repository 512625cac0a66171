// SPDX-License-Identifier: GPL-2.0-only
/** Per-CPU areas: one copy of a struct for each simulated CPU, each on cache lines of its own. */
import { kmalloc } from './slab.js';
import type { StructInfo } from './struct.js';

/**
 * Allocates one copy of `layout` for each CPU (Linux: alloc_percpu).
 * @returns the word index of CPU 0's copy, or 0 (ENOMEM)
 */
export function allocPercpu(m: Int32Array, layout: StructInfo, nrCpus: number): number {
  return kmalloc(m, layout.SIZE * nrCpus);
}

/** @returns the word index of `cpu`'s copy (Linux: per_cpu_ptr) */
export function perCpuPtr(base: number, layout: StructInfo, cpu: number): number {
  return base + cpu * layout.SIZE;
}
