// SPDX-License-Identifier: GPL-2.0-only
/**
 * The document that `softnet reproduce` writes and that a report is made from. What a part's own command printed is kept
 * whole in `result`: a report shows nothing that is not in this document.
 */

/** The shape below; another number means another shape. */
export const FORMAT = 1;

export type Verdict = 'agrees' | 'differs' | 'this host cannot tell';

/** One statement of a seed against what was measured. */
export interface Check {
  readonly claim: string;
  /** null: this host, or this run, cannot tell. */
  readonly agrees: boolean | null;
  /** What was measured, or why it cannot be told. */
  readonly measured: string;
  /** It does not depend on time: others at work on the host cannot spoil it. */
  readonly exact?: true;
}

/**
 * How a part ended. `cut`: its time was up, `interrupted`: the user had enough; what there was is judged. `failed`: its
 * command is not there, or broke.
 */
export type PartState = 'done' | 'cut' | 'interrupted' | 'failed';

export interface PartResult {
  readonly id: string;
  /** Number of the seed, null for what belongs to none. */
  readonly seed: string | null;
  readonly title: string;
  /** What the seed says. */
  readonly claim: string;
  /** What was left out against a full run, or ''. */
  readonly scope: string;
  /** The arguments of softnet; `command` is the line to type. */
  readonly argv: readonly string[];
  readonly command: string;
  readonly state: PartState;
  readonly exit_code: number | null;
  readonly seconds: number;
  /** The part of all CPU time of the host that others had meanwhile, 0 to 1; null where the host does not tell. */
  readonly others_share: number | null;
  /** null where the part failed: nothing was measured. */
  readonly verdict: Verdict | null;
  readonly reason: string;
  readonly checks: readonly Check[];
  /** The last lines of its standard error. */
  readonly stderr: readonly string[];
  /** The JSON document of the command, null if it gave none. */
  readonly result: unknown;
}

export interface Host {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_bytes: number;
  readonly os: string;
  readonly node: string;
  /** Load of the last minute when the run began, of one that was resumed the highest of all; above the cores others were at work. */
  readonly load: number;
}

export interface RunDocument {
  readonly command: 'softnet reproduce';
  readonly format: typeof FORMAT;
  readonly version: string;
  /** `quick`, `full`, or the name of the one command whose document this is. */
  readonly profile: string;
  readonly host: Host | null;
  /** The first time, where it was resumed. */
  readonly started: string | null;
  /** Of all processes that had a part in it. */
  readonly seconds: number;
  readonly interrupted: boolean;
  /** Parts that did not begin. */
  readonly not_run: readonly string[];
  /** The command that runs what was interrupted or did not begin; missing where nothing is left. */
  readonly resume?: string;
  readonly parts: readonly PartResult[];
}
