// SPDX-License-Identifier: GPL-2.0-only
/** The ids of the parts of `softnet reproduce`, in their order; parts.ts says what they are. */
export const PART_IDS: readonly string[] = [
  'stream',
  'boot-threads',
  'run-time-threads',
  'rr',
  'reconfig',
  'litmus',
  'mutants',
  'replay',
];
