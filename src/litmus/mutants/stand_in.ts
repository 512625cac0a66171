// SPDX-License-Identifier: GPL-2.0-only
/** Mutants of a thread that serves a CPU in place of the CPU's own. */
import type { Mutant } from './mutant.js';

const STAND_IN = 'kernel/cpu_stand_in.js';
const HOTPLUG = 'kernel/cpu_hotplug.js';
const SOFTIRQ = 'kernel/softirq.js';
const HRTIMER = 'kernel/hrtimer.js';

const TAKE = 'Atomics.store(m, cpu.at + CPU.task, cur.task.at); // C4';
const ASK = 'Atomics.store(m, cpu.at + CPU.dying, 1); // C5\n    wakeUpProcess(m, own);';

export const STAND_IN_MUTANTS: readonly Mutant[] = Object.freeze([
  {
    name: 'cpu-taken-unasked',
    commit: 'own',
    why: 'a thread serves a CPU before the CPU’s own has said that it rests (C5)',
    edits: [{ file: STAND_IN, find: 'sleepOnCompletion(cur, cpu.at + CPU.idleDead); // C5', replace: '' }],
    test: 'cpu-take-softirq',
    verdict: 'race',
  },
  {
    name: 'cpu-asked-before-taken',
    commit: 'own',
    why: 'the CPU’s own thread is asked while it still serves: it looks, and serves on (C5)',
    edits: [{ file: STAND_IN, find: `${TAKE}\n    ${ASK}`, replace: `${ASK}\n    ${TAKE}` }],
    test: 'cpu-take-softirq',
    verdict: 'deadlock',
  },
  {
    name: 'cpu-taken-by-two',
    commit: 'own',
    why: 'whether another thread stands in already is not looked at',
    edits: [
      {
        file: STAND_IN,
        find: '!cpuOnline(cpu) || cpuTask(cpu) !== own',
        replace: '!cpuOnline(cpu)',
      },
    ],
    test: 'cpu-take-twice',
    verdict: 'race',
  },
  {
    name: 'cpu-taken-offline',
    commit: 'own',
    why: 'a CPU is served that is offline',
    edits: [
      {
        file: STAND_IN,
        find: '!cpuOnline(cpu) || cpuTask(cpu) !== own',
        replace: 'cpuTask(cpu) !== own',
      },
    ],
    test: 'cpu-take-down',
    verdict: 'assertion',
  },
  {
    name: 'cpu-given-back-unwoken',
    commit: 'own',
    why: 'the CPU’s own thread serves again and does not know it',
    edits: [
      {
        file: STAND_IN,
        find: 'Atomics.store(m, cpu.at + CPU.task, own); // C4\n    wakeUpProcess(m, own);',
        replace: 'Atomics.store(m, cpu.at + CPU.task, own);',
      },
    ],
    test: 'cpu-take-softirq',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cpu-given-back-behind-wake-up',
    commit: 'own',
    why: 'the CPU’s own thread is woken before it serves: it looks, and sleeps again (C4)',
    edits: [
      {
        file: STAND_IN,
        find: 'Atomics.store(m, cpu.at + CPU.task, own); // C4\n    wakeUpProcess(m, own);',
        replace: 'wakeUpProcess(m, own);\n    Atomics.store(m, cpu.at + CPU.task, own);',
      },
    ],
    test: 'cpu-take-softirq',
    verdict: 'lost-wakeup',
  },
  {
    name: 'cpu-down-while-served',
    commit: 'own',
    why: 'a CPU is taken down that an application serves',
    edits: [{ file: HOTPLUG, find: ' || cpuTask(cpu) !== m[cpu.at + CPU.ownTask]', replace: '' }],
    test: 'cpu-take-down',
    verdict: 'assertion',
  },
  {
    name: 'raiser-looks-early',
    commit: 'own',
    why: 'who raises a softirq looks before the bit is set whom to wake (C3)',
    edits: [
      {
        file: SOFTIRQ,
        find: 'const was = Atomics.or(m, cpu.softirqPending, 1 << nr); // Q1',
        replace: 'const t = cpuTask(cpu);\n    const was = Atomics.or(m, cpu.softirqPending, 1 << nr);',
      },
      {
        file: SOFTIRQ,
        find: 'const t = cpuTask(cpu);\n    if (t !== cur.task.at)',
        replace: 'if (t !== cur.task.at)',
      },
    ],
    test: 'cpu-take-softirq',
    verdict: 'lost-wakeup',
  },
  {
    name: 'timer-starter-looks-early',
    commit: 'own',
    why: 'who starts a timer looks before it is in the list whom to wake (C3)',
    edits: [
      {
        file: HRTIMER,
        find: 'm[timer + HRTIMER.expiresUs] = expires;\n    const first',
        replace:
          'm[timer + HRTIMER.expiresUs] = expires;\n    const t = cpuTask(cur.cpus[m[timer + HRTIMER.base]]);\n    const first',
      },
      { file: HRTIMER, find: '    const t = cpuTask(base);\n', replace: '' },
    ],
    test: 'cpu-take-timer',
    verdict: 'lost-wakeup',
  },
  {
    name: 'tasks-look-first',
    commit: 'own',
    why: 'the thread that serves looks at pending softirqs before it sets its sleeping state (Q2)',
    edits: [
      { file: STAND_IN, find: 'setCurrentState(task, TASK_INTERRUPTIBLE); // Q2 of softirq.ts', replace: '' },
      {
        file: STAND_IN,
        find: 'cpuIdle(cur);\n            interrupted = true;',
        replace:
          'setCurrentState(task, TASK_INTERRUPTIBLE);\n            cpuIdle(cur);\n            interrupted = true;',
      },
    ],
    test: 'cpu-tasks-raise-leave',
    verdict: 'lost-wakeup',
  },
  {
    name: 'idle-tasks-leave-softirqs',
    commit: 'own',
    why: 'the thread that serves leaves softirqs to ksoftirqd whether that runs or sleeps',
    edits: [
      {
        file: SOFTIRQ,
        find: 'return Atomics.load(m, t + TASK.state) === TASK_RUNNING; // Q3',
        replace: 'return true;',
      },
    ],
    test: 'cpu-tasks-raise-leave',
    verdict: 'lost-wakeup',
  },
]);
