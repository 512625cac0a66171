// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of sleeping in process context: what RCU makes of it, and who ended a sleep (sched.ts, completion.ts). */
import { type Litmus, litmus, must } from '../check/index.js';
import {
  COMPLETION_ALL,
  complete,
  completeAll,
  completionDone,
  reinitCompletion,
  tryWaitForCompletion,
  waitForCompletion,
  waitForCompletionTimeout,
} from '../kernel/completion.js';
import type { Current } from '../kernel/current.js';
import { taskListAdd } from '../kernel/kthread.js';
import { mutexLock, mutexUnlock } from '../kernel/locking/mutex.js';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '../kernel/rcu.js';
import { releaseMutex, schedule, scheduleTimeout, sleepOnCompletion, sleepOnMutex } from '../kernel/sched.js';
import { setCurrentState, TASK_INTERRUPTIBLE, TASK_RUNNING, wakeUpProcess } from '../kernel/task.js';
import { ARENA_WORDS, addRunningTask, addWord, boot, currentOf } from './world.js';

const arena = (): Int32Array => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));

interface Sleep {
  readonly reader: number;
  readonly updater: number;
  readonly pointer: number;
  readonly object: number;
  /** What the reader sleeps on: a completion, or a mutex that the updater holds at first. */
  readonly on: number;
  readonly flag: number;
}

/** A reader that sleeps inside its read section: no grace period waits for it, and it looks anew when it wakes. */
function sleepingReader(
  name: string,
  sleep: (cur: Current, s: Sleep) => void,
  wake: (m: Int32Array, s: Sleep) => void,
): Litmus {
  return litmus({
    name: `rcu-sleep-${name}`,
    memory: arena,
    setup(m, label): Sleep {
      boot(m, label, 1);
      const s = {
        reader: addRunningTask(m, label, 'reader'),
        updater: addRunningTask(m, label, 'updater'),
        pointer: addWord(m, label, 'pointer'),
        object: addWord(m, label, 'object'),
        on: addWord(m, label, 'on'),
        flag: addWord(m, label, 'flag'),
      };
      taskListAdd(m, s.reader);
      taskListAdd(m, s.updater);
      m[s.object] = 7;
      m[s.pointer] = s.object;
      if (name.startsWith('mutex')) mutexLock(m, s.on, s.updater);
      return s;
    },
    threads: {
      reader(m, s) {
        const cur = currentOf(m, s.reader);
        rcuReadLock(cur);
        sleep(cur, s);
        const p = Atomics.load(m, s.pointer);
        if (p !== 0) must(m[p] === 7, 'a freed object is read');
        rcuReadUnlock(cur);
      },
      waker: (m, s) => {
        if (name !== 'mutex') wake(m, s);
      },
      updater(m, s) {
        const cur = currentOf(m, s.updater);
        Atomics.store(m, s.pointer, 0);
        synchronizeRcu(cur);
        m[s.object] = -1; // freed
        if (name !== 'mutex-early') wake(m, s);
      },
    },
    final(m, s) {
      must(!name.startsWith('mutex') || m[s.on] === 0, 'the mutex is held at the end');
    },
    forbids:
      'a grace period that waits for a sleeper, or one that does not wait for a reader which has woken',
    why: 'a sleep is a quiescent state, which ends before the first look at a pointer',
  });
}

function setFlag(m: Int32Array, s: Sleep): void {
  Atomics.store(m, s.flag, 1);
  wakeUpProcess(m, s.reader);
}

export const rcuSleeps: readonly Litmus[] = Object.freeze([
  sleepingReader(
    'schedule',
    (cur, s) => {
      for (;;) {
        setCurrentState(cur.task, TASK_INTERRUPTIBLE);
        if (Atomics.load(cur.m, s.flag) !== 0) break;
        schedule(cur);
      }
      setCurrentState(cur.task, TASK_RUNNING);
    },
    setFlag,
  ),
  sleepingReader(
    'timeout',
    (cur) => {
      setCurrentState(cur.task, TASK_INTERRUPTIBLE);
      scheduleTimeout(cur, 5);
    },
    setFlag,
  ),
  sleepingReader(
    'completion',
    (cur, s) => sleepOnCompletion(cur, s.on),
    (m, s) => complete(m, s.on),
  ),
  sleepingReader(
    'mutex',
    (cur, s) => {
      sleepOnMutex(cur, s.on);
      releaseMutex(cur, s.on);
    },
    (m, s) => mutexUnlock(m, s.on, s.updater),
  ),
  sleepingReader(
    'mutex-early',
    (cur, s) => {
      sleepOnMutex(cur, s.on);
      releaseMutex(cur, s.on);
    },
    (m, s) => mutexUnlock(m, s.on, s.updater),
  ),
]);

