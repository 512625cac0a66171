// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of threads that busy poll (seed 003), and of their modes. */
import type { Mutant } from './mutant.js';

const NAPI_POLL = 'net/core/napi_poll.js';
const NAPI_THREADED = 'net/core/napi_threaded.js';
const NAPI_THREAD = 'net/core/napi_thread.js';
const NAPI_CONTROL = 'net/core/napi_control.js';

export const BUSY_THREAD_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'busy-quiescent-clock-per-call',
    commit: '1a86a1f7d889',
    why: 'quiescent states are counted from the start of each call: polls that leave nothing to do never report one',
    edits: [
      {
        file: NAPI_POLL,
        find: 'if (left === POLL_COMPLETED || polls % POLLS_PER_WAKE === 0) {',
        replace: 'if (left !== POLL_COMPLETED && polls % POLLS_PER_WAKE === 0) {',
      },
    ],
    test: 'busy-thread-grace',
    verdict: 'livelock',
  },
  {
    name: 'busy-no-yield',
    commit: 'seed 003',
    why: 'others get their turn only behind polls that used their whole weight',
    edits: [
      {
        file: NAPI_POLL,
        find: ['if (busyPoll)', '                condResched(cur);', '            return;'].join('\n'),
        replace: 'return;',
      },
    ],
    test: 'busy-thread-gives-way',
    verdict: 'assertion',
  },
  {
    name: 'busy-no-yield-full',
    commit: 'own',
    why: 'others do not get their turn behind polls that used their whole weight',
    edits: [
      {
        file: NAPI_POLL,
        find: ['            return;', '        }', '        condResched(cur);', '    }'].join('\n'),
        replace: ['            return;', '        }', '    }'].join('\n'),
      },
    ],
    test: 'busy-thread-gives-way-full',
    verdict: 'assertion',
  },
  {
    name: 'stop-keeps-busy-poll',
    commit: 'seed 003',
    why: 'THREADED_BUSY_POLL outlives the stop: the thread never completes, and the stop never ends',
    edits: [
      {
        file: NAPI_THREADED,
        find: 'val & ~(NAPIF_STATE_THREADED | NAPIF_STATE_THREADED_BUSY_POLL);',
        replace: 'val & ~NAPIF_STATE_THREADED;',
      },
    ],
    test: 'busy-thread-stop',
    verdict: 'livelock',
  },
  {
    name: 'busy-ignores-disable',
    commit: 'seed 003',
    why: 'the busy loop does not look at DISABLE: disable never ends',
    edits: [
      {
        file: NAPI_POLL,
        find: '(val & (NAPIF_STATE_THREADED_BUSY_POLL | NAPIF_STATE_DISABLE)) ===',
        replace: '(val & NAPIF_STATE_THREADED_BUSY_POLL) ===',
      },
    ],
    test: 'busy-thread-disable',
    verdict: 'livelock',
  },
  {
    name: 'busy-ignores-disable-full',
    commit: 'own',
    why: 'polls that use their whole weight do not look at DISABLE',
    edits: [
      {
        file: NAPI_POLL,
        find: ['if (napiDisablePending(n)) {', '        napiCompleteDone'].join('\n'),
        replace: ['if (work < 0) {', '        napiCompleteDone'].join('\n'),
      },
    ],
    test: 'busy-thread-disable-full',
    verdict: 'livelock',
  },
  {
    name: 'busy-no-gro-flush',
    commit: 'seed 003',
    why: 'complete does nothing, and nobody else flushes: frames strand',
    edits: [
      {
        file: NAPI_POLL,
        find: ['if (busyPoll)', '            groFlushNormal(net, n, true);', ''].join('\n'),
        replace: '',
      },
    ],
    test: 'busy-thread-frames',
    verdict: 'livelock',
  },
  {
    name: 'busy-never-entered',
    commit: 'own',
    why: 'THREADED_BUSY_POLL is not heeded: the thread rests',
    edits: [{ file: NAPI_POLL, find: 'Atomics.or(m, state, NAPIF_STATE_IN_BUSY_POLL);', replace: ';' }],
    test: 'busy-thread',
    verdict: 'asleep',
  },
  {
    name: 'busy-never-left',
    commit: 'own',
    why: 'a thread that is to rest keeps IN_BUSY_POLL: it cannot complete',
    edits: [{ file: NAPI_POLL, find: 'Atomics.and(m, state, ~NAPIF_STATE_IN_BUSY_POLL);', replace: ';' }],
    test: 'busy-thread-off',
    verdict: 'livelock',
  },
  {
    name: 'busy-entered-torn',
    commit: 'own',
    why: 'a mode that is given while the thread enters its busy loop is overwritten',
    edits: [
      {
        file: NAPI_POLL,
        find: 'Atomics.or(m, state, NAPIF_STATE_IN_BUSY_POLL);',
        replace: 'Atomics.store(m, state, val | NAPIF_STATE_IN_BUSY_POLL);',
      },
    ],
    test: 'busy-thread-off',
    verdict: 'assertion',
  },
  {
    name: 'mode-keeps-busy-poll',
    commit: 'own',
    why: 'a thread that is to rest busy polls on',
    edits: [
      { file: NAPI_THREADED, find: 'Atomics.and(m, state, ~NAPIF_STATE_THREADED_BUSY_POLL);', replace: ';' },
    ],
    test: 'busy-thread-off',
    verdict: 'assertion',
  },
  {
    name: 'mode-without-busy-poll',
    commit: 'own',
    why: 'busy-poll means enabled',
    edits: [
      {
        file: NAPI_THREAD,
        find: '? NAPIF_STATE_THREADED | NAPIF_STATE_THREADED_BUSY_POLL',
        replace: '? NAPIF_STATE_THREADED',
      },
    ],
    test: 'busy-thread-on',
    verdict: 'assertion',
  },
  {
    name: 'disable-keeps-busy-poll',
    commit: 'own',
    why: 'a mode outlives the one given while the instance was disabled',
    edits: [
      {
        file: NAPI_CONTROL,
        find: '(NAPIF_STATE_THREADED | NAPIF_STATE_THREADED_BUSY_POLL | NAPIF_STATE_PREFER_BUSY_POLL)',
        replace: '(NAPIF_STATE_THREADED | NAPIF_STATE_PREFER_BUSY_POLL)',
      },
    ],
    test: 'busy-thread-mode-bits',
    verdict: 'assertion',
  },
  {
    name: 'hand-over-without-mode',
    commit: 'own',
    why: 'an instance that waited for a thread gets it, and not the mode',
    edits: [
      {
        file: NAPI_THREAD,
        find: 'napiThreadedState(m[config + NAPI_CONFIG.threaded], m[at + NAPI.threadNode])); // N5',
        replace: 'NAPIF_STATE_THREADED);',
      },
    ],
    test: 'busy-thread-hand-over',
    verdict: 'assertion',
  },
  {
    name: 'wait-ignores-park',
    commit: 'own',
    why: 'a thread polls on with an instance that may be gone, though it is to park',
    edits: [
      {
        file: NAPI_POLL,
        find: 'ownedByThread(last) && !kthreadShouldParkOrStop(cur)',
        replace: '!kthreadShouldStop(cur)',
      },
    ],
    test: 'busy-thread-readd',
    verdict: 'livelock',
  },
]);
