// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of parking and stopping: kernel threads in each of their states, ksoftirqd before it is at work. */
import type { Mutant } from './mutant.js';

const KTHREAD = 'kernel/kthread.js';
const SOFTIRQ = 'kernel/softirq.js';

export const PARK_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'ksoftirqd-trusted-when-unparked',
    commit: 'own',
    why: 'the CPU leaves softirqs to a ksoftirqd that runs and is not asked to park, but is not at work yet (Q4)',
    edits: [
      {
        file: SOFTIRQ,
        find: 'if (Atomics.load(m, cpu.at + CPU.ksoftirqdActive) === 0)',
        replace: 'if (Atomics.load(m, t + TASK.kthreadFlags) !== 0)',
      },
    ],
    test: 'ksoftirqd-park-again',
    verdict: 'lost-wakeup',
  },
  {
    name: 'ksoftirqd-trusted-when-new',
    commit: 'own',
    why: 'the same, and it is stopped before it is at work',
    edits: [
      {
        file: SOFTIRQ,
        find: 'if (Atomics.load(m, cpu.at + CPU.ksoftirqdActive) === 0)',
        replace: 'if (Atomics.load(m, t + TASK.kthreadFlags) !== 0)',
      },
    ],
    test: 'ksoftirqd-stop',
    verdict: 'lost-wakeup',
  },
  {
    name: 'ksoftirqd-hands-back-late',
    commit: 'own',
    why: 'ksoftirqd wakes the CPU while it still says that it is at work (Q5)',
    edits: [
      {
        file: SOFTIRQ,
        find: [
          'Atomics.store(m, cpu.at + CPU.ksoftirqdActive, 0);',
          '    tryToWakeUp(cur, cpuTask(cpu)); // Q5',
        ].join('\n'),
        replace: [
          'tryToWakeUp(cur, cpuTask(cpu));',
          '    Atomics.store(m, cpu.at + CPU.ksoftirqdActive, 0);',
        ].join('\n'),
      },
    ],
    test: 'ksoftirqd-park',
    verdict: 'lost-wakeup',
  },
  {
    name: 'ksoftirqd-stops-silently',
    commit: 'own',
    why: 'ksoftirqd is stopped and does not wake the CPU (Q5)',
    edits: [{ file: SOFTIRQ, find: 'cleanup: handBack,', replace: '' }],
    test: 'ksoftirqd-stop',
    verdict: 'lost-wakeup',
  },
  {
    name: 'park-does-not-wait',
    commit: 'own',
    why: 'kthread_park returns while the thread works',
    edits: [{ file: KTHREAD, find: 'sleepOnCompletion(cur, t + TASK.parked);', replace: '' }],
    test: 'kthread-stop-parked',
    verdict: 'race',
  },
  {
    name: 'exit-forgets-parker',
    commit: 'own',
    why: 'a thread exits and does not look whether somebody waits for it to park (K7)',
    edits: [
      {
        file: KTHREAD,
        find: ['if (kthreadShouldPark(cur))', '        complete(m, task.at + TASK.parked);'].join('\n'),
        replace: '',
      },
    ],
    test: 'kthread-park-returned',
    verdict: 'asleep',
  },
  {
    name: 'exit-looks-first',
    commit: 'own',
    why: 'an exiting thread looks whether somebody waits before it is dead (K7)',
    edits: [
      {
        file: KTHREAD,
        find: [
          'Atomics.store(m, task.state, TASK_DEAD); // K7',
          '    if (kthreadShouldPark(cur))',
          '        complete(m, task.at + TASK.parked);',
        ].join('\n'),
        replace: [
          'if (kthreadShouldPark(cur))',
          '        complete(m, task.at + TASK.parked);',
          '    Atomics.store(m, task.state, TASK_DEAD);',
        ].join('\n'),
      },
    ],
    test: 'kthread-park-returned',
    verdict: 'assertion',
  },
  {
    name: 'park-waits-for-dead',
    commit: 'own',
    why: 'kthread_park does not look whether the thread has exited (K8)',
    edits: [
      {
        file: KTHREAD,
        find: ['if (taskDead(m, t))', '        return -ENOSYS; // K8'].join('\n'),
        replace: '',
      },
    ],
    test: 'kthread-park-returned',
    verdict: 'assertion',
  },
  {
    name: 'park-takes-dead-for-parked',
    commit: 'own',
    why: 'kthread_park says that a thread has parked which exited instead',
    edits: [{ file: KTHREAD, find: 'return taskDead(m, t) ? -ENOSYS : 0;', replace: 'return 0;' }],
    test: 'kthread-park-returned',
    verdict: 'assertion',
  },
  {
    name: 'stopped-thread-runs',
    commit: 'own',
    why: 'a thread stopped before it was woken runs its function',
    edits: [
      {
        file: KTHREAD,
        find: ['if (!kthreadShouldStop(cur)) {', '        kthreadParkme(cur);'].join('\n'),
        replace: ['{', '        kthreadParkme(cur);'].join('\n'),
      },
    ],
    test: 'kthread-stop-created',
    verdict: 'assertion',
  },
  {
    name: 'created-thread-does-not-park',
    commit: 'own',
    why: 'a thread parked before it was woken runs first',
    edits: [
      {
        file: KTHREAD,
        find: ['if (!kthreadShouldStop(cur)) {', '        kthreadParkme(cur);'].join('\n'),
        replace: 'if (!kthreadShouldStop(cur)) {',
      },
    ],
    test: 'kthread-park-created',
    verdict: 'assertion',
  },
  {
    name: 'unpark-wakes-anything',
    commit: 'own',
    why: 'unpark starts a thread that was never parked',
    edits: [
      {
        file: KTHREAD,
        find: [
          'if ((Atomics.load(m, t + TASK.kthreadFlags) & KTHREAD_SHOULD_PARK) === 0)',
          '        return;',
        ].join('\n'),
        replace: '',
      },
      { file: KTHREAD, find: 'wakeUpState(m, t, TASK_PARKED); // K3', replace: 'wakeUpState(m, t, 3);' },
    ],
    test: 'kthread-unpark-stop-returned',
    verdict: 'assertion',
  },
  {
    name: 'stop-frees-referenced',
    commit: 'own',
    why: 'kthread_stop frees a task_struct that kthreadd still reads',
    edits: [
      {
        file: KTHREAD,
        find: ['    synchronizeRcu(cur);', '    putTaskStruct(m, t);'].join('\n'),
        replace: ['    synchronizeRcu(cur);', '    kfree(m, t, TASK.SIZE);'].join('\n'),
      },
    ],
    test: 'task-struct-last-put',
    verdict: 'race',
  },
  {
    name: 'put-torn',
    commit: 'own',
    why: 'two give their references back at once, and none is the last (K10)',
    edits: [
      {
        file: KTHREAD,
        find: 'if (Atomics.sub(m, t + TASK.usage, 1) === 1)',
        replace: [
          'const usage = Atomics.load(m, t + TASK.usage);',
          '    Atomics.store(m, t + TASK.usage, usage - 1);',
          '    if (usage === 1)',
        ].join('\n'),
      },
    ],
    test: 'task-struct-last-put',
    verdict: 'race',
  },
]);
