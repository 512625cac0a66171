// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of single orderings and bit tests: interrupts, softirqs, timers, RCU. */
import type { Mutant } from './mutant.js';

const HRTIMER = 'kernel/hrtimer.js';
const IRQ = 'kernel/irq.js';
const RCU = 'kernel/rcu.js';
const SOFTIRQ = 'kernel/softirq.js';

export const ORDER_CPU_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'raise-torn',
    commit: 'own',
    why: 'a raise looks, then stores (I1)',
    edits: [
      {
        file: IRQ,
        find: 'const was = Atomics.compareExchange(m, istate, v, next); // I1',
        replace: ['const was = v;', '        Atomics.store(m, istate, next);'].join('\n'),
      },
    ],
    test: 'irq-mask-unmask',
    verdict: 'assertion',
  },
  {
    name: 'handler-end-torn',
    commit: 'own',
    why: 'the end of the handler looks, then stores (I2)',
    edits: [
      {
        file: IRQ,
        find: 'const was = Atomics.compareExchange(m, istate, v, again ? v & ~IRQ_PENDING : v & ~IRQ_INPROGRESS);',
        replace: [
          'const was = v;',
          '            Atomics.store(m, istate, again ? v & ~IRQ_PENDING : v & ~IRQ_INPROGRESS);',
        ].join('\n'),
      },
    ],
    test: 'irq-mask-unmask',
    verdict: 'assertion',
  },
  {
    name: 'unmask-torn',
    commit: 'own',
    why: 'unmask looks, then stores (I3)',
    edits: [
      {
        file: IRQ,
        find: 'const was = Atomics.compareExchange(m, istate, v, take ? IRQ_INPROGRESS : cleared); // I3',
        replace: [
          'const was = v;',
          '        Atomics.store(m, istate, take ? IRQ_INPROGRESS : cleared);',
        ].join('\n'),
      },
    ],
    test: 'irq-mask-unmask',
    verdict: 'assertion',
  },
  {
    name: 'raise-ignores-depth',
    commit: 'own',
    why: 'the handler runs while the interrupt is disabled',
    edits: [
      {
        file: IRQ,
        find: 'const IRQ_OBSTACLES = IRQ_MASKED | IRQ_DEPTH_MASK;',
        replace: 'const IRQ_OBSTACLES = IRQ_MASKED;',
      },
    ],
    test: 'irq-disable-enable',
    verdict: 'race',
  },
  {
    name: 'raise-ignores-mask',
    commit: 'own',
    why: 'the handler runs while the interrupt is masked',
    edits: [
      {
        file: IRQ,
        find: 'const IRQ_OBSTACLES = IRQ_MASKED | IRQ_DEPTH_MASK;',
        replace: 'const IRQ_OBSTACLES = IRQ_DEPTH_MASK;',
      },
    ],
    test: 'irq-mask-hand-over',
    verdict: 'race',
  },
  {
    name: 'handler-goes-round-masked',
    commit: 'own',
    why: 'a pending interrupt is handled again though its handler masked it',
    edits: [{ file: IRQ, find: ' && (v & IRQ_OBSTACLES) === 0;', replace: ';' }],
    test: 'irq-mask-hand-over',
    verdict: 'race',
  },
  {
    name: 'softirq-wakes-first',
    commit: 'own',
    why: 'a raise wakes the CPU before it sets the bit (Q1)',
    edits: [
      {
        file: SOFTIRQ,
        find: 'const was = Atomics.or(m, cpu.softirqPending, 1 << nr); // Q1',
        replace: [
          'if (m[cpu.at + CPU.task] !== cur.task.at) tryToWakeUp(cur, cpuTask(cpu));',
          '    const was = Atomics.or(m, cpu.softirqPending, 1 << nr) | -1;',
        ].join('\n'),
      },
    ],
    test: 'softirq-raise',
    verdict: 'lost-wakeup',
  },
  {
    name: 'ksoftirqd-always-trusted',
    commit: 'own',
    why: 'the CPU leaves softirqs to a ksoftirqd that sleeps (Q3)',
    edits: [
      {
        file: SOFTIRQ,
        find: 'return Atomics.load(m, t + TASK.state) === TASK_RUNNING; // Q3',
        replace: 'return true;',
      },
    ],
    test: 'ksoftirqd-idle',
    verdict: 'lost-wakeup',
  },
  {
    name: 'ksoftirqd-trusted-when-parking',
    commit: 'own',
    why: 'the CPU leaves softirqs to a ksoftirqd that is parking (Q4)',
    edits: [
      {
        file: SOFTIRQ,
        find: [
          'if (Atomics.load(m, cpu.at + CPU.ksoftirqdActive) === 0)',
          '        return false; // Q4',
        ].join('\n'),
        replace: '',
      },
    ],
    test: 'ksoftirqd-park',
    verdict: 'lost-wakeup',
  },
  {
    name: 'ksoftirqd-parks-silently',
    commit: 'own',
    why: 'ksoftirqd parks and does not wake the CPU (Q5)',
    edits: [{ file: SOFTIRQ, find: 'park: handBack,', replace: '' }],
    test: 'ksoftirqd-park',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-start-does-not-wake',
    commit: 'own',
    why: 'a timer is started on a CPU that sleeps (H3)',
    edits: [{ file: HRTIMER, find: 'if (first && t !== cur.task.at)', replace: 'if (false)' }],
    test: 'hrtimer-idle-cpu',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-wakes-first',
    commit: 'own',
    why: 'the CPU is woken before the timer is in its list (H3)',
    edits: [
      {
        file: HRTIMER,
        find: 'm[timer + HRTIMER.expiresUs] = expires;',
        replace: ['m[timer + HRTIMER.expiresUs] = expires;', '    tryToWakeUp(cur, cpuTask(cpu));'].join(
          '\n',
        ),
      },
      { file: HRTIMER, find: 'if (first && t !== cur.task.at)', replace: 'if (first && t < 0)' },
    ],
    test: 'hrtimer-idle-cpu',
    verdict: 'lost-wakeup',
  },
  {
    name: 'idle-looks-at-timers-first',
    commit: 'own',
    why: 'the CPU looks at its timers before it sets its sleeping state (H4)',
    edits: [
      {
        file: SOFTIRQ,
        find: 'setCurrentState(task, TASK_INTERRUPTIBLE); // Q2',
        replace: [
          'const nextUs = hrtimerRunQueues(cur);',
          '        setCurrentState(task, TASK_INTERRUPTIBLE);',
        ].join('\n'),
      },
      {
        file: SOFTIRQ,
        find: 'cpuIdle(cur) {\n    const nextUs = hrtimerRunQueues(cur);',
        replace: 'cpuIdle(cur, nextUs) {',
      },
      {
        file: SOFTIRQ,
        find: 'cpuIdle(cur);\n        interrupted = true;',
        replace: 'cpuIdle(cur, nextUs);\n        interrupted = true;',
      },
    ],
    test: 'hrtimer-idle-cpu',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-cleared-late',
    commit: 'own',
    why: 'who waits for a timer is woken before the word is cleared (H1)',
    edits: [
      {
        file: HRTIMER,
        find: [
          'Atomics.store(m, timer + HRTIMER.running, 0); // H1',
          '        Atomics.notify(m, timer + HRTIMER.running);',
        ].join('\n'),
        replace: [
          'Atomics.notify(m, timer + HRTIMER.running);',
          '        Atomics.store(m, timer + HRTIMER.running, 0);',
        ].join('\n'),
      },
    ],
    test: 'hrtimer-start-cancel',
    verdict: 'asleep',
  },
  {
    name: 'rcu-counts-sleepers',
    commit: 'own',
    why: 'a grace period waits for tasks in a quiescent state',
    edits: [{ file: RCU, find: 'behind = ctr !== 0 && ctr !== gp;', replace: 'behind = ctr !== gp;' }],
    test: 'rcu-grace-period',
    verdict: 'asleep',
  },
  {
    name: 'rcu-wakes-first',
    commit: 'own',
    why: 'a reader that leaves looks for waiters before it clears its counter (U3)',
    edits: [
      {
        file: RCU,
        find: [
          'Atomics.store(m, cur.task.at + TASK.rcuCtr, 0); // U3',
          '    if (Atomics.load(m, WAITING) !== 0)',
          '        wakeUpdater(m);',
        ].join('\n'),
        replace: [
          'if (Atomics.load(m, WAITING) !== 0)',
          '        wakeUpdater(m);',
          '    Atomics.store(m, cur.task.at + TASK.rcuCtr, 0);',
        ].join('\n'),
      },
    ],
    test: 'rcu-grace-period',
    verdict: 'asleep',
  },
]);
