// SPDX-License-Identifier: GPL-2.0-only
/** What the checker replaces in the code under test, beside clocks (they stand still by themselves). */
import type { Edit } from '../check/index.js';

export const EDITS: readonly Edit[] = Object.freeze([
  {
    // A bound of one look reaches the same states as any larger one: the loop's counter is no state of the protocol.
    file: 'kernel/cpu_relax.js',
    find: 'export const SPIN_LOADS = 100;',
    replace: 'export const SPIN_LOADS = 1;',
  },
]);
