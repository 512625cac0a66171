// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of single orderings and bit tests: tasks, completions, kernel threads, locks. */
import type { Mutant } from './mutant.js';

const BH = 'kernel/bh.js';
const COMPLETION = 'kernel/completion.js';
const KTHREAD = 'kernel/kthread.js';
const MUTEX = 'kernel/locking/mutex.js';
const SPINLOCK = 'kernel/locking/spinlock.js';
const SCHED = 'kernel/sched.js';

export const ORDER_TASKS_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'sleep-compares-late',
    commit: 'own',
    why: 'the sleeper compares with the state as it is now, not as it set it (T4)',
    edits: [
      {
        file: SCHED,
        find: 'Atomics.wait(m, task.state, state);',
        replace: 'Atomics.wait(m, task.state, Atomics.load(m, task.state));',
      },
    ],
    test: 'task-wake-up',
    verdict: 'lost-wakeup',
  },
  {
    name: 'completion-taken-twice',
    commit: 'own',
    why: 'a wait takes in two steps (W1)',
    edits: [
      {
        file: COMPLETION,
        find: 'if (Atomics.compareExchange(m, at, done, done - 1) === done)',
        replace: 'if (Atomics.store(m, at, done - 1) === done - 1)',
      },
    ],
    test: 'completion',
    verdict: 'asleep',
  },
  {
    name: 'completion-waits-late',
    commit: 'own',
    why: 'the sleeper compares with the word as it is now (W2)',
    edits: [
      {
        file: COMPLETION,
        find: 'Atomics.wait(m, at, 0);',
        replace: 'Atomics.wait(m, at, Atomics.load(m, at));',
      },
    ],
    test: 'completion',
    verdict: 'deadlock',
  },
  {
    name: 'complete-all-wakes-one',
    commit: 'own',
    why: 'completeAll wakes one of two',
    edits: [{ file: COMPLETION, find: 'Atomics.notify(m, at);', replace: 'Atomics.notify(m, at, 1);' }],
    test: 'completion-all-timeout',
    verdict: 'asleep',
  },
  {
    name: 'complete-all-notifies-first',
    commit: 'own',
    why: 'completeAll wakes before it stores (C1, C2)',
    edits: [
      {
        file: COMPLETION,
        find: ['Atomics.store(m, at, COMPLETION_ALL);', '    Atomics.notify(m, at);'].join('\n'),
        replace: ['Atomics.notify(m, at);', '    Atomics.store(m, at, COMPLETION_ALL);'].join('\n'),
      },
    ],
    test: 'completion-all-timeout',
    verdict: 'asleep',
  },
  {
    name: 'spin-waits-late',
    commit: 'own',
    why: 'a waiter compares with the word as it is now (L3)',
    edits: [
      {
        file: SPINLOCK,
        find: 'Atomics.wait(m, at, SPIN_CONTENDED);',
        replace: 'Atomics.wait(m, at, Atomics.load(m, at));',
      },
    ],
    test: 'spinlock',
    verdict: 'asleep',
  },
  {
    name: 'lock-does-not-mark',
    commit: 'own',
    why: 'a waiter sleeps without marking the lock CONTENDED (L2)',
    edits: [
      {
        file: SPINLOCK,
        find: [
          'while (Atomics.exchange(m, at, SPIN_CONTENDED) !== SPIN_FREE)',
          '        Atomics.wait(m, at, SPIN_CONTENDED);',
        ].join('\n'),
        replace: [
          'while (Atomics.compareExchange(m, at, SPIN_FREE, SPIN_LOCKED) !== SPIN_FREE)',
          '        Atomics.wait(m, at, SPIN_LOCKED);',
        ].join('\n'),
      },
    ],
    test: 'spinlock',
    verdict: 'asleep',
  },
  {
    name: 'unlock-torn',
    commit: 'own',
    why: 'unlock looks, then stores (U1)',
    edits: [
      {
        file: SPINLOCK,
        find: 'const was = Atomics.exchange(m, at, SPIN_FREE);',
        replace: ['const was = Atomics.load(m, at);', '    Atomics.store(m, at, SPIN_FREE);'].join('\n'),
      },
    ],
    test: 'spinlock',
    verdict: 'deadlock',
  },
  {
    name: 'unlock-notifies-first',
    commit: 'own',
    why: 'unlock wakes before it frees (U1, U2)',
    edits: [
      {
        file: SPINLOCK,
        find: 'const was = Atomics.exchange(m, at, SPIN_FREE);',
        replace: [
          'Atomics.notify(m, at, 1);',
          '    const was = Atomics.exchange(m, at, SPIN_FREE) === SPIN_FREE ? SPIN_FREE : SPIN_LOCKED;',
        ].join('\n'),
      },
    ],
    test: 'spinlock',
    verdict: 'deadlock',
  },
  {
    name: 'mutex-without-lock',
    commit: 'own',
    why: 'the mutex does not take its lock (M1)',
    edits: [{ file: MUTEX, find: 'spinLock(m, at + MUTEX_STATE);', replace: '' }],
    test: 'mutex',
    verdict: 'assertion',
  },
  {
    name: 'mutex-owner-early',
    commit: 'own',
    why: 'the owner is written before the lock is held (M2)',
    edits: [
      {
        file: MUTEX,
        find: ['spinLock(m, at + MUTEX_STATE);', '    Atomics.store(m, at + MUTEX_OWNER, taskId);'].join(
          '\n',
        ),
        replace: ['Atomics.store(m, at + MUTEX_OWNER, taskId);', '    spinLock(m, at + MUTEX_STATE);'].join(
          '\n',
        ),
      },
    ],
    test: 'mutex',
    verdict: 'assertion',
  },
  {
    name: 'mutex-keeps-lock',
    commit: 'own',
    why: 'unlock clears the owner and keeps the lock (M4)',
    edits: [
      {
        file: MUTEX,
        find: ['Atomics.store(m, at + MUTEX_OWNER, NO_TASK);', '    spinUnlock(m, at + MUTEX_STATE);'].join(
          '\n',
        ),
        replace: 'Atomics.store(m, at + MUTEX_OWNER, NO_TASK);',
      },
    ],
    test: 'mutex',
    verdict: 'asleep',
  },
  {
    name: 'bh-does-not-nest',
    commit: 'own',
    why: 'the first of two enables releases the BH lock (B1)',
    edits: [
      {
        file: BH,
        find: ['if (cur.bhCount === 0)', '        spinUnlock'].join('\n'),
        replace: ['if (cur.bhCount >= 0)', '        spinUnlock'].join('\n'),
      },
    ],
    test: 'bh-lock-yield',
    verdict: 'exception',
  },
  {
    name: 'bh-keeps-lock',
    commit: 'own',
    why: 'the BH lock is not released (B1)',
    edits: [
      {
        file: BH,
        find: ['if (cur.bhCount === 0)', '        spinUnlock'].join('\n'),
        replace: ['if (cur.bhCount < 0)', '        spinUnlock'].join('\n'),
      },
    ],
    test: 'bh-lock-yield',
    verdict: 'livelock',
  },
  {
    name: 'park-wakes-first',
    commit: 'own',
    why: 'kthread_park wakes before it sets SHOULD_PARK (K1)',
    edits: [
      {
        file: KTHREAD,
        find: 'const was = Atomics.or(m, t + TASK.kthreadFlags, KTHREAD_SHOULD_PARK);',
        replace: [
          'tryToWakeUp(cur, t);',
          '    const was = Atomics.or(m, t + TASK.kthreadFlags, KTHREAD_SHOULD_PARK);',
          '    if (was === 0) {',
          '        sleepOnCompletion(cur, t + TASK.parked);',
          '        return 0;',
          '    }',
        ].join('\n'),
      },
    ],
    test: 'kthread-park-unpark',
    verdict: 'deadlock',
  },
  {
    name: 'stop-does-not-wait',
    commit: 'own',
    why: 'kthread_stop frees a thread that still runs',
    edits: [{ file: KTHREAD, find: 'sleepOnCompletion(cur, t + TASK.exited);', replace: '' }],
    test: 'kthread-stop',
    verdict: 'race',
  },
  {
    name: 'doorbell-not-moved',
    commit: 'own',
    why: 'the doorbell is not moved: kthreadd that has looked sleeps on (K5)',
    edits: [{ file: KTHREAD, find: 'Atomics.add(m, DOORBELL, 1);', replace: '' }],
    test: 'kthread-create',
    verdict: 'deadlock',
  },
  {
    name: 'task-list-unlocked',
    commit: 'own',
    why: 'the task list is changed without its lock',
    edits: [
      {
        file: KTHREAD,
        find: ['spinLock(m, KERNEL_AT + KERNEL.taskLock);', '    const first'].join('\n'),
        replace: 'const first',
      },
    ],
    test: 'kthread-stop',
    verdict: 'exception',
  },
]);
