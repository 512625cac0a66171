// SPDX-License-Identifier: GPL-2.0-only
/** Mutants that the sweep found without a test: sleeps, kernel threads, RCU, timers, interrupts. */
import type { Mutant } from './mutant.js';

const HRTIMER = 'kernel/hrtimer.js';
const IRQ = 'kernel/irq.js';
const KTHREAD = 'kernel/kthread.js';
const MUTEX = 'kernel/locking/mutex.js';
const NAPI_POLL = 'net/core/napi_poll.js';
const RCU = 'kernel/rcu.js';
const SMPBOOT = 'kernel/smpboot.js';
const SCHED = 'kernel/sched.js';
const SOFTIRQ = 'kernel/softirq.js';
const TASK = 'kernel/task.js';

export const SWEEP_KERNEL_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'wake-ignores-kind',
    commit: 'own',
    why: 'a wake-up ends a sleep of any kind: the mask is not looked at',
    edits: [{ file: TASK, find: 'while ((seen & mask) !== 0) {', replace: 'while (seen !== 0) {' }],
    test: 'task-wake-kind',
    verdict: 'race',
  },
  {
    name: 'wake-torn',
    commit: 'own',
    why: 'a waker looks at the state, then stores (T3)',
    edits: [
      {
        file: TASK,
        find: 'const was = Atomics.compareExchange(m, word, seen, TASK_RUNNING); // T3',
        replace: ['const was = seen;', '        Atomics.store(m, word, TASK_RUNNING);'].join('\n'),
      },
    ],
    test: 'task-wake-kind',
    verdict: 'race',
  },
  {
    name: 'wake-claimed-twice',
    commit: 'own',
    why: 'a waker whose compare-and-swap failed takes itself for the one who woke',
    edits: [{ file: TASK, find: 'if (was === seen) {', replace: '{' }],
    test: 'task-wake-once',
    verdict: 'assertion',
  },
  {
    name: 'park-sleeps-not',
    commit: 'own',
    why: 'kthread_park returns while the thread still works',
    edits: [
      {
        file: KTHREAD,
        find: ['tryToWakeUp(cur, t); // K1', '    sleepOnCompletion(cur, t + TASK.parked);'].join('\n'),
        replace: 'tryToWakeUp(cur, t);',
      },
    ],
    test: 'kthread-park-waits',
    verdict: 'race',
  },
  {
    name: 'create-push-torn',
    commit: 'own',
    why: 'a request is pushed in two steps: another one is lost (K5)',
    edits: [
      {
        file: KTHREAD,
        find: 'const was = Atomics.compareExchange(m, CREATE_LIST, head, t); // K5',
        replace: [
          'const was = Atomics.load(m, CREATE_LIST);',
          '        if (was === head)',
          '            Atomics.store(m, CREATE_LIST, t);',
        ].join('\n'),
      },
    ],
    test: 'kthread-create-two',
    verdict: 'race',
  },
  {
    name: 'create-take-torn',
    commit: 'own',
    why: 'kthreadd looks at the list, then empties it: a request in between is lost (K6)',
    edits: [
      {
        file: KTHREAD,
        find: 'return Atomics.exchange(m, CREATE_LIST, 0); // K6',
        replace: [
          'const t = Atomics.load(m, CREATE_LIST);',
          '    Atomics.store(m, CREATE_LIST, 0);',
          '    return t;',
        ].join('\n'),
      },
    ],
    test: 'kthread-create-two',
    verdict: 'deadlock',
  },
  {
    name: 'first-wake-not-awaited',
    commit: 'own',
    why: 'a new thread does not wait for its first wake-up',
    edits: [
      {
        file: KTHREAD,
        find: ['complete(m, task.at + TASK.created);', '    schedule(cur);'].join('\n'),
        replace: 'complete(m, task.at + TASK.created);',
      },
    ],
    test: 'kthread-first-wake',
    verdict: 'assertion',
  },
  {
    name: 'kthread-outside-rcu',
    commit: 'own',
    why: 'a kernel thread runs outside any read section',
    edits: [
      {
        file: KTHREAD,
        find: ['rcuReadLock(cur);', '    setCurrentState'].join('\n'),
        replace: 'setCurrentState',
      },
      { file: KTHREAD, find: ['rcuReadUnlock(cur);', '    kthreadExit'].join('\n'), replace: 'kthreadExit' },
    ],
    test: 'kthread-rcu',
    verdict: 'race',
  },
  {
    name: 'grace-period-not-numbered',
    commit: 'own',
    why: 'the number of the grace period is not stored: a busy reader never passes it',
    edits: [{ file: RCU, find: 'Atomics.store(m, GP, gp);', replace: '' }],
    test: 'rcu-busy-reader',
    verdict: 'livelock',
  },
  {
    name: 'quiescent-state-silent',
    commit: '1a86a1f7d889',
    why: 'a busy thread reports no quiescent state',
    edits: [
      {
        file: RCU,
        find: ['if (m[cur.task.at + TASK.rcuCtr] === gp)', '        return;'].join('\n'),
        replace: 'return;',
      },
    ],
    test: 'rcu-busy-reader',
    verdict: 'livelock',
  },
  {
    name: 'busy-poll-silent',
    commit: 'd6dbbb11247c',
    why: 'a thread that polls without end reports no quiescent state',
    edits: [
      {
        file: NAPI_POLL,
        find: ['wakeSockets(net);', '            rcuQuiescentState(cur);'].join('\n'),
        replace: 'wakeSockets(net);',
      },
    ],
    test: 'napi-threaded-busy',
    verdict: 'livelock',
  },
  {
    name: 'sleeper-stays-offline',
    commit: 'own',
    why: 'a thread that wakes is not a reader again',
    edits: [
      {
        file: SCHED,
        find: ['rcuIdleExit(cur);', '}', '/**', ' * Sleeps until woken or'].join('\n'),
        replace: ['}', '/**', ' * Sleeps until woken or'].join('\n'),
      },
    ],
    test: 'rcu-sleep-schedule',
    verdict: 'race',
  },
  {
    name: 'updater-stays-reader',
    commit: 'own',
    why: 'who waits for a grace period counts as a reader and waits for itself',
    edits: [{ file: RCU, find: ['rcuIdleEnter(cur);', '    mutexLock'].join('\n'), replace: 'mutexLock' }],
    test: 'rcu-sleep-for-good',
    verdict: 'deadlock',
  },
  {
    name: 'timer-moves-while-running',
    commit: 'own',
    why: 'a timer whose function is called moves to another CPU',
    edits: [
      {
        file: HRTIMER,
        find: 'while (Atomics.load(m, timer + HRTIMER.running) === 0) {',
        replace: 'for (;;) {',
      },
    ],
    test: 'hrtimer-moves',
    verdict: 'race',
  },
  {
    name: 'timer-base-not-looked-at-again',
    commit: 'own',
    why: 'the base of a timer is not compared once its lock is held',
    edits: [
      {
        file: HRTIMER,
        find: ['if (Atomics.load(m, timer + HRTIMER.base) === base.id)', '            return;'].join('\n'),
        replace: 'return;',
      },
    ],
    test: 'hrtimer-moves',
    verdict: 'exception',
  },
  {
    name: 'timer-early',
    commit: 'own',
    why: 'a timer is called before its time',
    edits: [{ file: HRTIMER, find: 'if (leftUs > 0) {', replace: 'if (leftUs < 0) {' }],
    test: 'hrtimer-not-early',
    verdict: 'assertion',
  },
  {
    name: 'mutex-locks-twice',
    commit: 'own',
    why: 'a task that holds the mutex locks it again and waits for itself (M5)',
    edits: [{ file: MUTEX, find: 'if (mutexIsLockedBy(m, at, taskId)) {', replace: 'if (taskId < 0) {' }],
    test: 'mutex-errors',
    verdict: 'asleep',
  },
  {
    name: 'mutex-unlocks-anothers',
    commit: 'own',
    why: 'unlock does not compare the owner (M5)',
    edits: [{ file: MUTEX, find: 'if (owner !== taskId) {', replace: 'if (owner < 0) {' }],
    test: 'mutex-errors',
    verdict: 'assertion',
  },
  {
    name: 'raise-within-torn',
    commit: 'own',
    why: 'a softirq raised within a softirq pushes out what another thread raised',
    edits: [
      {
        file: SOFTIRQ,
        find: 'Atomics.or(cur.m, cpu.softirqPending, 1 << nr);',
        replace:
          'Atomics.store(cur.m, cpu.softirqPending, Atomics.load(cur.m, cpu.softirqPending) | (1 << nr));',
      },
    ],
    test: 'softirq-raise-within',
    verdict: 'lost-wakeup',
  },
  {
    name: 'handler-outside-rcu',
    commit: 'own',
    why: 'an interrupt handler runs outside any read section',
    edits: [
      { file: IRQ, find: ['rcuReadLock(cur);', '    for'].join('\n'), replace: 'for' },
      {
        file: IRQ,
        find: ['cur.cpu = home;', '    rcuReadUnlock(cur);'].join('\n'),
        replace: 'cur.cpu = home;',
      },
    ],
    test: 'irq-affinity',
    verdict: 'race',
  },
  {
    name: 'exit-touches-task',
    commit: 'own',
    why: 'a thread reports a quiescent state behind its exit: into memory that may be freed',
    edits: [
      {
        file: KTHREAD,
        find: ['rcuReadUnlock(cur);', '    kthreadExit(cur, result);'].join('\n'),
        replace: ['kthreadExit(cur, result);', '    rcuReadUnlock(cur);'].join('\n'),
      },
    ],
    test: 'kthread-first-wake',
    verdict: 'race',
  },
  {
    name: 'cancel-unlocks-other-base',
    commit: 'own',
    why: 'cancel remembers the base from before it held the lock',
    edits: [
      {
        file: HRTIMER,
        find: ['lockBase(cur, timer);', '        const base = cur.cpus[m[timer + HRTIMER.base]];'].join('\n'),
        replace: ['const base = cur.cpus[m[timer + HRTIMER.base]];', '        lockBase(cur, timer);'].join(
          '\n',
        ),
      },
    ],
    test: 'hrtimer-cancel-moving',
    verdict: 'race',
  },
  {
    name: 'task-struct-got-torn',
    commit: 'own',
    why: 'a reference taken while another one is given back: the last one never comes, and it is not freed',
    edits: [
      {
        file: KTHREAD,
        find: 'Atomics.add(m, t + TASK.usage, 1);',
        replace: 'Atomics.store(m, t + TASK.usage, Atomics.load(m, t + TASK.usage) + 1);',
      },
    ],
    test: 'task-struct-last-put',
    verdict: 'assertion',
  },
  {
    name: 'refused-task-kept',
    commit: 'own',
    why: 'the task_struct of a thread that could not be had is not freed',
    edits: [
      {
        file: KTHREAD,
        find: ['if (result !== 0) {', '        putTaskStruct(m, t);'].join('\n'),
        replace: 'if (result !== 0) {',
      },
    ],
    test: 'kthread-create-refused',
    verdict: 'assertion',
  },
  {
    name: 'smpboot-parks-what-is-not-set-up',
    commit: 'own',
    why: 'a CPU that goes down before its thread ran has what was never set up parked',
    edits: [
      {
        file: SMPBOOT,
        find: 'if (status === HP_THREAD_ACTIVE) {',
        replace: '{',
      },
    ],
    test: 'smpboot-down-early',
    verdict: 'assertion',
  },
]);
