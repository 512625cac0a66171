// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of timers that must not be late, and of the timed wire. */
import type { Mutant } from './mutant.js';

const HRTIMER = 'kernel/hrtimer.js';

/** Who starts a timer: the wake-up is left out. */
const NOBODY_WOKEN = 'if (look !== 0 && ((expires - look) | 0) >= 0)';

export const TIMED_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'timer-look-later',
    commit: 'own',
    why: 'a CPU that looks at its timers at any time is not woken for an earlier one',
    edits: [{ file: HRTIMER, find: NOBODY_WOKEN, replace: 'if (look !== 0)' }],
    test: 'hrtimer-not-late',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-look-too-early',
    commit: 'own',
    why: 'who starts a timer looks for the promise before the timer is in the list (H8)',
    edits: [
      {
        file: HRTIMER,
        find: 'let cpu = on;',
        replace: 'let cpu = on; const early = Atomics.load(m, on.timerLook);',
      },
      {
        file: HRTIMER,
        find: NOBODY_WOKEN,
        replace: 'if (early !== 0 && ((expires - early) | 0) >= 0)',
      },
    ],
    test: 'hrtimer-cancelled-look',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-look-kept',
    commit: 'own',
    why: 'a CPU sleeps without a limit, and its promise stands (H7)',
    edits: [{ file: HRTIMER, find: 'if (m[cpu.timerLook] === 0)', replace: '' }],
    test: 'hrtimer-cancelled-look',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-look-no-second',
    commit: 'own',
    why: 'a CPU takes its promise back and does not look again (H7)',
    edits: [
      {
        file: HRTIMER,
        find: ['Atomics.store(m, cpu.timerLook, 0); // H7', '            continue;'].join('\n'),
        replace: 'Atomics.store(m, cpu.timerLook, 0); return ran ? 0 : -1;',
      },
    ],
    test: 'hrtimer-cancelled-look',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-look-not-renewed',
    commit: 'own',
    why: 'a CPU that finds a later timer than it was to look for does not say when it looks again',
    edits: [
      {
        file: HRTIMER,
        find: 'if (leftUs > 0) {',
        replace:
          'if (leftUs > 0 && m[cpu.timerLook] !== 0) { spinUnlock(m, cpu.timerLock); return ran ? 0 : -1; } if (leftUs > 0) {',
      },
    ],
    test: 'hrtimer-put-off',
    verdict: 'lost-wakeup',
  },
]);