export const rcuSleepForGood: Litmus = litmus({
  name: 'rcu-sleep-for-good',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const s = {
      reader: addRunningTask(m, label, 'reader'),
      updater: addRunningTask(m, label, 'updater'),
      on: addWord(m, label, 'completion'),
    };
    taskListAdd(m, s.reader);
    taskListAdd(m, s.updater);
    return s;
  },
  threads: {
    reader(m, s) {
      const cur = currentOf(m, s.reader);
      rcuReadLock(cur);
      sleepOnCompletion(cur, s.on); // what the updater makes only after its grace period
      setCurrentState(cur.task, TASK_INTERRUPTIBLE);
      schedule(cur);
      rcuReadUnlock(cur);
    },
    updater(m, s) {
      const cur = currentOf(m, s.updater);
      rcuReadLock(cur);
      synchronizeRcu(cur);
      complete(m, s.on);
      synchronizeRcu(cur);
      while (!wakeUpProcess(m, s.reader));
      rcuReadUnlock(cur);
    },
  },
  forbids: 'a grace period that waits for a sleeper which waits for it, or for the updater itself',
  why: 'sleepers are in a quiescent state, and so is who waits for a grace period',
});

export const timeoutTells: Litmus = litmus({
  name: 'task-timeout-tells',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return {
      sleeper: addRunningTask(m, label, 'sleeper'),
      asleep: addWord(m, label, 'asleep'),
      said: addWord(m, label, 'said'),
      saw: addWord(m, label, 'saw'),
    };
  },
  threads: {
    waker(m, s) {
      if (Atomics.load(m, s.asleep) === 0) return;
      m[s.said] = wakeUpProcess(m, s.sleeper) ? 1 : 0;
    },
    stray: (m, s) => {
      Atomics.notify(m, s.sleeper, 1); // meant for an earlier sleep
    },
    sleeper(m, s) {
      const cur = currentOf(m, s.sleeper);
      setCurrentState(cur.task, TASK_INTERRUPTIBLE);
      Atomics.store(m, s.asleep, 1);
      m[s.saw] = scheduleTimeout(cur, 5) ? 1 : 0;
      must(Atomics.load(m, cur.task.state) === TASK_RUNNING, 'it runs in a sleeping state');
    },
  },
  final(m, s) {
    must(m[s.said] === m[s.saw], `the waker says ${m[s.said]}, the sleeper ${m[s.saw]}`);
  },
  forbids: 'a sleeper that says its time was up though somebody woke it, or the other way round',
  why: 'both leave the sleeping state by compare-and-swap: one of them wins',
});

export const completionTimed: Litmus = litmus({
  name: 'completion-timeout',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return { done: addWord(m, label, 'completion'), passed: addWord(m, label, 'passed') };
  },
  threads: {
    hastyA(m, s) {
      if (waitForCompletionTimeout(m, s.done, 1)) Atomics.add(m, s.passed, 1);
    },
    hastyB(m, s) {
      if (waitForCompletionTimeout(m, s.done, 1)) Atomics.add(m, s.passed, 1);
    },
    never(m, s) {
      if (waitForCompletionTimeout(m, s.done, 0)) Atomics.add(m, s.passed, 1);
    },
    completer: (m, s) => complete(m, s.done),
  },
  final(m, s) {
    must(m[s.passed] + m[s.done] === 1, `${m[s.passed]} waits passed and ${m[s.done]} are left, of 1`);
  },
  forbids: 'a completion that is consumed by a wait which says that its time was up, or by two',
  why: 'what a wait answers is whether its compare-and-swap took one',
});

export const completionSaturated: Litmus = litmus({
  name: 'completion-saturated',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return { done: addWord(m, label, 'completion') };
  },
  threads: {
    waiter(m, s) {
      completionDone(m, s.done);
      waitForCompletion(m, s.done);
      must(completionDone(m, s.done), 'not done behind a wait that passed');
    },
    completer(m, s) {
      must(!completionDone(m, s.done), 'done before anybody completed it');
      must(!tryWaitForCompletion(m, s.done), 'a wait passed before anybody completed it');
      completeAll(m, s.done);
      complete(m, s.done);
      must(completionDone(m, s.done), 'not done after completeAll');
      must(tryWaitForCompletion(m, s.done), 'a wait does not pass after completeAll');
    },
  },
  final(m, s) {
    must(m[s.done] === COMPLETION_ALL, `the word is ${m[s.done]} after completeAll`);
    reinitCompletion(m, s.done);
    must(m[s.done] === 0, 'not new after reinitCompletion');
  },
  forbids: 'a completion for all that a wait or another complete takes back',
  why: 'the saturated word is neither counted up nor down',
});
