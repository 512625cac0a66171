// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of sleeping and waking: task, sched, completion, kthread, smpboot. */
import type { Mutant } from './mutant.js';

const TASK = 'kernel/task.js';
const SCHED = 'kernel/sched.js';
const COMPLETION = 'kernel/completion.js';
const KTHREAD = 'kernel/kthread.js';
const SMPBOOT = 'kernel/smpboot.js';

export const TASKS_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'wake-without-notify',
    commit: 'own',
    why: 'wake_up_process sets the state and wakes nobody',
    edits: [{ file: TASK, find: 'Atomics.notify(m, word, 1);', replace: '' }],
    test: 'task-wake-up',
    verdict: 'lost-wakeup',
  },
  {
    name: 'wake-without-cas',
    commit: 'own',
    why: 'two wakers set the state: one wakes a task that sleeps again already',
    edits: [
      {
        file: TASK,
        find: 'const was = Atomics.compareExchange(m, word, seen, TASK_RUNNING); // T3',
        replace: 'const was = seen; Atomics.store(m, word, 64);',
      },
    ],
    test: 'task-wake-up',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timeout-keeps-state',
    commit: 'own',
    why: 'a sleep that timed out leaves the sleeping state',
    edits: [
      {
        file: SCHED,
        find: 'const was = Atomics.compareExchange(m, task.state, state, TASK_RUNNING);',
        replace: 'const was = Atomics.load(m, task.state);',
      },
    ],
    test: 'task-timeout',
    verdict: 'assertion',
  },
  {
    name: 'complete-without-notify',
    commit: 'own',
    why: 'complete wakes nobody',
    edits: [
      {
        file: COMPLETION,
        find: ['            break;', '    }', '    Atomics.notify(m, at, 1);'].join('\n'),
        replace: ['            break;', '    }'].join('\n'),
      },
    ],
    test: 'completion',
    verdict: 'deadlock',
  },
  {
    name: 'complete-notify-first-only',
    commit: 'own',
    why: 'complete wakes only if the word was 0',
    edits: [
      {
        file: COMPLETION,
        find: ['if (Atomics.compareExchange(m, at, done, done + 1) === done)', '            break;'].join(
          '\n',
        ),
        replace: [
          'if (Atomics.compareExchange(m, at, done, done + 1) === done) {',
          '            if (done !== 0)',
          '                return;',
          '            break;',
          '        }',
        ].join('\n'),
      },
    ],
    test: 'completion',
    verdict: 'asleep',
  },
  {
    name: 'complete-torn',
    commit: 'own',
    why: 'complete adds in two steps',
    edits: [
      {
        file: COMPLETION,
        find: ['if (Atomics.compareExchange(m, at, done, done + 1) === done)', '            break;'].join(
          '\n',
        ),
        replace: ['Atomics.store(m, at, done + 1);', '        break;'].join('\n'),
      },
    ],
    test: 'completion',
    verdict: 'asleep',
  },
  {
    name: 'completion-all-early',
    commit: 'own',
    why: 'completeAll before the data is there',
    edits: [
      {
        file: COMPLETION,
        find: 'while (!tryWaitForCompletion(m, at))',
        replace: ['Atomics.load(m, at);', '    while (false)'].join('\n'),
      },
    ],
    test: 'completion-all-timeout',
    verdict: 'race',
  },
  {
    name: 'stop-wakes-first',
    commit: 'own',
    why: 'kthread_stop wakes before it sets SHOULD_STOP',
    edits: [
      {
        file: KTHREAD,
        find: [
          'Atomics.or(m, t + TASK.kthreadFlags, KTHREAD_SHOULD_STOP);',
          '    kthreadUnpark(m, t);',
          '    tryToWakeUp(cur, t); // K1',
        ].join('\n'),
        replace: [
          'kthreadUnpark(m, t);',
          '    tryToWakeUp(cur, t);',
          '    Atomics.or(m, t + TASK.kthreadFlags, KTHREAD_SHOULD_STOP);',
        ].join('\n'),
      },
    ],
    test: 'kthread-stop',
    verdict: 'deadlock',
  },
  {
    name: 'stop-does-not-unpark',
    commit: 'own',
    why: 'a parked thread cannot be stopped',
    edits: [
      {
        file: KTHREAD,
        find: ['KTHREAD_SHOULD_STOP);', '    kthreadUnpark(m, t);'].join('\n'),
        replace: 'KTHREAD_SHOULD_STOP);',
      },
    ],
    test: 'kthread-park-stop',
    verdict: 'deadlock',
  },
  {
    name: 'free-without-grace-period',
    commit: 'seed 000',
    why: 'the task is freed while a waker holds its pointer',
    edits: [
      {
        file: KTHREAD,
        find: ['    synchronizeRcu(cur);', '    putTaskStruct(m, t);'].join('\n'),
        replace: '    putTaskStruct(m, t);',
      },
    ],
    test: 'kthread-park-stop',
    verdict: 'race',
  },
  {
    name: 'parkme-looks-first',
    commit: 'own',
    why: 'parkme tests SHOULD_PARK before it is TASK_PARKED',
    edits: [
      {
        file: KTHREAD,
        find: [
          'setCurrentState(cur.task, TASK_PARKED); // K4',
          '        if (!kthreadShouldPark(cur))',
          '            break;',
          '        complete(cur.m, cur.task.at + TASK.parked);',
        ].join('\n'),
        replace: [
          'if (!kthreadShouldPark(cur))',
          '            break;',
          '        complete(cur.m, cur.task.at + TASK.parked);',
          '        setCurrentState(cur.task, TASK_PARKED);',
        ].join('\n'),
      },
    ],
    test: 'kthread-park-unpark',
    verdict: 'lost-wakeup',
  },
  {
    name: 'unpark-wakes-first',
    commit: 'own',
    why: 'unpark wakes before it clears SHOULD_PARK',
    edits: [
      {
        file: KTHREAD,
        find: [
          'Atomics.and(m, t + TASK.kthreadFlags, ~KTHREAD_SHOULD_PARK);',
          '    wakeUpState(m, t, TASK_PARKED); // K3',
        ].join('\n'),
        replace: [
          'wakeUpState(m, t, TASK_PARKED);',
          '    Atomics.and(m, t + TASK.kthreadFlags, ~KTHREAD_SHOULD_PARK);',
        ].join('\n'),
      },
    ],
    test: 'kthread-park-unpark',
    verdict: 'lost-wakeup',
  },
  {
    name: 'doorbell-first',
    commit: 'own',
    why: 'the doorbell rings before the request is in the list',
    edits: [
      {
        file: KTHREAD,
        find: [
          '        if (was === head)',
          '            break;',
          '        head = was;',
          '    }',
          '    Atomics.add(m, DOORBELL, 1);',
          '    Atomics.notify(m, DOORBELL);',
        ].join('\n'),
        replace: ['        if (was === head)', '            break;', '        head = was;', '    }'].join(
          '\n',
        ),
      },
    ],
    test: 'kthread-create',
    verdict: 'deadlock',
  },
  {
    name: 'refusal-result-late',
    commit: 'own',
    why: 'the result of a refusal is written behind its completion',
    edits: [
      {
        file: KTHREAD,
        find: ['m[t + TASK.createResult] = -err;', '    complete(m, t + TASK.created);'].join('\n'),
        replace: ['complete(m, t + TASK.created);', '    m[t + TASK.createResult] = -err;'].join('\n'),
      },
    ],
    test: 'kthread-create-refused',
    verdict: 'assertion',
  },
  {
    name: 'smpboot-sets-late',
    commit: 'own',
    why: 'shouldRun is asked before the sleeping state is set',
    edits: [
      { file: SMPBOOT, find: 'setCurrentState(cur.task, TASK_INTERRUPTIBLE); // M1', replace: '' },
      {
        file: SMPBOOT,
        find: ['        else {', '            schedule(cur);'].join('\n'),
        replace: [
          '        else {',
          '            setCurrentState(cur.task, TASK_INTERRUPTIBLE);',
          '            schedule(cur);',
        ].join('\n'),
      },
    ],
    test: 'smpboot-park-run',
    verdict: 'lost-wakeup',
  },
]);
