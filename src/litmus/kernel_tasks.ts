// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of sleeping and waking: task.ts, sched.ts, completion.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { complete, completeAll, waitForCompletion, waitForCompletionTimeout } from '../kernel/completion.js';
import { schedule, scheduleTimeout } from '../kernel/sched.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING, wakeUpProcess } from '../kernel/task.js';
import { addRunningTask, addWord, arena, boot, currentOf } from './world.js';

function sendWork(m: Int32Array, s: { readonly work: number; readonly sleeper: number }): void {
  Atomics.add(m, s.work, 1);
  wakeUpProcess(m, s.sleeper);
}

export const taskWake: Litmus = litmus({
  name: 'task-wake-up',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return {
      sleeper: addRunningTask(m, label, 'sleeper'),
      work: addWord(m, label, 'work'),
      done: addWord(m, label, 'done'),
    };
  },
  threads: {
    wakerA: sendWork,
    wakerB: sendWork,
    sleeper(m, s) {
      const cur = currentOf(m, s.sleeper);
      for (;;) {
        setCurrentState(cur.task, TASK_INTERRUPTIBLE);
        const work = Atomics.exchange(m, s.work, 0);
        if (work !== 0) {
          setCurrentState(cur.task, TASK_RUNNING);
          m[s.done] += work;
        } else {
          schedule(cur);
        }
      }
    },
  },
  daemons: ['sleeper'],
  final(m, s) {
    must(m[s.done] === 2, `${m[s.done]} of 2 pieces of work were done`);
  },
  forbids: 'the sleeper sleeps with work to do',
  why: 'set the state, test the condition, schedule; the waker makes it true first (T1 to T3)',
});

export const taskTimeout: Litmus = litmus({
  name: 'task-timeout',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return { sleeper: addRunningTask(m, label, 'sleeper'), woken: addWord(m, label, 'woken') };
  },
  threads: {
    waker(m, s) {
      wakeUpProcess(m, s.sleeper);
    },
    sleeper(m, s) {
      const cur = currentOf(m, s.sleeper);
      setCurrentState(cur.task, TASK_INTERRUPTIBLE);
      Atomics.store(m, s.woken, scheduleTimeout(cur, 5) ? 1 : 2);
      must(Atomics.load(m, cur.task.state) === TASK_RUNNING, 'the task runs in a sleeping state');
    },
  },
  forbids: 'a task that left its sleep in a sleeping state',
  why: 'a later wake-up would be taken for one it waits for',
});

function pass(m: Int32Array, s: { readonly done: number; readonly passed: number }): void {
  waitForCompletion(m, s.done);
  Atomics.add(m, s.passed, 1);
}

export const completionOnce: Litmus = litmus({
  name: 'completion',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return { done: addWord(m, label, 'completion'), passed: addWord(m, label, 'passed') };
  },
  threads: {
    waiterA: pass,
    waiterB: pass,
    completerA: (m, s) => complete(m, s.done),
    completerB: (m, s) => complete(m, s.done),
  },
  final(m, s) {
    must(m[s.passed] === 2 && m[s.done] === 0, `${m[s.passed]} waits passed, ${m[s.done]} are left`);
  },
  forbids: 'a waiter asleep though there is a completion for it',
  why: 'each complete wakes one, also when the word was above 0 already',
});

export const completionAllTimeout: Litmus = litmus({
  name: 'completion-all-timeout',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return { done: addWord(m, label, 'completion'), data: addWord(m, label, 'data') };
  },
  threads: {
    patient(m, s) {
      waitForCompletion(m, s.done);
      must(m[s.data] === 7, 'what came before complete is not seen');
    },
    hasty(m, s) {
      if (waitForCompletionTimeout(m, s.done, 1))
        must(m[s.data] === 7, 'what came before complete is not seen');
    },
    completer(m, s) {
      m[s.data] = 7;
      completeAll(m, s.done);
    },
  },
  forbids: 'a wait that passes and does not see what came before completeAll',
  why: 'the word publishes (C1, W1)',
});
