// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of net/core: disable, enable, threads on and off; sockets. */
import type { Mutant } from './mutant.js';

const SOCK_QUEUE = 'net/core/sock_queue.js';
const SCHEDULE = 'net/core/napi_schedule.js';
const CONTROL = 'net/core/napi_control.js';
const THREADED = 'net/core/napi_threaded.js';

export const NAPI_CONTROL_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'split-enable',
    commit: '3765996e4f0b',
    why: 'enable clears SCHED first and NPSVC later: a poll in between cannot complete',
    edits: [
      {
        file: CONTROL,
        find: 'const next = (val & ~(NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC)) | mode;',
        replace:
          'const next = mode | ((val & NAPIF_STATE_SCHED) !== 0 ? val & ~NAPIF_STATE_SCHED : val & ~NAPIF_STATE_NPSVC);',
      },
      {
        file: CONTROL,
        find: [
          '            trace(net.cur, TP_NAPI_STATE, at, val, next);',
          '            return 0;',
          '        }',
          '        val = was;',
        ].join('\n'),
        replace: [
          '            if ((next & NAPIF_STATE_NPSVC) === 0)',
          '                return 0;',
          '            val = next;',
          '            continue;',
          '        }',
          '        val = was;',
        ].join('\n'),
      },
    ],
    test: 'napi-disable-enable',
    verdict: 'livelock',
  },
  {
    name: 'disable-leaves-early',
    commit: '0315a075f134',
    why: 'after a failed compare-and-swap disable does not wait again',
    edits: [
      {
        file: CONTROL,
        find: 'while ((val & (NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC)) !== 0) {',
        replace:
          'for (let first = val; (val & (NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC)) !== 0 && val === first; first = -1) {',
      },
    ],
    test: 'napi-disable-enable',
    verdict: 'race',
  },
  {
    name: 'stop-tests-wrong-bit',
    commit: '247981eecd3d',
    why: 'stop looks at the wrong bit and stops a thread that owns the instance',
    edits: [
      {
        file: THREADED,
        find: 'while ((Atomics.load(m, state) & NAPIF_STATE_SCHED_THREADED) !== 0)',
        replace: 'while ((Atomics.load(m, state) & (1 << 14)) !== 0)',
      },
    ],
    test: 'napi-threaded-off',
    verdict: 'lost-wakeup',
  },
  {
    name: 'stop-leaves-threaded',
    commit: '689883de94dd',
    why: 'stop does not clear THREADED: a schedule goes to a thread that is gone',
    edits: [
      {
        file: THREADED,
        find: [
          'const next = val & ~(NAPIF_STATE_THREADED | NAPIF_STATE_THREADED_BUSY_POLL);',
          '        const was',
        ].join('\n'),
        replace: ['const next = val;', '        const was'].join('\n'),
      },
    ],
    test: 'napi-threaded-off',
    verdict: 'lost-wakeup',
  },
  {
    name: 'threaded-before-thread',
    commit: 'own',
    why: 'THREADED is set before the thread is published: nobody polls',
    edits: [
      {
        file: THREADED,
        find: [
          'const err = napiThreadAttach(net, n);',
          '        if (err !== 0)',
          '            return err;',
        ].join('\n'),
        replace: [
          'Atomics.or(m, state, NAPIF_STATE_THREADED);',
          '        const err = napiThreadAttach(net, n);',
          '        if (err !== 0)',
          '            return err;',
        ].join('\n'),
      },
      { file: SCHEDULE, find: 'if (node !== 0) {', replace: 'if (node === 0) return; {' },
    ],
    test: 'napi-threaded-on',
    verdict: 'lost-wakeup',
  },
  {
    name: 'disable-without-wait',
    commit: 'own',
    why: 'disable does not wait for the owner',
    edits: [
      {
        file: CONTROL,
        find: 'while ((val & (NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC)) !== 0) {',
        replace: 'while ((val & NAPIF_STATE_NPSVC) !== 0) {',
      },
    ],
    test: 'napi-endless',
    verdict: 'race',
  },
  {
    name: 'enable-keeps-sched',
    commit: 'own',
    why: 'enable clears NPSVC and forgets SCHED: the queue is dead',
    edits: [
      {
        file: CONTROL,
        find: '(val & ~(NAPIF_STATE_SCHED | NAPIF_STATE_NPSVC)) | mode;',
        replace: '(val & ~NAPIF_STATE_NPSVC) | mode;',
      },
    ],
    test: 'napi-disable-enable',
    verdict: 'livelock',
  },
  {
    name: 'disable-keeps-bit',
    commit: 'own',
    why: 'DISABLE is not cleared: nobody can schedule again',
    edits: [
      {
        file: CONTROL,
        find: ['    Atomics.and(m, state, ~NAPIF_STATE_DISABLE);', ''].join('\n'),
        replace: '',
      },
    ],
    test: 'napi-disable-enable',
    verdict: 'lost-wakeup',
  },
  {
    name: 'sock-producers-unlocked',
    commit: 'own',
    why: 'two polls queue to one socket without its lock',
    edits: [
      { file: SOCK_QUEUE, find: 'spinLock(m, this.lock);', replace: '' },
      { file: SOCK_QUEUE, find: 'spinUnlock(m, this.lock);', replace: '' },
    ],
    test: 'sock-queue-two-producers',
    verdict: 'race',
  },
  {
    name: 'sock-reader-not-woken',
    commit: 'own',
    why: 'who queues does not wake the reader',
    edits: [
      {
        file: SOCK_QUEUE,
        find: 'Atomics.load(m, waiter + TASK.state) === TASK_RUNNING)',
        replace: 'Atomics.load(m, waiter + TASK.state) !== -1)',
      },
    ],
    test: 'sock-queue-two-producers',
    verdict: 'asleep',
  },
]);
