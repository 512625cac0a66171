// SPDX-License-Identifier: GPL-2.0-only
/**
 * Bugs that this family of protocols has had, or would have if one ordering were turned round: each as an edit of the
 * built code, with the litmus test that must catch it and the verdict it must give.
 */
import type { Edit, FindingKind } from '../check/index.js';

export interface Mutant {
  readonly name: string;
  /** Linux commit that had or mended it, 'own' for those of this project. */
  readonly commit: string;
  readonly why: string;
  readonly edits: readonly Edit[];
  /** The litmus test that must catch it. */
  readonly test: string;
  readonly verdict: FindingKind;
}

const SCHEDULE = 'net/core/napi_schedule.js';
const POLL = 'net/core/napi_poll.js';
const CONTROL = 'net/core/napi_control.js';

export const MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'no-missed',
    commit: '39e6c8208d7b',
    why: 'an event during the last step of a poll is recorded nowhere',
    edits: [
      {
        file: SCHEDULE,
        find: 'next |= NAPIF_STATE_MISSED;',
        replace: 'next |= 0;',
      },
    ],
    test: 'napi-threaded',
    verdict: 'lost-wakeup',
  },
]);
void POLL;
void CONTROL;
