// SPDX-License-Identifier: GPL-2.0-only
/**
 * Mutants of the sweep that no litmus test needs to notice, each with the reason. A survivor that is not here, or an
 * entry that is caught or matches nothing, fails the sweep.
 */
export interface Survivors {
  readonly why: string;
  /** Keys of mutants, as the sweep prints them. */
  readonly keys: readonly string[];
}

export const SURVIVORS: readonly Survivors[] = Object.freeze([]);
