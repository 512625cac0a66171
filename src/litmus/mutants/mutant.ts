// SPDX-License-Identifier: GPL-2.0-only
/** What a mutant is: a bug put in on purpose, as an edit of the built code at load. */
import type { Edit, FindingKind } from '../../check/index.js';

export interface Mutant {
  readonly name: string;
  /** Linux commit that mended or brought it, "seed 000" for a bug of a posted patch, "own" for one of this project's. */
  readonly commit: string;
  /** What is wrong with it. */
  readonly why: string;
  /** Each text to replace must stand in its file exactly once: a stale mutant is a failure. */
  readonly edits: readonly Edit[];
  /** The litmus test that must catch it. */
  readonly test: string;
  /** The verdict that the test must give. */
  readonly verdict: FindingKind;
}
