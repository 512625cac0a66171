// SPDX-License-Identifier: GPL-2.0-only
/** A target for the harness of bench/fuzz that is broken at case 7, in the way that the job says. */
import { serveCases } from '../../bench/fuzz/watched.mjs';

const BROKEN = {
  hang: () => {
    for (;;);
  },
  throws: () => {
    throw new TypeError('nobody has thought of this');
  },
  exit: () => process.exit(0),
  wrong: () => ({ what: 'case 7: a wrong answer', details: ['a line'] }),
  right: () => null,
};

await serveCases(({ how }) => ({
  one: (n) => (n === 7 ? (BROKEN[how]?.() ?? null) : null),
  end: () => (how === 'leak' ? { what: '1 files were left open' } : { outcomes: { done: 9 }, figures: {} }),
}));
