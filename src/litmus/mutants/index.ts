// SPDX-License-Identifier: GPL-2.0-only
/**
 * Bugs that this family of protocols has had, or would have if one ordering or bit test were taken away. A run in which
 * one of them is not caught, or does not match the code any more, has failed.
 */
import { CPU_MUTANTS } from './cpu.js';
import { MEMORY_MUTANTS } from './memory.js';
import type { Mutant } from './mutant.js';
import { NAPI_MUTANTS } from './napi.js';
import { TASKS_MUTANTS } from './tasks.js';

export type { Mutant } from './mutant.js';

export const MUTANTS: readonly Mutant[] = Object.freeze([
  ...NAPI_MUTANTS,
  ...TASKS_MUTANTS,
  ...CPU_MUTANTS,
  ...MEMORY_MUTANTS,
]);
