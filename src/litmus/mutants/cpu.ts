// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of what a CPU does: RCU, interrupts, softirqs, timers. */
import type { Mutant } from './mutant.js';

const RCU = 'kernel/rcu.js';
const IRQ = 'kernel/irq.js';
const SOFTIRQ = 'kernel/softirq.js';
const HRTIMER = 'kernel/hrtimer.js';

export const CPU_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'rcu-reader-late',
    commit: 'own',
    why: 'a reader publishes nothing',
    edits: [{ file: RCU, find: 'Atomics.store(m, cur.task.at + TASK.rcuCtr, gp); // U1', replace: '' }],
    test: 'rcu-grace-period',
    verdict: 'race',
  },
  {
    name: 'rcu-no-wait',
    commit: 'own',
    why: 'synchronize_rcu does not wait',
    edits: [{ file: RCU, find: 'if (!readersBehind(m, gp))', replace: 'if (readersBehind(m, gp) || true)' }],
    test: 'rcu-grace-period',
    verdict: 'race',
  },
  {
    name: 'rcu-qs-not-reported',
    commit: '1a86a1f7d889',
    why: 'a reader that leaves does not wake the updater',
    edits: [
      {
        file: RCU,
        find: [
          'Atomics.store(m, cur.task.at + TASK.rcuCtr, 0); // U3',
          '    if (Atomics.load(m, WAITING) !== 0)',
          '        wakeUpdater(m);',
        ].join('\n'),
        replace: 'Atomics.store(m, cur.task.at + TASK.rcuCtr, 0);',
      },
    ],
    test: 'rcu-grace-period',
    verdict: 'asleep',
  },
  {
    name: 'rcu-waiting-late',
    commit: 'own',
    why: 'the updater says that it waits after it has looked at the readers',
    edits: [
      {
        file: RCU,
        find: [
          'Atomics.store(m, WAITING, 1); // U4',
          '    for (;;) {',
          '        const seq = Atomics.load(m, WAKE);',
          '        if (!readersBehind(m, gp))',
          '            break; // U2',
          '',
        ].join('\n'),
        replace: [
          'for (;;) {',
          '        const seq = Atomics.load(m, WAKE);',
          '        if (!readersBehind(m, gp))',
          '            break;',
          '        Atomics.store(m, WAITING, 1);',
          '',
        ].join('\n'),
      },
    ],
    test: 'rcu-grace-period',
    verdict: 'asleep',
  },
  {
    name: 'rcu-sequence-late',
    commit: 'own',
    why: 'the wake-up word is read behind the look at the readers',
    edits: [
      {
        file: RCU,
        find: [
          '        const seq = Atomics.load(m, WAKE);',
          '        if (!readersBehind(m, gp))',
          '            break; // U2',
          '        Atomics.wait(m, WAKE, seq);',
        ].join('\n'),
        replace: [
          '        if (!readersBehind(m, gp))',
          '            break;',
          '        Atomics.wait(m, WAKE, Atomics.load(m, WAKE));',
        ].join('\n'),
      },
    ],
    test: 'rcu-grace-period',
    verdict: 'asleep',
  },
  {
    name: 'raise-without-pending',
    commit: 'own',
    why: 'a raise while masked is forgotten',
    edits: [
      { file: IRQ, find: 'const next = blocked ? v | IRQ_PENDING :', replace: 'const next = blocked ? v :' },
    ],
    test: 'irq-mask-unmask',
    verdict: 'assertion',
  },
  {
    name: 'unmask-ignores-pending',
    commit: 'own',
    why: 'unmask does not take what was raised meanwhile',
    edits: [{ file: IRQ, find: 'const take = cleared === IRQ_PENDING;', replace: 'const take = false;' }],
    test: 'irq-mask-unmask',
    verdict: 'assertion',
  },
  {
    name: 'handler-ignores-pending',
    commit: 'own',
    why: 'an interrupt raised while the handler runs is forgotten',
    edits: [{ file: IRQ, find: 'again = (v & IRQ_PENDING) !== 0 &&', replace: 'again = v < 0 &&' }],
    test: 'irq-mask-unmask',
    verdict: 'assertion',
  },
  {
    name: 'raise-ignores-inprogress',
    commit: 'own',
    why: 'two handlers at once',
    edits: [
      {
        file: IRQ,
        find: '(v & (IRQ_OBSTACLES | IRQ_INPROGRESS)) !== 0',
        replace: '(v & IRQ_OBSTACLES) !== 0',
      },
    ],
    test: 'irq-mask-unmask',
    verdict: 'race',
  },
  {
    name: 'disable-irq-does-not-wait',
    commit: 'own',
    why: 'disable_irq returns while the handler runs',
    edits: [
      {
        file: IRQ,
        find: 'while ((Atomics.load(m, istate) & IRQ_INPROGRESS) !== 0)',
        replace: 'while (false)',
      },
    ],
    test: 'irq-disable-enable',
    verdict: 'race',
  },
  {
    name: 'disable-irq-does-not-nest',
    commit: 'own',
    why: 'the first enable of two lets the handler run',
    edits: [{ file: IRQ, find: 'v - IRQ_DEPTH;', replace: 'v & ~IRQ_DEPTH_MASK;' }],
    test: 'irq-disable-enable',
    verdict: 'race',
  },
  {
    name: 'raise-without-wake',
    commit: 'own',
    why: 'a softirq is raised and the CPU not woken',
    edits: [
      {
        file: SOFTIRQ,
        find: ['if (t !== cur.task.at)', '        tryToWakeUp(cur, t);', '}', '/** Marks'].join('\n'),
        replace: ['}', '/** Marks'].join('\n'),
      },
    ],
    test: 'softirq-raise',
    verdict: 'lost-wakeup',
  },
  {
    name: 'idle-looks-first',
    commit: 'own',
    why: 'the idle loop looks at pending softirqs before it sets its state',
    edits: [
      { file: SOFTIRQ, find: 'setCurrentState(task, TASK_INTERRUPTIBLE); // Q2', replace: '' },
      {
        file: SOFTIRQ,
        find: ['if (nextUs < 0)', '        schedule(cur);'].join('\n'),
        replace: [
          'if (nextUs < 0) {',
          '        setCurrentState(cur.task, TASK_INTERRUPTIBLE);',
          '        schedule(cur);',
          '    }',
        ].join('\n'),
      },
    ],
    test: 'softirq-raise',
    verdict: 'lost-wakeup',
  },
  {
    name: 'softirq-pending-kept-out',
    commit: 'own',
    why: 'bits set while softirqs run are thrown away',
    edits: [
      {
        file: SOFTIRQ,
        find: 'let pending = cpuOnline(cpu) ? Atomics.exchange(m, cpu.softirqPending, 0) : 0;',
        replace: [
          'let pending = Atomics.load(m, cpu.softirqPending);',
          '    Atomics.store(m, cpu.softirqPending, 0);',
        ].join('\n'),
      },
    ],
    test: 'softirq-raise',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cancel-does-not-wait',
    commit: 'own',
    why: 'cancel returns while the function runs',
    edits: [
      {
        file: HRTIMER,
        find: ['if (running === 0)', '            return was;'].join('\n'),
        replace: 'return was;',
      },
    ],
    test: 'hrtimer-start-cancel',
    verdict: 'race',
  },
  {
    name: 'timer-done-not-notified',
    commit: 'own',
    why: 'who waits for the function of a timer is not woken',
    edits: [{ file: HRTIMER, find: 'Atomics.notify(m, timer + HRTIMER.running);', replace: '' }],
    test: 'hrtimer-start-cancel',
    verdict: 'asleep',
  },
  {
    name: 'timer-running-late',
    commit: 'own',
    why: 'the timer counts as running only behind the lock',
    edits: [
      {
        file: HRTIMER,
        find: [
          'Atomics.store(m, timer + HRTIMER.running, 1);',
          '        const fn = m[timer + HRTIMER.fn];',
          '        const data = m[timer + HRTIMER.data];',
          '        spinUnlock(m, cpu.timerLock);',
        ].join('\n'),
        replace: [
          'const fn = m[timer + HRTIMER.fn];',
          '        const data = m[timer + HRTIMER.data];',
          '        spinUnlock(m, cpu.timerLock);',
          '        Atomics.store(m, timer + HRTIMER.running, 1);',
        ].join('\n'),
      },
    ],
    test: 'hrtimer-start-cancel',
    verdict: 'race',
  },
]);
