// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of sleeping and waking: task.ts, sched.ts, completion.ts, kthread.ts, smpboot.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { complete, completeAll, waitForCompletion, waitForCompletionTimeout } from '../kernel/completion.js';
import type { Current } from '../kernel/current.js';
import {
  kthread,
  kthreadPark,
  kthreadParkme,
  kthreadShouldPark,
  kthreadShouldStop,
  kthreadStop,
  kthreadUnpark,
  taskListAdd,
} from '../kernel/kthread.js';
import { rcuReadLock, rcuReadUnlock } from '../kernel/rcu.js';
import { schedule, scheduleTimeout, sleepOnCompletion } from '../kernel/sched.js';
import { type SmpHotplugThread, smpbootThreadFn } from '../kernel/smpboot.js';
import { setCurrentState, TASK, TASK_INTERRUPTIBLE, TASK_RUNNING, wakeUpProcess } from '../kernel/task.js';
import { ARENA_WORDS, addRunningTask, addTask, addWord, boot, currentOf } from './world.js';

const arena = (): Int32Array => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));

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
    wakerA(m, s) {
      Atomics.add(m, s.work, 1);
      wakeUpProcess(m, s.sleeper);
    },
    wakerB(m, s) {
      Atomics.add(m, s.work, 1);
      wakeUpProcess(m, s.sleeper);
    },
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

export const completionOnce: Litmus = litmus({
  name: 'completion',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return { done: addWord(m, label, 'completion'), passed: addWord(m, label, 'passed') };
  },
  threads: {
    waiterA(m, s) {
      waitForCompletion(m, s.done);
      Atomics.add(m, s.passed, 1);
    },
    waiterB(m, s) {
      waitForCompletion(m, s.done);
      Atomics.add(m, s.passed, 1);
    },
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

/** A kernel thread's function that works on a counter and parks when asked. */
function worker(cur: Current, work: number, done: number): number {
  const { m } = cur;
  for (;;) {
    setCurrentState(cur.task, TASK_INTERRUPTIBLE);
    if (kthreadShouldStop(cur)) break;
    if (kthreadShouldPark(cur)) {
      kthreadParkme(cur);
      continue;
    }
    if (Atomics.exchange(m, work, 0) !== 0) {
      setCurrentState(cur.task, TASK_RUNNING);
      m[done]++;
    } else {
      schedule(cur);
    }
  }
  setCurrentState(cur.task, TASK_RUNNING);
  return 0;
}

interface WorkerSetup {
  readonly main: number;
  readonly thread: number;
  readonly work: number;
  readonly done: number;
}

function workerSetup(m: Int32Array, label: Parameters<typeof boot>[1]): WorkerSetup {
  boot(m, label, 1);
  return {
    main: addRunningTask(m, label, 'main'),
    thread: addTask(m, label, 'kthread'),
    work: addWord(m, label, 'work'),
    done: addWord(m, label, 'done'),
  };
}

function workerThread(m: Int32Array, s: WorkerSetup): void {
  const cur = currentOf(m, s.thread);
  kthread(cur, (c) => worker(c, s.work, s.done));
}

export const kthreadStopNew: Litmus = litmus({
  name: 'kthread-stop',
  memory: arena,
  setup: workerSetup,
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.thread + TASK.created);
      wakeUpProcess(m, s.thread);
      kthreadStop(cur, s.thread);
      m[s.done] += 100; // the thread is gone: its data is ours
    },
    kthread: workerThread,
  },
  final(m, s) {
    must(m[s.done] === 100, 'the thread has worked on nothing');
  },
  forbids: 'a stop that never returns, or returns before the thread is gone',
  why: 'the flag is set before the wake-up, and looked at behind the sleeping state (K1, K2)',
});

export const kthreadParking: Litmus = litmus({
  name: 'kthread-park-unpark',
  memory: arena,
  setup: workerSetup,
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.thread + TASK.created);
      wakeUpProcess(m, s.thread);
      must(kthreadPark(cur, s.thread) === 0, 'park was refused');
      m[s.done] += 100; // parked: its data is ours
      kthreadUnpark(m, s.thread);
      Atomics.store(m, s.work, 1);
      wakeUpProcess(m, s.thread);
    },
    kthread: workerThread,
  },
  daemons: ['kthread'],
  final(m, s) {
    must(m[s.done] === 101, `work sent after unpark was lost: ${m[s.done]}`);
  },
  forbids: 'a parked thread that works, or one that stays parked after unpark',
  why: 'unpark clears the flag before it wakes; parkme sets its state before it looks (K3, K4)',
});

export const kthreadParkStop: Litmus = litmus({
  name: 'kthread-park-stop',
  memory: arena,
  setup(m, label) {
    const s = workerSetup(m, label);
    const waker = addRunningTask(m, label, 'waker');
    taskListAdd(m, waker);
    const published = addWord(m, label, 'published');
    m[published] = s.thread;
    return { ...s, waker, published };
  },
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.thread + TASK.created);
      kthreadPark(cur, s.thread);
      Atomics.store(m, s.published, 0);
      kthreadStop(cur, s.thread);
      m[s.done] += 100;
    },
    waker(m, s) {
      const cur = currentOf(m, s.waker);
      rcuReadLock(cur);
      const thread = Atomics.load(m, s.published);
      if (thread !== 0) wakeUpProcess(m, thread);
      rcuReadUnlock(cur);
    },
    kthread: workerThread,
  },
  forbids:
    'a thread that was parked before it ran cannot be stopped, or a waker that touches it after it is freed',
  why: 'kthreadStop unparks first, and waits for a grace period before it frees',
});

const PER_CPU: SmpHotplugThread = {
  shouldRun: (cur) => Atomics.load(cur.m, cur.m[cur.task.at + TASK.data]) !== 0,
  threadFn(cur) {
    const work = cur.m[cur.task.at + TASK.data];
    Atomics.store(cur.m, work, 0);
    Atomics.add(cur.m, work + 1, 1);
  },
};

export const smpboot: Litmus = litmus({
  name: 'smpboot-park-run',
  memory: arena,
  setup(m, label) {
    const s = workerSetup(m, label);
    label(m, s.work, ['work', 'ran']);
    m[s.thread + TASK.data] = s.work;
    return s;
  },
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.thread + TASK.created);
      kthreadPark(cur, s.thread);
      kthreadUnpark(m, s.thread);
      Atomics.store(m, s.work, 1);
      wakeUpProcess(m, s.thread);
    },
    kthread(m, s) {
      kthread(currentOf(m, s.thread), (c) => smpbootThreadFn(c, PER_CPU, 0));
    },
  },
  daemons: ['kthread'],
  final(m, s) {
    must(m[s.work] === 0 && m[s.work + 1] === 1, `work was left: ${m[s.work]}, ran ${m[s.work + 1]} times`);
  },
  forbids: 'a per-CPU thread sleeps though it should run',
  why: 'it sets its state before it asks shouldRun (M1, M2)',
});
