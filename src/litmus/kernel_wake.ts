// SPDX-License-Identifier: GPL-2.0-only
/** Litmus tests of which sleep a wake-up may end, and of how often: task.ts, sched.ts, completion.ts. */
import { type Litmus, litmus, must } from '../check/index.js';
import { EBUSY } from '../kernel/errno.js';
import { kthread, kthreadPark, kthreadParkme, kthreadShouldPark, kthreadUnpark } from '../kernel/kthread.js';
import { schedule, sleepOnCompletion } from '../kernel/sched.js';
import {
  setCurrentState,
  TASK,
  TASK_DEAD,
  TASK_INTERRUPTIBLE,
  TASK_PARKED,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  wakeUpProcess,
  wakeUpState,
} from '../kernel/task.js';
import { ARENA_WORDS, addRunningTask, addTask, addWord, boot, currentOf } from './world.js';

const arena = (): Int32Array => new Int32Array(new SharedArrayBuffer(ARENA_WORDS * 4));

export const wakeKind: Litmus = litmus({
  name: 'task-wake-kind',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return { sleeper: addRunningTask(m, label, 'sleeper'), data: addWord(m, label, 'data') };
  },
  threads: {
    stranger(m, s) {
      wakeUpProcess(m, s.sleeper);
    },
    unparker(m, s) {
      m[s.data] = 7;
      while (!wakeUpState(m, s.sleeper, TASK_PARKED));
    },
    sleeper(m, s) {
      const cur = currentOf(m, s.sleeper);
      setCurrentState(cur.task, TASK_INTERRUPTIBLE); // what the stranger may end
      setCurrentState(cur.task, TASK_PARKED);
      schedule(cur);
      must(m[s.data] === 7, 'parked no longer, though nobody unparked it');
      Atomics.store(m, cur.task.state, TASK_DEAD);
    },
  },
  final(m, s) {
    must(m[s.sleeper + TASK.state] === TASK_DEAD, 'a dead task was woken');
  },
  forbids: 'a wake-up that ends a sleep of another kind, or wakes the dead',
  why: 'a waker changes the state only from one of those it was asked to wake, and in one step',
});

export const wakeOnce: Litmus = litmus({
  name: 'task-wake-once',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    const sleeper = addRunningTask(m, label, 'sleeper');
    m[sleeper + TASK.state] = TASK_UNINTERRUPTIBLE;
    return { sleeper, woken: addWord(m, label, 'woken') };
  },
  threads: {
    wakerA(m, s) {
      if (wakeUpProcess(m, s.sleeper)) Atomics.add(m, s.woken, 1);
    },
    wakerB(m, s) {
      if (wakeUpProcess(m, s.sleeper)) Atomics.add(m, s.woken, 1);
    },
    sleeper: (m, s) => schedule(currentOf(m, s.sleeper)),
  },
  final(m, s) {
    must(m[s.woken] === 1, `${m[s.woken]} wakers say that they woke it, of one sleep`);
  },
  forbids: 'two wakers that both take themselves for the one who ended a sleep',
  why: 'the state goes to running by compare-and-swap: one of them wins',
});

export const parkWaits: Litmus = litmus({
  name: 'kthread-park-waits',
  memory: arena,
  setup(m, label) {
    boot(m, label, 1);
    return {
      main: addRunningTask(m, label, 'main'),
      thread: addTask(m, label, 'kthread'),
      work: addWord(m, label, 'work'),
      done: addWord(m, label, 'done'),
    };
  },
  threads: {
    main(m, s) {
      const cur = currentOf(m, s.main);
      sleepOnCompletion(cur, s.thread + TASK.created);
      Atomics.store(m, s.work, 1);
      wakeUpProcess(m, s.thread);
      must(kthreadPark(cur, s.thread) === 0, 'park was refused');
      m[s.done] += 100; // parked: its data is ours
      must(kthreadPark(cur, s.thread) === -EBUSY, 'a second park was not refused');
      kthreadUnpark(m, s.thread);
    },
    kthread(m, s) {
      kthread(currentOf(m, s.thread), (cur) => {
        for (;;) {
          setCurrentState(cur.task, TASK_INTERRUPTIBLE);
          if (kthreadShouldPark(cur)) {
            kthreadParkme(cur);
          } else if (Atomics.exchange(m, s.work, 0) !== 0) {
            setCurrentState(cur.task, TASK_RUNNING);
            m[s.done]++;
          } else {
            schedule(cur);
          }
        }
      });
    },
  },
  daemons: ['kthread'],
  final(m, s) {
    must(m[s.done] === 101, `work that was sent before the park is lost, or done twice: ${m[s.done]}`);
  },
  forbids: 'a park that returns while the thread still works',
  why: 'the parker waits for the completion that the thread makes once it is parked',
});
