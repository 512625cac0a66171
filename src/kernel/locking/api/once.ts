// SPDX-License-Identifier: GPL-2.0-only
//
// Once: of all threads that come by, one runs the function, and all leave with it done.
//
// States of the word
//   NOT_RUN  nobody runs the function       -> RUNNING: the thread that wins the CAS
//   RUNNING  one thread runs it             -> DONE: that thread, at the return; -> NOT_RUN: if the function threw
//   DONE     it has run; stays so
//
// Owner: anyone may leave NOT_RUN; only the thread that did so leaves RUNNING.
//
// Invariants
//   1. The function returns at most once in all threads together.
//   2. `execute` returns only when the word is DONE; so whoever returns sees what the function wrote.
//
// Ordering
//   N1  store of DONE or NOT_RUN after the function    release  pairs with N3
//   N2  notify all, after N1                           pairs with N4
//   N3  CAS that fails because the word is DONE        acquire  pairs with N1
//   N4  wait while RUNNING                             pairs with N2; an N1 before it makes it return at once
//
// Differs from atomics-sync 1.0.3:
//   - a thread that comes while the function runs waits for it (there: it returns at once, before what it relies on
//     is there);
//   - isExecuted is true only after the function returned (there: from its start);
//   - if the function throws, the call passes the error on and the next thread runs the function anew (there: it
//     counts as executed);
//   - so a function that calls execute on its own Once waits for itself, as with pthread_once (there: it returns).

const NOT_RUN = 0;
const RUNNING = 1;
const DONE = 2;
const STATE = 0;

/** One-time initialisation among threads. */
export class Once {
  /** A Once whose function has not run: one word of shared memory. */
  static init(): Int32Array<SharedArrayBuffer> {
    return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  }

  /**
   * Runs `fn` unless a thread has done so already; sleeps while another thread runs its own. `fn` must not call
   * `execute` on the same Once.
   * @throws what `fn` throws; the next call then runs its function
   */
  static execute(once: Int32Array<SharedArrayBuffer>, fn: () => void): void {
    for (;;) {
      const state = Atomics.compareExchange(once, STATE, NOT_RUN, RUNNING);
      if (state === DONE) return;
      if (state === NOT_RUN) break;
      Atomics.wait(once, STATE, RUNNING);
    }
    let next = NOT_RUN;
    try {
      fn();
      next = DONE;
    } finally {
      Atomics.store(once, STATE, next);
      Atomics.notify(once, STATE);
    }
  }

  /** Whether the function has run and returned. */
  static isExecuted(once: Int32Array<SharedArrayBuffer>): boolean {
    return Atomics.load(once, STATE) === DONE;
  }
}
