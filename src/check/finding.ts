// SPDX-License-Identifier: GPL-2.0-only
/** What can be wrong with a program: the kinds of counterexample. */
import type { Race } from './races.js';

export const FINDING_KINDS = Object.freeze([
  'assertion',
  'exception',
  'deadlock',
  'lost-wakeup',
  'asleep',
  'livelock',
  'race',
] as const);

export type FindingKind = (typeof FINDING_KINDS)[number];

/** What each kind means, for reports. */
export const FINDING_TEXT: Readonly<Record<FindingKind, string>> = Object.freeze({
  assertion: 'an assertion failed',
  exception: 'a thread threw',
  deadlock: 'deadlock: nothing can move',
  'lost-wakeup': 'lost wake-up: everything sleeps and the final condition does not hold',
  asleep: 'a thread is left asleep at the end',
  livelock: 'livelock: the goal is out of reach',
  race: 'data race on plain accesses',
});

/** A counterexample. */
export interface Finding {
  readonly kind: FindingKind;
  readonly message: string;
  /** Which thread moves, step by step. */
  readonly path: readonly number[];
  readonly race: Race | null;
}
